// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <fenv.h>

#include "base/num.c"

static const char *text_of(size_t (*write)(char *, double), double v)
{
    static char text[NUM_MAX + 1];
    memset(text, '#', sizeof text);
    size_t n = write(text, v);
    ck_assert_uint_le(n, NUM_MAX);
    text[n] = '\0';
    return text;
}

// Writes |v| with p digits after the first, rounded in the given direction; whether that reads back
// as |v|.
static bool reads_back(char *out, size_t size, double v, int p, int rounding)
{
    fesetround(rounding);
    snprintf(out, size, "%.*e", p, fabs(v));
    fesetround(FE_TONEAREST);
    return strtod(out, NULL) == fabs(v);
}

// The slow way: the fewest digits that read back, the nearest ones of them. Above a power of two
// the interval is wider than below, so that there the upper candidate may do when the nearest does
// not.
static const char *reference(double v)
{
    static char text[64];
    if (fabs(v) < 0x1p53 && v == floor(v)) {
        snprintf(text, sizeof text, "%.0f", v == 0 ? 0.0 : v);
        return text;
    }
    char digits[40];
    int p = 0;
    while (!reads_back(digits, sizeof digits, v, p, FE_TONEAREST) &&
           !reads_back(digits, sizeof digits, v, p, FE_UPWARD)) {
        p++;
    }
    int x = atoi(strchr(digits, 'e') + 1);
    const char *sign = v < 0 ? "-" : "";
    if (x < -4 || x >= 6) {
        snprintf(text, sizeof text, "%s%s", sign, digits);
    } else {
        snprintf(text, sizeof text, "%s%.*f", sign, p > x ? p - x : 0, strtod(digits, NULL));
    }
    return text;
}

static void check_double(double v)
{
    const char *text = text_of(num_double, v);
    const char *slow = reference(v);
    ck_assert_msg(strcmp(text, slow) == 0, "%a: %s, not %s", v, text, slow);
    ck_assert_msg(strtod(text, NULL) == v, "%a does not come back from %s", v, text);
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

// How many numbers each of the six distributions tries.
static int tries(void)
{
    const char *given = getenv("VE_LONG");
    return given != NULL && strcmp(given, "1") == 0 ? 1700000 : 50000;
}

START_TEST(any_double_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < tries(); i++) {
        double v = from_bits(unit_random(&state));
        if (isfinite(v)) {
            check_double(v);
        }
    }
}
END_TEST

START_TEST(a_decimal_of_few_digits_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < tries(); i++) {
        double digits = (double)(unit_random(&state) % 1000000);
        int exponent = (int)(unit_random(&state) % 24) - 14;
        check_double(digits * pow(10, exponent));
    }
}
END_TEST

START_TEST(a_running_sum_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    double sum = 0;
    for (int i = 0; i < tries(); i++) {
        sum = i % 1000 == 0 ? 0 : sum + (double)(unit_random(&state) % 100000) / 1000;
        check_double(sum);
    }
}
END_TEST

START_TEST(a_number_near_a_whole_one_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < tries(); i++) {
        uint64_t r = unit_random(&state);
        double v = (double)(r >> (unit_random(&state) % 64));
        check_double(v);
        check_double(nextafter(v, INFINITY));
        check_double(-v);
    }
}
END_TEST

START_TEST(a_subnormal_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < tries(); i++) {
        uint64_t fraction = unit_random(&state) >> (12 + unit_random(&state) % 52);
        check_double(from_bits(fraction));
    }
}
END_TEST

START_TEST(a_time_stamp_is_written_as_the_slow_way_writes_it)
{
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < tries(); i++) {
        check_double((double)(1700000000000 + unit_random(&state) % 200000000000) / 1000);
    }
}
END_TEST

START_TEST(powers_of_two_and_ten_and_their_neighbours_are_written_as_the_slow_way_writes_them)
{
    for (int e = -1074; e <= 1023; e++) {
        double v = ldexp(1, e);
        check_double(v);
        check_double(nextafter(v, 0));
        check_double(nextafter(v, INFINITY));
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        double v = strtod(text, NULL);
        check_double(v);
        check_double(nextafter(v, 0));
        check_double(nextafter(v, INFINITY));
    }
}
END_TEST

