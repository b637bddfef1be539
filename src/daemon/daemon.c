// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include "base/clock.h"
#include "daemon/options.h"
#include "series/expire.h"
#include "series/rcu.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int say(int rc, const char *what, const char *detail)
{
    log_tell(LOG_KIND_cannot_run, LOG_LEVEL_ERROR, what, "error",
             detail != NULL ? detail : strerror(-rc), NULL);
    return rc;
}

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

// Descriptors are shared: one half is HTTP's, and of the other half this process needs some for itself, so that
// a crowd of clients cannot keep a scrape out.
uint32_t daemon_connections(const struct config *c)
{
    struct rlimit fds;
    uint64_t own = 16 + 3 * (uint64_t)workers_of(c);
    uint64_t most = c->limits_connections;
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY) {
        uint64_t half = fds.rlim_cur / 2;
        uint64_t room = half > own ? half - own : 1;
        most = room < most ? room : most;
    }
    return (uint32_t)most;
}

static int open_descriptors(struct daemon *d)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    d->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    d->reload_wish = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t ms = watchdog_tick_ms(&d->watchdog);
    struct timespec period = {.tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000};
    struct itimerspec every = {.it_interval = period, .it_value = period};
    if (d->signals < 0 || d->tick < 0 || d->reload_wish < 0 ||
        timerfd_settime(d->tick, 0, &every, NULL) < 0) {
        return say(-errno, "cannot make descriptors", NULL);
    }
    return 0;
}

static int open_series(struct daemon *d, struct catalog *catalog)
{
    uint32_t sources = (uint32_t)d->config->limits_sources;
    struct schema_settings settings = daemon_schema_settings(d->config);
    int rc = sources_new(&d->sources, sources);
    if (rc == 0) {
        rc = schema_open(&d->store, catalog, &settings, workers_of(d->config),
                         sources_life_from(sources), sources_most_marks(sources));
    }
    if (rc < 0) {
        catalog_free(catalog);
        return say(rc, "cannot make the series tables", NULL);
    }
    return state_open(&d->state, d->config->state_file, d->store, d->sources);
}

// The socket that was handed over, or else the one at the path, or else none.
static int open_socket(const struct config *c, int passed, const char *path, int type,
                       struct socket *ret)
{
    struct buf problem = BUF_INIT;
    if (passed >= 0) {
        int rc = socket_adopt(ret, passed);
        return rc < 0 ? say(rc, "cannot use the passed event socket", NULL) : 0;
    }
    struct socket_settings settings = {
        .path = path, .type = type, .mode = c->events_socket_mode, .group = c->events_socket_group};
    int rc = path == NULL ? 0 : socket_open(ret, &settings, &problem);
    if (rc < 0) {
        say(rc, "cannot open the event socket", buf_string(&problem));
    }
    buf_free(&problem);
    return rc;
}

static int open_ingest(struct daemon *d, struct rights *rights)
{
    struct ingest_settings settings = {
        .workers = workers_of(d->config),
        .memo_bytes = d->config->events_memo_size,
        .connections = daemon_connections(d->config),
        .sessions = (uint32_t)d->config->limits_sessions,
        .stream = SOCKET_NONE,
        .datagram = SOCKET_NONE,
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
            say(rc, "cannot make the ingest workers", NULL);
        }
    }
    if (rc == 0) {
        rc = ingest_bind_rights(d->ingest, rights);
        if (rc < 0) {
            rights_free(rights);
            return say(rc, "cannot keep the accounts of sources", NULL);
        }
        ingest_put_rights(d->ingest, rights);
    }
    if (rc < 0) {
        rights_free(rights);
        socket_close(&settings.stream);
        socket_close(&settings.datagram);
    }
    return rc;
}

static int take_passed(struct daemon *d)
{
    struct buf problem = BUF_INIT;
    int rc = service_take(&d->passed, &problem);
    if (rc < 0) {
        say(rc, "cannot use a passed socket", buf_string(&problem));
    }
    buf_free(&problem);
    return rc;
}

