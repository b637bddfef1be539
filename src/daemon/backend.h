// SPDX-License-Identifier: Apache-2.0
/*
 * backend: what is shown over HTTP besides expositions: the status view, pages of metrics, sources as targets.
 *
 * Threads: backend_set and backend_tick: the main thread. What a web_backend has: as web/backend.h says.
 *          backend_is_ready: any.
 * Memory:  borrows the parts that it shows.
 */
#ifndef VE_DAEMON_BACKEND_H
#define VE_DAEMON_BACKEND_H

#include "base/clock.h"
#include "daemon/log_rejects.h"
#include "daemon/settings.h"
#include "daemon/state.h"
#include "expose/expose.h"
#include "ingest/ingest.h"
#include "series/rate.h"
#include "series/schema.h"
#include "web/web.h"

/*
 * status: the line of figures that `systemctl status` shows; and for the page how many lines of each component are
 * applied per second.
 *
 * Shape:   "1234 series, 560 events/s, 7 rejected": at most one every STATUS_MS, and only when it changed. Where series
 *          do not survive for some trouble: "…; in memory only: No space left on device". Where a socket has lost its
 *          file: "…; no client can connect to /run/virtrigaud-exporter/events.sock". A rate is the difference of two
 *          readings of the statistics, STATUS_RATES_MS apart at least.
 * Threads: the main thread; `per_second` of rates is read by any.
 */

enum { STATUS_MS = 5000, STATUS_RATES_MS = 10 * 1000 };

// What is wrong; each may be NULL.
struct status_trouble {
    const char *state;  // why series do not survive
    const char *socket; // the path of one that has lost its file
};

struct status {
    char text[320];   // the last one
    uint64_t at_ms;   // CLOCK_MONOTONIC, of the last look
    uint64_t applied; // lines, at that time
};

// Takes a first look; `text` is to be part of service_ready.
void backend_status_open(struct status *s, const struct ingest *ingest,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms);
void backend_status_tick(struct status *s, const struct ingest *ingest,
                         const struct series_store *store, const struct status_trouble *trouble,
                         uint64_t now_ms);

// Zero it before its first use.
struct status_rates {
    uint64_t at_ms; // of the latest reading, CLOCK_MONOTONIC; 0: there was none
    uint64_t applied[CATALOG_MAX_COMPONENTS];
    _Atomic bool known;
    _Atomic double per_second[CATALOG_MAX_COMPONENTS];
};

void backend_rates_tick(struct status_rates *p, const struct ingest *ingest, uint64_t now_ms);

struct backend {
    struct series_store *store;
    struct sources *sources;
    struct ingest *ingest;
    struct web *web;
    const struct state *state;
    struct self *self;
    struct log_rejects *rejects;
    int reload_requested; // eventfd: POST /-/reload asks for one
    uint64_t opened_ms;   // CLOCK_MONOTONIC, when the process began
    struct rates rates;
    struct status_rates line_rates;
    struct history history;
    bool opened; // backend_open
    _Atomic bool ready;
    _Atomic bool show_rejected; // web.show_rejected
    bool keep_rejected; // the text of rejected lines is kept in any case, for who may see it
};

// What is shown of a source, and of a rejected line; their texts are borrowed. Inside an RCU section.
struct status_view_source backend_source(const struct catalog *c, const struct source *src);
struct status_view_rejection backend_rejection(const struct catalog *c,
                                               const struct log_rejects_entry *e);
// How many rejected lines are in no row, since the start.
uint64_t backend_unlisted(const struct backend *b);
// The status view in this form, with the texts of rejected lines or without. Returns 0 or -ENOMEM.
int backend_view(struct backend *b, const struct status_view_request *request, bool shows_texts,
                 struct buf *out);

struct web_backend backend_web(struct backend *b);

// Before threads begin: takes the first reading of the history. 0 or -errno.
int backend_open(struct backend *b);
void backend_close(struct backend *b);

// Puts the settings in force that concern only what is shown.
void backend_set(struct backend *b, const struct config *config);
// Takes readings for the rates that are shown.
void backend_tick(struct backend *b, uint64_t now_ms);

// Whether the daemon serves, and every worker makes progress.
static inline bool backend_is_ready(const struct backend *b)
{
    return atomic_load(&b->ready) && ingest_is_progressing(b->ingest, clock_mono_ms());
}

#endif
