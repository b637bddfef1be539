// SPDX-License-Identifier: Apache-2.0
/*
 * stats: what the HTTP side counts about itself.
 *
 * Threads: one writer (the web thread), any readers. Each number is whole by itself; numbers
 *          read together may be of slightly different moments.
 */
#ifndef VE_WEB_STATS_H
#define VE_WEB_STATS_H

#include "base/count.h"

#include <stddef.h>
#include <stdint.h>

enum web_format { WEB_FORMAT_TEXT, WEB_FORMAT_OPENMETRICS, WEB_FORMATS };

enum { WEB_DURATION_BOUNDS = 12 };

// Upper bounds of the scrape durations, in seconds, +Inf left out.
extern const double web_duration_bounds[WEB_DURATION_BOUNDS];

// A copy for readers.
struct web_stats {
    uint64_t scrapes[WEB_FORMATS];                      // renderings handed to a request, by format
    uint64_t scrapes_failed;                            // answered with 500
    uint64_t scrapes_refused;                           // answered with 503: too many at once
    uint64_t requests_bad;                              // refused for their head: 400, 413, 431
    uint64_t duration_buckets[WEB_DURATION_BOUNDS + 1]; // not cumulative; the last one is +Inf
    uint64_t duration_sum_ns; // from a scrape's arrival to the end of its rendering
    uint64_t accepted;        // connections so far
    uint64_t accept_errors;   // accept(2) failed for want of something
    uint64_t cut;             // connections cut off: late, silent or stalled
    uint64_t connections;     // now
};

// The same, written by the web thread.
struct stats {
    _Atomic uint64_t scrapes[WEB_FORMATS];
    _Atomic uint64_t scrapes_failed;
    _Atomic uint64_t scrapes_refused;
    _Atomic uint64_t requests_bad;
    _Atomic uint64_t duration_buckets[WEB_DURATION_BOUNDS + 1];
    _Atomic uint64_t duration_sum_ns;
    _Atomic uint64_t accepted;
    _Atomic uint64_t accept_errors;
    _Atomic uint64_t cut;
    _Atomic uint64_t connections;
};

// Counts one finished scrape of this duration.
void stats_scrape(struct stats *s, enum web_format format, uint64_t ns);

void stats_read(const struct stats *s, struct web_stats *ret);

#endif
