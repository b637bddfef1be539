// SPDX-License-Identifier: Apache-2.0
/*
 * history: what the page and /status show of the last hour.
 *
 * Shape:   a ring of readings, at least HISTORY_STEP_MS apart. Each is of counters that only grow, and of the number of
 *          series, so that the difference of two says what was between them. The first is that of the start.
 * Bounds:  HISTORY_SAMPLES readings, 26 KiB, from the start on. A line or a scrape takes no part in it.
 * Threads: one writer, any readers; a mutex guards the ring.
 * Memory:  plain values.
 */
#ifndef VE_WEB_HISTORY_H
#define VE_WEB_HISTORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTORY_STEP_MS = 10 * 1000,
    HISTORY_MS = 3600 * 1000,
    HISTORY_RECENT_MS = 600 * 1000, // what "lately" is
    HISTORY_SAMPLES = HISTORY_MS / HISTORY_STEP_MS + 1
};

struct history_sample {
    uint64_t at_ms;        // CLOCK_MONOTONIC
    uint64_t applied;      // lines
    uint64_t rejected;     // lines
    uint64_t scrapes;      // that were answered with an exposition
    uint64_t scrape_ns;    // that these took
    uint64_t unauthorized; // answers 401
    uint64_t unavailable;  // scrapes answered with 503
    uint64_t tls_failures; // handshakes that failed
    uint64_t series;       // at that time
};

struct history {
    pthread_mutex_t lock;                           // of what follows
    size_t n;                                       // readings so far
    struct history_sample samples[HISTORY_SAMPLES]; // reading i is in place i % HISTORY_SAMPLES
};

// Returns 0 or -errno.
int history_open(struct history *h);
void history_close(struct history *h);

// Whether it is time for the next reading. The writer's thread.
bool history_is_due(const struct history *h, uint64_t now_ms);
void history_add(struct history *h, const struct history_sample *s);

// What there is of a past: its readings, the oldest first, and the present one as the last.
struct history_view {
    size_t n; // at least 1
    struct history_sample samples[HISTORY_SAMPLES + 1];
};

// Copies the readings of the last HISTORY_MS before `now`, and that.
void history_read(struct history *h, const struct history_sample *now, struct history_view *ret);

// The oldest reading that is not older than `ms` before the last one.
const struct history_sample *history_since(const struct history_view *v, uint64_t ms);

#endif
