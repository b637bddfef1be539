// SPDX-License-Identifier: Apache-2.0
/*
 * stats: what a worker counts of its own work.
 *
 * Threads: one writer, the worker; any reader (relaxed: a count needs no order).
 * Units:   lines, bytes, nanoseconds.
 */
#ifndef VE_INGEST_STATS_H
#define VE_INGEST_STATS_H

#include "base/count.h"
#include "catalog/catalog.h"
#include "event/reject.h"

struct ingest_stats {
    _Atomic uint64_t bytes;       // read from sockets
    _Atomic uint64_t connections; // accepted, ever
    _Atomic uint64_t replies_dropped;
    _Atomic uint64_t memo_hits;
    _Atomic uint64_t memo_misses;
    _Atomic uint64_t accept_errors;
    _Atomic uint64_t busy_ns; // wall time not spent waiting
    _Atomic uint64_t turns;   // of its loop
};

#endif
