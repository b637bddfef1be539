// SPDX-License-Identifier: Apache-2.0
/*
 * line_span: how the bytes of a usual line are gone through, and compared.
 *
 * Lines are of a few lengths, which come in any order, so that each guess at the end of a loop over their bytes would
 * be wrong. The bytes before the number of most are 64 to 192: three spans of 64, at the beginning, in the middle and
 * at the end, hold all of them, some twice.
 *
 * The wide versions, for a CPU that has the instructions (line_can_wide), give the same answers, but not the same
 * hashes.
 *
 * Threads: pure functions.
 */
#ifndef VE_EVENT_LINE_SPAN_H
#define VE_EVENT_LINE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LINE_SPAN = 64 };

static inline bool line_is_usual(size_t len)
{
    return len - LINE_SPAN <= 2 * LINE_SPAN;
}

// Where the middle span of a usual line begins.
static inline size_t line_middle(size_t len)
{
    return (len - LINE_SPAN) / 2;
}

typedef uint64_t line_two __attribute__((vector_size(16)));

// Bits are set where the spans differ.
static inline line_two line_difference(const char *a, const char *b)
{
    line_two all = {0};
#pragma GCC unroll 4
    for (size_t i = 0; i < LINE_SPAN; i += sizeof(line_two)) {
        line_two x;
        line_two y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        all |= x ^ y;
    }
    return all;
}

static inline bool line_same(const char *a, const char *b, size_t len)
{
    if (!line_is_usual(len)) {
        return memcmp(a, b, len) == 0;
    }
    size_t middle = line_middle(len);
    size_t last = len - LINE_SPAN;
    line_two all = line_difference(a, b) | line_difference(a + middle, b + middle) |
                   line_difference(a + last, b + last);
    return (all[0] | all[1]) == 0;
}

#ifdef __x86_64__
#include <immintrin.h>

// Of all functions that use wide versions, which are for them alone.
#define LINE_WIDE __attribute__((target("avx2,aes")))
#define LINE_WIDE_INLINED static inline __attribute__((always_inline)) LINE_WIDE

static inline bool line_can_wide(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes");
}

LINE_WIDE_INLINED __m256i line_difference_wide(const char *a, const char *b)
{
    __m256i first =
        _mm256_xor_si256(_mm256_loadu_si256((const void *)a), _mm256_loadu_si256((const void *)b));
    __m256i second = _mm256_xor_si256(_mm256_loadu_si256((const void *)(a + 32)),
                                      _mm256_loadu_si256((const void *)(b + 32)));
    return _mm256_or_si256(first, second);
}

LINE_WIDE_INLINED bool line_same_wide(const char *a, const char *b, size_t len)
{
    if (!line_is_usual(len)) {
        return memcmp(a, b, len) == 0;
    }
    size_t middle = line_middle(len);
    size_t last = len - LINE_SPAN;
    __m256i all = _mm256_or_si256(line_difference_wide(a, b),
                                  _mm256_or_si256(line_difference_wide(a + middle, b + middle),
                                                  line_difference_wide(a + last, b + last)));
    return _mm256_testz_si256(all, all);
}
#else // nothing is wide
#define LINE_WIDE
#define line_same_wide line_same

static inline bool line_can_wide(void)
{
    return false;
}
#endif

#endif
