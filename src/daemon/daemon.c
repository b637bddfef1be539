// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rcu.h"
#include "daemon/admin.h"
#include "daemon/backend.h"
#include "daemon/config.h"
#include "daemon/limits.h"
#include "daemon/log_troubles.h"
#include "daemon/reload.h"
#include "daemon/service.h"
#include "daemon/signals.h"
#include "event/bytes.h"
#include "source/ttl.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

// The parts of the running process, in the order in which they are made; the main thread's.
struct daemon {
    struct config *config;
    struct sources *sources;
    struct series_store *store;
    struct state state;
    struct ingest *ingest;
    struct self self;
    struct web *web;
    struct reload_web reload_web;
    struct service_fds passed; // sockets that were handed over; ingest and web own them
    struct service_watchdog watchdog;
    struct status status;
    struct log_rejects log_rejects;
    struct log_troubles log_troubles;
    struct backend backend;
    struct admin admin;
    struct signals signals;
    int tick;        // timerfd, once a second; more often for a short watchdog
    int maintenance; // eventfd: an index is small for what it holds, or many removed series wait
};

static int fail(int rc, const char *what, const char *detail)
{
    log_write_kind(LOG_KIND_cannot_run, LOG_LEVEL_ERROR, what, "error",
                   detail != NULL ? detail : strerror(-rc), NULL);
    return rc;
}

// ---- Beginning and end

// As many descriptors as the system allows: connections need one each.
static void raise_descriptors(void)
{
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur < fds.rlim_max) {
        fds.rlim_cur = fds.rlim_max;
        setrlimit(RLIMIT_NOFILE, &fds);
    }
}

static unsigned workers_of(const struct config *c)
{
    if (c->events_workers > 0) {
        return (unsigned)c->events_workers;
    }
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned)cpus;
}

// What lines may be recognised with: by itself a quarter of the memory that there is, of which only what series need is
// used.
static uint64_t cache_bytes_of(const struct config *c)
{
    return c->events_cache_size == SETTING_AUTO ? limits_memory() / 4 : c->events_cache_size;
}

// What this process needs for itself.
static uint64_t own_descriptors(const struct config *c)
{
    return 16 + 3 * (uint64_t)workers_of(c);
}

// With fewer it would start, and answer nobody.
static int check_descriptors(const struct config *c)
{
    enum { CLIENTS = 4 };
    struct rlimit fds;
    uint64_t least = 2 * (own_descriptors(c) + CLIENTS);
    if (getrlimit(RLIMIT_NOFILE, &fds) < 0 || fds.rlim_cur >= least) {
        return 0;
    }
    char text[128];
    snprintf(text, sizeof text,
             "needs at least %" PRIu64 ", the limit is %" PRIu64
             "; raise ulimit -n or LimitNOFILE=",
             least, (uint64_t)fds.rlim_cur);
    return fail(-EMFILE, "too few file descriptors", text);
}

// Descriptors are shared: one half is HTTP's, and of the other half this process needs some for itself, so that
// many clients cannot keep a scrape out.
static uint32_t connections_of(const struct config *c)
{
    struct rlimit fds;
    uint64_t own = own_descriptors(c);
    uint64_t most = c->limits_connections;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY) {
        uint64_t half = fds.rlim_cur / 2;
        uint64_t room = half > own ? half - own : 1;
        most = room < most ? room : most;
    }
    return (uint32_t)most;
}

static struct web_settings web_settings_of(const struct config *c)
{
    return (struct web_settings){
        .addresses = (const char *const *)c->web_listen_addresses.items,
        .n_addresses = c->web_listen_addresses.n,
        .file = {.mode = c->web_unix_socket_mode, .group = c->web_unix_socket_group},
        .telemetry_path = c->web_telemetry_path,
        .external_address = c->web_external_address,
        .lifecycle = c->web_enable_lifecycle,
        .max_requests = (unsigned)c->web_max_requests,
    };
}

