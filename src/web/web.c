// SPDX-License-Identifier: Apache-2.0
/*
 * The loop of the web thread accepts connections itself, so that it decides which one is cut when there is no room. A round:
 * wait, accept, let libmicrohttpd read and write, answer what waits, cut what is late. It sleeps until the next deadline and
 * not less.
 */
#include "web/web.h"

#include "base/clock.h"
#include "base/rcu.h"
#include "web/channel.h"
#include "web/listen.h"
#include "web/routes.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WEB_CONNECTIONS_MAX = 512,
    WEB_MEMORY = 32 * 1024, // libmicrohttpd's, of one request: its head and that of its answer
    WEB_EVENTS = 64,        // of one wait
    WEB_RETRY_MS = 50,      // when a request waits for a place in libmicrohttpd
    WEB_ACCEPTS = 64,       // in one round, so that requests are read in between
    WEB_PAUSE_MS = 100,     // how long nothing is accepted when descriptors have run out
    WEB_STOP_MS = 1000      // how long responses may go on being sent at the end
};

// What may change while the server runs.
struct web_live {
    char *telemetry_path;
    char *external_address; // or NULL
    bool lifecycle;
    unsigned max_requests;
};

struct web {
    struct web_backend backend;
    struct MHD_Daemon *library;
    int epoll; // watches it, `wake`, the listeners and the connections
    int wake;  // eventfd; a full counter wakes just as well
    struct listener *listeners;
    size_t n_listeners;
    struct conns conns;
    struct channels channels;
    struct stats stats;
    struct scrape scrape;
    struct routes_reload reload;
    struct auth auth;
    struct routes routes;
    struct web_config *web_config;                // in force, may be NULL; of the web thread
    _Atomic(struct web_config *) next_web_config; // likewise from the next round on
    struct web_live *live;                        // in force; of the web thread
    _Atomic(struct web_live *) next;              // to be in force from the next round on
    bool listening;                               // the listeners are in `epoll`
    uint64_t paused_ms;                           // until when nothing is accepted; 0: not paused
    uint64_t stop_ms;        // when the loop ends at the latest; 0: not stopping
    _Atomic bool stopping;   // asked to stop
    _Atomic bool poked;      // asked whether loop and renderer go round
    _Atomic uint64_t rounds; // how often they did when asked
    pthread_t thread;
    bool started;
};

// ---- The web configuration

int web_config_load(struct web_config **ret, const char *file, struct webconf_files *seen,
                    struct errs *errs)
{
    struct web_config *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return -ENOMEM;
    }
    int r = 0;
    if (file != NULL) {
        r = webconf_load(&g->conf, file, tls_is_supported(), seen, errs);
    } else {
        webconf_files_clear(seen);
    }
    if (r == 0 && g->conf != NULL && g->conf->tls.on) {
        r = tls_new(&g->tls, g->conf, errs);
    }
    if (r < 0) {
        web_config_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void web_config_free(struct web_config *g)
{
    if (g != NULL) {
        webconf_free(g->conf);
        tls_unref(g->tls);
        free(g);
    }
}

// ---- The loop

// Half of the descriptors, and a share of them for pairs (web/channel).
static void set_limits(struct web *w)
{
    struct rlimit files;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY;
    size_t half = known ? (size_t)files.rlim_cur / 2 : WEB_CONNECTIONS_MAX;
    half = half < WEB_CONNECTIONS_MAX ? half : WEB_CONNECTIONS_MAX;
    w->conns.limit = half > 4 ? half : 4;
    size_t share = known ? (size_t)files.rlim_cur / 8 : WEB_CONNECTIONS_MAX;
    share = share < WEB_CONNECTIONS_MAX ? share : WEB_CONNECTIONS_MAX;
    w->channels.most_exchanges = share > CHANNEL_EXCHANGES_LEAST ? share : CHANNEL_EXCHANGES_LEAST;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web *w = cls;
    channel_on_connection(&w->channels, mhd, context, (int)code);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
    (void)url; // decoded by other rules than ours
    (void)version;
    (void)upload;
    (void)context;
    struct web *w = cls;
    struct conn *c = channel_conn(mhd);
    bool good = c != NULL && (c->checked || channel_is_head_exact(mhd)) &&
                routes_handle(&w->routes, c, method, upload_size);
    return good ? MHD_YES : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    struct web *w = cls;
    channel_on_completed(&w->channels, mhd, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static int watch(struct web *w, int fd, uint64_t tag)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

// Others are a listener's number, or the address of a connection, which is even and beyond any such number.
enum { TAG_MHD = UINT32_MAX, TAG_WAKE = UINT32_MAX - 2u };

static void listeners_watch(struct web *w, bool on)
{
    for (size_t i = 0; on != w->listening && i < w->n_listeners; i++) {
        if (on) {
            watch(w, w->listeners[i].socket.fd, i);
        } else {
            epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->listeners[i].socket.fd, NULL);
        }
    }
    w->listening = on;
}

// It gets heads that were read strictly before, so it needs no strictness of its own.
static int start_library(struct web *w)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
#if MHD_VERSION >= 0x00097707
    flags |=
        MHD_USE_NO_THREAD_SAFETY; // else it takes connections up a round later, and says nothing of it
#endif
    // As many again, for abandoned requests that it has not released yet.
    unsigned most = 2 * (unsigned)w->channels.most_exchanges;
    w->library = MHD_start_daemon(flags, 0, NULL, NULL, on_request, w, MHD_OPTION_CONNECTION_LIMIT,
                                  most, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_MEMORY,
                                  MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_CONNECTION,
                                  on_connection, w, MHD_OPTION_NOTIFY_COMPLETED, on_completed, w,
                                  MHD_OPTION_END);
    if (w->library == NULL) {
        return errno > 0 ? -errno : -ENOMEM;
    }
    w->channels.library = w->library;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->library, MHD_DAEMON_INFO_EPOLL_FD);
    return info != NULL ? watch(w, info->epoll_fd, TAG_MHD) : -ENOTSUP;
}

