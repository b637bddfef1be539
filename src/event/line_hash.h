// SPDX-License-Identifier: Apache-2.0
/*
 * line_hash: the hash by which the memo finds a line. In a header, since it is made for every line.
 *
 * Shape:   two words are multiplied to twice their length, and the product's halves are the next two words, to which
 *          sixteen bytes of the line are added each time. Seeds that no client knows keep it from choosing lines that
 *          collide; if some do, they are parsed and not remembered, and nothing is wrong.
 *          The wide version goes by rounds of AES, one there and one back, each with the next sixteen bytes as its key:
 *          where a difference is made good again in one, it is not in the other.
 * Threads: pure functions.
 * Source:  the folded multiplication of Wang Yi, wyhash, 2019; both halves are kept here instead of folded. Rounds of
 *          AES as a hash: J. Daemen and V. Rijmen, "A New MAC Construction ALRED", 2005.
 */
#ifndef VE_EVENT_LINE_HASH_H
#define VE_EVENT_LINE_HASH_H

#include "event/line_span.h"

#include <stdint.h>
#include <string.h>

enum { LINE_SEEDS = 4, LINE_BLOCK = 16 };

struct line_hash {
    uint64_t a;
    uint64_t b;
};

static inline struct line_hash line_hash_add(struct line_hash h, const char *block)
{
    uint64_t words[2];
    memcpy(words, block, sizeof words);
    unsigned __int128 product = (unsigned __int128)(h.a ^ words[0]) * (h.b ^ words[1]);
    h = (struct line_hash){(uint64_t)product, (uint64_t)(product >> 64)};
    __asm__("" : "+r"(h.a), "+r"(h.b)); // else the compiler moves them to and fro
    return h;
}

static inline struct line_hash line_hash_span(struct line_hash h, const char *bytes)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < LINE_SPAN; i += LINE_BLOCK) {
        h = line_hash_add(h, bytes + i);
    }
    return h;
}

static __attribute__((noinline)) struct line_hash line_hash_any(struct line_hash h,
                                                                const char *bytes, size_t len)
{
    char rest[LINE_BLOCK] = {0};
    for (; len >= LINE_BLOCK; len -= LINE_BLOCK, bytes += LINE_BLOCK) {
        h = line_hash_add(h, bytes);
    }
    memcpy(rest, bytes, len);
    return line_hash_add(h, rest);
}

static inline uint64_t line_hash_end(struct line_hash h, const uint64_t *seeds)
{
    unsigned __int128 product = (unsigned __int128)(h.a ^ seeds[2]) * (h.b ^ seeds[3]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Of bytes, and a number that means something besides.
static inline uint64_t line_hash(const uint64_t *seeds, uint64_t besides, const char *bytes,
                                 size_t len)
{
    struct line_hash h = {seeds[0] ^ besides, seeds[1] ^ len};
    if (line_is_usual(len)) {
        h = line_hash_span(h, bytes);
        h = line_hash_span(h, bytes + line_middle(len));
        h = line_hash_span(h, bytes + len - LINE_SPAN);
    } else {
        h = line_hash_any(h, bytes, len);
    }
    return line_hash_end(h, seeds);
}

#ifdef __x86_64__
struct line_hash_wide {
    __m128i there;
    __m128i back;
};

LINE_WIDE_INLINED struct line_hash_wide line_hash_span_wide(struct line_hash_wide h,
                                                            const char *bytes)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < LINE_SPAN; i += LINE_BLOCK) {
        __m128i block = _mm_loadu_si128((const void *)(bytes + i));
        h.there = _mm_aesenc_si128(h.there, block);
        h.back = _mm_aesdec_si128(h.back, block);
    }
    return h;
}

LINE_WIDE_INLINED uint64_t line_hash_wide(const uint64_t *seeds, uint64_t besides,
                                          const char *bytes, size_t len)
{
    if (!line_is_usual(len)) {
        return line_hash(seeds, besides, bytes, len);
    }
    __m128i what = _mm_set_epi64x((int64_t)len, (int64_t)besides);
    __m128i first = _mm_loadu_si128((const void *)seeds);
    __m128i second = _mm_loadu_si128((const void *)(seeds + 2));
    struct line_hash_wide h = {_mm_xor_si128(first, what), _mm_xor_si128(second, what)};
    h = line_hash_span_wide(h, bytes);
    h = line_hash_span_wide(h, bytes + line_middle(len));
    h = line_hash_span_wide(h, bytes + len - LINE_SPAN);
    __m128i all = _mm_aesenc_si128(_mm_aesenc_si128(h.there, h.back), first);
    return (uint64_t)_mm_cvtsi128_si64(_mm_aesenc_si128(all, second));
}
#else
#define line_hash_wide line_hash
#endif

#endif
