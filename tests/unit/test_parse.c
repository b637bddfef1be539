// SPDX-License-Identifier: Apache-2.0
#include "event/parse.h"
#include "event/sample.h"

#include "unit.h"

#include <jansson.h>

// Parses bytes that lie in memory of just their size.
static struct rejection parse(const char *line, size_t len)
{
    struct rejection duplicate;
    struct rejection why = {.reason = REJECT_NONE, .element = -1};
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, line, len);
    struct parser parser = {0};
    json_t *root = parse_line(&parser, copy, len, &duplicate, &why);
    if (json_is_array(root)) {
        sample_check_batch(root, &duplicate, &why);
    }
    parse_free(&parser);
    free(copy);
    return why;
}

static void expect(const char *line, size_t len, enum reject_reason reason, int index)
{
    struct rejection got = parse(line, len);
    ck_assert_msg(got.reason == reason && got.element == index, "%.200s: %s at %d (%s)", line,
                  reject_names[got.reason], got.element, got.detail);
}

struct checked_line {
    const char *line;
    enum reject_reason reason;
    int index;
};

static void expect_all(const struct checked_line *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        expect(cases[i].line, strlen(cases[i].line), cases[i].reason, cases[i].index);
    }
}

#define EXPECT_ALL(cases) expect_all(cases, sizeof cases / sizeof cases[0])