// Addresses to listen on besides the sockets that were handed over: those that somebody asked for.
static size_t addresses_of(const struct daemon *d)
{
    const struct config *c = d->config;
    bool asked = c->origins[SETTING_web_listen_addresses].giver != CONFIG_BY_DEFAULT;
    return asked || d->passed.n_web == 0 ? c->web_listen_addresses.n : 0;
}

static int open_web(struct daemon *d)
{
    struct buf problem = BUF_INIT;
    struct web_settings settings = daemon_web_settings(d->config);
    settings.n_addresses = addresses_of(d);
    settings.fds = d->passed.web;
    settings.n_fds = d->passed.n_web;
    struct web_backend backend = daemon_backend(d);
    int rc = web_open(&d->web, &settings, &backend, &problem);
    if (rc < 0) {
        say(rc, "cannot serve HTTP", buf_string(&problem));
    } else {
        rc = webfile_open(&d->webfile, d->web, d->config->web_config_file, &problem);
        if (rc < 0) {
            say(rc, "cannot use the web configuration", buf_string(&problem));
        }
    }
    buf_free(&problem);
    return rc;
}

static void open_self(struct daemon *d)
{
    d->self.version = VE_VERSION;
    d->self.revision = VE_REVISION;
    d->self.ingest = d->ingest;
    d->self.sources = d->sources;
    d->self.scrapes = daemon_scrapes;
    d->self.state = daemon_state;
    d->self.ctx = d;
    d->self.start_ms = self_start_ms();
    atomic_store(&d->self.reload_ok, true);
    atomic_store(&d->self.reload_at_ms, clock_real_ms());
}

static int start(struct daemon *d)
{
    int rc = ingest_start(d->ingest);
    if (rc < 0) {
        return say(rc, "cannot start the ingest workers", NULL);
    }
    rc = web_start(d->web);
    if (rc < 0) {
        return say(rc, "cannot start the web thread", NULL);
    }
    atomic_store(&d->ready, true);
    return 0;
}

static void tell_start(const struct daemon *d)
{
    const struct config *c = d->config;
    static const char passed[] = "passed by systemd";
    size_t n = addresses_of(d);
    for (size_t i = 0; i < n + d->passed.n_web; i++) {
        char port[16];
        snprintf(port, sizeof port, "%u", web_port(d->web, i));
        log_info("serving HTTP", "address", i < n ? c->web_listen_addresses.items[i] : passed,
                 "port", port, NULL);
    }
    log_info("taking events", "socket", d->passed.stream >= 0 ? passed : c->events_socket,
             "datagram_socket", d->passed.datagram >= 0 ? passed : c->events_datagram_socket, NULL);
    uint32_t connections = daemon_connections(c);
    if (connections < c->limits_connections) {
        char most[16];
        snprintf(most, sizeof most, "%u", connections);
        log_warn("fewer connections than limits.connections, for want of descriptors", "most", most,
                 NULL);
    }
    log_tell(LOG_KIND_started, LOG_LEVEL_INFO, "ready", "version", VE_VERSION, "revision",
             VE_REVISION, NULL);
}

int daemon_open(struct daemon *d, struct config *config, struct catalog *catalog,
                struct rights *rights)
{
    *d = (struct daemon){.config = config, .signals = -1, .tick = -1, .reload_wish = -1};
    recent_open(&d->recent);
    rcu_join();
    raise_descriptors();
    watchdog_open(&d->watchdog);
    int rc = take_passed(d);
    if (rc == 0) {
        rc = open_descriptors(d);
    }
    if (rc < 0) {
        catalog_free(catalog);
        rights_free(rights);
        return rc;
    }
    rc = open_series(d, catalog);
    if (rc < 0) {
        rights_free(rights);
        return rc;
    }
    if ((rc = open_ingest(d, rights)) < 0 || (rc = state_load(&d->state, d->ingest)) < 0 ||
        (rc = open_web(d)) < 0) {
        return rc;
    }
    open_self(d);
    atomic_store(&d->created, config->web_openmetrics_created);
    daemon_show(d, config);
    rc = start(d);
    if (rc == 0) {
        status_open(&d->status, d->ingest, d->store, state_trouble(&d->state), clock_mono_ms());
        tell_start(d);
        service_ready(d->status.text);
    }
    return rc;
}

