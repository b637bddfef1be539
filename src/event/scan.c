// SPDX-License-Identifier: Apache-2.0
#include "event/scan.h"

#include "base/text.h"

#include <math.h>

// ---- Holes

bool scan_long_string(const char *at, const char *end, size_t *ret_len)
{
    const char *quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
    if (quote == NULL) {
        return false;
    }
    size_t len = (size_t)(quote - at);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)at[i] < 0x20 || at[i] == '\\') {
            return false;
        }
    }
    *ret_len = len;
    return text_is_utf8(at, len);
}

bool scan_long_number(const char *at, size_t len, double *ret)
{
    return number_read(at, len, ret) && isfinite(*ret);
}

// ---- Elements

enum { BLOCK = 2 * BYTES_BLOCK };

// A bit for each byte of a block: set if an element ends there and the next one begins.
typedef uint64_t ends_fn(const char *block);

BYTES_INLINED uint64_t ends_plain(const char *block)
{
    uint64_t ends = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        ends |= (uint64_t)(memcmp(block + i, "},{", 3) == 0) << i;
    }
    return ends;
}

// A branch on whether a block has an end would often be mispredicted. So one is taken in any case, and counts if it is there (as
// in ingest/split).
BYTES_INLINED size_t split(const char *at, const char *end, struct line *ret, size_t most,
                           ends_fn *ends)
{
    size_t n = 0;
    const char *from = at;
    for (const char *block = at; block < end; block += BLOCK) {
        uint64_t left = ends(block);
        if (end - block < BLOCK) {
            left &= ((uint64_t)1 << (end - block)) - 1;
        }
        do {
            size_t len = (size_t)(block + __builtin_ctzll(left | (uint64_t)1 << 63) + 1 - from);
            size_t found = left != 0;
            ret[n].bytes = from;
            ret[n].len = (uint32_t)len;
            from += (len + 1) & -found;
            n += found;
            if (n == most) {
                return 0;
            }
            left &= left - 1;
        } while (__builtin_expect(left != 0, 0));
    }
    ret[n].bytes = from;
    ret[n].len = (uint32_t)(end - from);
    return n + 1;
}

#ifdef __x86_64__
BYTES_WIDE_INLINED uint32_t ends_of_half(const char *block)
{
    __m256i brace = _mm256_cmpeq_epi8(bytes_load_wide(block), _mm256_set1_epi8('}'));
    __m256i comma = _mm256_cmpeq_epi8(bytes_load_wide(block + 1), _mm256_set1_epi8(','));
    __m256i next = _mm256_cmpeq_epi8(bytes_load_wide(block + 2), _mm256_set1_epi8('{'));
    return (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(_mm256_and_si256(brace, comma), next));
}

BYTES_WIDE_INLINED uint64_t ends_wide(const char *block)
{
    return ends_of_half(block) | (uint64_t)ends_of_half(block + BYTES_BLOCK) << BYTES_BLOCK;
}

BYTES_WIDE size_t split_wide(const char *at, const char *end, struct line *ret, size_t most)
{
    return split(at, end, ret, most, ends_wide);
}
#endif

size_t scan_elements(const char *at, const char *end, struct line *ret, size_t most)
{
    if (end - at < 4 || *at != '[' || end[-1] != ']') {
        return 0;
    }
#ifdef __x86_64__
    if (bytes_can_wide()) {
        return split_wide(at + 1, end - 1, ret, most);
    }
#endif
    return split(at + 1, end - 1, ret, most, ends_plain);
}
