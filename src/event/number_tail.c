// SPDX-License-Identifier: Apache-2.0
// A line's number, from its end: most lines have one there.
#include "event/number.h"

#include <stdint.h>

// The digits just before an end, with a point among them or not.
struct tail {
    uint64_t digits;
    unsigned n;        // digits, leading zeros too
    unsigned fraction; // of these behind the point
    bool point;
};

enum { DIGITS = 15 }; // which a double holds exactly

static const double TENS[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

#ifdef __SSE2__
#include <emmintrin.h>

/*
 * Sixteen bytes at once. How long a number is and where its point stands cannot be foreseen: a loop over its digits,
 * and one wrong guess at its end, cost more than all of this.
 */
static __m128i load(const void *at)
{
    return _mm_loadu_si128(at);
}

// The bytes before `end`; digits read 0 to 9.
static __m128i bytes_before(const char *end)
{
    return _mm_sub_epi8(load(end - 16), _mm_set1_epi8('0'));
}

// The last n bytes' bits.
static __m128i last(unsigned n)
{
    static const uint8_t ones[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255,
                                     255,        255, 255, 255, 255, 255, 255, 255};
    return load(ones + n);
}

// The value of sixteen digits: pairs of them, then fours, then eights.
static uint64_t value_of(__m128i digits)
{
    __m128i high = _mm_and_si128(digits, _mm_set1_epi16(0xFF));
    __m128i pairs =
        _mm_add_epi16(_mm_mullo_epi16(high, _mm_set1_epi16(10)), _mm_srli_epi16(digits, 8));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (uint32_t)both * (uint64_t)100000000 + (both >> 32);
}

static struct tail tail_before(const char *end)
{
    __m128i bytes = bytes_before(end);
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(9)), bytes);
    // A bit for each byte that is no digit, the last byte's on top, and one behind them all.
    uint32_t others = ~(uint32_t)_mm_movemask_epi8(is_digit) << 16 | 0x8000;
    unsigned n = (unsigned)__builtin_clz(others);
    bool point = (end[-1 - (int)n] == '.') & (n < 16);
    unsigned fraction = n & -(unsigned)point;
    n += (unsigned)__builtin_clz(others << (n + 1) | 1) & -(unsigned)point; // 1: for clz
    // What stands before the point moves up by one.
    __m128i behind = last(point ? fraction : 16);
    bytes =
        _mm_or_si128(_mm_and_si128(behind, bytes), _mm_andnot_si128(behind, bytes_before(end - 1)));
    return (struct tail){value_of(_mm_and_si128(last(n), bytes)), n, fraction, point};
}
#else
static struct tail tail_before(const char *end)
{
    struct tail t = {0};
    uint64_t scale = 1;
    for (const char *at = end; t.n <= DIGITS; at--) {
        if (at[-1] == '.' && !t.point) {
            t.point = true;
            t.fraction = t.n;
        } else if ((unsigned)(at[-1] - '0') < 10) {
            t.digits += (uint64_t)(at[-1] - '0') * scale;
            scale *= 10;
            t.n++;
        } else {
            break;
        }
    }
    return t;
}
#endif

// Whether the byte before digits tells that they are only a part of something.
static bool goes_on(char c)
{
    static const bool yes[256] = {
        ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true,
        ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
        ['.'] = true, ['-'] = true, ['+'] = true, ['e'] = true, ['E'] = true};
    return yes[(unsigned char)c];
}

size_t number_tail(const char *end, double *ret)
{
    struct tail t = tail_before(end);
    const char *at = end - t.n - t.point;
    unsigned whole = t.n - t.fraction; // digits before the point
    bool good = (t.n <= DIGITS) & (whole > 0) & (t.fraction > 0 || !t.point) & !goes_on(at[-1]) &
                ((*at != '0') | (whole == 1));
    if (!good) {
        return 0;
    }
    *ret = (double)(int64_t)t.digits / TENS[t.fraction]; // both exact
    return (size_t)(end - at);
}
