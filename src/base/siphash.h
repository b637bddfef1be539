// SPDX-License-Identifier: Apache-2.0
/*
 * siphash: a keyed hash of 128 bits, for what must not be guessed or made to collide by who does not know
 * the key.
 *
 * Threads: pure function.
 * Source:  SipHash-2-4 with 128 bits, Aumasson and Bernstein.
 */
#ifndef VE_BASE_SIPHASH_H
#define VE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash {
    uint64_t word[2];
};

struct siphash siphash(const uint64_t key[2], const void *bytes, size_t len);

#endif
