// SPDX-License-Identifier: Apache-2.0
/*
 * status: the line of figures that `systemctl status` shows.
 *
 * Shape:   "1234 series, 560 events/s, 7 refused": at most one every STATUS_MS, and only when it changed. Where
 *          series do not survive for some trouble: "…; in memory only: No space left on device".
 * Threads: the main thread.
 */
#ifndef VE_DAEMON_STATUS_H
#define VE_DAEMON_STATUS_H

#include "ingest/ingest.h"
#include "series/schema.h"

enum { STATUS_MS = 5000 };

struct status {
    char text[192];   // the last one
    uint64_t at_ms;   // CLOCK_MONOTONIC, of the last look
    uint64_t applied; // lines, at that time
};

// Takes a first look; `text` is to be part of service_ready.
void status_open(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const char *trouble, uint64_t now_ms);
void status_tick(struct status *s, const struct ingest *ingest, const struct series_store *store,
                 const char *trouble, uint64_t now_ms);

#endif
