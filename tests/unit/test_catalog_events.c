// SPDX-License-Identifier: Apache-2.0
#include "catalog_unit.h"

// What the events below update; they begin on line 6.
#define METRICS                                                                                    \
    "metrics:\n- {name: a_total, type: counter, help: h, labels: [x]}\n"                           \
    "- {name: g, type: gauge, help: h}\n- {name: t, type: histogram, help: h, buckets: [1]}\n"     \
    "events:\n"

START_TEST(an_event_fits_the_metrics_that_it_updates)
{
    static const struct problem_case cases[] = {
        {METRICS "- {name: Rpc, updates: [{add: g}]}\n",
         "c.yaml:6:10: events[0].name: event name \"Rpc\" must match [a-z_][a-z0-9_]*\n"},
        {METRICS "- {name: e-x, updates: [{add: g}]}\n",
         "c.yaml:6:10: events[0].name: event name \"e-x\" must match [a-z_][a-z0-9_]*\n"},
        {METRICS "- {name: 1e, updates: [{add: g}]}\n",
         "c.yaml:6:10: events[0].name: event name \"1e\" must match [a-z_][a-z0-9_]*\n"},
        {METRICS "- {nam: e, updates: [{add: g}]}\n", "c.yaml:6:3: events[0].name: is missing\n"},
        {METRICS "- {name: e, update: [{add: g}]}\n",
         "c.yaml:6:13: events[0].update: unknown key; the nearest is updates\n"
         "c.yaml:6:3: events[0].updates: is missing\n"},
        {METRICS "- {name: e}\n", "c.yaml:6:3: events[0].updates: is missing\n"},
        {METRICS "- {name: e, updates: []}\n",
         "c.yaml:6:22: events[0].updates: must be a list of 1 to 16 entries, not 0\n"},
        {METRICS "- {name: e, updates: {add: g}}\n",
         "c.yaml:6:22: events[0].updates: must be a list of 1 to 16 entries, not a mapping\n"},
        {METRICS "- {name: e, updates: [g]}\n",
         "c.yaml:6:23: events[0].updates[0]: must be a mapping, not \"g\"\n"},
        {METRICS "- {name: e, updates: [{}]}\n",
         "c.yaml:6:23: events[0].updates[0]: needs exactly one of add, set and observe\n"},
        {METRICS "- {name: e, value: seconds, updates: [{add: g, set: g}]}\n",
         "c.yaml:6:39: events[0].updates[0]: needs exactly one of add, set and observe\n"},
        {METRICS "- {name: e, updates: [{ad: g}]}\n",
         "c.yaml:6:24: events[0].updates[0].ad: unknown key; the nearest is add\n"
         "c.yaml:6:23: events[0].updates[0]: needs exactly one of add, set and observe\n"},
        {METRICS "- {name: e, updates: [{add: h}]}\n",
         "c.yaml:6:29: events[0].updates[0].add: unknown metric \"h\"; the nearest is g\n"},
        {METRICS "- {name: e, labels: [x], updates: [{add: a_totl}]}\n",
         "c.yaml:6:42: events[0].updates[0].add: unknown metric \"a_totl\"; the nearest is "
         "a_total\n"},
        {METRICS "- {name: e, updates: [{add: [g]}]}\n",
         "c.yaml:6:29: events[0].updates[0].add: must be a text, not a list\n"},
        {METRICS "- {name: e, value: seconds, updates: [{add: t}]}\n",
         "c.yaml:6:45: events[0].updates[0].add: add is for counters and gauges; \"t\" is a "
         "histogram\n"},
        {METRICS "- {name: e, value: seconds, updates: [{set: t}, {observe: g}]}\n",
         "c.yaml:6:45: events[0].updates[0].set: set is for gauges; \"t\" is a histogram\n"
         "c.yaml:6:59: events[0].updates[1].observe: observe is for histograms; \"g\" is a "
         "gauge\n"},
        {METRICS "- {name: e, labels: [x], value: seconds, updates: [{set: a_total}]}\n",
         "c.yaml:6:58: events[0].updates[0].set: set is for gauges; \"a_total\" is a counter\n"},
        {METRICS "- {name: e, updates: [{set: g}, {observe: t}]}\n",
         "c.yaml:6:29: events[0].updates[0].set: needs a value, and the event has none\n"
         "c.yaml:6:43: events[0].updates[1].observe: needs a value, and the event has none\n"},
        {METRICS
         "- {name: e, value: {unit: seconds, optional: true}, updates: [{set: g}, {observe: t}]}\n",
         "c.yaml:6:69: events[0].updates[0].set: set needs a value, and the event's is optional\n"},
        {METRICS "- {name: e, value: {optional: true}, updates: [{observe: t}]}\n",
         "c.yaml:6:20: events[0].value.unit: is missing\n"},
        {METRICS "- {name: e, value: \"\", updates: [{observe: t}]}\n",
         "c.yaml:6:20: events[0].value: a unit must match [a-z_][a-z0-9_]*, as in \"seconds\"\n"},
        {METRICS "- {name: e, value: [s], updates: [{observe: t}]}\n",
         "c.yaml:6:20: events[0].value: must be a text, not a list\n"},
        {METRICS "- {name: e, value: {unit: s, option: true}, updates: [{observe: t}]}\n",
         "c.yaml:6:30: events[0].value.option: unknown key; the nearest is optional\n"},
        {METRICS "- {name: e, updates: [{add: a_total}]}\n",
         "c.yaml:6:29: events[0].updates[0].add: the event has no label \"x\", which \"a_total\" "
         "needs\n"},
        {METRICS "- {name: e, labels: [x, y], updates: [{add: a_total}]}\n",
         "c.yaml:6:25: events[0].labels[1]: label \"y\" is used by no update\n"},
        {METRICS "- {name: e, labels: [x, x], updates: [{add: a_total}]}\n",
         "c.yaml:6:25: events[0].labels[1]: duplicate label \"x\"\n"},
        {METRICS "- {name: e, labels: [x], updates: [{add: a_total, by: -1}, {add: g, by: -1}]}\n",
         "c.yaml:6:55: events[0].updates[0].by: a counter cannot decrease\n"},
        {METRICS "- {name: e, updates: [{add: g, by: many}, {add: g, by: .inf}]}\n",
         "c.yaml:6:36: events[0].updates[0].by: must be a finite number, not \"many\"\n"
         "c.yaml:6:56: events[0].updates[1].by: must be a finite number, not \".inf\"\n"},
        {METRICS "- {name: e, value: seconds, updates: [{observe: t, by: 2}]}\n",
         "c.yaml:6:56: events[0].updates[0].by: only add takes `by`\n"},
        {METRICS "- {name: e, updates: [{add: g, when: {y: a}}]}\n",
         "c.yaml:6:39: events[0].updates[0].when.y: the event has no label \"y\"\n"},
        {METRICS "- {name: e, labels: [x], updates: [{add: g, when: [x]}, {add: g, when: {}}, "
                 "{add: g, when: {x: []}}, {add: g, when: {x: {}}}, {add: g, when: {x: ''}}]}\n",
         "c.yaml:6:51: events[0].updates[0].when: must be a mapping of 1 to 16 entries, not a "
         "list\n"
         "c.yaml:6:72: events[0].updates[1].when: must be a mapping of 1 to 16 entries, not 0\n"
         "c.yaml:6:96: events[0].updates[2].when.x: needs from 1 to 1000 values\n"
         "c.yaml:6:121: events[0].updates[3].when.x: must be a text, not a mapping\n"
         "c.yaml:6:146: events[0].updates[4].when.x: is empty; a label's value must not be "
         "empty\n"},
        {METRICS
         "- {name: e, labels: [x], updates: [{add: g, when: {x: [succes, success, ok, "
         "bad]}}]}\nlabels: {x: {values: [success], closed: true, aliases: {ok: success}}}\n",
         "c.yaml:6:56: events[0].updates[0].when.x[0]: \"succes\" is not among the values of label "
         "\"x\"; the nearest is success\n"
         "c.yaml:6:77: events[0].updates[0].when.x[3]: \"bad\" is not among the values of label "
         "\"x\"\n"},
        {METRICS "- {name: e, updates: [{add: g}]}\n- {name: e, updates: [{add: g}]}\n",
         "c.yaml:7:10: events[1]: event \"e\" exists already (c.yaml:6); `replace: true` replaces "
         "it\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(an_event_has_sixteen_updates_at_most)
{
    struct buf text = BUF_INIT;
    buf_str(&text, METRICS "- name: e\n  updates:\n");
    for (int i = 0; i < 16; i++) {
        buf_str(&text, "  - {add: g}\n");
    }
    expect_problems(buf_string(&text), text.len, "");
    buf_str(&text, "  - {add: g}\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:8:3: events[0].updates: must be a list of 1 to 16 entries, not 17\n");
    buf_free(&text);
}
END_TEST

START_TEST(a_thousand_events_are_enough)
{
    struct buf text = BUF_INIT;
    buf_str(&text, METRICS);
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text, "- {name: e%d, updates: [{add: g}]}\n", i);
    }
    expect_problems(buf_string(&text), text.len, "");
    buf_str(&text, "- {name: x, updates: [{add: g}]}\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:1006:3: events[1000]: more than 1000 events\n");
    buf_free(&text);
}
END_TEST

START_TEST(an_event_is_read_as_written)
{
    struct catalog *c =
        load_text("labels:\n  x: {values: [yes, no], aliases: {y: yes}}\n"
                  "metrics:\n- {name: a_total, type: counter, help: h, labels: [x, z]}\n"
                  "- {name: t, type: histogram, help: h, buckets: [1], labels: [z]}\n"
                  "- {name: g, type: gauge, help: h}\n"
                  "events:\n- name: e\n  help: words\n  labels: [z, x, w]\n"
                  "  value: {unit: seconds, optional: true}\n  updates:\n"
                  "  - {add: a_total, by: 2.5, when: {w: one, x: [y, no]}}\n  - {observe: t}\n"
                  "  - {add: g, by: -1}\n");
    ck_assert_int_eq(catalog_find_event(c, "e", 1), 0);
    const struct event *ev = &c->events[0];
    ck_assert_str_eq(ev->help, "words");
    ck_assert_str_eq(ev->unit, "seconds");
    ck_assert_int_eq(ev->value, EVENT_VALUE_OPTIONAL);
    ck_assert_uint_eq(ev->n_labels, 3);
    ck_assert_ptr_eq(ev->labels[1].def, &c->defs[0]);
    ck_assert(ev->labels[0].def->implied && ev->labels[2].def->implied);
    ck_assert_uint_eq(ev->n_updates, 3);
    const struct update *u = ev->updates;
    ck_assert_int_eq(u[0].op, UPDATE_ADD);
    ck_assert_uint_eq(u[0].metric, 0);
    ck_assert(u[0].by == 2.5);
    ck_assert_uint_eq(u[0].map[0], 1);
    ck_assert_uint_eq(u[0].map[1], 0);
    ck_assert_uint_eq(u[0].n_conditions, 2);
    ck_assert_uint_eq(u[0].conditions[0].label, 2);
    ck_assert_str_eq(u[0].conditions[0].values[0], "one");
    // An alias in a condition stands for its value.
    ck_assert_uint_eq(u[0].conditions[1].n_values, 2);
    ck_assert_str_eq(u[0].conditions[1].values[0], "yes");
    ck_assert_str_eq(u[0].conditions[1].values[1], "no");
    ck_assert_int_eq(u[1].op, UPDATE_OBSERVE);
    ck_assert_uint_eq(u[1].map[0], 0);
    ck_assert(u[2].by == -1);
    catalog_free(c);
}
END_TEST

UNIT_MAIN("catalog_events", an_event_fits_the_metrics_that_it_updates,
          an_event_has_sixteen_updates_at_most, a_thousand_events_are_enough,
          an_event_is_read_as_written)
