// SPDX-License-Identifier: Apache-2.0
#include "ingest/cut.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>

enum { BLOCK = 64 };

static uint64_t newlines_in_16(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const void *)at);
    return (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
}

// Which of the block's bytes are newlines: a bit for each.
static uint64_t newlines(const char *block)
{
    return newlines_in_16(block) | newlines_in_16(block + 16) << 16 |
           newlines_in_16(block + 32) << 32 | newlines_in_16(block + 48) << 48;
}

/*
 * Cuts the lines that end in whole blocks. Sets where the next one begins; returns how many. Whether a block has a
 * newline cannot be foreseen, and one wrong guess for each line costs more than all of this; but it seldom has two. So
 * one is taken in any case, and counts if it is there.
 */
static size_t cut_blocks(const char **at, const char *end, struct event_line *ret)
{
    size_t n = 0;
    const char *from = *at;
    for (const char *block = from; n < EVENT_LINES && end - block >= BLOCK; block += BLOCK) {
        uint64_t left = newlines(block);
        do {
            size_t len = (size_t)(block + __builtin_ctzll(left | (uint64_t)1 << 63) - from);
            size_t is = left != 0;
            ret[n].at = from;
            ret[n].len = (uint32_t)len;
            from += (len + 1) & -is;
            n += is;
            left &= left - 1;
        } while (__builtin_expect(left != 0, 0) && n < EVENT_LINES);
    }
    *at = from;
    return n;
}
#else
static size_t cut_blocks(const char **at, const char *end, struct event_line *ret)
{
    (void)at;
    (void)end;
    (void)ret;
    return 0;
}
#endif

size_t cut_lines(const char *at, const char *end, struct event_line *ret)
{
    size_t n = cut_blocks(&at, end, ret);
    const char *newline;
    while (n < EVENT_LINES && (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        ret[n].at = at;
        ret[n++].len = (uint32_t)(newline - at);
        at = newline + 1;
    }
    return n;
}
