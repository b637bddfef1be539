// SPDX-License-Identifier: Apache-2.0
#include "event/bytes.c"
#include "unit.h"

#include <jansson.h>

// The compact form of a line in memory of just its size; "": it has none.
static const char *compact(const char *line)
{
    static char out[4096 + BYTES_COMPACT_SLACK];
    size_t len = strlen(line);
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, line, len);
    out[bytes_compact(out, copy, len)] = '\0';
    free(copy);
    return out;
}

START_TEST(blanks_go_where_they_separate_nothing)
{
    static const char *const lines[][2] = {
        {"{\"a\": 1}", "{\"a\":1}"},
        {" \t{ \"a\" :\t1 , \"b c\":\" d \" }\r", "{\"a\":1,\"b c\":\" d \"}"},
        {"[ {}, [ ] ]", "[{},[]]"},
        {"{\"a\":1}", "{\"a\":1}"},
        {"", ""},
        {"  ", ""},
        {"{\"a\": 1 2}", ""},
        {"{\"a\": - 1}", ""},
        {"{\"a\": tru e}", ""},
        {"{\"a\" \"b\"}", ""},
        {"{\"a\\\"\": 1}", ""},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_str_eq(compact(lines[i][0]), lines[i][1]);
    }
}
END_TEST

// Pieces of JSON with blanks at random: the compact form says the same, and has no blank outside of strings.
START_TEST(it_means_the_same)
{
    static const char *const pieces[] = {
        "\"a b\"", "1.5",          "true",
        "[1,2]",   "{\"x\":\"\"}", "\"a string that is a good deal longer than a block\""};
    uint64_t random = unit_seed() | 1;
    for (int i = 0; i < 20000; i++) {
        char line[2048];
        size_t len = 0;
        uint64_t n = unit_random(&random) % 12;
        line[len++] = '[';
        for (uint64_t k = 0; k < n; k++) {
            const char *piece = pieces[unit_random(&random) % 6];
            len +=
                (size_t)sprintf(line + len, "%*s%s%*s%s", (int)(unit_random(&random) % 70), "",
                                piece, (int)(unit_random(&random) % 3), "", k + 1 < n ? "," : "");
        }
        line[len++] = ']';
        line[len] = '\0';
        json_t *want = json_loads(line, 0, NULL);
        json_t *is = json_loads(compact(line), 0, NULL);
        ck_assert_msg(want != NULL && json_equal(want, is), "%s", line);
        char *dump = json_dumps(want, JSON_COMPACT);
        ck_assert_uint_eq(strlen(dump), strlen(compact(line)));
        free(dump);
        json_decref(want);
        json_decref(is);
    }
}
END_TEST

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// The compact form, byte by byte.
static size_t compact_simply(char *out, const char *line, size_t len)
{
    bool in_string = false;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        bool dropped = i > 0 && is_blank(line[i - 1]) && !in_string;
        if (line[i] == '\\') {
            return 0;
        }
        if (is_blank(line[i]) && !in_string) {
            continue;
        }
        if (dropped && n > 0 && strchr("{}[]:,", out[n - 1]) == NULL &&
            strchr("{}[]:,", line[i]) == NULL) {
            return 0;
        }
        in_string ^= line[i] == '"';
        out[n++] = line[i];
    }
    return n;
}

// Any bytes, with blanks at the ends of blocks and over several of them.
START_TEST(no_other_blanks_are_dropped)
{
    static const char some[] = "  \t\r\"{}[]:,,ab\x80\xff;Z[\x1b\\";
    uint64_t random = unit_seed() | 1;
    for (int i = 0; i < 50000; i++) {
        char want[400];
        char got[400 + BYTES_COMPACT_SLACK];
        size_t len = unit_random(&random) % 300;
        char *line = malloc(len > 0 ? len : 1);
        size_t kinds = unit_random(&random) % 2 == 0 ? 14 : sizeof some - 1;
        for (size_t k = 0; k < len;) {
            char c = some[unit_random(&random) % kinds];
            size_t times = unit_random(&random) % 16 == 0 ? unit_random(&random) % 150 : 1;
            for (size_t end = k + times; k < end && k < len; k++) {
                line[k] = c;
            }
        }
        size_t n = compact_simply(want, line, len);
        ck_assert_uint_eq(bytes_compact(got, line, len), n);
        ck_assert_mem_eq(got, want, n);
        ck_assert_uint_eq(write_plain(got, line, len), n);
        ck_assert_mem_eq(got, want, n);
        free(line);
    }
}
END_TEST

UNIT_MAIN("compact", blanks_go_where_they_separate_nothing, it_means_the_same,
          no_other_blanks_are_dropped)