void daemon_close(struct daemon *d)
{
    atomic_store(&d->ready, false);
    if (d->ingest != NULL) {
        ingest_stop(d->ingest);
        refused_tick(&d->refused, &d->recent, d->ingest, schema_current(d->store)->catalog,
                     clock_mono_ms());
        refused_end(&d->refused);
    }
    web_free(d->web);
    webfile_close(&d->webfile);
    ingest_free(d->ingest);
    // Series are not taken apart: the kernel is quicker, and somebody may wait.
    state_close(&d->state);
    int fds[] = {d->signals, d->tick, d->reload_wish};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    config_free(d->config);
    rcu_part();
}

static void tick(struct daemon *d)
{
    uint64_t now_ms = clock_mono_ms();
    sources_tick(d->sources, d->store, now_ms);
    ingest_tick(d->ingest, now_ms);
    expire_old(d->store, (uint32_t)(now_ms / 1000), sources_keep, d->sources);
    expire_reclaim(d->store);
    state_tick(&d->state, d->ingest, now_ms);
    refused_tick(&d->refused, &d->recent, d->ingest, schema_current(d->store)->catalog, now_ms);
    daemon_show_tick(d, now_ms);
    webfile_tick(&d->webfile, d->web, &d->self, d->config->web_config_file);
    watchdog_tick(&d->watchdog, d->ingest, d->web, now_ms);
    status_tick(&d->status, d->ingest, d->store, state_trouble(&d->state), now_ms);
}

// Reloads, and says how it went line by line.
static bool reload(struct daemon *d, struct buf *report)
{
    service_reloading();
    bool ok = daemon_reload(d, report);
    service_ready(ok ? d->status.text : "Reload refused, the old configuration stays");
    const char *text = buf_string(report);
    char *copy = text != NULL ? strdup(text) : NULL;
    char *rest = copy;
    for (char *line; copy != NULL && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0') {
            log_tell(ok ? LOG_KIND_reloaded : LOG_KIND_reload_refused,
                     ok ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                     ok ? "configuration reloaded" : "configuration refused, the old one stays",
                     "detail", line, NULL);
        }
    }
    free(copy);
    return ok;
}

// Returns whether to go on.
static bool on_signal(struct daemon *d)
{
    struct signalfd_siginfo info;
    if (read(d->signals, &info, sizeof info) != sizeof info) {
        return true;
    }
    if (info.ssi_signo != SIGHUP) {
        service_stopping();
        log_tell(LOG_KIND_stopping, LOG_LEVEL_INFO, "stopping", "signal",
                 info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
        return false;
    }
    struct buf report = BUF_INIT;
    reload(d, &report);
    buf_free(&report);
    return true;
}

static void on_reload_wish(struct daemon *d)
{
    eventfd_t n;
    if (eventfd_read(d->reload_wish, &n) == 0) {
        struct buf report = BUF_INIT;
        bool ok = reload(d, &report);
        const char *text = buf_string(&report);
        web_reload_done(d->web, ok, text != NULL ? text : "out of memory");
        buf_free(&report);
    }
}

void daemon_run(struct daemon *d)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = d->signals, .events = POLLIN},
            {.fd = d->tick, .events = POLLIN},
            {.fd = d->reload_wish, .events = POLLIN},
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
            on_reload_wish(d);
        }
    }
}
