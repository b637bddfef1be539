// SPDX-License-Identifier: Apache-2.0
/*
 * quota: how many series there may be, and how many places are reserved.
 *
 * Shape:   a place is reserved before its series is made, so the limit is never exceeded, and released after the series
 *          was removed. A limit that is lowered below what is reserved takes nothing away.
 * Threads: any number at once. Relaxed: a count orders nothing else.
 */
#ifndef VE_SERIES_QUOTA_H
#define VE_SERIES_QUOTA_H

#include "base/invariant.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct quota {
    _Atomic uint64_t used; // places reserved
    _Atomic uint64_t limit;
};

// Reserves n places of which `used` are reserved so far, or none. Returns whether it did; n == 0 always succeeds.
static inline bool quota_add(_Atomic uint64_t *used, uint64_t limit, uint64_t n)
{
    uint64_t now = atomic_load_explicit(used, memory_order_relaxed);
    do {
        if (now >= limit || limit - now < n) {
            return n == 0;
        }
        // Another round: another thread has reserved or released places, and gone on.
    } while (!atomic_compare_exchange_weak_explicit(used, &now, now + n, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static inline void quota_subtract(_Atomic uint64_t *used, uint64_t n)
{
    uint64_t had = atomic_fetch_sub_explicit(used, n, memory_order_relaxed);
    invariant(had >= n, "a place that is released was reserved");
}

static inline bool quota_reserve(struct quota *q, uint64_t n)
{
    return quota_add(&q->used, atomic_load_explicit(&q->limit, memory_order_relaxed), n);
}

// Reserves a place whatever the limit.
static inline void quota_reserve_anyway(struct quota *q)
{
    atomic_fetch_add_explicit(&q->used, 1, memory_order_relaxed);
}

static inline void quota_release(struct quota *q, uint64_t n)
{
    quota_subtract(&q->used, n);
}

// Whether n more places are likely within the limit.
static inline bool quota_has_room(const struct quota *q, uint64_t n)
{
    uint64_t used = atomic_load_explicit(&q->used, memory_order_relaxed);
    uint64_t limit = atomic_load_explicit(&q->limit, memory_order_relaxed);
    return used < limit && limit - used >= n;
}

#endif