START_TEST(bytes_that_are_no_utf8_are_refused_before_their_grammar)
{
    static const struct checked_line cases[] = {
        {"{\"a\":\"\xff\"}", REJECT_bad_utf8, -1},
        {"\x80", REJECT_bad_utf8, -1},
        {"{\"\xc0\xaf\":1", REJECT_bad_utf8, -1},
        {"\"\xed\xa0\x80\"", REJECT_bad_utf8, -1},
        {"\"\xf4\x90\x80\x80\"", REJECT_bad_utf8, -1},
        {"{\"a\":\"\xc3", REJECT_bad_utf8, -1},
        {"{\"a\":\"\xf4\x8f\xbf\xbf\"}", REJECT_NONE, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(what_is_not_one_json_value_is_refused)
{
    static const struct checked_line cases[] = {
        {"", REJECT_bad_json, -1},
        {"hello", REJECT_bad_json, -1},
        {"{", REJECT_bad_json, -1},
        {"{\"a\":1,}", REJECT_bad_json, -1},
        {"{a:1}", REJECT_bad_json, -1},
        {"{'a':1}", REJECT_bad_json, -1},
        {"{\"a\":01}", REJECT_bad_json, -1},
        {"{\"a\":+1}", REJECT_bad_json, -1},
        {"{\"a\":.5}", REJECT_bad_json, -1},
        {"{\"a\":NaN}", REJECT_bad_json, -1},
        {"{\"a\":Infinity}", REJECT_bad_json, -1},
        {"{\"a\":\"\t\"}", REJECT_bad_json, -1},
        {"{\"a\":\"\\x\"}", REJECT_bad_json, -1},
        {"{} {}", REJECT_bad_json, -1},
        {"{}]", REJECT_bad_json, -1},
        {"/* */{}", REJECT_bad_json, -1},
        {"\xef\xbb\xbf{}", REJECT_bad_json, -1},
        {" \t{}\r", REJECT_NONE, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(surrogates_stand_in_pairs)
{
    static const struct checked_line cases[] = {
        {"{\"a\":\"\\ud800\"}", REJECT_bad_json, -1},
        {"{\"a\":\"\\udc00\"}", REJECT_bad_json, -1},
        {"{\"a\":\"\\ud800\\ud800\"}", REJECT_bad_json, -1},
        {"{\"a\":\"\\ud800x\"}", REJECT_bad_json, -1},
        {"{\"\\udfff\":1}", REJECT_bad_json, -1},
        {"{\"a\":\"\\ud83d\\ude00\"}", REJECT_NONE, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(a_raw_nul_is_no_json_and_an_escaped_one_is)
{
    expect("{\"a\":\"b\0c\"}", 11, REJECT_bad_json, -1);
    expect("{}\0", 3, REJECT_bad_json, -1);
    expect("{\"a\":\"b\\u0000c\"}", 16, REJECT_NONE, -1);
    ck_assert_str_eq(parse("{}\0", 3).detail, "a NUL byte");
}
END_TEST

#define M "{\"metric\":1}"

START_TEST(a_line_is_an_object_or_an_array_of_samples)
{
    static const struct checked_line cases[] = {
        {"1", REJECT_not_an_object, -1},
        {"\"a\"", REJECT_not_an_object, -1},
        {"null", REJECT_not_an_object, -1},
        {"1e999", REJECT_not_an_object, -1},
        {"[]", REJECT_NONE, -1},
        {"[" M "]", REJECT_NONE, -1},
        {"[1]", REJECT_not_an_object, 0},
        {"[" M ",[]]", REJECT_not_an_object, 1},
        {"[" M "," M ",null]", REJECT_not_an_object, 2},
        {"[{\"hello\":{}}]", REJECT_not_an_object, 0},
        {"[" M ",{\"sync\":1}]", REJECT_not_an_object, 1},
        {"[{\"ping\":1}]", REJECT_not_an_object, 0},
        {"[{\"forget\":{}}]", REJECT_not_an_object, 0},
        {"[{\"ping\":1,\"metric\":1}]", REJECT_unknown_field, 0},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(of_a_batch_the_first_element_that_is_no_sample_by_its_structure_is_refused)
{
    static const struct checked_line cases[] = {
        {"[{\"a\":1,\"a\":2},3]", REJECT_duplicate_field, 0},
        {"[[],{\"a\":1,\"a\":2}]", REJECT_not_an_object, 0},
        {"[{},3]", REJECT_unknown_field, 0},
        {"[3,{}]", REJECT_not_an_object, 0},
        {"[" M ",{},{\"a\":1,\"a\":2}]", REJECT_unknown_field, 1},
        {"[" M ",{\"sync\":1,\"sync\":1}]", REJECT_not_an_object, 1},
        {"[" M ",{\"metric\":1,\"event\":1}]", REJECT_unknown_field, 1},
        {"[" M ",{\"event\":1,\"labels\":5,\"op\":6,\"value\":7,\"exemplar\":8}]", REJECT_NONE, -1},
        {"[{},\"\\ud800\"]", REJECT_bad_json, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

// jansson takes none.
START_TEST(a_key_may_hold_nul)
{
    static const struct checked_line cases[] = {
        {"{\"a\\u0000\":1}", REJECT_NONE, -1},
        {"{\"\\u0000\":1,\"\\u0000b\":1e999}", REJECT_NONE, -1},
        {"{\"v\":1e999,\"\\u0000b\" \t:1}", REJECT_NONE, -1},
        {"{\"\\u0000\":1,\"\\u0000\":1}", REJECT_duplicate_field, -1},
        {"{\"\\u0000\":1", REJECT_bad_json, -1},
        {"{\"\\\\u0000\":1,\"\\\\\\u0000\":\"\\u0000\"}", REJECT_NONE, -1},
        {"[" M ",{\"x\\u0000\":1}]", REJECT_unknown_field, 1},
        {"{\"\\u0000\\", REJECT_bad_json, -1},
    };
    EXPECT_ALL(cases);
    struct rejection why;
    struct rejection duplicate;
    struct parser parser = {0};
    static const char line[] = "{\"a\\u0000\":\"b\\u0000\",\"\\\\u0000\":\"\\\\u0000\"}";
    json_t *root = parse_line(&parser, line, sizeof line - 1, &duplicate, &why);
    ck_assert_ptr_nonnull(root);
    ck_assert_uint_eq(json_string_length(json_object_get(root, "a\xEF\xBF\xBF")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(root, "\\u0000")), "\\u0000");
    parse_free(&parser);
}
END_TEST

START_TEST(a_byte_order_mark_is_named)
{
    ck_assert_str_eq(parse("\xEF\xBB\xBF{}", 5).detail, "a byte order mark stands before the line");
    expect("\xEF\xBB\xBF{}", 5, REJECT_bad_json, -1);
    expect("\xEF\xBB\xBF", 3, REJECT_bad_json, -1);
    expect("{\"\xEF\xBB\xBF\":1}", 9, REJECT_NONE, -1);
}
END_TEST

START_TEST(a_key_that_stands_twice_is_found_at_any_depth)
{
    static const struct checked_line cases[] = {
        {"{\"a\":1,\"a\":1}", REJECT_duplicate_field, -1},
        {"{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", REJECT_duplicate_field, -1},
        {"{\"a\":[[{\"b\":1,\"b\":1}]]}", REJECT_duplicate_field, -1},
        {"{\"a\":1,\"\\u0061\":2}", REJECT_duplicate_field, -1},
        {"{\"a\":1,\"A\":2}", REJECT_NONE, -1},
        {"{\"a\":{\"b\":1},\"c\":{\"b\":1}}", REJECT_NONE, -1},
        {"[{\"a\":1,\"a\":2}]", REJECT_duplicate_field, 0},
        {" [ " M " , {\"a\":{\"b\":1,\"b\":2}} ]", REJECT_duplicate_field, 1},
        {"[{\"metric\":\",[\\\"{\"},{\"event\":[1,2,3]},{\"b\":1,\"b\":2},{}]",
         REJECT_duplicate_field, 2},
        // What comes behind may be no JSON at all, and that is checked first.
        {"{\"a\":1,\"a\":2,}", REJECT_bad_json, -1},
        {"{\"a\":1,\"a\":\"\\ud800\"}", REJECT_bad_json, -1},
        {"{\"a\":1,\"a\":1e999}", REJECT_duplicate_field, -1},
        {"{\"a\":1e999,\"a\":1}", REJECT_duplicate_field, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(a_number_beyond_a_double_reads_as_null)
{
    static const char *const lines[] = {
        "{\"v\":1e999}",   "{\"v\":-1e400}",        "{\"v\":1E+400 }",
        "{\"v\":2e308}",   "{\"v\":1.5e999}",       "{\"w\":\"1e999\\\"1e999\",\"v\":1e999}",
        "{\"v\": 9e9999}", "{\"u\":0,\"v\":1e310}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct rejection why;
        struct rejection duplicate;
        struct parser parser = {0};
        json_t *root = parse_line(&parser, lines[i], strlen(lines[i]), &duplicate, &why);
        ck_assert_msg(root != NULL, "%s: %s", lines[i], why.detail);
        ck_assert_msg(json_is_null(json_object_get(root, "v")), "%s", lines[i]);
        json_t *w = json_object_get(root, "w");
        ck_assert(w == NULL || strcmp(json_string_value(w), "1e999\"1e999") == 0);
        parse_free(&parser);
    }
}
END_TEST

START_TEST(letters_of_numbers_that_make_no_number_stay_bad_json)
{
    static const struct checked_line cases[] = {
        {"{\"v\":1e400-5}", REJECT_bad_json, -1},       {"[1e400,+1e400]", REJECT_bad_json, -1},
        {"[1e400,01e400]", REJECT_bad_json, -1},        {"[1e400,1.e400]", REJECT_bad_json, -1},
        {"[1e400,.1e999]", REJECT_bad_json, -1},        {"[1e400,1e400e1]", REJECT_bad_json, -1},
        {"[1e400,1e400.]", REJECT_bad_json, -1},        {"[1e400,--1e400]", REJECT_bad_json, -1},
        {"[1e400,1.0.0e999]", REJECT_bad_json, -1},     {"{\"v\":1e400e}", REJECT_bad_json, -1},
        {"{\"v\":1e400,\"w\":-}", REJECT_bad_json, -1},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(whole_numbers_beyond_64_bits_are_numbers)
{
    struct rejection why;
    struct rejection duplicate;
    const char *line = "{\"v\":123456789012345678901234567890,\"w\":-9223372036854775809}";
    struct parser parser = {0};
    json_t *root = parse_line(&parser, line, strlen(line), &duplicate, &why);
    ck_assert_ptr_nonnull(root);
    ck_assert(json_number_value(json_object_get(root, "v")) == 123456789012345678901234567890.0);
    ck_assert(json_number_value(json_object_get(root, "w")) == -9223372036854775808.0);
    parse_free(&parser);
}
END_TEST

START_TEST(depth_has_a_bound)
{
    char line[60001];
    memset(line, '[', 60000);
    expect(line, 60000, REJECT_bad_json, -1);
    memset(line + 30000, ']', 30000);
    expect(line, 60000, REJECT_bad_json, -1);
    memset(line, ' ', 60000);
    memset(line, '[', 2000);
    memset(line + 2000, ']', 2000);
    expect(line, 60000, REJECT_not_an_object, 0);
    for (size_t i = 0; i < 12000; i++) {
        memcpy(line + 5 * i, "{\"a\":", 5);
    }
    expect(line, 60000, REJECT_bad_json, -1);
}
END_TEST

START_TEST(a_raw_value_is_found_whatever_stands_around_it)
{
    static const struct {
        const char *line;
        const char *value;
    } cases[] = {
        {"{\"sync\":1}", "1"},
        {" { \"sync\" : \"a b\" } ", "\"a b\""},
        {"{\"sync\":\"}\"}\r", "\"}\""},
        {"{\"s\\u0079n\\\"c\": -0.0\t}", "-0.0"},
        {"{\"sync\":\"\\u00e9:{\"}", "\"\\u00e9:{\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *p;
        size_t len;
        parse_raw_value(cases[i].line, strlen(cases[i].line), &p, &len);
        ck_assert_uint_eq(len, strlen(cases[i].value));
        ck_assert(memcmp(p, cases[i].value, len) == 0);
    }
}
END_TEST

UNIT_MAIN("parse", bytes_that_are_no_utf8_are_refused_before_their_grammar,
          what_is_not_one_json_value_is_refused, surrogates_stand_in_pairs,
          a_raw_nul_is_no_json_and_an_escaped_one_is, a_line_is_an_object_or_an_array_of_samples,
          of_a_batch_the_first_element_that_is_no_sample_by_its_structure_is_refused,
          a_key_may_hold_nul, a_byte_order_mark_is_named,
          a_key_that_stands_twice_is_found_at_any_depth, a_number_beyond_a_double_reads_as_null,
          letters_of_numbers_that_make_no_number_stay_bad_json,
          whole_numbers_beyond_64_bits_are_numbers, depth_has_a_bound,
          a_raw_value_is_found_whatever_stands_around_it)