START_TEST(doubles_read_as_expected)
{
    static const struct {
        double v;
        const char *text;
    } table[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-1, "-1"},
        {1e6, "1000000"},
        {123456789, "123456789"},
        {9007199254740991, "9007199254740991"},
        {-9007199254740991, "-9007199254740991"},
        {9007199254740992, "9.007199254740992e+15"},
        {-9007199254740992, "-9.007199254740992e+15"},
        {1e20, "1e+20"},
        {1.2345e20, "1.2345e+20"},
        {1.5, "1.5"},
        {-0.1, "-0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {99999.5, "99999.5"},
        {999999.5, "999999.5"},
        {1000000.5, "1.0000005e+06"},
        {1795331112.636, "1.795331112636e+09"},
        {0.0001, "0.0001"},
        {0.00012345678901234567, "0.00012345678901234567"},
        {1e-5, "1e-05"},
        {1e-100, "1e-100"},
        {0x1p-44, "5.684341886080802e-14"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"},
        {NAN, "NaN"},
        {-NAN, "NaN"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_str_eq(text_of(num_double, table[i].v), table[i].text);
    }
}
END_TEST

START_TEST(canonical_numbers_read_as_expected)
{
    static const struct {
        double v;
        const char *text;
    } table[] = {
        {0, "0.0"},
        {-0.0, "0.0"},
        {0.001, "0.001"},
        {1, "1.0"},
        {-1, "-1.0"},
        {10, "10.0"},
        {2.5, "2.5"},
        {300, "300.0"},
        {3600, "3600.0"},
        {100000, "100000.0"},
        {999999, "999999.0"},
        {1e6, "1e+06"},
        {1234567, "1.234567e+06"},
        {1e-5, "1e-05"},
        {1e21, "1e+21"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_str_eq(text_of(num_canonical, table[i].v), table[i].text);
    }
}
END_TEST

START_TEST(integers_read_as_printf_writes_them)
{
    uint64_t state = unit_seed() | 1;
    uint64_t borders[] = {0, 9, 10, 99, 100, 101, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    for (size_t i = 0; i < 10000; i++) {
        uint64_t v = i < sizeof borders / sizeof borders[0]
                         ? borders[i]
                         : unit_random(&state) >> (unit_random(&state) % 64);
        char text[NUM_MAX + 1];
        char expected[NUM_MAX + 1];
        text[num_u64(text, v)] = '\0';
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)v);
        ck_assert_str_eq(text, expected);
        text[num_i64(text, (int64_t)v)] = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)v);
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

START_TEST(integers_next_to_powers_of_ten_have_the_right_number_of_digits)
{
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        for (uint64_t v = power - 1; v <= power + 1; v++) {
            char text[NUM_MAX + 1];
            char expected[NUM_MAX + 1];
            text[num_u64(text, v)] = '\0';
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)v);
            ck_assert_str_eq(text, expected);
        }
    }
}
END_TEST

START_TEST(milliseconds_read_as_seconds)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } table[] = {
        {0, "0.000"},        {7, "0.007"},
        {1050, "1.050"},     {1520879607789, "1520879607.789"},
        {999999, "999.999"}, {UINT64_MAX, "18446744073709551.615"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[NUM_MAX + 1];
        text[num_seconds(text, table[i].ms)] = '\0';
        ck_assert_str_eq(text, table[i].text);
    }
}
END_TEST

enum { WIDE = 40, WIDE_BITS = WIDE * 32 }; // 32-bit limbs that hold 10^324 and 128 bits more

