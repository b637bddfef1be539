// SPDX-License-Identifier: Apache-2.0
/*
 * native_index: in which bucket of a native histogram a number is.
 *
 * Shape:   buckets of schema n end at powers of 2^(2^-n); bucket i holds what is above the bound of i-1, up to that of i.
 *          A number's bucket is found from the bits of the double: two tables and a comparison give that of the highest schema,
 *          of which each lower one has every second bound.
 * Threads: pure functions.
 * Source:  which bucket a value is in as in client_golang.
 */
#ifndef VE_SERIES_NATIVE_INDEX_H
#define VE_SERIES_NATIVE_INDEX_H

#include <stdint.h>
#include <string.h>

enum {
    NATIVE_SCHEMA_LEAST = -4,
    NATIVE_SCHEMA_MOST = 8,
    NATIVE_BOUNDS = 1 << NATIVE_SCHEMA_MOST, // to a power of two
    NATIVE_PART_BITS = 9,
    NATIVE_PARTS = 1 << NATIVE_PART_BITS,
    NATIVE_FRACTION_BITS = 52,
    NATIVE_EXPONENT_OF_HALF = 1022,
};

// The bits of DBL_MIN.
#define NATIVE_NORMAL_LEAST ((uint64_t)1 << NATIVE_FRACTION_BITS)

// 0.5 * 2^(i / NATIVE_BOUNDS).
extern const double native_bounds[NATIVE_BOUNDS + 1];
// How many of them are below each of NATIVE_PARTS equal parts of [0.5, 1). No part has two of them.
extern const uint16_t native_below[NATIVE_PARTS];

// The highest schema whose buckets grow by the factor (above 1) at most, from NATIVE_SCHEMA_LEAST to NATIVE_SCHEMA_MOST.
int native_schema(double factor);
// The bucket of a finite magnitude above 0.
int32_t native_index(int schema, double magnitude);
// The upper bound of a bucket; DBL_MAX where no double is as large.
double native_bound(int schema, int32_t index);
// The bucket of the next lower schema that holds this one.
static inline int32_t native_halve(int32_t index)
{
    return (index > 0 ? index + 1 : index) / 2;
}

// That of a magnitude of at least DBL_MIN, which these bits are of.
static inline int32_t native_index_normal(int schema, uint64_t bits)
{
    const uint64_t fraction = ((uint64_t)1 << NATIVE_FRACTION_BITS) - 1;
    int32_t exponent = (int32_t)(bits >> NATIVE_FRACTION_BITS) - (NATIVE_EXPONENT_OF_HALF + 1);
    unsigned n =
        native_below[bits >> (NATIVE_FRACTION_BITS - NATIVE_PART_BITS) & (NATIVE_PARTS - 1)];
    uint64_t bound;
    memcpy(&bound, &native_bounds[n], sizeof bound);
    // The fraction, from 0.5 to 1. Numbers above 0 have the order of their bits.
    bits = (bits & fraction) | (uint64_t)NATIVE_EXPONENT_OF_HALF << NATIVE_FRACTION_BITS;
    int32_t index = exponent * NATIVE_BOUNDS + (int32_t)n + (bound < bits);
    int lower = NATIVE_SCHEMA_MOST - schema;
    return (index + (1 << lower) - 1) >> lower; // rounds towards -infinity
}

#endif
