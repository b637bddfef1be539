// SPDX-License-Identifier: Apache-2.0
#include "event/scan.c"
#include "unit.h"

#include <string.h>

enum { MOST = 8, LONGEST = 400 };

// The same, byte by byte.
static size_t split_slowly(const char *at, const char *end, struct line *ret)
{
    size_t n = 0;
    if (end - at < 4 || *at != '[' || end[-1] != ']') {
        return 0;
    }
    const char *from = at + 1;
    for (const char *p = from; p < end - 1; p++) {
        if (memcmp(p, "},{", 3) == 0) {
            ret[n++] = (struct line){.bytes = from, .len = (uint32_t)(p + 1 - from)};
            from = p + 2;
            if (n == MOST) {
                return 0;
            }
        }
    }
    ret[n++] = (struct line){.bytes = from, .len = (uint32_t)(end - 1 - from)};
    return n;
}

static void expect_same(const char *text, const struct line *want, size_t n_want,
                        const struct line *is, size_t n)
{
    ck_assert_msg(n == n_want, "%s: %zu elements, not %zu", text, n, n_want);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(is[i].bytes == want[i].bytes && is[i].len == want[i].len,
                      "%s: element %zu is %u bytes at %td, not %u at %td", text, i, is[i].len,
                      is[i].bytes - text, want[i].len, want[i].bytes - text);
    }
}

// By the instructions of this processor, and by those that each has.
static size_t check_all_ways(const char *text, size_t len)
{
    struct line want[MOST] = {0};
    struct line is[MOST] = {0};
    size_t n = split_slowly(text, text + len, want);
    expect_same(text, want, n, is, scan_elements(text, text + len, is, MOST));
    if (len >= 4 && text[0] == '[' && text[len - 1] == ']') {
        expect_same(text, want, n, is, split(text + 1, text + len - 1, is, MOST, ends_plain));
    }
    return n;
}

START_TEST(elements_begin_behind_a_brace_and_a_comma)
{
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        {"", 0},
        {"[]", 0},
        {"[1]", 0},
        {"{{}}", 0},
        {"[{},", 0},
        {"[{}]", 1},
        {"[{},{}]", 2},
        {"[{}, {}]", 1},
        {"[{},{},{}]", 3},
        {"[\"},{\"]", 2},
        {"[},{},{]", 3},
        {"[{},{},{},{},{},{},{},{}]", 8},
        {"[{},{},{},{},{},{},{},{},{}]", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[LONGEST + 2 * BLOCK] = "";
        strcpy(text, rows[i].text);
        ck_assert_uint_eq(check_all_ways(text, strlen(text)), rows[i].n);
    }
}
END_TEST

START_TEST(all_ways_find_the_same)
{
    static const char *const pieces[] = {
        "},{", "}", ",", "{", "x", "},", "\"abcdefghijklmnopqrstuv\""};
    uint64_t random = unit_seed() | 1;
    size_t found = 0;
    for (int round = 0; round < 20000; round++) {
        char text[LONGEST + 2 * BLOCK] = "[";
        size_t len = 1;
        for (uint64_t n = unit_random(&random) % 40; n > 0 && len < LONGEST - 30; n--) {
            const char *piece = pieces[unit_random(&random) % (sizeof pieces / sizeof pieces[0])];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        text[len++] = ']';
        // What is behind the line is none of it.
        memcpy(text + len, "},{},{},{},{},{", 15);
        found += check_all_ways(text, len);
    }
    ck_assert_uint_gt(found, 20000);
}
END_TEST

UNIT_MAIN("scan", elements_begin_behind_a_brace_and_a_comma, all_ways_find_the_same)