static struct schema_settings schema_settings_of(const struct config *c)
{
    return (struct schema_settings){.limit = c->limits_series,
                                    .limit_per_metric = c->limits_series_per_metric};
}

static int open_descriptors(struct daemon *d)
{
    int rc = signals_open(&d->signals);
    if (rc < 0) {
        return fail(rc, "cannot create file descriptors", NULL);
    }
    d->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    d->backend.reload_requested = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->maintenance = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t ms = service_watchdog_tick_ms(&d->watchdog);
    struct timespec period = {.tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000};
    struct itimerspec every = {.it_interval = period, .it_value = period};
    if (d->tick < 0 || d->backend.reload_requested < 0 || d->maintenance < 0 ||
        timerfd_settime(d->tick, 0, &every, NULL) < 0) {
        return fail(-errno, "cannot create file descriptors", NULL);
    }
    return 0;
}

static int open_series(struct daemon *d, struct catalog *catalog)
{
    uint32_t sources = (uint32_t)d->config->limits_sources;
    struct schema_settings settings = schema_settings_of(d->config);
    int rc = sources_new(&d->sources, sources);
    if (rc == 0) {
        rc = schema_open(&d->store, catalog, &settings, workers_of(d->config),
                         sources_lease_from(sources), sources_max_id(sources));
    }
    if (rc < 0) {
        catalog_free(catalog);
        return fail(rc, "cannot create the series tables", NULL);
    }
    d->store->share.crowded = d->maintenance;
    return state_open(&d->state, d->config->state_file, d->store, d->sources);
}

// The socket that was handed over, or else the one at the path, or else none.
static int open_socket(const struct config *c, int passed, const char *path, int type,
                       struct unix_socket *ret)
{
    struct buf problem = BUF_INIT;
    if (passed >= 0) {
        int rc = ingest_adopt_socket(ret, passed);
        return rc < 0 ? fail(rc, "cannot use the passed event socket", NULL) : 0;
    }
    struct unix_socket_settings settings = {.path = path,
                                            .type = type,
                                            .backlog = INGEST_BACKLOG,
                                            .mode = c->events_socket_mode,
                                            .group = c->events_socket_group};
    int rc = path == NULL ? 0 : ingest_open_socket(ret, &settings, &problem);
    if (rc < 0) {
        fail(rc, "cannot open the event socket", buf_string(&problem));
    } else if (problem.len > 0) {
        log_warn("the event socket is open, but not locked", "error", buf_string(&problem), NULL);
    }
    buf_free(&problem);
    return rc;
}

static int open_ingest(struct daemon *d, struct permission_roles *roles)
{
    struct ingest_settings settings = {
        .workers = workers_of(d->config),
        .cache_bytes = cache_bytes_of(d->config),
        .connections = connections_of(d->config),
        .sessions = (uint32_t)d->config->limits_sessions,
        .stream = UNIX_SOCKET_NONE,
        .datagram = UNIX_SOCKET_NONE,
    };
    int rc = open_socket(d->config, d->passed.stream, d->config->events_socket, SOCK_STREAM,
                         &settings.stream);
    if (rc == 0) {
        rc = open_socket(d->config, d->passed.datagram, d->config->events_datagram_socket,
                         SOCK_DGRAM, &settings.datagram);
    }
    if (rc == 0) {
        rc = ingest_open(&d->ingest, &settings, d->store, d->sources);
        if (rc < 0) {
            fail(rc, "cannot create the ingest workers", NULL);
        }
    }
    if (rc == 0) {
        rc = ingest_bind_permissions(d->ingest, roles);
        if (rc < 0) {
            permission_roles_free(roles);
            return fail(rc, "cannot create the statistics of sources", NULL);
        }
        ingest_put_permissions(d->ingest, roles);
    }
    if (rc < 0) {
        permission_roles_free(roles);
        unix_socket_close(&settings.stream);
        unix_socket_close(&settings.datagram);
    }
    return rc;
}

