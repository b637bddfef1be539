// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void mix(uint64_t v[4], unsigned rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void take(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v, 2);
    v[0] ^= word;
}

struct siphash siphash(const uint64_t key[2], const void *bytes, size_t len)
{
    uint64_t v[4] = {0x736f6d6570736575 ^ key[0], 0x646f72616e646f6d ^ key[1] ^ 0xee,
                     0x6c7967656e657261 ^ key[0], 0x7465646279746573 ^ key[1]};
    const unsigned char *p = bytes;
    uint64_t word;
    size_t left = len;
    for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        take(v, le64toh(word));
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    take(v, word);
    struct siphash ret;
    v[2] ^= 0xee;
    mix(v, 4);
    ret.word[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    mix(v, 4);
    ret.word[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
    return ret;
}
