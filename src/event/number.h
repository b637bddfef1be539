// SPDX-License-Identifier: Apache-2.0
/*
 * number: JSON numbers where they are read for every line.
 *
 * Threads: pure functions. Source: RFC 8259, section 6; exact short decimals as in W. D. Clinger, "How to Read
 *          Floating Point Numbers Accurately", 1990.
 */
#ifndef VE_EVENT_NUMBER_H
#define VE_EVENT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

// Whether the bytes are one JSON number and nothing else.
bool number_is_valid(const char *at, size_t len);

// Reads bytes that are one JSON number and nothing else, to the double that strtod would give. At least one
// byte that cannot belong to a number must stand behind them. Returns whether they are one.
bool number_read(const char *at, size_t len, double *ret);

// The rest reads a number from its end, where most lines have one; in the header, since that is done for every line.

enum { NUMBER_DIGITS = 15 }; // which a double holds exactly

// The digits before an end, with a point among them or not.
struct number_run {
    uint64_t digits; // their value, the point left out
    unsigned n;      // of them
    unsigned last;   // of these behind the point; all if there is none
    bool point;
};

#ifdef __SSE2__
/*
 * Sixteen bytes at once. How long a number is and where its point stands cannot be foreseen: a loop over its digits,
 * and one wrong guess at its end, cost more than all of this.
 */
enum { NUMBER_BLOCK = 16 };

static inline __m128i number_load(const void *at)
{
    return _mm_loadu_si128(at);
}

// The block before `end`; digits read 0 to 9.
static inline __m128i number_block(const char *end)
{
    return _mm_sub_epi8(number_load(end - NUMBER_BLOCK), _mm_set1_epi8('0'));
}

// The bits of a block's last n bytes.
static inline __m128i number_last(size_t n)
{
    static const uint64_t ones[] = {0, 0, UINT64_MAX, UINT64_MAX};
    return number_load((const char *)ones + n);
}

// The value of eight pairs of digits: fours of them, then eights.
static inline uint64_t number_of_pairs(__m128i pairs)
{
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (uint32_t)both * (uint64_t)100000000 + (both >> 32);
}

static inline uint64_t number_value(__m128i digits)
{
    __m128i high = _mm_and_si128(digits, _mm_set1_epi16(0xFF));
    return number_of_pairs(
        _mm_add_epi16(_mm_mullo_epi16(high, _mm_set1_epi16(10)), _mm_srli_epi16(digits, 8)));
}

static inline struct number_run number_run_before(const char *end)
{
    __m128i block = number_block(end);
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(9)), block);
    // The upper bits are those bytes that are no digits; one more stands below, so that there is one in any case.
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(is_digit) << 16 | 0x8000;
    unsigned stop = 31 ^ (unsigned)__builtin_clz(others);
    unsigned next = 31 ^ (unsigned)__builtin_clz((others & ~((uint32_t)1 << stop)) | 0x8000);
    struct number_run run = {.last = 31 - stop, .point = end[(int)stop - 32] == '.'};
    run.n = 31 - (run.point ? next : stop) - run.point;
    // What stands before the point moves up by one.
    __m128i behind = number_last(run.point ? run.last : NUMBER_BLOCK);
    block =
        _mm_or_si128(_mm_and_si128(behind, block), _mm_andnot_si128(behind, number_block(end - 1)));
    run.digits = number_value(_mm_and_si128(number_last(run.n), block));
    return run;
}
#else
static inline struct number_run number_run_before(const char *end)
{
    struct number_run run = {0};
    uint64_t scale = 1;
    for (const char *at = end; run.n <= NUMBER_DIGITS; at--) {
        if (at[-1] == '.' && !run.point) {
            run.point = true;
            run.last = run.n;
        } else if ((unsigned)(at[-1] - '0') < 10) {
            run.digits += (uint64_t)(at[-1] - '0') * scale;
            scale *= 10;
            run.n++;
        } else {
            break;
        }
    }
    run.last = run.point ? run.last : run.n;
    return run;
}
#endif

// Whether the byte before a run tells that it is only a part of something.
static inline bool number_is_continued(char c)
{
    static const bool yes[256] = {
        ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true,
        ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
        ['.'] = true, ['-'] = true, ['+'] = true, ['e'] = true, ['E'] = true};
    return yes[(unsigned char)c];
}

/*
 * Reads a number of at most eight bytes, of which nothing is known, if it has neither sign nor exponent; eight bytes must be
 * readable where it begins. Returns whether it is one; else that is for number_tail or number_read to say. All its bytes
 * at once, since neither its length nor where its point is can be foreseen.
 */
