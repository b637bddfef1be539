// SPDX-License-Identifier: Apache-2.0
/*
 * bytes: comparison, search and hash of short runs of bytes. In a header, since every line needs them several times.
 *
 * Shape:   each exists twice: the wide version is for a CPU with AVX2 and AES (bytes_can_wide), and hashes differently. A
 *          function that is given one of the two sets by a constant gets it inlined. No length is foreseen by a branch.
 *          The hash begins with a seed that no client knows; who finds lines that collide all the same makes them slower, and
 *          nothing wrong, since what has the same hash is compared.
 * Reads:   the wide version reads whole blocks: BYTES_BLOCK bytes from where it begins, or twice as many for a quote.
 * Threads: pure functions.
 */
#ifndef VE_EVENT_BYTES_H
#define VE_EVENT_BYTES_H

#include "event/number.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { BYTES_BLOCK = 32, BYTES_PAGE = 4096 };

#define BYTES_INLINED static inline __attribute__((always_inline))

// Whether the wide version may be used.
bool bytes_can_wide(void);

// Whether what is read up to so many bytes behind these bytes is in the pages of these bytes.
static inline bool bytes_is_end_apart(const char *end, size_t slack)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return false;
#endif
#endif
    return ((uintptr_t)end - 1) % BYTES_PAGE < BYTES_PAGE - slack;
}

// The same for what is read behind them or before them.
static inline bool bytes_is_apart(const char *at, const char *end, size_t slack)
{
    return (uintptr_t)at % BYTES_PAGE >= slack && bytes_is_end_apart(end, slack);
}

typedef uint64_t bytes_hash __attribute__((vector_size(16)));

struct bytes_ops {
    // Whether the line has these bytes of a template.
    bool (*same)(const char *line, const char *text, size_t len);
    // The length of the run of plain ASCII at `at` up to a quote or what is not plain; BYTES_BLOCK where it is not so short.
    size_t (*plain)(const char *at, const char *end);
    // The same up to a byte.
    size_t (*before)(const char *at, const char *end, char c);
    // The same up to a comma or a closing bracket.
    size_t (*element)(const char *at, const char *end);
    // Copies fewer than BYTES_BLOCK bytes; as many as that may be read and written.
    void (*copy)(char *to, const char *from, size_t len);
    // Sets two blocks to zero.
    void (*clear)(char *to);
    // Adds two blocks to a hash.
    bytes_hash (*hash)(bytes_hash h, const char *bytes);
    // Where the nth quote (the 4th at least) of the first 64 bytes is; 0: there are not so many.
    size_t (*quote)(const char *at, const char *end, unsigned nth);
    // Reads a short number (event/number).
    bool (*number)(const char *at, size_t len, double *ret);
};

// From BYTES_BLOCK - n on: n bytes of ones, then zeros, which mask the first n bytes of a block.
static const uint8_t bytes_first[2 * BYTES_BLOCK] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static inline bool bytes_is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

static inline bool bytes_is_same_plain(const char *line, const char *text, size_t len)
{
    return memcmp(line, text, len) == 0;
}

static inline size_t bytes_plain_plain(const char *at, const char *end)
{
    size_t n = 0;
    while (n < BYTES_BLOCK && at + n < end && bytes_is_plain(at[n])) {
        n++;
    }
    return n;
}

static inline size_t bytes_before_plain(const char *at, const char *end, char c)
{
    size_t n = 0;
    while (n < BYTES_BLOCK && at + n < end && at[n] != c) {
        n++;
    }
    return n;
}

static inline size_t bytes_element_plain(const char *at, const char *end)
{
    size_t n = 0;
    while (n < BYTES_BLOCK && at + n < end && at[n] != ',' && at[n] != ']') {
        n++;
    }
    return n;
}

static inline void bytes_copy_plain(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
}

static inline void bytes_clear_plain(char *to)
{
    memset(to, 0, 2 * (size_t)BYTES_BLOCK);
}

static inline bytes_hash bytes_hash_plain(bytes_hash h, const char *bytes)
{
    for (size_t i = 0; i < 2 * (size_t)BYTES_BLOCK; i += 16) {
        uint64_t words[2];
        memcpy(words, bytes + i, sizeof words);
        unsigned __int128 product =
            (unsigned __int128)(h[0] ^ words[0]) * (h[1] ^ words[1] ^ 0x9E3779B97F4A7C15u);
        h = (bytes_hash){(uint64_t)product ^ h[1], (uint64_t)(product >> 64) ^ h[0]};
    }
    return h;
}

