// SPDX-License-Identifier: Apache-2.0
#include "breaks.h"
#include "catalog_unit.h"

#include "../../src/series/key.c"

static const char three_labels[] = "metrics:\n"
                                   "  - {name: m, type: gauge, help: h, component: any,\n"
                                   "     labels: [a, bb, c_c]}\n"
                                   "  - {name: plain, type: gauge, help: h, component: any}\n"
                                   "  - {name: one, type: gauge, help: h, component: any, "
                                   "labels: [only]}\n";

static struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static void expect_text(const struct buf *got, const char *want)
{
    ck_assert_msg(got->len == strlen(want) &&
                      (got->len == 0 || memcmp(got->p, want, got->len) == 0),
                  "expected %s, got %.*s", want, (int)got->len, got->p);
}

START_TEST(a_key_is_the_label_text_of_the_exposition)
{
    static const struct {
        const char *values[3];
        const char *key;
    } cases[] = {
        {{"x", "y", "z"}, "a=\"x\",bb=\"y\",c_c=\"z\""},
        {{"1,2", "a=b", "{}"}, "a=\"1,2\",bb=\"a=b\",c_c=\"{}\""},
        {{"\"", "\\", "\n"}, "a=\"\\\"\",bb=\"\\\\\",c_c=\"\\n\""},
        {{"\\n", "\\\"", "\\\\"}, "a=\"\\\\n\",bb=\"\\\\\\\"\",c_c=\"\\\\\\\\\""},
        {{"\",bb=\"", "\t\r ", "é€𝄞"}, "a=\"\\\",bb=\\\"\",bb=\"\t\r \",c_c=\"é€𝄞\""},
    };
    struct catalog *c = load_text(three_labels);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice values[3];
        for (size_t k = 0; k < 3; k++) {
            values[k] = slice_of(cases[i].values[k]);
        }
        struct buf key = BUF_INIT;
        key_build(&key, &c->metrics[0], values);
        expect_text(&key, cases[i].key);
        buf_free(&key);
    }
    catalog_free(c);
}
END_TEST

START_TEST(a_metric_without_labels_has_the_empty_key)
{
    struct catalog *c = load_text(three_labels);
    struct buf key = BUF_INIT;
    key_build(&key, &c->metrics[1], NULL);
    ck_assert_uint_eq(key.len, 0);
    struct slice none = {"untouched", 9};
    key_split(&c->metrics[1], "", &none);
    ck_assert_str_eq(none.p, "untouched");
    buf_free(&key);
    catalog_free(c);
}
END_TEST

START_TEST(split_values_are_still_escaped)
{
    struct catalog *c = load_text(three_labels);
    struct slice values[3];
    key_split(&c->metrics[0], "a=\"\\\",bb=\\\"\",bb=\"\\\\\",c_c=\"\\n\"", values);
    static const char *const want[] = {"\\\",bb=\\\"", "\\\\", "\\n"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(values[i].len, strlen(want[i]));
        ck_assert_mem_eq(values[i].p, want[i], values[i].len);
    }
    catalog_free(c);
}
END_TEST

START_TEST(unescaping_undoes_what_escaping_did)
{
    static const struct {
        const char *escaped;
        const char *plain;
    } cases[] = {
        {"", ""},
        {"abc", "abc"},
        {"\\\\", "\\"},
        {"\\\"", "\""},
        {"\\n", "\n"},
        {"\\\\n", "\\n"},
        {"\\\\\\n", "\\\n"},
        {"a\\nb\\\"c", "a\nb\"c"},
        {"\\\\\\\\", "\\\\"},
        {"é\\n€", "é\n€"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        key_unescape(&out, slice_of(cases[i].escaped));
        expect_text(&out, cases[i].plain);
        buf_free(&out);
    }
}
END_TEST

// A label value of up to 256 bytes, mostly of what escaping and splitting could stumble over.
static struct slice random_value(uint64_t *seed, char *room)
{
    static const char *const parts[] = {"\\", "\"", "\n", ",", "=", "n",   "a=\"", "\",bb=\"",
                                        "é",  "€",  "𝄞",  "{", "}", "\\n", " ",    "\t"};
    size_t most = unit_random(seed) % 257;
    size_t len = 0;
    for (;;) {
        const char *part = parts[unit_random(seed) % (sizeof parts / sizeof parts[0])];
        if (len + strlen(part) > most) {
            return (struct slice){room, len};
        }
        memcpy(room + len, part, strlen(part));
        len += strlen(part);
    }
}

START_TEST(any_values_survive_the_way_into_a_key_and_back)
{
    uint64_t seed = unit_seed() | 1;
    struct catalog *c = load_text(three_labels);
    struct buf key = BUF_INIT;
    struct buf back = BUF_INIT;
    for (int round = 0; round < 20000; round++) {
        char room[3][256];
        struct slice values[3];
        const struct metric *m = &c->metrics[round % 2 == 0 ? 0 : 2];
        for (size_t i = 0; i < m->n_labels; i++) {
            values[i] = random_value(&seed, room[i]);
        }
        buf_clear(&key);
        key_build(&key, m, values);
        // A copy of the exact size, so that a reader behind its end is seen.
        char *text = malloc(key.len);
        memcpy(text, key.p, key.len);
        struct slice split[3];
        key_split(m, text, split);
        for (size_t i = 0; i < m->n_labels; i++) {
            buf_clear(&back);
            key_unescape(&back, split[i]);
            ck_assert_uint_eq(back.len, values[i].len);
            ck_assert(back.len == 0 || memcmp(back.p, values[i].p, back.len) == 0);
        }
        free(text);
    }
    buf_free(&key);
    buf_free(&back);
    catalog_free(c);
}
END_TEST

START_TEST(a_hash_is_of_the_bytes_and_the_length)
{
    ck_assert_uint_eq(key_hash("abcd", 4), key_hash("abcde", 4));
    ck_assert_uint_ne(key_hash("abcd", 4), key_hash("abcd", 3));
    ck_assert_uint_ne(key_hash("abcd", 4), key_hash("abce", 4));
}
END_TEST

START_TEST(keys_that_collide_do_not_collide_in_another_process)
{
    enum { BUCKETS = 1024, KEYS = 100 };
    char keys[KEYS][16];
    size_t sizes[] = {8, 300};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        // A text of each length that the hash treats in its own way.
        char text[300];
        memset(text, 'x', sizeof text);
        size_t n = 0;
        for (unsigned i = 0; n < KEYS; i++) {
            snprintf(text, 9, "%08x", i);
            text[8] = 'x';
            if (key_hash(text, sizes[s]) % BUCKETS == 0) {
                memcpy(keys[n++], text, 8);
            }
        }
        draw_secret();
        size_t still = 0;
        for (size_t i = 0; i < KEYS; i++) {
            memcpy(text, keys[i], 8);
            still += key_hash(text, sizes[s]) % BUCKETS == 0;
        }
        ck_assert_uint_lt(still, KEYS / 5);
    }
}
END_TEST