static void web_live_free(struct web_live *live)
{
    if (live != NULL) {
        free(live->telemetry_path);
        free(live->external_address);
        free(live);
    }
}

static void adopt(struct web *w)
{
    struct web_live *live = atomic_exchange(&w->next, NULL);
    if (live != NULL) {
        web_live_free(w->live);
        w->live = live;
        w->scrape.telemetry_path = w->routes.telemetry_path = live->telemetry_path;
        w->scrape.max_requests = live->max_requests;
        w->routes.lifecycle = live->lifecycle;
        w->routes.external_address = live->external_address;
    }
}

static void adopt_web_config(struct web *w)
{
    struct web_config *web_config = atomic_exchange(&w->next_web_config, NULL);
    if (web_config != NULL) {
        web_config_free(w->web_config);
        w->web_config = web_config;
        w->conns.conf = web_config->conf;
        w->auth.rate = (struct rate_limit){0};
        auth_serve(&w->auth); // tries of whom nobody waits for any more
        channel_end_others(&w->channels, web_config->tls);
    }
}

// Joins the parts. Expects backend, listeners and next to be filled in. Returns 0 or -errno.
static int init(struct web *w)
{
    adopt(w);
    set_limits(w);
    w->conns.stats = &w->stats;
    w->conns.now_ms = clock_mono_ms();
    w->scrape.conns = w->routes.conns = &w->conns;
    w->scrape.stats = w->routes.stats = &w->stats;
    w->routes.scrape = &w->scrape;
    w->routes.reload = &w->reload;
    w->routes.auth = &w->auth;
    w->auth.conns = &w->conns;
    w->scrape.scheduler.conns = &w->conns;
    w->scrape.backend = w->routes.backend = w->scrape.renderer.backend = &w->backend;
    w->channels.conns = &w->conns;
    w->epoll = w->wake = -1;
    if (getrandom(w->conns.key, sizeof w->conns.key, 0) != (ssize_t)sizeof w->conns.key) {
        return -EIO;
    }
    int r = stats_init(&w->stats);
    r = r < 0 ? r : scrape_init(&w->scrape);
    r = r < 0 ? r : routes_reload_init(&w->reload, &w->backend, &w->conns);
    if (r < 0) {
        return r;
    }
    w->epoll = w->channels.epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = w->scrape.renderer.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->epoll < 0 || w->wake < 0) {
        return -errno;
    }
    r = auth_verifier_new(&w->auth.verifier, w->wake);
    r = r == 0 ? watch(w, w->wake, TAG_WAKE) : r;
    return r == 0 ? start_library(w) : r;
}