static int take_passed(struct daemon *d)
{
    struct buf problem = BUF_INIT;
    int rc = service_take(&d->passed, &problem);
    if (rc < 0) {
        fail(rc, "cannot use a passed socket", buf_string(&problem));
    }
    buf_free(&problem);
    return rc;
}

// Addresses to listen on besides the sockets that were handed over: those that were set.
static size_t addresses_of(const struct daemon *d)
{
    const struct config *c = d->config;
    bool asked = c->origins[SETTING_web_listen_addresses].set_by != CONFIG_BY_DEFAULT;
    return asked || d->passed.n_web == 0 ? c->web_listen_addresses.n : 0;
}

static int open_web(struct daemon *d)
{
    d->backend.store = d->store;
    d->backend.sources = d->sources;
    d->backend.ingest = d->ingest;
    d->backend.state = &d->state;
    d->backend.self = &d->self;
    d->backend.rejects = &d->log_rejects;
    struct buf problem = BUF_INIT;
    struct web_settings settings = web_settings_of(d->config);
    settings.n_addresses = addresses_of(d);
    settings.fds = d->passed.web;
    settings.n_fds = d->passed.n_web;
    struct web_backend backend = backend_web(&d->backend);
    int rc = web_open(&d->web, &settings, &backend, &problem);
    d->backend.web = d->web;
    if (rc < 0) {
        fail(rc, "cannot serve HTTP", buf_string(&problem));
    } else {
        d->self.scrapes = &web_stats(d->web)->shown;
        rc = reload_web_open(&d->reload_web, d->web, d->config->web_config_file, &problem);
        if (rc < 0) {
            fail(rc, "cannot use the web configuration", buf_string(&problem));
        }
    }
    buf_free(&problem);
    return rc;
}

// A path that was set must do; without the one that systemd names the daemon still serves.
static int open_admin(struct daemon *d)
{
    const struct config *c = d->config;
    struct buf problem = BUF_INIT;
    int rc =
        c->admin_socket != NULL ? admin_open(&d->admin, c->admin_socket, &d->backend, &problem) : 0;
    if (rc < 0 && c->origins[SETTING_admin_socket].set_by != CONFIG_BY_DEFAULT) {
        fail(rc, "cannot open the admin socket", buf_string(&problem));
    } else if (problem.len > 0) {
        log_warn(rc < 0 ? "there is no admin socket" : "the admin socket is open, but not locked",
                 "error", buf_string(&problem), NULL);
        rc = 0;
    }
    buf_free(&problem);
    d->backend.keep_rejected = d->admin.epoll >= 0;
    return rc;
}

static void open_self(struct daemon *d)
{
    d->self.version = VE_VERSION;
    d->self.revision = VE_REVISION;
    d->self.ingest = d->ingest;
    d->self.sources = d->sources;
    d->self.start_ms = process_start_ms();
    atomic_store(&d->self.reload_ok, true);
    atomic_store(&d->self.reload_at_ms, clock_real_ms());
}

static int start(struct daemon *d)
{
    int rc = ingest_start(d->ingest);
    if (rc < 0) {
        return fail(rc, "cannot start the ingest workers", NULL);
    }
    rc = web_start(d->web);
    if (rc < 0) {
        return fail(rc, "cannot start the web thread", NULL);
    }
    rc = signals_start(&d->signals);
    if (rc < 0) {
        return fail(rc, "cannot start the signal thread", NULL);
    }
    atomic_store(&d->backend.ready, true);
    return 0;
}

// Whether only this host can connect.
static bool is_local(const char *address)
{
    static const char *const begins[] = {"127.", "[::1]", "unix:"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        if (strncmp(address, begins[i], strlen(begins[i])) == 0) {
            return true;
        }
    }
    return false;
}

// Says so when other hosts may read the metrics, and how that is changed.
static void log_exposure(const struct daemon *d, size_t n_addresses)
{
    const struct config *c = d->config;
    bool open = d->passed.n_web > 0;
    for (size_t i = 0; i < n_addresses; i++) {
        open = open || !is_local(c->web_listen_addresses.items[i]);
    }
    if (open && c->web_config_file == NULL) {
        log_info("metrics are served without authentication to other hosts", "only_this_host",
                 "web.listen_addresses: [\"127.0.0.1:8080\"]", "users_and_tls",
                 "web.config_file, see virtrigaud-exporter-web.yaml(5)", NULL);
    }
}

