// SPDX-License-Identifier: Apache-2.0
#include "web/server.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t connection_limit(void)
{
    struct rlimit files;
    size_t limit = SERVER_CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < limit) {
        limit = (size_t)files.rlim_cur / 2;
    }
    return limit > 4 ? limit : 4;
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

// Prepares the handshake of a connection that begins with one.
static bool secure(struct server *s, struct conn *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL || info->tls_session == NULL) {
        return true;
    }
    if (s->guard == NULL || s->guard->tls == NULL ||
        tls_attach(s->guard->tls, info->tls_session) < 0) {
        return false;
    }
    c->tls = tls_ref(s->guard->tls);
    return true;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = conn_open(&s->conns, mhd, info->connect_fd);
        if (*context == NULL || !secure(s, *context)) {
            shutdown(info->connect_fd, SHUT_RDWR);
        }
    } else if (*context != NULL) {
        struct tls *tls = ((struct conn *)*context)->tls;
        gate_leave(*context);
        conn_close(&s->conns, *context);
        tls_unref(tls);
        *context = NULL;
    }
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    (void)cls;
    struct conn *c = conn_of(mhd);
    if (c != NULL) {
        routes_target(c, target);
    }
    return NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
    (void)url; // decoded by other rules than ours: see routes_target
    (void)upload;
    (void)context;
    struct server *s = cls;
    struct conn *c = conn_of(mhd);
    bool good = c != NULL && routes_handle(&s->routes, c, method, version, upload_size);
    return good ? MHD_YES : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    struct server *s = cls;
    struct conn *c = conn_of(mhd);
    if (c != NULL) {
        conn_clear(c);
        if (c->state != CONN_CUT) {
            conn_move(&s->conns, c, CONN_IDLE);
        }
    }
}

static int watch(struct server *s, int fd, uint64_t tag)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

enum { TAG_MHD = UINT32_MAX, TAG_WAKE = UINT32_MAX - 1u }; // others: a listener's number

static void listeners_watch(struct server *s, bool on)
{
    for (size_t i = 0; on != s->listening && i < s->n_listeners; i++) {
        if (on) {
            watch(s, s->listeners[i].fd, i);
        } else {
            epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listeners[i].fd, NULL);
        }
    }
    s->listening = on;
}

// Not strict: 0.9.75 then answers a missing Host with two heads in a row; head.c does it better.
static int start_mhd(struct server *s, bool tls, struct MHD_Daemon **ret)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem more[] = {
        {tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0, tls_no_certificate()},
        {MHD_OPTION_END, 0, NULL}};
    flags |= tls ? MHD_USE_TLS : 0;
    unsigned most = (unsigned)s->conns.limit + 2 * SERVER_ACCEPTS; // with those cut and not yet met
    *ret = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT, most,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_MEMORY,
                            MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 0,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, s, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (*ret == NULL) {
        return errno > 0 ? -errno : -ENOMEM;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(*ret, MHD_DAEMON_INFO_EPOLL_FD);
    return info != NULL ? watch(s, info->epoll_fd, TAG_MHD) : -ENOTSUP;
}

void server_live_free(struct server_live *live)
{
    if (live != NULL) {
        free(live->telemetry_path);
        free(live->external_address);
        free(live);
    }
}

static void adopt(struct server *s)
{
    struct server_live *live = atomic_exchange(&s->next, NULL);
    if (live != NULL) {
        server_live_free(s->live);
        s->live = live;
        s->scrape.telemetry_path = s->routes.telemetry_path = live->telemetry_path;
        s->scrape.max_requests = live->max_requests;
        s->routes.lifecycle = live->lifecycle;
        s->sd.external_address = live->external_address;
    }
}

static void adopt_guard(struct server *s)
{
    struct guard *guard = atomic_exchange(&s->next_guard, NULL);
    if (guard != NULL) {
        guard_free(s->guard);
        s->guard = guard;
        s->conns.conf = guard->conf;
        s->gate.full_ns = 0;
    }
}

void server_guard(struct server *s, struct guard *guard)
{
    guard_free(atomic_exchange(&s->next_guard, guard));
    server_wake(s);
}

void server_change(struct server *s, struct server_live *live)
{
    server_live_free(atomic_exchange(&s->next, live));
    server_wake(s);
}

static void wake_server(void *server)
{
    server_wake(server);
}

int server_init(struct server *s)
{
    adopt(s);
    s->conns.limit = connection_limit();
    s->conns.stats = &s->stats;
    s->conns.now_ms = clock_mono_ms();
    s->scrape.conns = s->routes.conns = &s->conns;
    s->scrape.stats = s->routes.stats = &s->stats;
    s->routes.scrape = &s->scrape;
    s->routes.reload = &s->reload;
    s->routes.gate = &s->gate;
    s->gate.conns = &s->conns;
    s->routes.sd = &s->sd;
    s->sd.conns = &s->conns;
    s->wake = -1;
    int r = reload_init(&s->reload, s->routes.backend, &s->conns);
    if (r < 0) {
        s->epoll = -1;
        return r;
    }
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->epoll < 0 || s->wake < 0) {
        return -errno;
    }
    r = login_new(&s->gate.login, wake_server, s);
    r = r == 0 ? watch(s, s->wake, TAG_WAKE) : r;
    r = r == 0 ? start_mhd(s, false, &s->plain) : r;
    return r == 0 && tls_is_there() ? start_mhd(s, true, &s->secure) : r;
}

