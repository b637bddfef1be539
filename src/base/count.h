// SPDX-License-Identifier: Apache-2.0
/*
 * count: counters of the process' own work.
 *
 * Threads: one writer for each, any readers. Relaxed: a count needs no order, and one writer needs no
 *          read-modify-write.
 */
#ifndef VE_BASE_COUNT_H
#define VE_BASE_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

// By its only writer.
static inline void count_add(_Atomic uint64_t *count, uint64_t n)
{
    uint64_t old = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, old + n, memory_order_relaxed);
}

static inline uint64_t count_read(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

#endif
