// SPDX-License-Identifier: Apache-2.0
#include "event/bytes.h"

bool bytes_can_wide(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("bmi");
#else
    return false;
#endif
}

// ---- A line without blanks

enum { BLOCK = 64, PIECE = 32 };

// A bit for each byte of a block.
struct masks {
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t blanks;
    uint64_t separators; // brackets, braces, colons and commas
};

#ifdef __SSE2__
enum { SSE2_PIECE = 16 };

static inline __m128i find_byte(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

static inline __m128i find_blanks(__m128i bytes)
{
    return _mm_or_si128(_mm_or_si128(find_byte(bytes, ' '), find_byte(bytes, '\t')),
                        find_byte(bytes, '\r'));
}

static inline __m128i find_separators(__m128i bytes)
{
    __m128i braces = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); // which brackets become, too
    return _mm_or_si128(_mm_or_si128(find_byte(braces, '{'), find_byte(braces, '}')),
                        _mm_or_si128(find_byte(bytes, ':'), find_byte(bytes, ',')));
}

static inline uint64_t bits_of(__m128i bytes, unsigned at)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << at;
}

static inline struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned at = 0; at < BLOCK; at += SSE2_PIECE) {
        __m128i bytes = _mm_loadu_si128((const void *)(block + at));
        m.quotes |= bits_of(find_byte(bytes, '"'), at);
        m.backslashes |= bits_of(find_byte(bytes, '\\'), at);
        m.blanks |= bits_of(find_blanks(bytes), at);
        m.separators |= bits_of(find_separators(bytes), at);
    }
    return m;
}
#else
static struct masks masks_of(const char *block)
{
    struct masks m = {0};
    for (unsigned at = 0; at < BLOCK; at++) {
        char c = block[at];
        bool bracket = (c | 0x20) == '{' || (c | 0x20) == '}';
        m.quotes |= (uint64_t)(c == '"') << at;
        m.backslashes |= (uint64_t)(c == '\\') << at;
        m.blanks |= (uint64_t)(c == ' ' || c == '\t' || c == '\r') << at;
        m.separators |= (uint64_t)(bracket || c == ':' || c == ',') << at;
    }
    return m;
}
#endif

#ifdef __x86_64__
BYTES_WIDE_INLINED uint64_t both_wide(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << BYTES_BLOCK;
}

BYTES_WIDE_INLINED __m256i find_wide(__m256i bytes, char c)
{
    return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c));
}

BYTES_WIDE_INLINED __m256i find_blanks_wide(__m256i bytes)
{
    return _mm256_or_si256(_mm256_or_si256(find_wide(bytes, ' '), find_wide(bytes, '\t')),
                           find_wide(bytes, '\r'));
}

BYTES_WIDE_INLINED __m256i find_separators_wide(__m256i bytes)
{
    __m256i braces = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    return _mm256_or_si256(_mm256_or_si256(find_wide(braces, '{'), find_wide(braces, '}')),
                           _mm256_or_si256(find_wide(bytes, ':'), find_wide(bytes, ',')));
}

BYTES_WIDE_INLINED struct masks masks_wide(const char *block)
{
    __m256i low = bytes_load_wide(block);
    __m256i high = bytes_load_wide(block + BYTES_BLOCK);
    return (struct masks){
        .quotes = both_wide(find_wide(low, '"'), find_wide(high, '"')),
        .backslashes = both_wide(find_wide(low, '\\'), find_wide(high, '\\')),
        .blanks = both_wide(find_blanks_wide(low), find_blanks_wide(high)),
        .separators = both_wide(find_separators_wide(low), find_separators_wide(high)),
    };
}
#endif

// Known where it is passed, so that it is inlined.
typedef struct masks masks_fn(const char *block);

// Each bit becomes the sum of those up to it: 1 from an opening quote to before the closing one.
BYTES_INLINED uint64_t between_quotes(uint64_t quotes)
{
    for (unsigned by = 1; by < BLOCK; by *= 2) {
        quotes ^= quotes << by;
    }
    return quotes;
}

// What is known of the bytes before a block.
struct writing {
    char *out;
    uint64_t in_string; // all ones where they end in a string
    uint64_t blank;     // 1: they end in blanks that are dropped
    uint64_t separated; // 1: the last one is a separator
    uint64_t open;      // 1: they end in blanks without a separator before, which need one behind
};

/*
 * Whether the blanks, a bit each, may be dropped: a separator is before or behind each run of them. To add 1 to the first bit
 * of a run leaves 1 behind its last one.
 */
BYTES_INLINED bool can_drop(struct writing *w, uint64_t blanks, uint64_t separators, uint64_t valid)
{
    uint64_t first = blanks & ~(blanks << 1 | w->blank);
    uint64_t bad = first & ~(separators << 1 | w->separated);
    uint64_t sum;
    bool over = __builtin_add_overflow(blanks, bad, &sum);
    over |= __builtin_add_overflow(sum, w->open, &sum);
    w->open = over;
    w->blank = blanks >> (BLOCK - 1);
    w->separated = separators >> (BLOCK - 1);
    return (sum & ~blanks & valid & ~separators) == 0;
}

// Writes the bytes of a block that have a bit. Up to PIECE bytes behind the block are readable.
BYTES_INLINED void write_runs(struct writing *w, const char *block, uint64_t left)
{
    while (left != 0) {
        unsigned from = (unsigned)__builtin_ctzll(left);
        uint64_t others = left + (left & -left); // without the first run, but with a bit behind it
        size_t len = (others != 0 ? (unsigned)__builtin_ctzll(others) : BLOCK) - from;
        memcpy(w->out, block + from, PIECE);
        if (len > PIECE) {
            memcpy(w->out + PIECE, block + from + PIECE, PIECE);
        }
        w->out += len;
        left &= others;
    }
}

// Adds what a block of n bytes has besides blanks outside of strings.
BYTES_INLINED bool add_block(struct writing *w, const char *block, size_t n, masks_fn *masks)
{
    struct masks m = masks(block);
    uint64_t valid = n < BLOCK ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
    uint64_t in_string = between_quotes(m.quotes) ^ w->in_string;
    uint64_t blanks = m.blanks & ~in_string & valid;
    w->in_string = (uint64_t)((int64_t)in_string >> (BLOCK - 1));
    if (m.backslashes != 0 || !can_drop(w, blanks, m.separators, valid)) {
        return false;
    }
    write_runs(w, block, ~blanks & valid);
    return true;
}

BYTES_INLINED size_t write_with(char *out, const char *line, size_t len, masks_fn *masks)
{
    struct writing w = {.out = out, .separated = 1};
    size_t at = 0;
    for (; len - at >= BLOCK + PIECE; at += BLOCK) {
        if (!add_block(&w, line + at, BLOCK, masks)) {
            return 0;
        }
    }
    char last[2 * BLOCK + PIECE] = {0};
    memcpy(last, line + at, len - at);
    for (size_t i = 0; at + i < len; i += BLOCK) {
        size_t rest = len - at - i;
        if (!add_block(&w, last + i, rest < BLOCK ? rest : BLOCK, masks)) {
            return 0;
        }
    }
    return (size_t)(w.out - out);
}

static size_t write_plain(char *out, const char *line, size_t len)
{
    return write_with(out, line, len, masks_of);
}

#ifdef __x86_64__
BYTES_WIDE size_t write_wide(char *out, const char *line, size_t len)
{
    return write_with(out, line, len, masks_wide);
}
#else
#define write_wide write_plain
#endif

size_t bytes_compact(char *out, const char *line, size_t len)
{
    return bytes_can_wide() ? write_wide(out, line, len) : write_plain(out, line, len);
}