static inline __attribute__((always_inline)) bool number_short(const char *at, size_t len,
                                                               double *ret)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    const uint64_t ones = 0x0101010101010101;
    uint64_t bytes;
    if (len - 1 > 7) {
        return false;
    }
    memcpy(&bytes, at, sizeof bytes);
    // The last digit is the highest byte; what is missing before the first one reads 0.
    unsigned unused = 64 - 8 * (unsigned)len;
    uint64_t digits = (bytes ^ ones * '0') << unused;
    // The lowest bit of the lowest byte that is a point is right, whatever is above it.
    uint64_t other = digits ^ ones * ('.' ^ '0');
    uint64_t points = (other - ones) & ~other & ones << 7;
    unsigned fraction = 0;
    bool open = false;
    if (points != 0) {
        // What is before the point moves up by one.
        unsigned point = (unsigned)__builtin_ctzll(points) & 56;
        uint64_t before = ((uint64_t)1 << point) - 1;
        open = (point == unused) | (point == 56);
        fraction = (56 - point) / 8;
        digits = (digits & before) << 8 | (digits & ~before << 7 << 1);
    }
    bool bad = (((digits + ones * 0x76) | digits) & ones << 7) != 0;
    // Without its point: a zero that another digit of the whole part follows.
    bool zero_first = (bytes & 0xFF) == '0' && (bytes >> 8 & 0xFF) - '0' < 10 && len > 1;
    if (bad | zero_first | open) {
        return false;
    }
    digits = digits * 10 + (digits >> 8);
    uint64_t low = (digits & 0x000000FF000000FF) * 0x000F424000000064;
    uint64_t high = (digits >> 16 & 0x000000FF000000FF) * 0x0000271000000001;
    *ret = (double)(int64_t)((low + high) >> 32) / tens[fraction];
    return true;
#else
    (void)at;
    (void)len;
    (void)ret;
    return false;
#endif
}

#ifdef __x86_64__
/*
 * The same for up to NUMBER_DIGITS bytes, by wide instructions: sixteen bytes must be readable where it begins.
 */
static inline __attribute__((always_inline, target("avx2"))) bool
number_short_wide(const char *at, size_t len, double *ret)
{
    // By how many bytes stand behind the point; the last one is of numbers that have none.
    static const double tens[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                  1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e0};
    // From n on: what moves the first n bytes of a block to its end, behind zeros.
    static const int8_t to_end[] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15};
    if (len - 1 > NUMBER_DIGITS - 1) {
        return false;
    }
    __m128i digits = _mm_xor_si128(number_load(at), _mm_set1_epi8('0'));
    digits = _mm_shuffle_epi8(digits, number_load(to_end + len));
    __m128i is_point = _mm_cmpeq_epi8(digits, _mm_set1_epi8('.' ^ '0'));
    // Of several points the last one; those that are left are no digits.
    unsigned points = (unsigned)_mm_movemask_epi8(is_point) << 1 | 1;
    unsigned fraction = NUMBER_BLOCK - (31 ^ (unsigned)__builtin_clz(points));
    // What is before the point moves up by one.
    __m128i behind = number_last(fraction);
    digits = _mm_or_si128(_mm_and_si128(behind, digits),
                          _mm_andnot_si128(behind, _mm_slli_si128(digits, 1)));
    __m128i no_digits = _mm_subs_epu8(digits, _mm_set1_epi8(9));
    bool open = (fraction == 0) | (fraction == len - 1);
    bool zero_first = (at[0] == '0') & ((unsigned)(at[1] - '0') < 10) & (len > 1);
    if (!_mm_testz_si128(no_digits, no_digits) | zero_first | open) {
        return false;
    }
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
    *ret = (double)(int64_t)number_of_pairs(pairs) / tens[fraction];
    return true;
}
#endif

enum { NUMBER_TAIL = 40 };

// Reads the number that ends just before `end` if it is a short one: at most 15 digits, no sign, no exponent.
// NUMBER_TAIL bytes must be readable before `end`. Returns how long it is; 0 when what stands there is no number or
// not so short, which is for number_read to say.
static inline __attribute__((always_inline)) size_t number_tail(const char *end, double *ret)
{
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    struct number_run run = number_run_before(end);
    const char *from = end - run.n - run.point;
    unsigned fraction = run.last & -(unsigned)run.point;
    int whole = (int)(run.n - fraction); // digits before the point
    bool few =
        (((int)run.last - 1) | (whole - 1) | (NUMBER_DIGITS - (int)run.n)) < 0; // or too many
    if (few | ((*from == '0') & (whole > 1)) | number_is_continued(from[-1])) {
        return 0;
    }
    *ret = (double)(int64_t)run.digits / tens[fraction]; // both exact
    return (size_t)(end - from);
}

#endif
