// SPDX-License-Identifier: Apache-2.0
/*
 * daemon: the parts of the running process, in the order in which they are made.
 *
 * Threads: the main thread owns it. The web thread reads what the backend's functions hand it (web.c of this
 *          folder), all of which may be read by any thread.
 */
#ifndef VE_DAEMON_DAEMON_H
#define VE_DAEMON_DAEMON_H

#include "daemon/config.h"
#include "daemon/pace.h"
#include "daemon/refused.h"
#include "daemon/service.h"
#include "daemon/state.h"
#include "daemon/status.h"
#include "daemon/watchdog.h"
#include "daemon/webfile.h"
#include "expose/expose.h"
#include "ingest/ingest.h"
#include "web/web.h"

struct daemon {
    struct config *config;
    struct sources *sources;
    struct series_store *store;
    struct state state;
    struct ingest *ingest;
    struct self self;
    struct web *web;
    struct webfile webfile;
    struct service_fds passed; // sockets that were handed over; ingest and web own them
    struct watchdog watchdog;
    struct status status;
    struct refused refused;
    struct recent recent; // refused lines, for the page
    struct rates rates;
    struct pace pace;
    _Atomic bool ready;
    _Atomic bool created;       // web.openmetrics_created, for the web thread
    _Atomic bool show_refusals; // web.show_refusals, likewise
    int signals;                // signalfd
    int tick;                   // timerfd, once a second; more often for a short watchdog
    int reload_wish;            // eventfd: POST /-/reload asks for one
};

// daemon.c: makes all parts and starts them; ends them in the opposite order. daemon_open returns 0 or -errno
// after it said why.
int daemon_open(struct daemon *d, struct config *config, struct catalog *catalog,
                struct rights *rights);
void daemon_close(struct daemon *d);
// How many clients may be connected: limits.connections, or fewer where descriptors are short.
uint32_t daemon_connections(const struct config *c);
// Runs until SIGTERM or SIGINT.
void daemon_run(struct daemon *d);

// reload.c: loads config and catalogue again and puts them in place, or leaves all as it was. Returns whether
// it did; what happened, in one or more lines, is in `report`.
bool daemon_reload(struct daemon *d, struct buf *report);

// backend.c: what the web thread shows.
struct web_backend daemon_backend(struct daemon *d);
void daemon_scrapes(void *daemon, struct self_scrapes *ret);
void daemon_state(void *daemon, struct self_state *ret);

// show.c: writes a view; on the web thread.
void daemon_view(void *daemon, struct view *view);
// Puts those settings in force that only the page heeds.
void daemon_show(struct daemon *d, const struct config *config);
// Takes readings for the rates that are shown; the main thread's.
void daemon_show_tick(struct daemon *d, uint64_t now_ms);

struct web_settings daemon_web_settings(const struct config *c);

// The settings of the series store that a config asks for.
static inline struct schema_settings daemon_schema_settings(const struct config *c)
{
    return (struct schema_settings){.limit = c->limits_series,
                                    .limit_per_metric = c->limits_series_per_metric};
}

#endif
