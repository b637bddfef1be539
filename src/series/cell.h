// SPDX-License-Identifier: Apache-2.0
/*
 * cell: where a series' numbers are kept, and the few instructions that change them.
 *
 * Shape:   a counter or histogram series has one cell per lane (ingest worker). Only that worker writes it,
 *          with plain relaxed stores; a scrape adds the lanes up. A gauge has one cell that all share.
 *          A counter has a part for whole numbers and one for the rest, so that whole sums are exact up to 2^53. A
 *          histogram's count is the sum of its buckets, so that `_count` and `+Inf` cannot differ.
 * Threads: cell_count and cell_observe by the lane's own worker; the gauge functions and all reads by any.
 * Units:   those of the metric.
 *
 * Memory orders, of this layer:
 *   value of a cell           relaxed         one writer; a reader needs some whole value, not an order
 *   gauge                     relaxed         store, or compare-and-swap for `add`
 *   lane handle in a record   release/acquire the cell is zeroed before it can be found
 *   series state              release/acquire the record is written before it can be found; seq_cst where
 *                                             a remover and an owner must see each other (table.h)
 *   check of a record         seq_cst         whoever persists or withdraws it looks at the series' state (table.c)
 *   ids, last update          seq_cst, also where they are found as they should be (source/owner)
 *   schema pointer            release/acquire tables are made before they can be found
 *   free slots and pieces     release/acquire what the last owner wrote is over before the next one writes
 */
#ifndef VE_SERIES_CELL_H
#define VE_SERIES_CELL_H

#include "catalog/catalog.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

// Whole numbers are kept whole up to here, so that a double shows them exactly.
#define CELL_WHOLE_MAX ((uint64_t)1 << 53)
// A single whole addition is kept whole up to here.
#define CELL_WHOLE_ADD_MAX 4294967296.0

struct cell_counter {
    uint64_t tag;           // record_cell's
    _Atomic uint64_t whole; // sum of whole additions
    _Atomic double rest;    // sum of all others
};

struct cell_histogram {
    uint64_t tag; // record_cell's
    _Atomic double sum;
    _Atomic uint64_t counts[]; // one per bucket, not cumulative; the last is that above all bounds
};

static inline size_t cell_histogram_size(size_t n_bounds)
{
    return sizeof(struct cell_histogram) + (n_bounds + 1) * sizeof(uint64_t);
}

// Adds a whole number up to CELL_WHOLE_ADD_MAX. Returns false, and adds nothing, when the sum would pass CELL_WHOLE_MAX.
static inline bool cell_count_whole(struct cell_counter *c, uint64_t add)
{
    uint64_t whole = atomic_load_explicit(&c->whole, memory_order_relaxed) + add;
    if (whole > CELL_WHOLE_MAX) {
        return false;
    }
    atomic_store_explicit(&c->whole, whole, memory_order_relaxed);
    return true;
}

// Whether a number that is not negative can be added whole.
static inline bool cell_is_whole(double v)
{
    return v <= CELL_WHOLE_ADD_MAX && (double)(int64_t)v == v;
}

static inline void cell_count(struct cell_counter *c, double v)
{
    if (cell_is_whole(v) && cell_count_whole(c, (uint64_t)(int64_t)v)) {
        return;
    }
    double rest = atomic_load_explicit(&c->rest, memory_order_relaxed);
    atomic_store_explicit(&c->rest, rest + v, memory_order_relaxed);
}

typedef double cell_pair __attribute__((vector_size(16)));
typedef int64_t cell_two __attribute__((vector_size(16)));

// -1 for each of the two bounds that is below the value.
static inline cell_two cell_below_two(const double *bounds, cell_pair v)
{
    cell_pair two;
    memcpy(&two, bounds, sizeof two);
    return v > two;
}

// -1 for each of four bounds that is below the value, in two sums.
static inline cell_two cell_below_four(const double *bounds, cell_pair v)
{
    return cell_below_two(bounds, v) + cell_below_two(bounds + 2, v);
}

