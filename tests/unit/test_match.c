// SPDX-License-Identifier: Apache-2.0
#include "breaks.h"
#include "catalog_unit.h"

#include "../../src/series/match.c"

static const char metrics[] = "metrics:\n"
                              "  - {name: m, type: gauge, help: h, component: any,\n"
                              "     labels: [a, bb]}\n"
                              "  - {name: plain, type: gauge, help: h, component: any}\n";

static struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

START_TEST(a_label_is_found_by_its_whole_name)
{
    struct catalog *c = load_text(metrics);
    const struct metric *m = &c->metrics[0];
    ck_assert_int_eq(match_label(m, "a"), 0);
    ck_assert_int_eq(match_label(m, "bb"), 1);
    ck_assert_int_eq(match_label(m, "b"), -1);
    ck_assert_int_eq(match_label(m, ""), -1);
    ck_assert_int_eq(match_label(&c->metrics[1], "a"), -1);
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
    struct catalog *c = load_text(metrics);
    struct match match = MATCH_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        match_clear(&match);
        if (cases[i].bb != NULL) {
            match_add(&match, 1, slice_of(cases[i].bb)); // in any order
        }
        if (cases[i].a != NULL) {
            match_add(&match, 0, slice_of(cases[i].a));
        }
        ck_assert_msg(match_has(&match, &c->metrics[0], cases[i].key) == cases[i].has, "case %zu",
                      i);
    }
    match_clear(&match);
    ck_assert(match_has(&match, &c->metrics[1], ""));
    match_free(&match);
    catalog_free(c);
}
END_TEST

// Rather none than all.
START_TEST(nothing_is_meant_without_memory)
{
    struct catalog *c = load_text(metrics);
    struct match match = {.values = {.max = 2}};
    match_add(&match, 0, slice_of("long"));
    ck_assert(!match_has(&match, &c->metrics[0], "a=\"\",bb=\"y\""));
    match_free(&match);
    catalog_free(c);
}
END_TEST

static void add_no_label(void)
{
    struct match match = MATCH_INIT;
    match_add(&match, -1, slice_of("x"));
}

static void add_too_many_labels(void)
{
    struct match match = MATCH_INIT;
    for (unsigned i = 0; i <= MATCH_MAX_LABELS; i++) {
        match_add(&match, 0, slice_of("x"));
    }
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a match has room for each label", add_no_label);
    breaks("a match has room for each label", add_too_many_labels);
}
END_TEST

UNIT_MAIN("match", a_label_is_found_by_its_whole_name, every_value_must_be_equal,
          nothing_is_meant_without_memory, a_broken_invariant_ends_the_process)
