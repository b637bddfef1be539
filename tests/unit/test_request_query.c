// SPDX-License-Identifier: Apache-2.0
#include "web/request.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

START_TEST(percent_encoding_is_decoded_or_refused)
{
    static const struct {
        const char *in;
        bool form;
        const char *out; // NULL: refused
    } cases[] = {
        {"", false, ""},           {"/metrics", false, "/metrics"},
        {"%2Fa%2f", false, "/a/"}, {"a+b", false, "a+b"},
        {"a+b", true, "a b"},      {"%2B", true, "+"},
        {"%", false, NULL},        {"%4", false, NULL},
        {"%4g", false, NULL},      {"%g4", false, NULL},
        {"abc%", false, NULL},     {"%00", false, NULL},
        {"a%00b", true, NULL},     {"%c3%bc", false, "\xc3\xbc"},
        {"%2541", false, "%41"},   {"%41", false, "A"},
        {"%%41", false, NULL},     {"%ff", false, "\xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char s[64];
        strcpy(s, cases[i].in);
        long n = request_decode(s, strlen(s), cases[i].form);
        if (cases[i].out == NULL) {
            ck_assert_msg(n == -EINVAL, "%s", cases[i].in);
        } else {
            ck_assert_str_eq(s, cases[i].out);
            ck_assert_int_eq(n, (long)strlen(cases[i].out));
        }
    }
}
END_TEST

START_TEST(a_target_is_split_into_path_and_query)
{
    static const struct {
        const char *target;
        const char *path; // NULL: refused
        const char *query;
    } cases[] = {
        {"/metrics", "/metrics", NULL},
        {"/metrics?", "/metrics", ""},
        {"/metrics?a=1?b", "/metrics", "a=1?b"},
        {"/m%65trics", "/metrics", NULL},
        {"/a%3fb?c", "/a?b", "c"},
        {"*", "*", NULL},
        {"/metrics%00", NULL, NULL},
        {"/%zz", NULL, NULL},
        {"/a b", NULL, NULL},
        {"/a?b\x01", NULL, NULL},
        {"/\x7f", NULL, NULL},
        {"/\xc3\xbc", "/\xc3\xbc", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char s[64];
        strcpy(s, cases[i].target);
        char *path = NULL;
        char *query = NULL;
        int r = request_split_target(s, &path, &query);
        if (cases[i].path == NULL) {
            ck_assert_int_eq(r, -EINVAL);
            continue;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(path, cases[i].path);
        ck_assert_pstr_eq(query, cases[i].query);
    }
}
END_TEST

// The names of a filter, each followed by a comma.
static void join(const struct request_filter *f, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; f != NULL && i < f->n; i++) {
        strcat(strcat(out, f->name[i]), ",");
    }
}

START_TEST(a_filter_holds_each_name_once_in_order)
{
    static const struct {
        const char *query;
        int result;
        const char *names;
    } cases[] = {
        {"", 0, ""},
        {"&&", 0, ""},
        {"name[]=a", 0, "a,"},
        {"name%5B%5d=b&name[]=a", 0, "a,b,"},
        {"name[]=b&name[]=a&name[]=b", 0, "a,b,"},
        {"collect[]=a&name=b&x", 0, ""},
        {"name[]", 0, ","},
        {"name[]=", 0, ","},
        {"name[]=a=b", 0, "a=b,"},
        {"name[]=a%20b&name[]=a+b", 0, "a b,"},
        {"x=%zz&name[]=a", -EINVAL, ""},
        {"name[]=a&x=%", -EINVAL, ""},
        {"name[]=%00", -EINVAL, ""},
        {"%=1", -EINVAL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char s[64];
        char names[64];
        strcpy(s, cases[i].query);
        struct request_filter *f = NULL;
        ck_assert_msg(request_filter_read(&f, s) == cases[i].result, "%s", cases[i].query);
        join(f, names);
        ck_assert_str_eq(names, cases[i].names);
        ck_assert((f == NULL) == (names[0] == '\0'));
        request_filter_free(f);
    }
}
END_TEST

static char *repeat(const char *piece, size_t times)
{
    size_t len = strlen(piece);
    char *s = malloc(times * len + 1);
    for (size_t i = 0; i < times; i++) {
        memcpy(s + i * len, piece, len);
    }
    s[times * len] = '\0';
    return s;
}

START_TEST(a_filter_has_bounds)
{
    struct request_filter *f = NULL;
    char *s = repeat("name[]=a&", REQUEST_FILTER_NAMES);
    ck_assert_int_eq(request_filter_read(&f, s), 0);
    ck_assert_uint_eq(f->n, 1);
    request_filter_free(f);
    free(s);

    s = repeat("name[]=a&", REQUEST_FILTER_NAMES + 1);
    ck_assert_int_eq(request_filter_read(&f, s), -E2BIG);
    free(s);

    s = repeat("a", REQUEST_FILTER_NAME_MAX + 1 + 7);
    memcpy(s, "name[]=", 7);
    ck_assert_int_eq(request_filter_read(&f, s), -E2BIG);
    free(s);
}
END_TEST

START_TEST(a_filter_finds_its_names_only)
{
    char s[] = "name[]=b&name[]=d&name[]=a";
    struct request_filter *f = NULL;
    ck_assert_int_eq(request_filter_read(&f, s), 0);
    ck_assert(request_filter_has(f, "a"));
    ck_assert(request_filter_has(f, "b"));
    ck_assert(!request_filter_has(f, "c"));
    ck_assert(request_filter_has(f, "d"));
    ck_assert(!request_filter_has(f, ""));
    ck_assert(request_filter_has(NULL, "c"));
    request_filter_free(f);
}
END_TEST

START_TEST(filters_are_the_same_when_they_ask_for_the_same)
{
    char one[] = "name[]=a&name[]=b";
    char two[] = "name[]=b&name[]=a&name[]=a";
    char three[] = "name[]=a";
    char four[] = "name[]=a&name[]=c";
    struct request_filter *f[4] = {NULL};
    ck_assert_int_eq(request_filter_read(&f[0], one), 0);
    ck_assert_int_eq(request_filter_read(&f[1], two), 0);
    ck_assert_int_eq(request_filter_read(&f[2], three), 0);
    ck_assert_int_eq(request_filter_read(&f[3], four), 0);
    ck_assert(request_filter_is_same(f[0], f[1]));
    ck_assert(!request_filter_is_same(f[0], f[2]));
    ck_assert(!request_filter_is_same(f[0], f[3]));
    ck_assert(!request_filter_is_same(f[0], NULL));
    ck_assert(!request_filter_is_same(NULL, f[0]));
    ck_assert(request_filter_is_same(NULL, NULL));
    for (size_t i = 0; i < 4; i++) {
        request_filter_free(f[i]);
    }
}
END_TEST

START_TEST(random_queries_never_break_the_parser)
{
    static const char alphabet[] = "name[]=a&%25+0f\xff";
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < 200000; i++) {
        size_t len = unit_random(&state) % 40;
        char *s = malloc(len + 1);
        for (size_t k = 0; k < len; k++) {
            s[k] = alphabet[unit_random(&state) % (sizeof alphabet - 1)];
        }
        s[len] = '\0';
        struct request_filter *f = NULL;
        int r = request_filter_read(&f, s);
        ck_assert(r == 0 || (r == -EINVAL && f == NULL));
        for (size_t k = 0; f != NULL && k < f->n; k++) {
            ck_assert(request_filter_has(f, f->name[k]));
        }
        request_filter_free(f);
        free(s);
    }
}
END_TEST

UNIT_MAIN("request_query", percent_encoding_is_decoded_or_refused,
          a_target_is_split_into_path_and_query, a_filter_holds_each_name_once_in_order,
          a_filter_has_bounds, a_filter_finds_its_names_only,
          filters_are_the_same_when_they_ask_for_the_same, random_queries_never_break_the_parser)
