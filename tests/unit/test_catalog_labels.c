// SPDX-License-Identifier: Apache-2.0
#include "catalog_unit.h"

START_TEST(the_top_has_known_sections)
{
    static const struct problem_case cases[] = {
        {"- a\n", "c.yaml:1:1: must be a mapping, not a list\n"},
        {"metrcs: []\nfoo: 1\n", "c.yaml:1:1: metrcs: unknown key; the nearest is metrics\n"
                                 "c.yaml:2:1: foo: unknown key\n"},
        {"metrics: {a: b}\n", "c.yaml:1:10: metrics: must be a list, not a mapping\n"},
        {"metrics:\n"
         "- a\n",
         "c.yaml:2:3: metrics[0]: must be a mapping, not \"a\"\n"},
        {"labels: [a]\n", "c.yaml:1:9: labels: must be a mapping, not a list\n"},
        {"events: 1\n", "c.yaml:1:9: events: must be a list, not \"1\"\n"},
        {"components: manager\n", "c.yaml:1:13: components: must be a list, not \"manager\"\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(components_have_plain_names)
{
    static const struct problem_case cases[] = {
        {"components: [Agent, any, unknown, 9a, {a: b}, agent, manager]\n",
         "c.yaml:1:14: components[0]: \"Agent\" is not a component name ([a-z][a-z0-9_-]*, at most "
         "64 "
         "bytes)\n"
         "c.yaml:1:21: components[1]: \"any\" is reserved\n"
         "c.yaml:1:26: components[2]: \"unknown\" is reserved\n"
         "c.yaml:1:35: components[3]: \"9a\" is not a component name ([a-z][a-z0-9_-]*, at most 64 "
         "bytes)\n"
         "c.yaml:1:39: components[4]: must be a text, not a mapping\n"},
        {"components: [a,b,c,d,e,f,g,h,i,j,k,l,m,n]\n",
         "c.yaml:1:40: components[13]: more than 16 components\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(label_definitions_hold_together)
{
    static const struct problem_case cases[] = {
        {"labels:\n  x: [a]\n", "c.yaml:2:6: labels.x: must be a mapping, not a list\n"},
        {"labels:\n  a-b: {}\n",
         "c.yaml:2:3: labels.a-b: a label's name must match [a-zA-Z_][a-zA-Z0-9_]*\n"},
        {"labels:\n  x: {value: [a]}\n",
         "c.yaml:2:7: labels.x.value: unknown key; the nearest is values\n"},
        {"labels:\n  x: {values: a}\n",
         "c.yaml:2:15: labels.x.values: must be a list, not \"a\"\n"},
        {"labels:\n  x: {values: [a, \"\", b, a, [c], \"d\\n\"]}\n",
         "c.yaml:2:19: labels.x.values[1]: is empty; a label's value must not be empty\n"
         "c.yaml:2:26: labels.x.values[3]: duplicate value \"a\"\n"
         "c.yaml:2:29: labels.x.values[4]: must be a text, not a list\n"
         "c.yaml:2:34: labels.x.values[5]: has a control character or a line break\n"},
        {"labels:\n  x: {closed: true}\n",
         "c.yaml:2:15: labels.x.closed: a closed label needs values\n"},
        {"labels:\n  x: {closed: true, values: []}\n",
         "c.yaml:2:15: labels.x.closed: a closed label needs values\n"},
        {"labels:\n  x: {closed: maybe, values: [a]}\n",
         "c.yaml:2:15: labels.x.closed: must be true or false, not \"maybe\"\n"},
        {"labels:\n  x: {aliases: {a: b}}\n",
         "c.yaml:2:16: labels.x.aliases: aliases need values to stand for\n"},
        {"labels:\n  x: {values: [a, b], aliases: {a: b}}\n",
         "c.yaml:2:33: labels.x.aliases.a: an alias cannot be one of the values\n"},
        {"labels:\n  x: {values: [success], aliases: {ok: sucess}}\n",
         "c.yaml:2:40: labels.x.aliases.ok: stands for \"sucess\", which is not among the values; "
         "the nearest is success\n"},
        {"labels:\n  x: {values: [a], aliases: {b: c, c: a}}\n",
         "c.yaml:2:33: labels.x.aliases.b: stands for another alias, \"c\"; it must stand for a "
         "value\n"},
        {"labels:\n  x: {values: [a], aliases: {\"\": a, b: [a], c: \"\"}}\n",
         "c.yaml:2:30: labels.x.aliases.: is empty; a label's value must not be empty\n"
         "c.yaml:2:40: labels.x.aliases.b: must be a text, not a list\n"
         "c.yaml:2:48: labels.x.aliases.c: is empty; a label's value must not be empty\n"},
        {"labels:\n  x: {values: [a], aliases: [b]}\n",
         "c.yaml:2:29: labels.x.aliases: must be a mapping, not a list\n"},
        {"labels:\n  x: {help: \"\"}\n", "c.yaml:2:13: labels.x.help: is empty\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(what_takes_the_place_of_other_values_is_a_value)
{
    static const struct problem_case cases[] = {
        {"labels:\n  x: {values: [success], closed: true, otherwise: sucess, empty: b}\n",
         "c.yaml:2:51: labels.x.otherwise: \"sucess\" is not among the values; the nearest is "
         "success\n"
         "c.yaml:2:66: labels.x.empty: \"b\" is not among the values\n"},
        {"labels:\n  x: {values: [a], otherwise: a}\n",
         "c.yaml:2:31: labels.x.otherwise: only a closed label rejects values\n"},
        {"labels:\n  x: {empty: ''}\n",
         "c.yaml:2:14: labels.x.empty: is empty; a label's value must not be empty\n"},
        {"labels:\n  x: {values: [a, b], closed: true, otherwise: [a], empty: {}}\n",
         "c.yaml:2:48: labels.x.otherwise: must be a text, not a list\n"
         "c.yaml:2:60: labels.x.empty: must be a text, not a mapping\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(ignored_labels_are_not_declared)
{
    static const struct problem_case cases[] = {
        {"metrics:\n- {name: g, type: gauge, help: h, labels: [a], ignored_labels: [b, a, b, "
         "\"1\", {c: d}]}\n",
         "c.yaml:2:68: metrics[0].ignored_labels[1]: duplicate label \"a\"\n"
         "c.yaml:2:71: metrics[0].ignored_labels[2]: duplicate label \"b\"\n"
         "c.yaml:2:74: metrics[0].ignored_labels[3]: label name \"1\" must match "
         "[a-zA-Z_][a-zA-Z0-9_]*\n"
         "c.yaml:2:79: metrics[0].ignored_labels[4]: must be a text, not a mapping\n"},
        {"metrics:\n- {name: g, type: gauge, help: h, labels: [a]}\nevents:\n- {name: e, value: x, "
         "labels: [a], ignored_labels: [a], updates: [{set: g}]}\n",
         "c.yaml:4:53: events[0].ignored_labels[0]: duplicate label \"a\"\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(what_hangs_on_a_broken_thing_is_not_reported_again)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: g, type: gaug, help: h}\nevents:\n- {name: e, labels: [x], updates: [{set: "
         "g}]}\n",
         "c.yaml:2:19: metrics[0].type: unknown value \"gaug\"; the nearest is gauge\n"},
        {"buckets: {b: []}\nmetrics:\n- {name: t_seconds, type: histogram, help: h, buckets: b}\n",
         "c.yaml:1:14: buckets.b: needs at least one bound\n"},
        {"labels:\n  x: {values: [''], closed: true, aliases: {a: b}}\nmetrics:\n- {name: a_total, "
         "type: counter, help: h, labels: [x], precreate: true}\n",
         "c.yaml:2:16: labels.x.values[0]: is empty; a label's value must not be empty\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(all_problems_are_found_in_one_run)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- name: a\n  type: counter\n  labels: [x, x]\n  hlep: h\n- name: b\n  type: histogram\n  "
         "help: h\n  component: nobody\nbuckets:\n  d: [2, 1]\nevents:\n- name: e\n  updates:\n  - "
         "{add: c}\n",
         "c.yaml:11:10: buckets.d[1]: bounds must ascend\n"
         "c.yaml:5:3: metrics[0].hlep: unknown key; the nearest is help\n"
         "c.yaml:2:3: metrics[0].help: is missing\n"
         "c.yaml:2:9: metrics[0].name: a counter's name must end in \"_total\"\n"
         "c.yaml:4:15: metrics[0].labels[1]: duplicate label \"x\"\n"
         "c.yaml:9:14: metrics[1].component: unknown value \"nobody\"\n"
         "c.yaml:6:3: metrics[1].buckets: is missing; a histogram needs it\n"
         "c.yaml:15:11: events[0].updates[0].add: unknown metric \"c\"; the nearest is a\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(broken_yaml_has_a_place)
{
    static const struct problem_case cases[] = {
        {"a: [\n", "c.yaml:2:1: did not find expected node content while parsing a flow node\n"},
        {"metrics: &a []\n", "c.yaml:1:10: anchors (&name) are not supported\n"},
        {"a: 1\nmetrics: []\na: 2\n", "c.yaml:3:1: duplicate key \"a\", first on line 1\n"},
        {"metrics: []\n---\nmetrics: []\n",
         "c.yaml:2:1: a second document begins; a file holds one\n"},
        {"\x01", "c.yaml:1:1: control characters are not allowed\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(long_values_and_lists_meet_their_limits)
{
    struct buf text = BUF_INIT;
    buf_str(&text, "labels:\n  x: {values: [");
    for (size_t i = 0; i < 256; i++) {
        buf_char(&text, 'v');
    }
    size_t len = text.len;
    buf_str(&text, "]}\n");
    expect_problems(buf_string(&text), text.len, "");
    text.len = len;
    buf_str(&text, "v]}\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:2:16: labels.x.values[0]: longer than 256 bytes\n");
    buf_clear(&text);
    buf_str(&text, "labels:\n  x:\n    values:\n");
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text, "    - v%d\n", i);
    }
    expect_problems(buf_string(&text), text.len, "");
    buf_str(&text, "    - v1000\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:1004:7: labels.x.values: more than 1000 values\n");
    buf_clear(&text);
    buf_str(&text, "labels:\n  x:\n    values: [v]\n    aliases:\n");
    for (int i = 0; i < 1001; i++) {
        buf_addf(&text, "      a%d: v\n", i);
    }
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:1005:7: labels.x.aliases: more than 1000 aliases\n");
    buf_free(&text);
}
END_TEST

START_TEST(only_the_first_hundred_problems_are_kept)
{
    struct buf text = BUF_INIT;
    for (int i = 0; i < 150; i++) {
        buf_addf(&text, "k%d: 1\n", i);
    }
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    ck_assert_int_eq(catalog_load_bytes(&c, "c.yaml", text.p, text.len, &errs), -EINVAL);
    ck_assert_uint_eq(errs.n, 100);
    ck_assert_uint_eq(errs.left_out, 50);
    errs_free(&errs);
    buf_free(&text);
}
END_TEST

UNIT_MAIN("catalog_labels", the_top_has_known_sections, components_have_plain_names,
          label_definitions_hold_together, what_takes_the_place_of_other_values_is_a_value,
          ignored_labels_are_not_declared, what_hangs_on_a_broken_thing_is_not_reported_again,
          all_problems_are_found_in_one_run, broken_yaml_has_a_place,
          long_values_and_lists_meet_their_limits, only_the_first_hundred_problems_are_kept)
