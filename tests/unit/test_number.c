// SPDX-License-Identifier: Apache-2.0
#include "event/number.h"

#include "unit.h"

#include <math.h>
#include <string.h>

// The number that ends the text, in memory with just the bytes before it that may be read.
static size_t tail(const char *text, double *ret)
{
    size_t len = strlen(text);
    size_t before = len < NUMBER_TAIL ? NUMBER_TAIL - len : 0;
    char *copy = malloc(before + len + 1);
    memset(copy, 'x', before);
    memcpy(copy + before, text, len + 1);
    size_t n = number_tail(copy + before + len, ret);
    free(copy);
    return n;
}

START_TEST(short_numbers_are_read_from_their_end)
{
    static const struct {
        const char *text;
        size_t len;
        double value;
    } cases[] = {
        {":0", 1, 0},
        {":7", 1, 7},
        {":10", 2, 10},
        {":0.5", 3, 0.5},
        {":12.25", 5, 12.25},
        {": 5000", 4, 5000},
        {"\"value\":0.227608", 8, 0.227608},
        {":0.123456789", 11, 0.123456789},
        {":123456789012345", 15, 123456789012345},
        {":1234567.89012345", 16, 1234567.89012345},
        {":1.00000000000000", 16, 1},
        {"\xC3\xA9:99999999", 8, 99999999},
        {"\xB9\xBA\xB9\xBA\xB9\xBA\xB9\xBA:1", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double v = -1;
        size_t len = tail(cases[i].text, &v);
        ck_assert_msg(len == cases[i].len && v == cases[i].value, "%s: %zu bytes, %.17g",
                      cases[i].text, len, v);
    }
}
END_TEST

START_TEST(other_ends_are_no_short_number)
{
    static const char *const texts[] = {
        "",
        ":",
        ":x",
        ":-1",
        ":+1",
        ":1e5",
        ":1E5",
        ":1e-5",
        ":1.5e+3",
        ":01",
        ":00",
        ":00.5",
        ":.5",
        ":1.",
        ":.",
        ":1.2.3",
        ":1..2",
        "true",
        ":-0.5",
        ":1234567890123456",
        ":1.e",
        ":0.1234567890123456",
        ":12345678901234567890123456789012345678901234567890",
        ":e5",
        ":1.e5",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double v = 42;
        ck_assert_msg(tail(texts[i], &v) == 0 && v == 42, "%s", texts[i]);
    }
}
END_TEST

static bool in_number(char c)
{
    return c != '\0' && strchr("0123456789.-+eE", c) != NULL;
}

// Whatever is read so must be what number_read says of all that may belong to the number.
START_TEST(random_ends_read_as_the_whole_number_does)
{
    static const char some[] = "0123456789.0123456789.-+eE,:\" x";
    uint64_t random = unit_seed() | 1;
    unsigned good = 0;
    for (int i = 0; i < 400000; i++) {
        char text[NUMBER_TAIL + 2];
        size_t kinds = i % 2 == 0 ? 11 : sizeof some - 1;
        for (size_t k = 0; k < NUMBER_TAIL; k++) {
            text[k] = some[unit_random(&random) % kinds];
        }
        text[unit_random(&random) % NUMBER_TAIL] = ':';
        text[NUMBER_TAIL] = '}';
        text[NUMBER_TAIL + 1] = '\0';
        size_t from = NUMBER_TAIL;
        while (from > 0 && in_number(text[from - 1])) {
            from--;
        }
        double got = 0;
        double want = 0;
        size_t len = number_tail(text + NUMBER_TAIL, &got);
        if (len > 0) {
            ck_assert_msg(len == NUMBER_TAIL - from && number_read(text + from, len, &want) &&
                              memcmp(&got, &want, sizeof got) == 0,
                          "%s: %zu bytes, %.17g and not %.17g", text, len, got, want);
            good++;
        }
    }
    ck_assert_uint_gt(good, 10000);
}
END_TEST

typedef bool short_fn(const char *at, size_t len, double *ret);

#ifdef __x86_64__
static __attribute__((target("avx2"))) bool read_wide(const char *at, size_t len, double *ret)
{
    return number_short_wide(at, len, ret);
}
#endif

// Whatever has at most so many bytes, of digits and points, reads as number_read says.
static void compare_short(short_fn *read, size_t most)
{
    static const char some[] = "01234567890.123456789.-+eE,:";
    uint64_t random = unit_seed() | 1;
    for (int i = 0; i < 400000; i++) {
        char text[32];
        size_t len = unit_random(&random) % (most + 2);
        size_t kinds = i % 2 == 0 ? 12 : sizeof some - 1;
        bool plain = len > 0 && len <= most;
        for (size_t k = 0; k < len; k++) {
            text[k] = some[unit_random(&random) % kinds];
            plain &= text[k] == '.' || (text[k] >= '0' && text[k] <= '9');
        }
        memcpy(text + len, "}7.7.7.7", 9);
        memset(text + len + 8, '7', sizeof text - len - 8);
        double got = 0;
        double want = 0;
        bool is = number_read(text, len, &want);
        ck_assert_msg(read(text, len, &got) == (plain && is), "%.*s", (int)len, text);
        ck_assert_msg(!plain || !is || memcmp(&got, &want, sizeof got) == 0,
                      "%.*s: %.17g and not %.17g", (int)len, text, got, want);
    }
}

START_TEST(numbers_of_up_to_eight_bytes_read_as_all_others_do)
{
    compare_short(number_short, 8);
}
END_TEST

START_TEST(wide_instructions_read_numbers_of_up_to_15_bytes_as_all_others)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        compare_short(read_wide, NUMBER_DIGITS);
    }
#endif
}
END_TEST

UNIT_MAIN("number", short_numbers_are_read_from_their_end, other_ends_are_no_short_number,
          numbers_of_up_to_eight_bytes_read_as_all_others_do,
          wide_instructions_read_numbers_of_up_to_15_bytes_as_all_others,
          random_ends_read_as_the_whole_number_does)