static inline size_t bytes_quote_plain(const char *at, const char *end, unsigned nth)
{
    for (size_t i = 0; i < 64 && at + i < end; i++) {
        nth -= at[i] == '"';
        if (nth == 0) {
            return i;
        }
    }
    return 0;
}

static const struct bytes_ops bytes_plain = {
    bytes_is_same_plain, bytes_plain_plain, bytes_before_plain,
    bytes_element_plain, bytes_copy_plain,  bytes_clear_plain,
    bytes_hash_plain,    bytes_quote_plain, number_short};

#ifdef __x86_64__
#define BYTES_WIDE static __attribute__((noinline, target("avx2,aes,bmi")))
#define BYTES_WIDE_INLINED static inline __attribute__((always_inline, target("avx2,aes,bmi")))

// What blocks are compared with: read from memory as a whole, since to make it takes as long as the comparison.
static const struct {
    uint8_t quote[BYTES_BLOCK];
    uint8_t backslash[BYTES_BLOCK];
    uint8_t blank[BYTES_BLOCK];
} bytes_these __attribute__((aligned(BYTES_BLOCK))) = {
    "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
    "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\",
    "                                "};

BYTES_WIDE_INLINED __m256i bytes_this_wide(const uint8_t *these)
{
    __asm__("" : "+r"(these)); // else the compiler makes it
    return _mm256_load_si256((const void *)these);
}

// The bits of a block's first n bytes.
BYTES_WIDE_INLINED __m256i bytes_first_wide(size_t n)
{
    return _mm256_loadu_si256((const void *)(bytes_first + BYTES_BLOCK - n));
}

BYTES_WIDE_INLINED __m256i bytes_load_wide(const char *at)
{
    return _mm256_loadu_si256((const void *)at);
}

BYTES_WIDE_INLINED bool bytes_same_wide(const char *line, const char *text, size_t len)
{
    for (; __builtin_expect(len > BYTES_BLOCK, 0);
         len -= BYTES_BLOCK, line += BYTES_BLOCK, text += BYTES_BLOCK) {
        __m256i differs = _mm256_xor_si256(bytes_load_wide(line), bytes_load_wide(text));
        if (!_mm256_testz_si256(differs, differs)) {
            return false;
        }
    }
    return _mm256_testz_si256(_mm256_xor_si256(bytes_load_wide(line), bytes_load_wide(text)),
                              bytes_first_wide(len));
}

BYTES_WIDE_INLINED size_t bytes_plain_wide(const char *at, const char *end)
{
    (void)end;
    __m256i block = bytes_load_wide(at);
    __m256i stop = _mm256_or_si256(
        _mm256_cmpgt_epi8(bytes_this_wide(bytes_these.blank), block),
        _mm256_or_si256(_mm256_cmpeq_epi8(block, bytes_this_wide(bytes_these.quote)),
                        _mm256_cmpeq_epi8(block, bytes_this_wide(bytes_these.backslash))));
    return _tzcnt_u32((uint32_t)_mm256_movemask_epi8(stop));
}

BYTES_WIDE_INLINED size_t bytes_before_wide(const char *at, const char *end, char c)
{
    (void)end;
    __m256i found = _mm256_cmpeq_epi8(bytes_load_wide(at), _mm256_set1_epi8(c));
    return _tzcnt_u32((uint32_t)_mm256_movemask_epi8(found));
}

BYTES_WIDE_INLINED size_t bytes_element_wide(const char *at, const char *end)
{
    (void)end;
    __m256i block = bytes_load_wide(at);
    __m256i found = _mm256_or_si256(_mm256_cmpeq_epi8(block, _mm256_set1_epi8(',')),
                                    _mm256_cmpeq_epi8(block, _mm256_set1_epi8(']')));
    return _tzcnt_u32((uint32_t)_mm256_movemask_epi8(found));
}

BYTES_WIDE_INLINED void bytes_copy_wide(char *to, const char *from, size_t len)
{
    (void)len;
    _mm256_storeu_si256((void *)to, bytes_load_wide(from));
}

BYTES_WIDE_INLINED void bytes_clear_wide(char *to)
{
    _mm256_storeu_si256((void *)to, _mm256_setzero_si256());
    _mm256_storeu_si256((void *)(to + BYTES_BLOCK), _mm256_setzero_si256());
}

