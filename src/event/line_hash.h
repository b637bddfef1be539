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

static inline struct line_hash line_hash_span(struct line_hash h, const char *bytes, size_t len)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < len; i += LINE_BLOCK) {
        h = line_hash_add(h, bytes + i);
    }
    return h;
}

static __attribute__((noinline)) struct line_hash line_hash_any(struct line_hash h,
                                                                const char *bytes, size_t len)
{
    char rest[LINE_BLOCK] = {0};
    size_t whole = len & -(size_t)LINE_BLOCK;
    memcpy(rest, bytes + whole, len - whole);
    return line_hash_add(line_hash_span(h, bytes, whole), rest);
}

/*
 * Of bytes, and a number that means something besides. Most lines are of a few lengths, which come in any order: each
 * guess at the end of a loop over them would be wrong. So there are two cases, which read some of the bytes twice.
 */
static inline uint64_t line_hash(const uint64_t *seeds, uint64_t besides, const char *bytes,
                                 size_t len)
{
    struct line_hash h = {seeds[0] ^ besides, seeds[1] ^ len};
    if (len > 64 && len <= 128) {
        h = line_hash_span(line_hash_span(h, bytes, 64), bytes + len - 64, 64);
    } else if (len > 128 && len <= 256) {
        h = line_hash_span(line_hash_span(h, bytes, 128), bytes + len - 128, 128);
    } else {
        h = line_hash_any(h, bytes, len);
    }
    unsigned __int128 product = (unsigned __int128)(h.a ^ seeds[2]) * (h.b ^ seeds[3]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
