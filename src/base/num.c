// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"

#include "base/num_pow10.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 17 }; // decimal digits that distinguish any double from all others

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

// Writes the digits of v so that they end before `end`; returns where they begin.
static char *digits_before(char *end, uint64_t v)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, pairs + v * 2, 2);
        return end;
    }
    *--end = (char)('0' + v);
    return end;
}

static size_t count_digits(uint64_t v)
{
    // clang-format off
    static const uint64_t tens[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
        100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
        10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u};
    // clang-format on
    size_t n = (size_t)(64 - __builtin_clzll(v | 1)) * 1233 >> 12; // log10(2): right or one too few
    return n + (v >= tens[n]);
}

size_t num_u64(char *out, uint64_t v)
{
    size_t n = count_digits(v);
    digits_before(out + n, v);
    return n;
}

size_t num_i64(char *out, int64_t v)
{
    if (v >= 0) {
        return num_u64(out, (uint64_t)v);
    }
    *out = '-';
    return 1 + num_u64(out + 1, -(uint64_t)v);
}

size_t num_seconds(char *out, uint64_t ms)
{
    size_t n = num_u64(out, ms / 1000);
    out[n] = '.';
    out[n + 1] = (char)('0' + ms % 1000 / 100);
    memcpy(out + n + 2, pairs + ms % 100 * 2, 2);
    return n + 4;
}

// A positive double as digits * 10^exponent.
struct decimal {
    uint64_t digits;
    int exponent;
};

// The upper 64 bits of g * cp / 2^64, the last bit set when anything but zeros was cut off beyond
// the error that g's own rounding makes. Such a product compares with whole numbers as the exact
// one would.
static uint64_t round_to_odd(const uint64_t g[2], uint64_t cp)
{
    unsigned __int128 low = (unsigned __int128)g[1] * cp;
    unsigned __int128 high = (unsigned __int128)g[0] * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

// v / 2^bits rounded down, for |v| < 2^40. C leaves the shift of a negative number open, so that
// none is.
static int floor_shift(int64_t v, int bits)
{
    return (int)((v + ((int64_t)1 << 40)) >> bits) - (1 << (40 - bits));
}

/*
 * Schubfach. v = c * 2^q lies in an interval of numbers that read back as v. With k the largest
 * power of ten that is not wider than the interval, some multiple of 10^k lies inside, and at most
 * one of 10^(k+1): that one is shorter and wins; else the multiple of 10^k nearest to v. All is
 * done in units of 10^k / 4, in which v and both ends are whole numbers but for a tail that
 * round_to_odd keeps as one bit. The constants are log10(2), log10(3/4) and log2(10) as fractions,
 * exact over the range of a double.
 */
static struct decimal shortest(uint64_t fraction, int biased)
{
    uint64_t c = biased != 0 ? fraction | (uint64_t)1 << 52 : fraction;
    int q = (biased != 0 ? biased : 1) - 1075;
    bool even = (c & 1) == 0; // then the ends themselves read back as v
    bool near_below =
        fraction == 0 && biased > 1; // a power of two: its lower neighbour is half as far

    int k = floor_shift(q * 1262611 - (near_below ? 524031 : 0), 22);
    int h = q + floor_shift(-k * 1741647, 19) + 1;
    const uint64_t *g = num_pow10[-k - NUM_POW10_FIRST];
    uint64_t v = round_to_odd(g, 4 * c << h);
    uint64_t low = round_to_odd(g, (4 * c - 2 + near_below) << h) + !even;
    uint64_t high = round_to_odd(g, (4 * c + 2) << h) - !even;

    uint64_t s = v / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = low <= 40 * tens;
        bool up = 40 * tens + 40 <= high;
        if (down != up) {
            return (struct decimal){tens + up, k + 1};
        }
    }
    bool down = low <= 4 * s;
    bool up = 4 * s + 4 <= high;
    if (down != up) {
        return (struct decimal){s + up, k};
    }
    uint64_t middle = 4 * s + 2;
    bool nearer_up = v > middle || (v == middle && (s & 1) != 0);
    return (struct decimal){s + nearer_up, k};
}

static size_t put_exponent(char *out, int x)
{
    char *p = out;
    unsigned magnitude = (unsigned)abs(x);
    *p++ = 'e';
    *p++ = x < 0 ? '-' : '+';
    if (magnitude < 10) {
        *p++ = '0';
    }
    return (size_t)(p - out) + num_u64(p, magnitude);
}

// Writes the digits d[0..n) with the first one worth 10^x: Go's 'g' format in its shortest
// precision.
static size_t put_general(char *out, const char *d, size_t n, int x)
{
    char *p = out;
    if (x < -4 || x >= 6) {
        *p++ = d[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, d + 1, n - 1);
            p += n - 1;
        }
        return (size_t)(p - out) + put_exponent(p, x);
    }
    if (x < 0) {
        memcpy(p, "0.000", 5);
        p += 1 - x;
        memcpy(p, d, n);
        return (size_t)(p - out) + n;
    }
    size_t whole = (size_t)x + 1;
    if (n <= whole) {
        memcpy(p, d, n);
        memset(p + n, '0', whole - n);
        return whole;
    }
    memcpy(p, d, whole);
    p[whole] = '.';
    memcpy(p + whole + 1, d + whole, n - whole);
    return n + 1;
}

