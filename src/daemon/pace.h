// SPDX-License-Identifier: Apache-2.0
/*
 * pace: how many lines of each component are applied per second, of late.
 *
 * Shape:   the difference of two readings of the account, PACE_MS apart at least.
 * Threads: pace_tick by the main thread; `per_second` is read by any.
 */
#ifndef VE_DAEMON_PACE_H
#define VE_DAEMON_PACE_H

#include "ingest/ingest.h"

enum { PACE_MS = 10 * 1000 };

// Zero it before its first use.
struct pace {
    uint64_t at_ms; // of the latest reading, CLOCK_MONOTONIC; 0: there was none
    uint64_t applied[CATALOG_MAX_COMPONENTS];
    _Atomic bool known;
    _Atomic double per_second[CATALOG_MAX_COMPONENTS];
};

void pace_tick(struct pace *p, const struct ingest *ingest, uint64_t now_ms);

#endif