void server_destroy(struct server *s)
{
    login_free(s->gate.login);
    struct MHD_Daemon *daemons[] = {s->plain, s->secure};
    for (size_t i = 0; i < 2; i++) {
        if (daemons[i] != NULL) {
            MHD_stop_daemon(daemons[i]);
        }
    }
    guard_free(atomic_exchange(&s->next_guard, NULL));
    guard_free(s->guard);
    if (s->epoll >= 0) {
        close(s->epoll);
    }
    if (s->wake >= 0) {
        close(s->wake);
    }
    scrape_destroy(&s->scrape);
    server_live_free(atomic_exchange(&s->next, NULL));
    server_live_free(s->live);
    reload_destroy(&s->reload);
}

void server_wake(struct server *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake, &one, sizeof one);
    (void)n; // a full counter wakes just as well
}

// What accept(2) says when the process or the system has run out of something.
static void pause_accepting(struct server *s)
{
    count_add(&s->stats.accept_errors, 1);
    conns_make_room(&s->conns);
    listeners_watch(s, false);
    s->paused_ms = s->conns.now_ms + SERVER_PAUSE_MS;
}

static bool is_shortage(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void accept_some(struct server *s, const struct listener *l)
{
    for (int i = 0; i < SERVER_ACCEPTS && s->listening; i++) {
        struct sockaddr_storage addr;
        socklen_t len = sizeof addr;
        int fd = accept4(l->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (is_shortage(errno)) {
                pause_accepting(s);
            }
            return;
        }
        count_add(&s->stats.accepted, 1);
        if (conns_live(&s->conns) >= s->conns.limit && !conns_make_room(&s->conns)) {
            close(fd);
            continue;
        }
        bool tls = s->guard != NULL && s->guard->tls != NULL;
        MHD_add_connection(tls ? s->secure : s->plain, fd, (struct sockaddr *)&addr, len);
    }
}

static bool is_pending(struct MHD_Daemon *mhd)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return mhd != NULL && MHD_get_timeout(mhd, &ms) == MHD_YES && ms == 0;
}

static void run_mhd(struct server *s)
{
    MHD_run(s->plain);
    if (s->secure != NULL) {
        MHD_run(s->secure);
    }
}

// How long to sleep, in milliseconds as epoll_wait wants them.
static int patience(struct server *s)
{
    if (s->conns.resumed || is_pending(s->plain) || is_pending(s->secure)) {
        return 0;
    }
    uint64_t at = conns_deadline(&s->conns);
    at = s->paused_ms != 0 && s->paused_ms < at ? s->paused_ms : at;
    at = s->stop_ms != 0 && s->stop_ms < at ? s->stop_ms : at;
    if (at == UINT64_MAX) {
        return -1;
    }
    uint64_t left = at > s->conns.now_ms ? at - s->conns.now_ms : 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

// Cuts those that have nothing on its way to them.
static void cut_silent(struct server *s)
{
    static const enum conn_state silent[] = {CONN_HEAD, CONN_IDLE};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        while (s->conns.list[silent[i]].head != NULL) {
            conn_cut(&s->conns, s->conns.list[silent[i]].head, false);
        }
    }
}

static void cut_all(struct server *s)
{
    for (size_t i = 0; i < CONN_CUT; i++) {
        while (s->conns.list[i].head != NULL) {
            conn_cut(&s->conns, s->conns.list[i].head, true);
        }
    }
}

static void wait_and_accept(struct server *s)
{
    struct epoll_event ev[16];
    int n = epoll_wait(s->epoll, ev, sizeof ev / sizeof ev[0], patience(s));
    s->conns.now_ms = clock_mono_ms();
    for (int i = 0; i < n; i++) {
        if (ev[i].data.u64 == TAG_WAKE) {
            uint64_t count;
            ssize_t r = read(s->wake, &count, sizeof count);
            (void)r;
        } else if (ev[i].data.u64 < s->n_listeners && s->listening) {
            accept_some(s, &s->listeners[ev[i].data.u64]);
        }
    }
}

// One round after the wait. Returns false when the loop is to end.
static bool serve(struct server *s)
{
    s->conns.resumed = false;
    run_mhd(s);
    s->conns.now_ms = clock_mono_ms();
    conns_sample(&s->conns);
    if (atomic_load(&s->stopping) && s->stop_ms == 0) {
        s->stop_ms = s->conns.now_ms + SERVER_STOP_MS;
        listeners_watch(s, false);
    }
    if (s->paused_ms != 0 && s->conns.now_ms >= s->paused_ms) {
        s->paused_ms = 0;
        listeners_watch(s, s->stop_ms == 0);
    }
    gate_serve(&s->gate);
    scrape_serve(&s->scrape);
    reload_serve(&s->reload, s->stop_ms != 0);
    conns_expire(&s->conns);
    if (s->stop_ms != 0) {
        cut_silent(s);
        return conns_live(&s->conns) > 0 && s->conns.now_ms < s->stop_ms;
    }
    return true;
}

void server_run(struct server *s)
{
    adopt_guard(s);
    listeners_watch(s, true);
    do {
        wait_and_accept(s);
        adopt(s);
        adopt_guard(s);
        atomic_fetch_add_explicit(&s->rounds, 1, memory_order_relaxed);
    } while (serve(s));
    cut_all(s);
    run_mhd(s); // meets the cuts, and resumes what was suspended
}