static void destroy(struct web *w)
{
    auth_verifier_free(w->auth.verifier);
    if (w->library != NULL) {
        MHD_stop_daemon(w->library);
    }
    channels_destroy(&w->channels);
    web_config_free(atomic_exchange(&w->next_web_config, NULL));
    web_config_free(w->web_config);
    if (w->epoll >= 0) {
        close(w->epoll);
    }
    if (w->wake >= 0) {
        close(w->wake);
    }
    scrape_destroy(&w->scrape);
    web_live_free(atomic_exchange(&w->next, NULL));
    web_live_free(w->live);
    routes_reload_destroy(&w->reload);
    stats_close(&w->stats);
}

// What accept(2) says when the process or the system has run out of something.
static void pause_accepting(struct web *w)
{
    count_add(&w->stats.shown.accept_errors, 1);
    conns_make_room(&w->conns);
    listeners_watch(w, false);
    w->paused_ms = w->conns.now_ms + WEB_PAUSE_MS;
}

static bool is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void accept_some(struct web *w, const struct listener *l)
{
    for (int i = 0; i < WEB_ACCEPTS && w->listening; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof address;
        int fd =
            accept4(l->socket.fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (is_shortage(errno)) {
                pause_accepting(w);
            }
            return;
        }
        count_add(&w->stats.accepted, 1);
        if (conns_live(&w->conns) >= w->conns.limit && !conns_make_room(&w->conns)) {
            close(fd);
            continue;
        }
        channel_open(&w->channels, fd, &address, w->web_config != NULL ? w->web_config->tls : NULL);
    }
}

static bool is_pending(struct MHD_Daemon *mhd)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(mhd, &ms) == MHD_YES && ms == 0;
}

// How long to sleep, in milliseconds as epoll_wait wants them.
static int wait_ms(struct web *w)
{
    if (w->conns.resumed || is_pending(w->library)) {
        return 0;
    }
    uint64_t at = conns_deadline(&w->conns);
    at = w->paused_ms != 0 && w->paused_ms < at ? w->paused_ms : at;
    at = w->stop_ms != 0 && w->stop_ms < at ? w->stop_ms : at;
    if (w->channels.deferred > 0 && w->conns.now_ms + WEB_RETRY_MS < at) {
        at = w->conns.now_ms + WEB_RETRY_MS;
    }
    if (at == UINT64_MAX) {
        return -1;
    }
    uint64_t left = at > w->conns.now_ms ? at - w->conns.now_ms : 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

// Cuts those that have nothing on its way to them.
static void cut_silent(struct web *w)
{
    static const enum conn_state silent[] = {CONN_HEAD, CONN_IDLE};
    while (w->conns.list[CONN_LINGER].head != NULL) {
        conn_end(&w->conns, w->conns.list[CONN_LINGER].head);
    }
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        while (w->conns.list[silent[i]].head != NULL) {
            conn_cut(&w->conns, w->conns.list[silent[i]].head, false);
        }
    }
}

static void cut_all(struct web *w)
{
    for (size_t i = 0; i < CONN_CUT; i++) {
        while (w->conns.list[i].head != NULL) {
            conn_cut(&w->conns, w->conns.list[i].head, true);
        }
    }
}

static void wait_and_accept(struct web *w)
{
    struct epoll_event ev[WEB_EVENTS];
    int n = epoll_wait(w->epoll, ev, WEB_EVENTS, wait_ms(w));
    w->conns.now_ms = clock_mono_ms();
    for (int i = 0; i < n; i++) {
        const uint64_t tag = ev[i].data.u64;
        if (tag == TAG_WAKE) {
            uint64_t count;
            ssize_t r = read(w->wake, &count, sizeof count);
            (void)r;
        } else if (tag < w->n_listeners) {
            accept_some(w, &w->listeners[tag]);
        } else if (tag != TAG_MHD) {
            channel_event(&w->channels, ev[i].data.ptr, ev[i].events);
        }
    }
}