// ---- Which series are meant

static const char two_labels[] = "metrics:\n"
                                 "  - {name: m, type: gauge, help: h, component: any,\n"
                                 "     labels: [a, bb]}\n"
                                 "  - {name: plain, type: gauge, help: h, component: any}\n";

START_TEST(a_label_is_found_by_its_whole_name)
{
    struct catalog *c = load_text(two_labels);
    const struct metric *m = &c->metrics[0];
    ck_assert_int_eq(key_match_label(m, "a"), 0);
    ck_assert_int_eq(key_match_label(m, "bb"), 1);
    ck_assert_int_eq(key_match_label(m, "b"), -1);
    ck_assert_int_eq(key_match_label(m, ""), -1);
    ck_assert_int_eq(key_match_label(&c->metrics[1], "a"), -1);
    catalog_free(c);
}
END_TEST

// The values as a client sent them; the keys have them escaped.
START_TEST(every_value_must_be_equal)
{
    static const struct {
        const char *a;  // NULL: any
        const char *bb; // likewise
        const char *key;
        bool has;
    } cases[] = {
        {NULL, NULL, "a=\"x\",bb=\"y\"", true},
        {"x", NULL, "a=\"x\",bb=\"y\"", true},
        {NULL, "y", "a=\"x\",bb=\"y\"", true},
        {"x", "y", "a=\"x\",bb=\"y\"", true},
        {"x", "z", "a=\"x\",bb=\"y\"", false},
        {"y", NULL, "a=\"x\",bb=\"y\"", false},
        {"x", NULL, "a=\"xx\",bb=\"y\"", false},
        {"xx", NULL, "a=\"x\",bb=\"y\"", false},
        {"", NULL, "a=\"x\",bb=\"y\"", false},
        {"x\"", NULL, "a=\"x\\\"\",bb=\"y\"", true},
        {NULL, "\\\n", "a=\"x\",bb=\"\\\\\\n\"", true},
        {"x\\", NULL, "a=\"x\\\"\",bb=\"y\"", false},
        {"x", "y", "a=\"xy\",bb=\"y\"", false},
    };
    struct catalog *c = load_text(two_labels);
    struct key_match match = KEY_MATCH_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        key_match_clear(&match);
        if (cases[i].bb != NULL) {
            key_match_add(&match, 1, slice_of(cases[i].bb)); // in any order
        }
        if (cases[i].a != NULL) {
            key_match_add(&match, 0, slice_of(cases[i].a));
        }
        ck_assert_msg(key_match_has(&match, &c->metrics[0], cases[i].key) == cases[i].has,
                      "case %zu", i);
    }
    key_match_clear(&match);
    ck_assert(key_match_has(&match, &c->metrics[1], ""));
    key_match_free(&match);
    catalog_free(c);
}
END_TEST

// Rather none than all.
START_TEST(nothing_is_meant_without_memory)
{
    struct catalog *c = load_text(two_labels);
    struct key_match match = {.values = {.max = 2}};
    key_match_add(&match, 0, slice_of("long"));
    ck_assert(!key_match_has(&match, &c->metrics[0], "a=\"\",bb=\"y\""));
    key_match_free(&match);
    catalog_free(c);
}
END_TEST

static void add_no_label(void)
{
    struct key_match match = KEY_MATCH_INIT;
    key_match_add(&match, -1, slice_of("x"));
}

static void add_too_many_labels(void)
{
    struct key_match match = KEY_MATCH_INIT;
    for (unsigned i = 0; i <= KEY_MATCH_MAX_LABELS; i++) {
        key_match_add(&match, 0, slice_of("x"));
    }
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a match has room for each label", add_no_label);
    breaks("a match has room for each label", add_too_many_labels);
}
END_TEST

UNIT_MAIN("key", a_key_is_the_label_text_of_the_exposition,
          a_metric_without_labels_has_the_empty_key, split_values_are_still_escaped,
          unescaping_undoes_what_escaping_did, any_values_survive_the_way_into_a_key_and_back,
          a_hash_is_of_the_bytes_and_the_length,
          keys_that_collide_do_not_collide_in_another_process, a_label_is_found_by_its_whole_name,
          every_value_must_be_equal, nothing_is_meant_without_memory,
          a_broken_invariant_ends_the_process)
