// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <string.h>

static int copies_left = -1; // how many more succeed; negative: all

static char *counted_strndup(const char *s, size_t n)
{
    if (copies_left == 0) {
        return NULL;
    }
    copies_left--;
    return strndup(s, n);
}

#undef strndup
#define strndup counted_strndup
#include "base/err.c"
#undef strndup

static void check_written(struct errs *e, const char *expected)
{
    struct buf out = BUF_INIT;
    errs_write(e, &out);
    ck_assert_str_eq(buf_string(&out), expected);
    buf_free(&out);
}

START_TEST(parts_that_are_unknown_are_not_written)
{
    static const struct {
        const char *file;
        unsigned line;
        unsigned column;
        const char *key;
        const char *expected;
    } table[] = {
        {"a.yaml", 3, 7, "metrics[3].labels", "a.yaml:3:7: metrics[3].labels: bad thing\n"},
        {"a.yaml", 3, 0, "key", "a.yaml:3: key: bad thing\n"},
        {"a.yaml", 0, 7, "key", "a.yaml: key: bad thing\n"},
        {"a.yaml", 0, 0, "", "a.yaml: bad thing\n"},
        {"", 3, 7, "", "3:7: bad thing\n"},
        {NULL, 0, 0, "--web.listen-address", "--web.listen-address: bad thing\n"},
        {NULL, 0, 0, NULL, "bad thing\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct errs e = ERRS_INIT;
        errs_add(&e, table[i].file, table[i].line, table[i].column, table[i].key, "%s thing",
                 "bad");
        ck_assert(errs_has_any(&e));
        check_written(&e, table[i].expected);
        errs_free(&e);
    }
}
END_TEST

START_TEST(an_empty_list_is_no_problem)
{
    struct errs e = ERRS_INIT;
    ck_assert(!errs_has_any(&e));
    check_written(&e, "");
    errs_free(&e);
}
END_TEST

START_TEST(problems_keep_their_order_and_their_own_copies)
{
    struct errs e = ERRS_INIT;
    char file[] = "b.yaml";
    errs_add(&e, file, 2, 1, "second", "came first");
    file[0] = 'a';
    errs_add(&e, file, 1, 1, "first", "came second");
    check_written(&e, "b.yaml:2:1: second: came first\na.yaml:1:1: first: came second\n");
    errs_free(&e);
    ck_assert(!errs_has_any(&e));
}
END_TEST

START_TEST(what_is_beyond_the_bound_is_counted)
{
    struct errs e = ERRS_INIT;
    for (int i = 0; i < ERRS_MAX + 5; i++) {
        errs_add(&e, "f", 0, 0, "", "%d", i);
    }
    ck_assert_uint_eq(e.n, ERRS_MAX);
    ck_assert_uint_eq(e.left_out, 5);
    struct buf out = BUF_INIT;
    errs_write(&e, &out);
    const char *end = "f: 98\nf: 99\nand 5 more\n";
    ck_assert_str_eq(buf_string(&out) + out.len - strlen(end), end);
    buf_free(&out);
    errs_free(&e);
}
END_TEST

START_TEST(a_problem_without_memory_is_counted)
{
    for (int copies = 0; copies < 3; copies++) {
        struct errs e = ERRS_INIT;
        copies_left = copies;
        errs_add(&e, "file", 1, 1, "key", "text");
        copies_left = -1;
        ck_assert_uint_eq(e.n, 0);
        ck_assert_uint_eq(e.left_out, 1);
        ck_assert(errs_has_any(&e));
        check_written(&e, "and 1 more\n");
        errs_free(&e);
    }
}
END_TEST

START_TEST(long_strings_are_cut_between_characters)
{
    struct errs e = ERRS_INIT;
    char text[3000];
    memset(text, 'x', sizeof text);
    memcpy(text + ERRS_MAX_TEXT - 1, "\xc3\xa4", 2);
    text[sizeof text - 1] = '\0';
    errs_add(&e, text, 0, 0, text, "%s", text);
    ck_assert_uint_eq(strlen(e.items[0].file), ERRS_MAX_TEXT - 1);
    ck_assert_uint_eq(strlen(e.items[0].key), ERRS_MAX_TEXT - 1);
    ck_assert_uint_eq(strlen(e.items[0].text), ERRS_MAX_TEXT - 1);
    errs_free(&e);
    text[ERRS_MAX_TEXT] = '\0';
    text[ERRS_MAX_TEXT - 1] = 'x';
    errs_add(&e, "", 0, 0, "", "%s", text);
    ck_assert_str_eq(e.items[0].text, text);
    errs_free(&e);
}
END_TEST

START_TEST(control_bytes_cannot_make_lines_of_their_own)
{
    struct errs e = ERRS_INIT;
    errs_add(&e, "f\n", 1, 1, "k\x1b[2J", "no \"%s\"", "a\r\n\x7f\xc3\xa4");
    check_written(&e, "f\\x0a:1:1: k\\x1b[2J: no \"a\\x0d\\x0a\\x7f\xc3\xa4\"\n");
    errs_free(&e);
}
END_TEST

UNIT_MAIN("err", parts_that_are_unknown_are_not_written, an_empty_list_is_no_problem,
          problems_keep_their_order_and_their_own_copies, what_is_beyond_the_bound_is_counted,
          a_problem_without_memory_is_counted, long_strings_are_cut_between_characters,
          control_bytes_cannot_make_lines_of_their_own)
