// SPDX-License-Identifier: Apache-2.0
/*
 * line_hash: the hash by which the memo finds a line. In a header, since it is made for every line.
 *
 * Shape:   two words are multiplied to twice their length, and the product's halves are the next two words, to which
 *          sixteen bytes of the line are added each time. Seeds that no client knows keep it from choosing lines that
 *          collide; if some do, they are parsed and not remembered, and nothing is wrong.
 * Threads: pure functions.
 * Source:  the folded multiplication of Wang Yi, wyhash, 2019; both halves are kept here instead of folded.
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
    unsigned __int128 product = (unsigned __int128)(h.a ^ seeds[2]) * (h.b ^ seeds[3]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
