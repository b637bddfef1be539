// SPDX-License-Identifier: Apache-2.0
#include "ctl/view.h"

#include "base/text.h"
#include "breaks.h"
#include "unit.h"

#include <math.h>

static struct buf out;

static const char *shown(void)
{
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(text);
    return text;
}

START_TEST(a_terminal_obeys_nothing)
{
    static const struct {
        const char *text;
        size_t len;
        const char *shown;
    } cases[] = {
        {"", 0, ""},
        {"plain é €", 12, "plain é €"},
        {"\033[31m", 5, "\\u001b[31m"},
        {"a\0b", 3, "a\\u0000b"},
        {"\r\n\t\a", 4, "\\u000d\\u000a\\u0009\\u0007"},
        {"\x7f", 1, "\\u007f"},
        {"\xc2\x9b", 2, "\\u009b"}, // a control sequence of one character
        {"\xe2\x80\xae", 3, "\\u202e"},
        {"\xf3\xa0\x80\x81", 4, "\\U000e0001"},
        {"\xff\xc3", 2, "\\xff\\xc3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&out);
        text_visible(&out, cases[i].text, cases[i].len);
        ck_assert_str_eq(shown(), cases[i].shown);
    }
    buf_free(&out);
}
END_TEST

START_TEST(whatever_the_bytes_no_control_is_left)
{
    uint64_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        char bytes[16];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (char)(seed >> 56);
        }
        buf_clear(&out);
        text_visible(&out, bytes, sizeof bytes);
        for (size_t i = 0; i < out.len;) {
            uint32_t code;
            size_t n = text_char(out.p + i, out.len - i, &code);
            ck_assert_msg(n > 0 && !text_is_hidden(code), "round %d", round);
            i += n;
        }
    }
    buf_free(&out);
}
END_TEST

START_TEST(spans_and_times_are_those_of_people)
{
    static const struct {
        double seconds;
        const char *span;
    } cases[] = {
        {0, "0 s"},         {59.9, "59 s"}, {60, "1 min"},  {3601, "1 h"}, {3660, "1 h 1 min"},
        {90061, "1 d 1 h"}, {-5, "0 s"},    {1e300, "0 s"}, {NAN, "0 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&out);
        view_write_span(&out, cases[i].seconds);
        ck_assert_str_eq(shown(), cases[i].span);
    }
    buf_clear(&out);
    view_write_time(&out, 1700000000.9);
    ck_assert_str_eq(shown(), "2023-11-14T22:13:20Z");
    buf_clear(&out);
    view_write_time(&out, 1e300);
    ck_assert_str_eq(shown(), "1970-01-01T00:00:00Z");
    buf_free(&out);
}
END_TEST

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
    static const char *const heads[] = {"NAME", ">N", "LAST", NULL};
    struct view_table t;
    view_table_begin(&t, heads);
    static const char *const cells[] = {"é", "1", "x", "longer", "1000", ""};
    for (size_t i = 0; i < 6; i++) {
        buf_str(view_cell(&t), cells[i]);
    }
    view_table_end(&t, &out);
    ck_assert_str_eq(shown(), "NAME       N  LAST\n"
                              "é          1  x\n"
                              "longer  1000  \n");
    buf_free(&out);
}
END_TEST

static void begin_a_table_that_is_too_wide(void)
{
    static const char *heads[VIEW_COLUMNS + 2];
    struct view_table t;
    for (size_t i = 0; i <= VIEW_COLUMNS; i++) {
        heads[i] = "A";
    }
    view_table_begin(&t, heads);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a table has room for its columns", begin_a_table_that_is_too_wide);
}
END_TEST

UNIT_MAIN("view_text", a_terminal_obeys_nothing, whatever_the_bytes_no_control_is_left,
          spans_and_times_are_those_of_people, columns_are_as_wide_as_their_widest_cell,
          a_broken_invariant_ends_the_process)