// Halves n bounds until there are CATALOG_BOUNDS_PAD or fewer, as there are of nearly all metrics. Returns the first of those
// from which on the bucket is found.
static inline __attribute__((always_inline)) const double *cell_halve(const double *bounds,
                                                                      size_t n, double v)
{
    while (__builtin_expect(n > CATALOG_BOUNDS_PAD, 0)) {
        size_t half = (n + 1) / 2;
        bounds += half & -(size_t)(v > bounds[half - 1]);
        n = half;
    }
    return bounds;
}

// The bucket of a value: the first of n bounds that is not below it. CATALOG_BOUNDS_PAD bounds that are +Inf follow them.
// There is hardly a branch, since none on the value or on n could be predicted: CATALOG_BOUNDS_PAD bounds are looked at, and
// those below the value counted.
static inline size_t cell_bucket(const double *bounds, size_t n, double v)
{
    const double *at = cell_halve(bounds, n, v);
    const cell_pair both = {v, v};
    cell_two below = cell_below_four(at, both) + cell_below_four(at + 4, both) +
                     cell_below_four(at + 8, both) + cell_below_four(at + 12, both) +
                     cell_below_four(at + 16, both);
    return (size_t)(at - bounds) - (size_t)(below[0] + below[1]);
}

#ifdef __x86_64__
// The same by wide instructions.
static inline __attribute__((always_inline, target("avx2"))) size_t
cell_bucket_wide(const double *bounds, size_t n, double v)
{
    const double *at = cell_halve(bounds, n, v);
    const __m256d value = _mm256_set1_pd(v);
    __m256i below = _mm256_setzero_si256();
#pragma GCC unroll 5
    for (unsigned i = 0; i < CATALOG_BOUNDS_PAD; i += 4) {
        __m256d more = _mm256_cmp_pd(value, _mm256_loadu_pd(at + i), _CMP_GT_OQ);
        below = _mm256_add_epi64(below, _mm256_castpd_si256(more));
    }
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(below), _mm256_extracti128_si256(below, 1));
    return (size_t)(at - bounds) - (size_t)(_mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1));
}
#endif

static inline void cell_observe(struct cell_histogram *c, size_t bucket, double v)
{
    // The sum goes first: `_sum` may be ahead of the buckets, never behind.
    double sum = atomic_load_explicit(&c->sum, memory_order_relaxed);
    atomic_store_explicit(&c->sum, sum + v, memory_order_relaxed);
    uint64_t count = atomic_load_explicit(&c->counts[bucket], memory_order_relaxed);
    atomic_store_explicit(&c->counts[bucket], count + 1, memory_order_release);
}

// Several observations, one after the other.
static inline void cell_observe_list(struct cell_histogram *c, const double *bounds,
                                     size_t n_bounds, const double *values, size_t n)
{
    double sum = atomic_load_explicit(&c->sum, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    atomic_store_explicit(&c->sum, sum, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        _Atomic uint64_t *count = &c->counts[cell_bucket(bounds, n_bounds, values[i])];
        uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
        atomic_store_explicit(count, before + 1, memory_order_release);
    }
}

static inline void cell_set(_Atomic double *gauge, double v)
{
    atomic_store_explicit(gauge, v, memory_order_relaxed);
}

static inline void cell_add(_Atomic double *gauge, double v)
{
    double old = atomic_load_explicit(gauge, memory_order_relaxed);
    double sum;
    do {
        sum = old + v;
        // Another round: another thread has changed the gauge, and gone on.
        // The check for a finite sum may have been for another value of it.
        sum = sum > DBL_MAX ? DBL_MAX : sum < -DBL_MAX ? -DBL_MAX : sum;
    } while (!atomic_compare_exchange_weak_explicit(gauge, &old, sum, memory_order_relaxed,
                                                    memory_order_relaxed));
}

#endif
