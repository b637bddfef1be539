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

bool number_is_valid(const char *at, size_t len)
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
