// SPDX-License-Identifier: Apache-2.0
#include "event/number.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The powers of ten that a double holds exactly.
static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return (unsigned)(c - '0') < 10;
}

// A number taken apart.
struct decimal {
    uint64_t digits;
    int n_digits; // leading zeros count: an upper bound
    int exponent; // of ten
};

static const char *read_digits(const char *p, const char *end, struct decimal *d)
{
    for (; p < end && is_digit(*p); p++) {
        d->digits = d->digits * 10 + (uint64_t)(*p - '0');
        d->n_digits++;
    }
    return p;
}

static const char *read_exponent(const char *p, const char *end, struct decimal *d)
{
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    const char *from = p;
    int e = 0;
    for (; p < end && is_digit(*p); p++) {
        e = e < 10000 ? e * 10 + (*p - '0') : e;
    }
    d->exponent += negative ? -e : e;
    return p > from ? p : NULL;
}

// Checks the grammar on the way. Returns whether all of the bytes are one number.
static bool take_apart(const char *p, const char *end, struct decimal *d)
{
    const char *from = p;
    p = read_digits(p, end, d);
    if (p == from || (*from == '0' && p - from > 1)) {
        return false;
    }
    if (p < end && *p == '.') {
        from = ++p;
        p = read_digits(p, end, d);
        if (p == from) {
            return false;
        }
        d->exponent -= (int)(p - from);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = read_exponent(p + 1, end, d);
    }
    return p == end;
}

bool number_is(const char *at, size_t len)
{
    struct decimal d = {0};
    return take_apart(at + (len > 0 && *at == '-'), at + len, &d);
}

bool number_read(const char *at, size_t len, double *ret)
{
    const char *end = at + len;
    bool negative = len > 0 && *at == '-';
    struct decimal d = {0};
    if (!take_apart(at + negative, end, &d)) {
        return false;
    }
    // Both factors are exact, so that the one rounding is the right one.
    if (d.n_digits <= 19 && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 &&
        d.exponent <= 22) {
        double v = (double)d.digits;
        v = d.exponent < 0 ? v / TENS[-d.exponent] : v * TENS[d.exponent];
        *ret = negative ? -v : v;
        return true;
    }
    *ret = strtod(at, NULL);
    return true;
}

/*
 * Sixteen bytes at once, as eight-byte words whose lowest byte is the first one. What follows has no loop and hardly
 * a branch: how long a number is cannot be foreseen, and a wrong guess costs more than all of this.
 */
#define EACH(byte) ((uint64_t)(byte)*0x0101010101010101u)

static uint64_t word(const char *at)
{
    uint64_t w;
    memcpy(&w, at, sizeof w);
    return le64toh(w);
}

// The top bit of each byte that is no digit.
static uint64_t no_digits(uint64_t w)
{
    uint64_t x = w ^ EACH('0');
    return (((x & EACH(0x7F)) + EACH(0x76)) | x) & EACH(0x80);
}

// The value of eight digits, given as numbers from 0 to 9.
static uint64_t eight_digits(uint64_t w)
{
    w = w * 10 + (w >> 8);
    return ((w & 0x000000FF000000FF) * 0x000F424000000064 +
            (w >> 16 & 0x000000FF000000FF) * 0x0000271000000001) >>
               32 &
           UINT32_MAX;
}

typedef unsigned __int128 sixteen;

// All bits from the last `bytes` bytes on; bytes: 1 to 16.
static sixteen last(unsigned bytes)
{
    return ~(sixteen)0 << (128 - 8 * bytes);
}

// How many of the last bytes have no bit set; 15 for more.
static unsigned clear_bytes(sixteen x)
{
    uint64_t high = (uint64_t)(x >> 64);
    uint64_t word = high != 0 ? high : (uint64_t)x | 1;
    unsigned before = high != 0 ? 0 : 8;
    return before + (unsigned)__builtin_clzll(word) / 8;
}

size_t number_tail(const char *end, double *ret)
{
    sixteen all = (sixteen)word(end - 8) << 64 | word(end - 16);
    sixteen others = (sixteen)no_digits((uint64_t)(all >> 64)) << 64 | no_digits((uint64_t)all);
    unsigned len = clear_bytes(others);
    unsigned fraction = 0;
    sixteen digits = all ^ ((sixteen)EACH('0') << 64 | EACH('0'));
    if (len > 0 && len < 14 && end[-(int)len - 1] == '.') {
        fraction = len;
        len = clear_bytes(others & ~((sixteen)0x80 << (120 - 8 * fraction)));
        // The digits before the point close up to those behind it.
        digits = (digits & last(fraction)) | (digits & ~last(fraction + 1)) << 8;
    }
    unsigned whole = fraction == 0 ? len : len - fraction - 1;
    const char *at = end - len;
    if (len == 0 || len == 15 || whole == 0 || (whole > 1 && *at == '0') || at[-1] == '.' ||
        at[-1] == '-' || at[-1] == '+' || (at[-1] | 0x20) == 'e') {
        return 0;
    }
    digits &= last(whole + fraction);
    uint64_t v =
        eight_digits((uint64_t)digits) * 100000000 + eight_digits((uint64_t)(digits >> 64));
    *ret = (double)v / TENS[fraction]; // both exact
    return len;
}
