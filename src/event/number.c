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
 * Eight bytes at once, as a word whose highest byte is the last one. How long a number is cannot be foreseen: a loop
 * over its digits, and one wrong guess at its end, cost more than all of this.
 */
#define EACH(byte) ((uint64_t)(byte)*0x0101010101010101u)

// The value of the last digits before `end`; of 16 at most. Sets how many there are.
static uint64_t digits_before(const char *end, unsigned *ret_n)
{
    uint64_t value = 0;
    uint64_t scale = 1;
    for (unsigned n = 0;; n += 8) {
        uint64_t w;
        memcpy(&w, end - n - 8, sizeof w);
        w = le64toh(w) ^ EACH('0'); // digits are 0 to 9 now
        uint64_t others = (((w & EACH(0x7F)) + EACH(0x76)) | w) & EACH(0x80);
        unsigned bits = others == 0 ? 64 : (unsigned)__builtin_clzll(others) & ~7u;
        w = bits == 0 ? 0 : w & ~(uint64_t)0 << (64 - bits);
        w = w * 10 + (w >> 8); // pairs, then fours, then all eight
        w = ((w & 0x000000FF000000FF) * 0x000F424000000064 +
             (w >> 16 & 0x000000FF000000FF) * 0x0000271000000001) >>
            32;
        value += (uint32_t)w * scale;
        if (bits < 64 || n > 0) {
            *ret_n = n + bits / 8;
            return value;
        }
        scale = 100000000;
    }
}

size_t number_tail(const char *end, double *ret)
{
    unsigned n;
    uint64_t digits = digits_before(end, &n);
    const char *at = end - n;
    const char *point = end;
    if (n > 0 && at[-1] == '.') {
        point = --at;
        for (uint64_t scale = (uint64_t)TENS[n]; n <= 15 && is_digit(at[-1]); scale *= 10, n++) {
            digits += (uint64_t)(*--at - '0') * scale;
        }
    }
    if (n == 0 || n > 15 || at == point || (point - at > 1 && *at == '0') || at[-1] == '.' ||
        at[-1] == '-' || at[-1] == '+' || (at[-1] | 0x20) == 'e') {
        return 0;
    }
    *ret = point == end ? (double)(int64_t)digits
                        : (double)(int64_t)digits / TENS[end - point - 1]; // both exact
    return (size_t)(end - at);
}