// Writes any double but zero in Go's 'g' format.
static size_t put_float(char *out, double v)
{
    if (isnan(v)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (isinf(v)) {
        memcpy(out, v > 0 ? "+Inf" : "-Inf", 4);
        return 4;
    }
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    size_t sign = bits >> 63;
    *out = '-';
    struct decimal short_v = shortest(bits & (((uint64_t)1 << 52) - 1), (int)(bits >> 52 & 0x7ff));
    char all[DIGITS_MAX + 3];
    char *end = all + sizeof all;
    const char *d = digits_before(end, short_v.digits);
    size_t n = (size_t)(end - d);
    int x = short_v.exponent + (int)n - 1;
    while (n > 1 && d[n - 1] == '0') {
        n--;
    }
    return sign + put_general(out + sign, d, n, x);
}

size_t num_double(char *out, double v)
{
    if (fabs(v) < 0x1p53 && (double)(int64_t)v == v) {
        return num_i64(out, (int64_t)v);
    }
    return put_float(out, v);
}

size_t num_canonical(char *out, double v)
{
    if (v == 0) {
        memcpy(out, "0.0", 3);
        return 3;
    }
    size_t n = put_float(out, v);
    if (isfinite(v) && memchr(out, '.', n) == NULL && memchr(out, 'e', n) == NULL) {
        memcpy(out + n, ".0", 2);
        n += 2;
    }
    return n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Reads a run of digits; returns its end, which is s when there is none. *wide tells that the sum
// did not fit.
static const char *read_digits(const char *s, uint64_t *sum, bool *wide)
{
    *sum = 0;
    for (; is_digit(*s); s++) {
        if (__builtin_mul_overflow(*sum, 10, sum) ||
            __builtin_add_overflow(*sum, (uint64_t)(*s - '0'), sum)) {
            *wide = true;
        }
    }
    return s;
}

int num_parse_u64(const char *s, uint64_t *ret)
{
    uint64_t v;
    bool wide = false;
    const char *end = read_digits(s, &v, &wide);
    if (end == s || *end != '\0') {
        return -EINVAL;
    }
    if (wide) {
        return -ERANGE;
    }
    *ret = v;
    return 0;
}

// Whether all of s is [+-] digits [. digits] [e [+-] digits] with a digit before the e.
static bool is_decimal(const char *s)
{
    uint64_t sum;
    bool wide;
    s += *s == '+' || *s == '-';
    const char *whole = read_digits(s, &sum, &wide);
    const char *end = whole;
    size_t n = (size_t)(whole - s);
    if (*whole == '.') {
        end = read_digits(whole + 1, &sum, &wide);
        n += (size_t)(end - whole - 1);
    }
    if (n == 0) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1;
        exponent += *exponent == '+' || *exponent == '-';
        end = read_digits(exponent, &sum, &wide);
        if (end == exponent) {
            return false;
        }
    }
    return *end == '\0';
}

int num_parse_double(const char *s, double *ret)
{
    if (!is_decimal(s)) {
        return -EINVAL;
    }
    // The C library keeps this locale in constant memory: it is neither made nor to be freed.
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) {
        return -ENOMEM;
    }
    int saved = errno;
    double v = strtod_l(s, NULL, c);
    errno = saved;
    if (!isfinite(v)) {
        return -ERANGE;
    }
    *ret = v;
    return 0;
}

int num_parse_size(const char *s, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", (uint64_t)1 << 10},
        {"MiB", (uint64_t)1 << 20},
        {"GiB", (uint64_t)1 << 30},
        {"TiB", (uint64_t)1 << 40},
        {"PiB", (uint64_t)1 << 50},
        {"EiB", (uint64_t)1 << 60},
        {"kB", 1000},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"PB", 1000000000000000},
        {"EB", 1000000000000000000},
    };
    uint64_t v;
    bool wide = false;
    const char *unit = read_digits(s, &v, &wide);
    for (size_t i = 0; unit != s && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) == 0) {
            if (wide || __builtin_mul_overflow(v, units[i].bytes, &v)) {
                return -ERANGE;
            }
            *ret = v;
            return 0;
        }
    }
    return -EINVAL;
}

struct duration_unit {
    const char *name;
    size_t len;
    uint64_t ms;
};

// The place of the unit at s among units[from..n), or n.
static size_t find_unit(const char *s, const struct duration_unit *units, size_t from, size_t n)
{
    size_t len = 0;
    while (s[len] >= 'a' && s[len] <= 'z') {
        len++;
    }
    while (from < n && (units[from].len != len || memcmp(s, units[from].name, len) != 0)) {
        from++;
    }
    return from;
}

int num_parse_duration(const char *s, uint64_t *ret_ms)
{
    static const struct duration_unit units[] = {
        {"y", 1, 31536000000}, {"w", 1, 604800000}, {"d", 1, 86400000}, {"h", 1, 3600000},
        {"m", 1, 60000},       {"s", 1, 1000},      {"ms", 2, 1},
    };
    const size_t n = sizeof units / sizeof units[0];
    if (strcmp(s, "0") == 0) {
        *ret_ms = 0;
        return 0;
    }
    uint64_t sum = 0;
    bool wide = false;
    size_t next = 0; // units before this one have had their turn
    do {
        uint64_t v;
        const char *unit = read_digits(s, &v, &wide);
        size_t i = find_unit(unit, units, next, n);
        if (unit == s || i == n) {
            return -EINVAL;
        }
        if (__builtin_mul_overflow(v, units[i].ms, &v) || __builtin_add_overflow(sum, v, &sum)) {
            wide = true;
        }
        s = unit + units[i].len;
        next = i + 1;
    } while (*s != '\0');
    if (wide || sum > NUM_DURATION_MAX_MS) {
        return -ERANGE;
    }
    *ret_ms = sum;
    return 0;
}