static void log_start(const struct daemon *d)
{
    const struct config *c = d->config;
    static const char passed[] = "passed by systemd";
    size_t n = addresses_of(d);
    log_exposure(d, n);
    for (size_t i = 0; i < n + d->passed.n_web; i++) {
        char port[16];
        snprintf(port, sizeof port, "%u", web_port(d->web, i));
        log_info("serving HTTP", "address", i < n ? c->web_listen_addresses.items[i] : passed,
                 "port", port, NULL);
    }
    log_info("accepting events", "socket", d->passed.stream >= 0 ? passed : c->events_socket,
             "datagram_socket", d->passed.datagram >= 0 ? passed : c->events_datagram_socket, NULL);
    if (!bytes_can_wide()) {
        log_info("lines take longer on this processor, which has no AVX2, AES or BMI", NULL);
    }
    uint32_t connections = connections_of(c);
    if (connections < c->limits_connections) {
        char most[16];
        snprintf(most, sizeof most, "%u", connections);
        log_warn("the file descriptors allow fewer connections than limits.connections", "most",
                 most, NULL);
    }
    log_write_kind(LOG_KIND_started, LOG_LEVEL_INFO, "ready", "version", VE_VERSION, "revision",
                   VE_REVISION, NULL);
}

static int open_all(struct daemon *d, struct config *config, struct catalog *catalog,
                    struct permission_roles *roles)
{
    *d = (struct daemon){.config = config,
                         .signals = SIGNALS_NONE,
                         .tick = -1,
                         .maintenance = -1,
                         .admin = ADMIN_NONE,
                         .backend = {.reload_requested = -1, .opened_ms = clock_mono_ms()}};
    log_rejects_open(&d->log_rejects);
    rcu_join();
    raise_descriptors();
    service_watchdog_open(&d->watchdog);
    int rc = check_descriptors(config);
    if (rc == 0) {
        rc = take_passed(d);
    }
    if (rc == 0) {
        rc = open_descriptors(d);
    }
    if (rc < 0) {
        catalog_free(catalog);
        permission_roles_free(roles);
        return rc;
    }
    rc = open_series(d, catalog);
    if (rc < 0) {
        permission_roles_free(roles);
        return rc;
    }
    if ((rc = open_ingest(d, roles)) < 0 || (rc = state_load(&d->state, d->ingest)) < 0 ||
        (rc = open_web(d)) < 0 || (rc = open_admin(d)) < 0) {
        return rc;
    }
    open_self(d);
    if ((rc = backend_open(&d->backend)) < 0) {
        return fail(rc, "cannot create the history", NULL);
    }
    backend_set(&d->backend, config);
    rc = start(d);
    if (rc == 0) {
        int confined = limits_confine();
        if (confined < 0) {
            log_debug("cannot install the system call filter", "error", strerror(-confined), NULL);
        }
        struct status_trouble trouble = {state_trouble(&d->state), NULL};
        backend_status_open(&d->status, d->ingest, d->store, &trouble, clock_mono_ms());
        log_start(d);
        service_ready(d->status.text);
    }
    return rc;
}

static void close_all(struct daemon *d)
{
    atomic_store(&d->backend.ready, false);
    admin_close(&d->admin);
    if (d->ingest != NULL) {
        ingest_stop(d->ingest);
        signals_close(&d->signals);
        log_rejects_tick(&d->log_rejects, d->ingest, schema_current(d->store)->catalog,
                         clock_mono_ms());
        log_rejects_end(&d->log_rejects);
    }
    if (d->web != NULL) {
        log_troubles_handshakes(&d->log_troubles, d->web, UINT64_MAX);
    }
    web_free(d->web);
    backend_close(&d->backend);
    reload_web_close(&d->reload_web);
    ingest_free(d->ingest);
    // Series are not freed: the kernel is faster, and a service manager waits.
    state_close(&d->state);
    signals_close(&d->signals);
    int fds[] = {d->tick, d->backend.reload_requested, d->maintenance};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    config_free(d->config);
    rcu_part();
}