// 10^n as limbs, lowest first.
static void power_of_ten(uint32_t *limbs, int n)
{
    memset(limbs, 0, WIDE * sizeof *limbs);
    limbs[0] = 1;
    for (; n > 0; n--) {
        uint64_t carry = 0;
        for (int i = 0; i < WIDE; i++) {
            carry += (uint64_t)limbs[i] * 10;
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        ck_assert_uint_eq(carry, 0);
    }
}

static unsigned bit_of(const uint32_t *limbs, int bit)
{
    return bit < 0 ? 0 : limbs[bit / 32] >> (bit % 32) & 1;
}

START_TEST(positive_powers_of_ten_of_the_table_are_recomputed)
{
    uint32_t limbs[WIDE];
    for (int k = 0; k <= NUM_POW10_LAST; k++) {
        power_of_ten(limbs, k);
        int top = WIDE_BITS - 1;
        while (bit_of(limbs, top) == 0) {
            top--;
        }
        unsigned __int128 g = 0;
        for (int i = 0; i < 128; i++) {
            g = g << 1 | bit_of(limbs, top - i);
        }
        bool rest = false;
        for (int bit = 0; bit <= top - 128; bit++) {
            rest |= bit_of(limbs, bit) != 0;
        }
        g += rest;
        const uint64_t *entry = num_pow10[k - NUM_POW10_FIRST];
        ck_assert_uint_eq(entry[0], (uint64_t)(g >> 64));
        ck_assert_uint_eq(entry[1], (uint64_t)g);
    }
}
END_TEST

// g * 10^n as limbs, lowest first.
static void times_power_of_ten(uint32_t *limbs, unsigned __int128 g, int n)
{
    uint32_t power[WIDE];
    power_of_ten(power, n);
    memset(limbs, 0, WIDE * sizeof *limbs);
    for (int j = 0; j < 4; j++) {
        uint64_t carry = 0;
        uint32_t digit = (uint32_t)(g >> (32 * j));
        for (int i = 0; i + j < WIDE; i++) {
            carry += (uint64_t)power[i] * digit + limbs[i + j];
            limbs[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        ck_assert_uint_eq(carry, 0);
    }
}

static int top_bit(const uint32_t *limbs)
{
    int top = WIDE_BITS - 1;
    while (top >= 0 && bit_of(limbs, top) == 0) {
        top--;
    }
    return top;
}

// g is 2^s / 10^n rounded up for some s, as the table's negative powers are, iff
// (g - 1) * 10^n < 2^s <= g * 10^n.
START_TEST(negative_powers_of_ten_of_the_table_are_the_least_that_reach)
{
    uint32_t limbs[WIDE];
    for (int k = NUM_POW10_FIRST; k < 0; k++) {
        const uint64_t *entry = num_pow10[k - NUM_POW10_FIRST];
        ck_assert_uint_ge(entry[0], (uint64_t)1 << 63);
        unsigned __int128 g = (unsigned __int128)entry[0] << 64 | entry[1];
        times_power_of_ten(limbs, g, -k);
        int s = top_bit(limbs);
        times_power_of_ten(limbs, g - 1, -k);
        ck_assert_int_lt(top_bit(limbs), s);
    }
}
END_TEST

START_TEST(whole_numbers_are_parsed_strictly)
{
    static const struct {
        const char *text;
        int error;
        uint64_t v;
    } table[] = {
        {"0", 0, 0},
        {"42", 0, 42},
        {"007", 0, 7},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0},
        {"99999999999999999999999999x", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.0", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1_000", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t v = 77;
        ck_assert_msg(num_parse_u64(table[i].text, &v) == table[i].error, "%s", table[i].text);
        ck_assert_uint_eq(v, table[i].error == 0 ? table[i].v : 77);
    }
}
END_TEST

START_TEST(decimal_numbers_are_parsed_strictly)
{
    static const struct {
        const char *text;
        int error;
        double v;
    } table[] = {
        {"0", 0, 0},           {"-1.5", 0, -1.5},
        {"+2", 0, 2},          {".5", 0, 0.5},
        {"5.", 0, 5},          {"0.005", 0, 0.005},
        {"1e3", 0, 1000},      {"1E-3", 0, 0.001},
        {"1e+06", 0, 1e6},     {"1e-400", 0, 0},
        {"5e-324", 0, 5e-324}, {"1.7976931348623157e308", 0, 1.7976931348623157e308},
        {"1e309", -ERANGE, 0}, {"-1e99999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},      {".", -EINVAL, 0},
        {"-", -EINVAL, 0},     {"e5", -EINVAL, 0},
        {".e5", -EINVAL, 0},   {"1e", -EINVAL, 0},
        {"1e+", -EINVAL, 0},   {"1e5.0", -EINVAL, 0},
        {"--1", -EINVAL, 0},   {"1,5", -EINVAL, 0},
        {"1.5 ", -EINVAL, 0},  {" 1.5", -EINVAL, 0},
        {"0x1p3", -EINVAL, 0}, {"nan", -EINVAL, 0},
        {"NaN", -EINVAL, 0},   {"inf", -EINVAL, 0},
        {"+Inf", -EINVAL, 0},  {"1.2.3", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double v = 77;
        ck_assert_msg(num_parse_double(table[i].text, &v) == table[i].error, "%s", table[i].text);
        ck_assert_double_eq(v, table[i].error == 0 ? table[i].v : 77);
    }
}
END_TEST

START_TEST(parsing_keeps_errno)
{
    double v;
    errno = EPIPE;
    ck_assert_int_eq(num_parse_double("1e999", &v), -ERANGE);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(sizes_know_binary_and_decimal_units)
{
    static const struct {
        const char *text;
        int error;
        uint64_t v;
    } table[] = {
        {"0", 0, 0},
        {"4096", 0, 4096},
        {"7B", 0, 7},
        {"32KiB", 0, 32768},
        {"32MiB", 0, 33554432},
        {"1GiB", 0, 1073741824},
        {"2TiB", 0, 2199023255552},
        {"1PiB", 0, 1125899906842624},
        {"15EiB", 0, 17293822569102704640u},
        {"1kB", 0, 1000},
        {"1KB", 0, 1000},
        {"10MB", 0, 10000000},
        {"1GB", 0, 1000000000},
        {"3TB", 0, 3000000000000},
        {"1PB", 0, 1000000000000000},
        {"18EB", 0, 18000000000000000000u},
        {"16EiB", -ERANGE, 0},
        {"99999999999999999999", -ERANGE, 0},
        {"99999999999999999999MiB", -ERANGE, 0},
        {"99999999999999999999XiB", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"MiB", -EINVAL, 0},
        {"B", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"1.5GiB", -EINVAL, 0},
        {"32 MiB", -EINVAL, 0},
        {"32M", -EINVAL, 0},
        {"32mib", -EINVAL, 0},
        {"32MiBs", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t v = 77;
        ck_assert_msg(num_parse_size(table[i].text, &v) == table[i].error, "%s", table[i].text);
        ck_assert_uint_eq(v, table[i].error == 0 ? table[i].v : 77);
    }
}
END_TEST

START_TEST(durations_are_those_of_prometheus)
{
    static const struct {
        const char *text;
        int error;
        uint64_t v;
    } table[] = {
        {"0", 0, 0},
        {"0s", 0, 0},
        {"250ms", 0, 250},
        {"30s", 0, 30000},
        {"1h30m", 0, 5400000},
        {"7d", 0, 604800000},
        {"2w", 0, 1209600000},
        {"1y", 0, 31536000000},
        {"1y2w3d4h5m6s7ms", 0, 33019506007},
        {"1d1ms", 0, 86400001},
        {"90m", 0, 5400000},
        {"9223372036854ms", 0, 9223372036854},
        {"9223372036855ms", -ERANGE, 0},
        {"293y", -ERANGE, 0},
        {"99999999999999999999s", -ERANGE, 0},
        {"18446744073709551615s", -ERANGE, 0},
        {"292y18446744073709551615ms", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"00", -EINVAL, 0},
        {"1", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {"+1s", -EINVAL, 0},
        {"1.5h", -EINVAL, 0},
        {"1m1h", -EINVAL, 0},
        {"1s1s", -EINVAL, 0},
        {"1ms1s", -EINVAL, 0},
        {"1h 30m", -EINVAL, 0},
        {" 1h", -EINVAL, 0},
        {"1h30", -EINVAL, 0},
        {"1sec", -EINVAL, 0},
        {"1us", -EINVAL, 0},
        {"1H", -EINVAL, 0},
        {"99999999999999999999s1h", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t v = 77;
        ck_assert_msg(num_parse_duration(table[i].text, &v) == table[i].error, "%s", table[i].text);
        ck_assert_uint_eq(v, table[i].error == 0 ? table[i].v : 77);
    }
}
END_TEST

UNIT_MAIN("num", any_double_is_written_as_the_slow_way_writes_it,
          a_decimal_of_few_digits_is_written_as_the_slow_way_writes_it,
          a_running_sum_is_written_as_the_slow_way_writes_it,
          a_number_near_a_whole_one_is_written_as_the_slow_way_writes_it,
          a_subnormal_is_written_as_the_slow_way_writes_it,
          a_time_stamp_is_written_as_the_slow_way_writes_it,
          powers_of_two_and_ten_and_their_neighbours_are_written_as_the_slow_way_writes_them,
          doubles_read_as_expected, canonical_numbers_read_as_expected,
          integers_read_as_printf_writes_them,
          integers_next_to_powers_of_ten_have_the_right_number_of_digits,
          milliseconds_read_as_seconds, positive_powers_of_ten_of_the_table_are_recomputed,
          negative_powers_of_ten_of_the_table_are_the_least_that_reach,
          whole_numbers_are_parsed_strictly, decimal_numbers_are_parsed_strictly,
          parsing_keeps_errno, sizes_know_binary_and_decimal_units,
          durations_are_those_of_prometheus)
