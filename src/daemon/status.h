// SPDX-License-Identifier: Apache-2.0
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
#ifndef VE_DAEMON_STATUS_H
#define VE_DAEMON_STATUS_H

#include "ingest/ingest.h"
#include "series/schema.h"

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
void status_open(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const struct status_trouble *trouble, uint64_t now_ms);
void status_tick(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const struct status_trouble *trouble, uint64_t now_ms);

// Zero it before its first use.
struct status_rates {
    uint64_t at_ms; // of the latest reading, CLOCK_MONOTONIC; 0: there was none
    uint64_t applied[CATALOG_MAX_COMPONENTS];
    _Atomic bool known;
    _Atomic double per_second[CATALOG_MAX_COMPONENTS];
};

void status_rates_tick(struct status_rates *p, const struct ingest *ingest, uint64_t now_ms);

#endif