// One round after the wait. Returns false when the loop is to end.
static bool serve(struct web *w)
{
    w->conns.resumed = false;
    MHD_run(w->library);
    channel_serve(&w->channels);
    w->conns.now_ms = clock_mono_ms();
    conns_sample(&w->conns);
    if (atomic_load(&w->stopping) && w->stop_ms == 0) {
        w->stop_ms = w->conns.now_ms + WEB_STOP_MS;
        listeners_watch(w, false);
    }
    if (w->paused_ms != 0 && w->conns.now_ms >= w->paused_ms) {
        w->paused_ms = 0;
        listeners_watch(w, w->stop_ms == 0);
    }
    if (w->conns.conf != NULL || w->conns.list[CONN_AUTH].n > 0) {
        auth_serve(&w->auth);
    }
    scrape_serve(&w->scrape);
    routes_reload_serve(&w->reload, w->stop_ms != 0);
    conns_expire(&w->conns);
    if (w->stop_ms != 0) {
        cut_silent(w);
    }
    channel_sweep(&w->channels);
    if (w->stop_ms != 0) {
        return conns_live(&w->conns) > 0 && w->conns.now_ms < w->stop_ms;
    }
    return true;
}

// A poke is answered by the loop when the renderer has answered it.
static void count_round(struct web *w)
{
    if (scrape_take_answer(&w->scrape)) {
        atomic_fetch_add_explicit(&w->rounds, 1, memory_order_relaxed);
    }
    if (atomic_exchange(&w->poked, false)) {
        scrape_poke(&w->scrape);
    }
}

// Runs until `stopping`, and WEB_STOP_MS longer at most.
static void run_loop(struct web *w)
{
    adopt_web_config(w);
    listeners_watch(w, true);
    do {
        wait_and_accept(w);
        adopt(w);
        adopt_web_config(w);
        count_round(w);
    } while (serve(w));
    cut_all(w);
    channel_sweep(&w->channels);
    MHD_run(w->library); // resumes what was suspended, and ends it
}

// ---- The HTTP side as the daemon sees it

static int check_settings(const struct web_settings *settings, struct buf *why)
{
    const char *path = settings->telemetry_path;
    if (path[0] != '/' || strpbrk(path, "?#") != NULL || routes_is_taken(path)) {
        buf_addf(why, "cannot serve metrics at %s: not a path, or one that has another meaning",
                 path);
        return -EINVAL;
    }
    if (settings->max_requests == 0) {
        buf_str(why, "max_requests must be at least 1");
        return -EINVAL;
    }
    return 0;
}

static int open_listeners(struct web *w, const struct web_settings *settings, struct buf *why)
{
    int r = 0;
    for (size_t i = 0; i < settings->n_addresses && r == 0; i++) {
        r = listen_open(&w->listeners[w->n_listeners], settings->addresses[i], &settings->file,
                        why);
        w->n_listeners += r == 0;
    }
    for (size_t i = 0; i < settings->n_fds; i++) {
        if (r < 0) {
            close(settings->fds[i]);
            continue;
        }
        r = listen_adopt(&w->listeners[w->n_listeners], settings->fds[i], why);
        w->n_listeners += r == 0;
    }
    return r;
}

static struct web_live *live_of(const struct web_settings *settings)
{
    struct web_live *live = calloc(1, sizeof *live);
    if (live == NULL) {
        return NULL;
    }
    live->lifecycle = settings->lifecycle;
    live->max_requests = settings->max_requests;
    live->telemetry_path = strdup(settings->telemetry_path);
    const char *address = settings->external_address;
    live->external_address = address != NULL ? strdup(address) : NULL;
    if (live->telemetry_path == NULL || (address != NULL && live->external_address == NULL)) {
        web_live_free(live);
        return NULL;
    }
    return live;
}

static int start_server(struct web *w, const struct web_settings *settings, struct buf *why)
{
    w->next = live_of(settings);
    if (w->next == NULL) {
        return -ENOMEM;
    }
    int r = init(w);
    if (r < 0) {
        destroy(w);
        buf_addf(why, "cannot start the HTTP server: %s", strerror(-r));
    }
    return r;
}

static void close_fds(const struct web_settings *settings)
{
    for (size_t i = 0; i < settings->n_fds; i++) {
        close(settings->fds[i]);
    }
}

static void free_parts(struct web *w)
{
    for (size_t i = 0; i < w->n_listeners; i++) {
        listen_close(&w->listeners[i]);
    }
    free(w->listeners);
    free(w);
}