BYTES_WIDE_INLINED bytes_hash bytes_hash_wide(bytes_hash h, const char *bytes)
{
    __m128i a = (__m128i)h;
    __m128i b = _mm_shuffle_epi32(a, 0x4E);
    a = _mm_aesenc_si128(a, _mm_loadu_si128((const void *)bytes));
    b = _mm_aesenc_si128(b, _mm_loadu_si128((const void *)(bytes + 16)));
    a = _mm_aesenc_si128(a, _mm_loadu_si128((const void *)(bytes + 32)));
    b = _mm_aesenc_si128(b, _mm_loadu_si128((const void *)(bytes + 48)));
    a = _mm_aesenc_si128(a, b);
    return (bytes_hash)_mm_aesenc_si128(a, (__m128i)h);
}

// Whether a line has the bytes of a block that the mask has.
BYTES_WIDE_INLINED bool bytes_same_block_wide(const char *line, const char *text,
                                              const uint8_t *mask)
{
    return _mm256_testz_si256(_mm256_xor_si256(bytes_load_wide(line), bytes_load_wide(text)),
                              _mm256_loadu_si256((const void *)mask));
}

// Whether a line has the same blocks as a text at 0, at `middle` and at `last`, as far as the mask has their bytes.
BYTES_WIDE_INLINED bool bytes_same_three_wide(const char *line, const char *text, size_t middle,
                                              size_t last, const uint8_t *mask)
{
    __m256i a = _mm256_xor_si256(bytes_load_wide(line), bytes_load_wide(text));
    __m256i b = _mm256_xor_si256(bytes_load_wide(line + middle), bytes_load_wide(text + middle));
    __m256i c = _mm256_xor_si256(bytes_load_wide(line + last), bytes_load_wide(text + last));
    a = _mm256_or_si256(_mm256_or_si256(a, b), c);
    return _mm256_testz_si256(a, _mm256_loadu_si256((const void *)mask));
}

// Whether as many of the first bytes of two blocks are the same.
BYTES_WIDE_INLINED bool bytes_same_two_wide(const char *x, const char *y, size_t len)
{
    size_t low = len < BYTES_BLOCK ? len : BYTES_BLOCK;
    __m256i a = _mm256_and_si256(_mm256_xor_si256(bytes_load_wide(x), bytes_load_wide(y)),
                                 bytes_first_wide(low));
    __m256i b = _mm256_and_si256(
        _mm256_xor_si256(bytes_load_wide(x + BYTES_BLOCK), bytes_load_wide(y + BYTES_BLOCK)),
        bytes_first_wide(len - low));
    a = _mm256_or_si256(a, b);
    return _mm256_testz_si256(a, a);
}

BYTES_WIDE_INLINED size_t bytes_quote_wide(const char *at, const char *end, unsigned nth)
{
    (void)end;
    const __m256i quote = bytes_this_wide(bytes_these.quote);
    uint64_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes_load_wide(at), quote));
    uint64_t high =
        (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes_load_wide(at + BYTES_BLOCK), quote));
    uint64_t quotes = high << BYTES_BLOCK | low;
    quotes &= quotes - 1;
    quotes &= quotes - 1;
    quotes &= quotes - 1;
    for (unsigned i = 4; i < nth; i++) {
        quotes &= quotes - 1;
    }
    return quotes != 0 ? _tzcnt_u64(quotes) : 0;
}

static const struct bytes_ops bytes_wide = {
    bytes_same_wide,  bytes_plain_wide, bytes_before_wide, bytes_element_wide, bytes_copy_wide,
    bytes_clear_wide, bytes_hash_wide,  bytes_quote_wide,  number_short_wide};
#endif

/*
 * bytes_compact: a line without the blanks between its tokens, which means the same.
 *
 * Shape:   blanks are dropped where a bracket, brace, colon or comma stands on one side of them; a line that has other ones,
 *          or a backslash, has no compact form. Whether it is JSON at all is not asked: if it is not, neither is the result.
 * Source:  masks of quotes by prefix sums as in G. Langdale and D. Lemire, "Parsing Gigabytes of JSON per Second", 2019.
 */

enum { BYTES_COMPACT_SLACK = 80 }; // bytes behind the result that are written to as well

// Writes the compact form to `out`, which has room for len + BYTES_COMPACT_SLACK bytes. Returns its length; 0: it has none.
size_t bytes_compact(char *out, const char *line, size_t len);

#endif
