// SPDX-License-Identifier: Apache-2.0
/*
 * rate_limit: a token bucket as a single number, the time at which it will be full again.
 *
 * Shape:   a token is `interval` nanoseconds, and the bucket holds `burst` nanoseconds' worth. Taking n tokens moves the
 *          time by n intervals, which is permitted while it is no more than the burst ahead.
 * Threads: any number at once.
 * Memory:  plain value; zero is a full bucket.
 * Source:  the generic cell rate algorithm (ITU-T I.371).
 */
#ifndef VE_BASE_RATE_LIMIT_H
#define VE_BASE_RATE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
    _Atomic uint64_t full_ns; // CLOCK_MONOTONIC
};

// Takes tokens worth `cost_ns`, or none. Returns whether it did. More than the bucket holds is taken only from a full one,
// which is then empty for longer.
static inline bool rate_limit_take(struct rate_limit *r, uint64_t now_ns, uint64_t cost_ns,
                                   uint64_t burst_ns)
{
    uint64_t most = now_ns + (cost_ns > burst_ns ? cost_ns : burst_ns);
    uint64_t full = atomic_load_explicit(&r->full_ns, memory_order_relaxed);
    uint64_t next;
    do {
        next = (full > now_ns ? full : now_ns) + cost_ns;
        if (next > most) {
            return false;
        }
        // Another round: another thread has taken some, and the more was taken the sooner this one is refused.
    } while (!atomic_compare_exchange_weak_explicit(&r->full_ns, &full, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

// Takes it however little is left. Returns how long the bucket then needs to be full again, in nanoseconds.
static inline uint64_t rate_limit_charge(struct rate_limit *r, uint64_t now_ns, uint64_t cost_ns)
{
    uint64_t full = atomic_load_explicit(&r->full_ns, memory_order_relaxed);
    uint64_t next;
    do {
        next = (full > now_ns ? full : now_ns) + cost_ns;
        // Another round: another thread has taken some; each of them does so once for what it has.
    } while (!atomic_compare_exchange_weak_explicit(&r->full_ns, &full, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next - now_ns;
}

// Gives back what was taken.
static inline void rate_limit_return(struct rate_limit *r, uint64_t cost_ns)
{
    atomic_fetch_sub_explicit(&r->full_ns, cost_ns, memory_order_relaxed);
}

#endif