int web_open(struct web **ret, const struct web_settings *settings,
             const struct web_backend *backend, struct buf *why)
{
    int r = check_settings(settings, why);
    struct web *w = r == 0 ? calloc(1, sizeof *w) : NULL;
    if (w == NULL) {
        close_fds(settings);
        return r < 0 ? r : -ENOMEM;
    }
    w->backend = *backend;
    w->listeners = calloc(settings->n_addresses + settings->n_fds + 1, sizeof *w->listeners);
    if (w->listeners == NULL) {
        close_fds(settings);
        r = -ENOMEM;
    } else {
        r = open_listeners(w, settings, why);
        r = r < 0 ? r : start_server(w, settings, why);
    }
    if (r < 0) {
        free_parts(w);
        return r;
    }
    *ret = w;
    return 0;
}

static void *thread_main(void *arg)
{
    struct web *w = arg;
    rcu_join();
    run_loop(w);
    rcu_part();
    return NULL;
}

int web_start(struct web *w)
{
    // Signals are the main thread's; SIGPIPE of a write to a closed connection is blocked. SIGBUS must reach the
    // thread that reads what cannot be read (series/arena.h).
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    int r = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (r != 0) {
        return -r;
    }
    int rc = scrape_start(&w->scrape);
    r = rc == 0 ? pthread_create(&w->thread, NULL, thread_main, w) : -rc;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = r == 0;
    if (w->started) {
        pthread_setname_np(w->thread, "web");
    } else {
        scrape_stop(&w->scrape);
    }
    return -r;
}

unsigned web_port(const struct web *w, size_t i)
{
    return i < w->n_listeners ? w->listeners[i].port : 0;
}

size_t web_sockets(const struct web *w)
{
    return w->n_listeners;
}

const char *web_lost_socket(const struct web *w, size_t i)
{
    const struct unix_socket *s = &w->listeners[i].socket;
    return unix_socket_is_reachable(s) ? NULL : s->path;
}

void web_reload_done(struct web *w, bool ok, const char *text)
{
    if (routes_reload_done(&w->reload, ok, text)) {
        eventfd_write(w->wake, 1);
    }
}

int web_change(struct web *w, const struct web_settings *settings, struct buf *why)
{
    int r = check_settings(settings, why);
    struct web_live *live = r == 0 ? live_of(settings) : NULL;
    if (live == NULL) {
        return r < 0 ? r : -ENOMEM;
    }
    web_live_free(atomic_exchange(&w->next, live));
    eventfd_write(w->wake, 1);
    return 0;
}

void web_set_config(struct web *w, struct web_config *web_config)
{
    const struct tls *tls = web_config != NULL ? web_config->tls : NULL;
    atomic_store(&w->stats.shown.certificate_expiry, tls != NULL ? tls_expiry(tls) : 0);
    clock_evidence_set(CLOCK_EVIDENCE_certificate, tls != NULL ? tls_valid_from(tls) * 1000 : 0, 0);
    web_config_free(atomic_exchange(&w->next_web_config, web_config));
    eventfd_write(w->wake, 1);
}

uint64_t web_certificate_expiry(const struct web *w)
{
    return count_read(&w->stats.shown.certificate_expiry);
}

void web_poke(struct web *w)
{
    atomic_store(&w->poked, true);
    eventfd_write(w->wake, 1);
}

uint64_t web_beats(const struct web *w)
{
    return atomic_load_explicit(&w->rounds, memory_order_relaxed);
}

const struct stats *web_stats(const struct web *w)
{
    return &w->stats;
}

void web_last_scrape(struct web *w, struct stats_last_scrape *ret)
{
    pthread_mutex_lock(&w->stats.lock);
    *ret = w->stats.last;
    pthread_mutex_unlock(&w->stats.lock);
}

uint64_t web_handshake_failure(struct web *w, enum tls_fault fault, struct stats_handshake *ret)
{
    pthread_mutex_lock(&w->stats.lock);
    *ret = w->stats.failed[fault];
    uint64_t n = count_read(&w->stats.shown.tls_errors[fault]);
    pthread_mutex_unlock(&w->stats.lock);
    return n;
}

void web_stop(struct web *w)
{
    if (!w->started) {
        return;
    }
    atomic_store(&w->stopping, true);
    eventfd_write(w->wake, 1);
    pthread_join(w->thread, NULL);
    scrape_stop(&w->scrape);
    w->started = false;
    for (size_t i = 0; i < w->n_listeners; i++) {
        listen_close(&w->listeners[i]);
    }
}

void web_free(struct web *w)
{
    if (w == NULL) {
        return;
    }
    web_stop(w);
    destroy(w);
    free_parts(w);
}