// ---- The tick

// What an index without memory for a larger one still lacks is tried again by the tick.
static void grow_indexes(struct daemon *d)
{
    if (schema_widen(d->store)) {
        ingest_pause(d->ingest);
        schema_swap_indexes(d->store);
        ingest_resume(d->ingest);
    }
}

static void tick(struct daemon *d)
{
    uint64_t now_ms = clock_mono_ms();
    grow_indexes(d);
    log_troubles_sockets(&d->log_troubles, d->ingest, d->web, &d->admin.socket);
    atomic_store(&d->self.sockets_lost, d->log_troubles.n_lost);
    uint64_t caught_up_ms = ingest_caught_up(d->ingest, now_ms);
    sources_tick(d->sources, d->store, caught_up_ms);
    ingest_tick(d->ingest, caught_up_ms);
    ttl_expire(d->store, d->sources, (uint32_t)(caught_up_ms / 1000));
    schema_reclaim(d->store);
    state_tick(&d->state, d->ingest, now_ms);
    log_rejects_tick(&d->log_rejects, d->ingest, schema_current(d->store)->catalog, now_ms);
    log_troubles_handshakes(&d->log_troubles, d->web, now_ms);
    log_troubles_clock(&d->log_troubles, now_ms);
    admin_tick(&d->admin, now_ms);
    backend_tick(&d->backend, now_ms);
    reload_web_tick(&d->reload_web, d->web, &d->self, d->config->web_config_file);
    service_watchdog_tick(&d->watchdog, d->ingest, d->web, now_ms);
    struct status_trouble trouble = {state_trouble(&d->state), d->log_troubles.lost_path};
    backend_status_tick(&d->status, d->ingest, d->store, &trouble, now_ms);
}

// ---- Reload

/*
 * The workers are paused while tables and roles are exchanged, so that no line falls between two catalogues; the
 * kernel keeps what comes in meanwhile. Scrapes go on with the old schema until they end.
 */
static int put_in_place(struct daemon *d, const struct reload_bundle *bundle,
                        struct schema_change *change)
{
    struct schema_settings settings = schema_settings_of(bundle->config);
    struct permission_roles *old = NULL;
    int rc = ingest_bind_permissions(d->ingest, bundle->roles);
    if (rc < 0) {
        return rc;
    }
    ingest_pause(d->ingest);
    rc = ingest_adapt(d->ingest, bundle->catalog);
    if (rc == 0) {
        rc = schema_reload(d->store, bundle->catalog, &settings, change);
    }
    if (rc == 0) {
        old = ingest_put_permissions(d->ingest, bundle->roles);
    }
    if (rc == 0 && d->state.shown.kept) {
        sources_bind(d->sources, d->store, &d->state.writer);
    }
    ingest_resume(d->ingest);
    rcu_wait();
    permission_roles_free(old);
    return rc;
}

static bool fail_reload(struct daemon *d)
{
    d->reload_web.rejected = false;
    atomic_store(&d->self.reload_ok, false);
    return false;
}

