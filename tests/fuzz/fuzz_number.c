// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_number: numbers read and written, against naive ones. The whole input is read as each kind of number, with
 * strtod and a grammar by hand; its first eight bytes are written as each, with printf.
 */
#include "base/num.h"
#include "event/number.h"
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

// The bytes that a JSON number at the beginning has; 0: there is none. RFC 8259, section 6.
static size_t json_number(const char *s)
{
    const char *at = s + (*s == '-');
    size_t n = digits(at);
    if (n == 0 || (n > 1 && *at == '0')) {
        return 0;
    }
    at += n;
    if (*at == '.') {
        n = digits(at + 1);
        if (n == 0) {
            return 0;
        }
        at += 1 + n;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        n = digits(at);
        if (n == 0) {
            return 0;
        }
        at += n;
    }
    return (size_t)(at - s);
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void read_json(const char *text, size_t len)
{
    double v = 0;
    bool is = len > 0 && strlen(text) == len && json_number(text) == len;
    must(number_is_valid(text, len) == is, "whether it is a number");
    must(number_read(text, len, &v) == is, "whether it reads as a number");
    must(!is || same(v, strtod(text, NULL)), "it reads as another number");
}

// A finite decimal number: with a sign or not, and zeros, where JSON has none.
static void read_double(const char *text)
{
    double v = 0;
    int rc = num_parse_double(text, &v);
    char *end = NULL;
    double wanted = strtod(text, &end);
    // strtod takes blanks, words and hexadecimal digits besides.
    bool plain = *text != '\0' && strspn(text, "+-.eE0123456789") == strlen(text) && *end == '\0';
    must(rc == 0 || rc == -EINVAL || rc == -ERANGE, "an odd error");
    must(rc != 0 || (plain && same(v, wanted)), "a number that is none, or another one");
    must(rc != -ERANGE || (plain && isinf(wanted)), "a number is said to be too large");
    must(rc != -EINVAL || json_number(text) != strlen(text) || *text == '\0',
         "a JSON number is refused");
}

static void read_whole(const char *text)
{
    uint64_t v = 0;
    int rc = num_parse_u64(text, &v);
    bool plain = *text != '\0' && digits(text) == strlen(text);
    errno = 0;
    uint64_t wanted = plain ? strtoull(text, NULL, 10) : 0;
    must(rc == (!plain ? -EINVAL : errno == ERANGE ? -ERANGE : 0), "another result");
    must(rc != 0 || v == wanted, "another whole number");
}

static void read_size(const char *text)
{
    static const char *const units[] = {"",   "B",  "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
                                        "kB", "KB", "MB",  "GB",  "TB",  "PB",  "EB"};
    static const char powers[] = {0, 0, 1, 2, 3, 4, 5, 6, 1, 1, 2, 3, 4, 5, 6};
    uint64_t v = 0;
    int rc = num_parse_size(text, &v);
    size_t n = digits(text);
    int wanted = -EINVAL;
    for (size_t i = 0; n > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + n, units[i]) == 0) {
            long double bytes = strtold(text, NULL); // exact as far as 2^64
            for (int k = 0; k < powers[i]; k++) {
                bytes *= i < 8 ? 1024 : 1000;
            }
            wanted = bytes < 0x1p64L ? 0 : -ERANGE;
            must(rc != 0 || (long double)v == bytes, "another size");
        }
    }
    must(rc == wanted, "whether it is a size");
}

static void read_duration(const char *text)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
    static const long double ms[] = {1, 1e3L, 6e4L, 36e5L, 864e5L, 6048e5L, 31536e6L};
    uint64_t v = 0;
    int rc = num_parse_duration(text, &v);
    long double sum = 0;
    bool good = *text != '\0';
    size_t before = sizeof units / sizeof units[0]; // each unit once, the great ones first
    const char *at = text;
    while (good && *at != '\0') {
        size_t n = digits(at);
        size_t i = before;
        while (n > 0 && i > 0 &&
               (strncmp(at + n, units[i - 1], strlen(units[i - 1])) != 0 ||
                (strcmp(units[i - 1], "m") == 0 && at[n + 1] == 's'))) {
            i--;
        }
        good = n > 0 && i > 0;
        if (good) {
            sum += strtold(at, NULL) * ms[i - 1];
            at += n + strlen(units[i - 1]);
            before = i - 1;
        }
    }
    if (strcmp(text, "0") == 0) {
        good = true;
    }
    must(rc == (!good                                    ? -EINVAL
                : sum > (long double)NUM_DURATION_MAX_MS ? -ERANGE
                                                         : 0),
         "whether it is a duration");
    must(rc != 0 || (long double)v == sum, "another duration");
}

// ---- Written

// One more in the last digit before the exponent; nothing where that is 9.
static void nudge(char *text)
{
    char *last = strchr(text, 'e') - 1;
    *last = (char)(*last < '9' ? *last + 1 : *last);
}

// The shortest digits that read back as the same double, as Go's strconv does with 'g' and -1. Below a power of two
// doubles are closer, so that digits above it may read back where the nearest ones do not.
static void go_double(char out[400], double v)
{
    int precision = 0;
    if (v == 0 || isnan(v) || isinf(v)) {
        snprintf(out, 400, "%s", v == 0 ? "0" : isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (bool back = false; !back; precision++) {
        snprintf(out, 400, "%.*e", precision, v);
        back = strtod(out, NULL) == v;
        if (!back) {
            nudge(out);
            back = strtod(out, NULL) == v;
        }
    }
    precision--;
    int exponent = atoi(strchr(out, 'e') + 1);
    if (exponent >= -4 && exponent < 6) {
        snprintf(out, 400, "%.*f", precision > exponent ? precision - exponent : 0, v);
    }
}

static void wrote(const char *written, size_t len, const char *wanted)
{
    if (len != strlen(wanted) || memcmp(written, wanted, len) != 0) {
        fprintf(stderr, "%.*s is written, not %s\n", (int)len, written, wanted);
        abort();
    }
}

static void write_all(uint64_t bits)
{
    char wanted[400];
    char out[NUM_MAX];
    double v;
    memcpy(&v, &bits, sizeof v);
    snprintf(wanted, sizeof wanted, "%" PRIu64, bits);
    wrote(out, num_u64(out, bits), wanted);
    snprintf(wanted, sizeof wanted, "%" PRId64, (int64_t)bits);
    wrote(out, num_i64(out, (int64_t)bits), wanted);
    snprintf(wanted, sizeof wanted, "%" PRIu64 ".%03u", bits / 1000, (unsigned)(bits % 1000));
    wrote(out, num_seconds(out, bits), wanted);
    go_double(wanted, v);
    if (strpbrk(wanted, ".eNI") == NULL) {
        strcat(wanted, ".0");
    }
    wrote(out, num_canonical(out, v), wanted);
    go_double(wanted, v);
    if (fabs(v) < 0x1p53 && v == trunc(v)) {
        snprintf(wanted, sizeof wanted, "%.0f", v == 0 ? 0 : v);
    }
    wrote(out, num_double(out, v), wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    read_json(text, size);
    read_double(text);
    read_whole(text);
    read_size(text);
    read_duration(text);
    uint64_t bits = 0;
    memcpy(&bits, data, size < sizeof bits ? size : sizeof bits);
    write_all(bits);
    // Numbers that people write, which random bits seldom are.
    double v = strtod(text, NULL);
    memcpy(&bits, &v, sizeof bits);
    write_all(bits);
    free(text);
    return 0;
}
