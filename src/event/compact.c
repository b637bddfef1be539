// SPDX-License-Identifier: Apache-2.0
#include "event/compact.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCK = 64, PIECE = 16 };

// A bit for each byte of a block.
struct masks {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t blanks;
};

#ifdef __SSE2__
static uint64_t bits_of(__m128i bytes, unsigned at)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << at;
}

static struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned at = 0; at < BLOCK; at += PIECE) {
        __m128i bytes = _mm_loadu_si128((const void *)(block + at));
        __m128i space = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
        __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
        __m128i cr = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'));
        m.quotes |= bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), at);
        m.backslashes |= bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')), at);
        m.blanks |= bits_of(_mm_or_si128(_mm_or_si128(space, tab), cr), at);
    }
    return m;
}
#else
static struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned at = 0; at < BLOCK; at++) {
        char c = block[at];
        m.quotes |= (uint64_t)(c == '"') << at;
        m.backslashes |= (uint64_t)(c == '\\') << at;
        m.blanks |= (uint64_t)(c == ' ' || c == '\t' || c == '\r') << at;
    }
    return m;
}
#endif

// Each bit becomes the sum of those up to it: 1 from an opening quote to before the closing one.
static uint64_t between_quotes(uint64_t quotes)
{
    for (unsigned by = 1; by < BLOCK; by *= 2) {
        quotes ^= quotes << by;
    }
    return quotes;
}

static bool is_separator(char c)
{
    static const bool yes[256] = {
        ['{'] = true, ['}'] = true, ['['] = true, [']'] = true, [':'] = true, [','] = true};
    return yes[(unsigned char)c];
}

struct writing {
    char *out;
    size_t len;
    uint64_t in_string; // all ones where the block before ended in a string
    bool blank;         // it ended with one that was dropped
};

// Whether blanks before `next` may be dropped.
static bool can_drop(const struct writing *w, char next)
{
    return w->len == 0 || is_separator(w->out[w->len - 1]) || is_separator(next);
}

// Adds what a block of n bytes has besides blanks outside of strings. Bytes up to PIECE behind the block are readable.
static bool add_block(struct writing *w, const char *block, size_t n)
{
    struct masks m = masks_of(block);
    uint64_t in_string = between_quotes(m.quotes) ^ w->in_string;
    uint64_t left = ~(m.blanks & ~in_string);
    left &= n < BLOCK ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
    w->in_string = (uint64_t)((int64_t)in_string >> (BLOCK - 1));
    if (m.backslashes != 0) {
        return false;
    }
    size_t end = 0; // of the piece before
    while (left != 0) {
        size_t from = (size_t)__builtin_ctzll(left);
        uint64_t others = ~(left >> from);
        size_t len = others != 0 ? (size_t)__builtin_ctzll(others) : BLOCK;
        len = len > BLOCK - from ? BLOCK - from : len;
        if ((from > end || w->blank) && !can_drop(w, block[from])) {
            return false;
        }
        w->blank = false;
        for (size_t i = 0; i < len; i += PIECE) {
            memcpy(w->out + w->len + i, block + from + i, PIECE);
        }
        w->len += len;
        end = from + len;
        left = end < BLOCK ? left >> end << end : 0;
    }
    w->blank |= end < n;
    return true;
}

size_t compact_write(char *out, const char *line, size_t len)
{
    struct writing w = {.out = out};
    size_t at = 0;
    for (; len - at >= BLOCK + PIECE; at += BLOCK) {
        if (!add_block(&w, line + at, BLOCK)) {
            return 0;
        }
    }
    char last[2 * BLOCK + PIECE] = {0};
    memcpy(last, line + at, len - at);
    size_t first = len - at < BLOCK ? len - at : BLOCK;
    if (!add_block(&w, last, first) ||
        (len - at > BLOCK && !add_block(&w, last + BLOCK, len - at - BLOCK))) {
        return 0;
    }
    return w.len;
}
