// SPDX-License-Identifier: Apache-2.0
/*
 * log_clock: a clock that disagrees with what is known of the time, in the log: once for each kind of evidence, and
 * again when there was none of it for CLOCK_EVIDENCE_LASTS_MS.
 *
 * Threads: one.
 */
#ifndef VE_DAEMON_LOG_CLOCK_H
#define VE_DAEMON_LOG_CLOCK_H

#include "base/clock.h"

struct log_clock {
    uint64_t seen_ms[CLOCK_EVIDENCE_KINDS]; // monotonic: when it disagreed last; 0: never
};

// Logs what is new. now_ms is monotonic.
void log_clock_tick(struct log_clock *l, uint64_t now_ms);

#endif