// Loads configuration and catalogue again and puts them in place, or leaves all as it was. Returns whether it did; what
// happened, in one or more lines, is in `report`.
static bool load_again(struct daemon *d, struct buf *report)
{
    struct reload_bundle bundle;
    if (reload_load(&bundle, d->config, schema_current(d->store)->catalog, report) < 0) {
        return fail_reload(d);
    }
    struct schema_change change = {0};
    struct config *config = bundle.config;
    size_t metrics = bundle.catalog->n_metrics;
    int rc = put_in_place(d, &bundle, &change);
    if (rc < 0) {
        buf_str(report, strerror(-rc));
        reload_bundle_free(&bundle);
        return fail_reload(d);
    }
    struct web_settings web = web_settings_of(config);
    if (web_change(d->web, &web, report) < 0) {
        buf_str(report, "\nthe web settings are unchanged\n");
    }
    reload_web_replace(&d->reload_web, d->web, bundle.web_config, &bundle.seen);
    config_free(d->config);
    d->config = config;
    backend_set(&d->backend, config);
    log_set_level(config->log_level);
    ingest_set_connections(d->ingest, connections_of(config));
    atomic_store(&d->self.reload_at_ms, clock_real_ms());
    atomic_store(&d->self.reload_ok, true);
    buf_addf(report,
             "reloaded: %zu metrics; %zu start over, %zu were removed, %" PRIu64
             " series were removed",
             metrics, change.reset, change.gone, change.series);
    return true;
}

// Reloads, and says how it went line by line.
static bool reload(struct daemon *d, struct buf *report)
{
    service_reloading();
    bool ok = load_again(d, report);
    service_ready(ok ? d->status.text
                     : "Reload refused, the previous configuration stays in force");
    reload_log(report, ok ? LOG_KIND_reloaded : LOG_KIND_reload_refused,
               ok ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
               ok ? "configuration reloaded"
                  : "configuration refused, the previous one stays in force");
    return ok;
}

// ---- The loop

// Returns whether to go on.
static bool on_signal(struct daemon *d)
{
    bool wanted;
    int stop = signals_take(&d->signals, &wanted);
    if (stop != 0) {
        service_stopping();
        log_write_kind(LOG_KIND_stopping, LOG_LEVEL_INFO, "stopping", "signal",
                       stop == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
        return false;
    }
    if (wanted) {
        struct buf report = BUF_INIT;
        signals_answer(&d->signals, reload(d, &report) ? SIGNALS_RELOADED : SIGNALS_REFUSED);
        buf_free(&report);
    }
    return true;
}

static void on_reload_request(struct daemon *d)
{
    eventfd_t n;
    if (eventfd_read(d->backend.reload_requested, &n) == 0) {
        struct buf report = BUF_INIT;
        bool ok = reload(d, &report);
        const char *text = buf_string(&report);
        web_reload_done(d->web, ok, text != NULL ? text : "out of memory");
        buf_free(&report);
    }
}

static void on_admin(struct daemon *d)
{
    admin_serve(&d->admin, d->config->web_telemetry_path);
    if (admin_wants_reload(&d->admin)) {
        struct buf report = BUF_INIT;
        bool ok = reload(d, &report);
        const char *text = buf_string(&report);
        admin_reloaded(&d->admin, ok, text != NULL ? text : "out of memory");
        buf_free(&report);
    }
}

static void run(struct daemon *d)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = d->signals.passed, .events = POLLIN},
            {.fd = d->tick, .events = POLLIN},
            {.fd = d->backend.reload_requested, .events = POLLIN},
            {.fd = d->maintenance, .events = POLLIN},
            {.fd = d->admin.epoll, .events = POLLIN},
        };
        if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0 && !on_signal(d)) {
            return;
        }
        uint64_t ticks;
        if (fds[1].revents != 0 && read(d->tick, &ticks, sizeof ticks) == sizeof ticks) {
            tick(d);
        }
        if (fds[2].revents != 0) {
            on_reload_request(d);
        }
        eventfd_t n;
        if (fds[3].revents != 0 && eventfd_read(d->maintenance, &n) == 0) {
            grow_indexes(d);
            if (table_has_garbage(&d->store->share)) {
                schema_reclaim(d->store);
            }
        }
        if (fds[4].revents != 0) {
            on_admin(d);
        }
    }
}

int daemon_run(struct config *config, struct catalog *catalog, struct permission_roles *roles)
{
    static struct daemon d;
    int rc = open_all(&d, config, catalog, roles);
    if (rc == 0) {
        run(&d);
    }
    close_all(&d);
    return rc;
}
