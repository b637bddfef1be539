// SPDX-License-Identifier: Apache-2.0
/*
 * backend: what is shown over HTTP: expositions, the status view, sources as targets; and what the metrics about the
 * exporter ask of the daemon.
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
#include "daemon/status.h"
#include "expose/expose.h"
#include "ingest/ingest.h"
#include "series/rate.h"
#include "web/web.h"

struct backend {
    struct series_store *store;
    struct sources *sources;
    struct ingest *ingest;
    struct web *web;
    const struct state *state;
    const struct self *self;
    struct log_rejects *rejects;
    int reload_requested; // eventfd: POST /-/reload asks for one
    uint64_t opened_ms;   // CLOCK_MONOTONIC, when the process began
    struct rates rates;
    struct status_rates line_rates;
    _Atomic bool ready;
    _Atomic bool created;       // web.openmetrics_created
    _Atomic bool show_rejected; // web.show_rejected
};

struct web_backend backend_web(struct backend *b);
// For struct self, of a backend.
void backend_scrapes(void *backend, struct self_scrapes *ret);
void backend_state(void *backend, struct self_state *ret);

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
