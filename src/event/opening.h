// SPDX-License-Identifier: Apache-2.0
/*
 * opening: the bytes at the beginning of a line by which its template is looked for.
 *
 * Threads: pure functions. Reads: as event/bytes, and up to 8 bytes before the end that opening_end gives.
 */
#ifndef VE_EVENT_OPENING_H
#define VE_EVENT_OPENING_H

#include "event/bytes.h"

#include <string.h>

/*
 * What lines of a template have in common with each other, and with few others: the bytes up to the fourth quote, which are
 * the end of the name where the name comes first. Where the value comes first they would differ: there it is the sixth.
 */
BYTES_INLINED size_t opening_end(const char *at, const char *end, const struct bytes_ops *ops)
{
    return ops->quote(at, end, at[2] == 'v' || at[2] == 'c' ? 6 : 4);
}

BYTES_INLINED uint8_t opening_bucket(const char *at, size_t last)
{
    uint64_t words[2] = {0, 0};
    memcpy(&words[0], at + last - 7, sizeof words[0]);
    if (at[2] == 'e' || at[2] == 'm') {
        memcpy(&words[1], at + (last > 15 ? last - 15 : 0), sizeof words[1]);
        words[1] += last;
    }
    uint64_t mixed = (words[0] ^ words[1] * 0x9FB21C651E98DF25u) * 0x9E3779B97F4A7C15u;
    return (uint8_t)(mixed >> 56);
}

#endif
