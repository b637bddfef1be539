// SPDX-License-Identifier: Apache-2.0
/*
 * rate: how fast each counter and histogram grows.
 *
 * Shape:   a reading of a table is the sum over all its series: of a counter's values, of a histogram's
 *          observations. The rate is the difference of two readings by the time between them. Not known before
 *          the second one, and where series were removed between the two.
 * Cost:    none for an update. A round through all tables takes RATE_ROUND_MS at least; each tick looks at RATE_SLOTS slots
 *          at most, so that with many series a round takes longer and a tick does not. Of a gauge only the end of a step
 *          looks at slots, for its first RATE_KEPT series; the last one of a tick may go beyond RATE_SLOTS, by as many.
 * Threads: rates_tick on one thread, which has joined RCU and is outside a section; rate_read on any.
 * History: of each metric that has or had series, the last RATE_STEPS times of RATE_STEP_MS at least: its rate, its number of
 *          series, and what fell into each bucket; of a gauge the number of series only. Of its first RATE_KEPT series in
 *          the order of the exposition, the value of each too: of a gauge its value, otherwise its rate. A series that is
 *          no longer among them loses its own.
 * Memory:  a rate is part of its table, and continues after a reload if that does. A history takes 13 KiB, and of a
 *          histogram 0.5 KiB more for each bucket.
 */
#ifndef VE_SERIES_RATE_H
#define VE_SERIES_RATE_H

#include "series/schema.h"

enum {
    RATE_ROUND_MS = 10 * 1000,
    RATE_SLOTS = 20000,
    RATE_STEP_MS = 60 * 1000 - RATE_ROUND_MS / 2, // rounds begin late by up to a tick each
    RATE_STEPS = 60,
    RATE_KEPT = 20
};

// One step of a metric's history.
struct rate_step {
    uint64_t from_ms; // CLOCK_MONOTONIC
    uint64_t to_ms;
    double per_second;              // NAN: not known
    uint64_t series;                // in the end
    const _Atomic uint64_t *counts; // what fell into each bucket; NULL: not known, or no histogram
};

// One step of a series' history.
struct rate_value {
    uint64_t to_ms; // CLOCK_MONOTONIC
    double value;   // NAN: not known
};

// What a reading has of one series.
struct rate_reading {
    uint64_t id;
    double value;
};

// Where a round is. Zero it before its first use.
struct rates {
    uint64_t generation; // of the schema
    uint64_t begun_ms;   // CLOCK_MONOTONIC; 0: no round yet
    bool under_way;
    uint32_t slot; // to be looked at next
    uint64_t removals;
    uint64_t at_ms; // when the table's reading began
    double sum;     // of the slots before
    uint64_t family;
    uint64_t counts[CATALOG_MAX_BOUNDS + 1]; // of a histogram, likewise
    size_t n_first;
    struct rate_reading first[RATE_KEPT]; // series of the slots before
};

void rates_tick(struct rates *r, struct series_store *store, uint64_t now_ms);

// Returns whether it is known.
static inline bool rate_read(const struct table_rate *rate, double *ret)
{
    *ret = atomic_load_explicit(&rate->per_second, memory_order_relaxed);
    return atomic_load_explicit(&rate->known, memory_order_relaxed);
}

// Copies the steps of the table's history, the oldest first. Returns how many there are. Their counts are borrowed, and
// stay as they are for another step at least.
size_t rate_history_read(const struct table_rate *rate, struct rate_step ret[static RATE_STEPS]);

// The same of one of the table's series; 0: none is kept.
size_t rate_series_read(const struct table_rate *rate, const struct series *s,
                        struct rate_value ret[static RATE_STEPS]);

#endif
