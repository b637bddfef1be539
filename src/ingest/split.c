// SPDX-License-Identifier: Apache-2.0
#include "ingest/split.h"

#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>

enum { BLOCK = 64 };

// Which of a block's bytes are newlines: a bit for each.
typedef uint64_t newlines_fn(const char *block);

static inline __attribute__((always_inline)) uint64_t in_16(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const void *)at);
    return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
}

static inline __attribute__((always_inline)) uint64_t newlines_sse2(const char *block)
{
    return in_16(block) | in_16(block + 16) << 16 | in_16(block + 32) << 32 |
           in_16(block + 48) << 48;
}

static inline __attribute__((always_inline, target("avx2"))) uint64_t
newlines_avx2(const char *block)
{
    const __m256i newline = _mm256_set1_epi8('\n');
    __m256i first = _mm256_loadu_si256((const void *)block);
    __m256i second = _mm256_loadu_si256((const void *)(block + 32));
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(first, newline)) |
           (uint64_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(second, newline)) << 32;
}

/*
 * Splits off the lines that end in whole blocks. Sets where the next one begins; returns how many. Whether a block has
 * a newline cannot be foreseen, and one wrong guess for each line takes longer than all of this; but it seldom has two.
 * So one is taken in any case, and counts if it is there.
 */
static inline __attribute__((always_inline)) size_t
split_blocks(const char **at, const char *end, struct line *ret, newlines_fn *newlines)
{
    size_t n = 0;
    const char *from = *at;
    for (const char *block = from; n < EVENT_LINES && end - block >= BLOCK; block += BLOCK) {
        uint64_t left = newlines(block);
        do {
            size_t len = (size_t)(block + __builtin_ctzll(left | (uint64_t)1 << 63) - from);
            size_t found = left != 0;
            ret[n].bytes = from;
            ret[n].len = (uint32_t)len;
            from += (len + 1) & -found;
            n += found;
            left &= left - 1;
        } while (__builtin_expect(left != 0, 0) && n < EVENT_LINES);
    }
    *at = from;
    return n;
}

static __attribute__((target("avx2"))) size_t split_avx2(const char **at, const char *end,
                                                         struct line *ret)
{
    return split_blocks(at, end, ret, newlines_avx2);
}

static size_t split_whole_blocks(const char **at, const char *end, struct line *ret)
{
    return __builtin_cpu_supports("avx2") ? split_avx2(at, end, ret)
                                          : split_blocks(at, end, ret, newlines_sse2);
}
#else
static size_t split_whole_blocks(const char **at, const char *end, struct line *ret)
{
    (void)at;
    (void)end;
    (void)ret;
    return 0;
}
#endif

// Adds the lines behind the n that are split off, byte by byte.
static size_t split_rest(const char *at, const char *end, struct line *ret, size_t n)
{
    const char *newline;
    while (n < EVENT_LINES && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        ret[n].bytes = at;
        ret[n++].len = (uint32_t)(newline - at);
        at = newline + 1;
    }
    return n;
}

size_t split_lines(const char *at, const char *end, struct line *ret)
{
    size_t n = split_whole_blocks(&at, end, ret);
    return split_rest(at, end, ret, n);
}
