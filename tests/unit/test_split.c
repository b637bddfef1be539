// SPDX-License-Identifier: Apache-2.0
#include "ingest/split.c"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 5000 };

typedef size_t cut_fn(const char *at, const char *end, struct line *ret);

#ifdef __SSE2__
static size_t with_sse2(const char *at, const char *end, struct line *ret)
{
    size_t n = split_blocks(&at, end, ret, newlines_sse2);
    return split_rest(at, end, ret, n);
}
#endif

static size_t by_bytes(const char *at, const char *end, struct line *ret)
{
    return split_rest(at, end, ret, 0);
}

// Cuts a copy of just the size, so that a read beyond it is seen, and compares with looking at each byte.
static void expect_lines_of(cut_fn *cut, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    struct line lines[EVENT_LINES];
    size_t n = cut(copy, copy + len, lines);
    size_t found = 0;
    const char *from = copy;
    for (const char *at = copy; at < copy + len && found < EVENT_LINES; at++) {
        if (*at == '\n') {
            ck_assert_uint_lt(found, n);
            ck_assert_ptr_eq(lines[found].bytes, from);
            ck_assert_uint_eq(lines[found].len, (size_t)(at - from));
            from = at + 1;
            found++;
        }
    }
    ck_assert_uint_eq(n, found);
    free(copy);
}

// In the way that this CPU takes, and in those of others.
static void expect_lines(const char *bytes, size_t len)
{
    expect_lines_of(split_lines, bytes, len);
#ifdef __SSE2__
    expect_lines_of(with_sse2, bytes, len);
#endif
    expect_lines_of(by_bytes, bytes, len);
}

START_TEST(lines_end_where_a_newline_is)
{
    uint64_t random = unit_seed() | 1;
    static char bytes[MOST];
    for (int round = 0; round < 20000; round++) {
        // Lines of all lengths, from many in a block to many blocks.
        uint64_t rare = 1 + unit_random(&random) % (1 << unit_random(&random) % 10);
        size_t len = unit_random(&random) % (round % 4 == 0 ? MOST : 300);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = unit_random(&random) % rare == 0 ? '\n' : (char)unit_random(&random);
        }
        expect_lines(bytes, len);
    }
}
END_TEST

START_TEST(there_may_be_none_one_or_more_than_are_wanted)
{
    static const char empty[200] = "";
    char newlines[200];
    memset(newlines, '\n', sizeof newlines);
    for (size_t len = 0; len <= sizeof empty; len++) {
        expect_lines(empty, len);
        expect_lines(newlines, len);
    }
    expect_lines("a\n", 2);
    expect_lines("\nb", 2);
}
END_TEST

UNIT_MAIN("split", lines_end_where_a_newline_is, there_may_be_none_one_or_more_than_are_wanted)
