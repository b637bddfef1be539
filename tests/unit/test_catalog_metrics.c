// SPDX-License-Identifier: Apache-2.0
#include "catalog_unit.h"

START_TEST(a_metric_name_is_one_that_prometheus_tools_accept)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: 9a_total, type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: metric name \"9a_total\" must match "
         "[a-zA-Z_][a-zA-Z0-9_]*\n"},
        {"metrics:\n"
         "- {name: \"a:b_total\", type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: metric name \"a:b_total\" must match "
         "[a-zA-Z_][a-zA-Z0-9_]*\n"},
        {"metrics:\n"
         "- {name: requests, type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: a counter's name must end in \"_total\"\n"},
        {"metrics:\n"
         "- {name: _total, type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: a counter's name must end in \"_total\"\n"},
        {"metrics:\n"
         "- {name: g_bucket, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that end in \"_bucket\" are reserved\n"},
        {"metrics:\n"
         "- {name: g_count, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that end in \"_count\" are reserved\n"},
        {"metrics:\n"
         "- {name: g_sum, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that end in \"_sum\" are reserved\n"},
        {"metrics:\n"
         "- {name: g_created, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that end in \"_created\" are reserved\n"},
        {"metrics:\n"
         "- {name: virtrigaud_exporter_x_total, type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that start with \"virtrigaud_exporter_\" are "
         "reserved\n"},
        {"metrics:\n"
         "- {name: virtrigaud_source_up, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that start with \"virtrigaud_source_\" are "
         "reserved\n"},
        {"metrics:\n"
         "- {name: process_x_total, type: counter, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that start with \"process_\" are reserved\n"},
        {"metrics:\n"
         "- {name: scrape_x, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: names that start with \"scrape_\" are reserved\n"},
        {"metrics:\n"
         "- {name: up, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: metric name \"up\" is reserved\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h}\n- {name: a, type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: clashes with metric \"a\": in OpenMetrics both use the "
         "name \"a\"\n"},
        {"metrics:\n"
         "- {name: a, type: histogram, help: h, buckets: [1]}\n- {name: a_total, type: counter, "
         "help: h}\n",
         "c.yaml:3:10: metrics[1].name: clashes with metric \"a\": in OpenMetrics both use the "
         "name \"a\"\n"},
        {"metrics:\n"
         "- {name: q_bucket_total, type: counter, help: h}\n- {name: q, type: histogram, help: h, "
         "buckets: [1]}\n",
         "c.yaml:2:10: metrics[0].name: clashes with metric \"q\": in OpenMetrics both use the "
         "name \"q_bucket\"\n"},
        {"metrics:\n"
         "- {name: q_count_total, type: counter, help: h}\n- {name: q, type: histogram, help: h, "
         "buckets: [1]}\n",
         "c.yaml:2:10: metrics[0].name: clashes with metric \"q\": in OpenMetrics both use the "
         "name \"q_count\"\n"},
        {"metrics:\n"
         "- {name: q_sum_total, type: counter, help: h}\n- {name: q, type: histogram, help: h, "
         "buckets: [1]}\n",
         "c.yaml:2:10: metrics[0].name: clashes with metric \"q\": in OpenMetrics both use the "
         "name \"q_sum\"\n"},
        {"metrics:\n"
         "- {name: q_created_total, type: counter, help: h}\n- {name: q, type: histogram, help: h, "
         "buckets: [1]}\n",
         "c.yaml:2:10: metrics[0].name: clashes with metric \"q\": in OpenMetrics both use the "
         "name \"q_created\"\n"},
        {"metrics:\n"
         "- {name: q_total, type: counter, help: h}\n- {name: q_created_total, type: counter, "
         "help: h}\n",
         "c.yaml:3:10: metrics[1].name: clashes with metric \"q_total\": in OpenMetrics both use "
         "the name \"q_created\"\n"},
        {"metrics:\n"
         "- {name: q_total, type: counter, help: h}\n- {name: q_total_total, type: counter, "
         "help: h}\n",
         "c.yaml:3:10: metrics[1].name: clashes with metric \"q_total\": in OpenMetrics both use "
         "the name \"q_total\"\n"},
        {"metrics:\n"
         "- {type: gauge, help: h}\n",
         "c.yaml:2:3: metrics[0].name: is missing\n"},
        {"metrics:\n"
         "- {name: [a], type: gauge, help: h}\n",
         "c.yaml:2:10: metrics[0].name: must be a text, not a list\n"},
        {"metrics:\n"
         "- {name: a, type: gauge, help: h}\n- {name: b, type: gauge, help: h}\n- {name: a, type: "
         "gauge, help: h}\n",
         "c.yaml:4:10: metrics[2]: metric \"a\" exists already (c.yaml:2); `replace: true` "
         "replaces it\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(a_metric_has_known_keys_and_none_is_missing)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, lables: [x]}\n",
         "c.yaml:2:43: metrics[0].lables: unknown key; the nearest is labels\n"},
        {"metrics:\n"
         "- {name: g}\n",
         "c.yaml:2:3: metrics[0].type: is missing\n"
         "c.yaml:2:3: metrics[0].help: is missing\n"},
        {"metrics:\n"
         "- {name: a_total, type: countr, help: h}\n",
         "c.yaml:2:25: metrics[0].type: unknown value \"countr\"; the nearest is counter\n"},
        {"metrics:\n"
         "- {name: a_total, type: summary, help: h}\n",
         "c.yaml:2:25: metrics[0].type: unknown value \"summary\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: [a], help: h}\n",
         "c.yaml:2:25: metrics[0].type: must be a text, not a list\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, component: managr}\n",
         "c.yaml:2:54: metrics[0].component: unknown value \"managr\"; the nearest is "
         "manager\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, component: unknown}\n",
         "c.yaml:2:54: metrics[0].component: unknown value \"unknown\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, component: {a: b}}\n",
         "c.yaml:2:54: metrics[0].component: must be a text, not a mapping\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(a_help_text_is_one_line)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: a_total, type: counter, help: \"\"}\n",
         "c.yaml:2:40: metrics[0].help: is empty\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: \"a\\nb\"}\n",
         "c.yaml:2:40: metrics[0].help: has a control character or a line break\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: \"a\\x7f\"}\n",
         "c.yaml:2:40: metrics[0].help: has a control character or a line break\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: \"a\\x85\"}\n",
         "c.yaml:2:40: metrics[0].help: has a control character or a line break\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: [h]}\n",
         "c.yaml:2:40: metrics[0].help: must be a text, not a list\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(labels_of_a_metric_are_legal_and_stand_once)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: x}\n",
         "c.yaml:2:51: metrics[0].labels: must be a list, not \"x\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [x, y, x]}\n",
         "c.yaml:2:58: metrics[0].labels[2]: duplicate label \"x\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [9x, __x, quantile, le]}\n",
         "c.yaml:2:52: metrics[0].labels[0]: label name \"9x\" must match [a-zA-Z_][a-zA-Z0-9_]*\n"
         "c.yaml:2:56: metrics[0].labels[1]: label names that start with \"__\" are reserved\n"
         "c.yaml:2:61: metrics[0].labels[2]: label name \"quantile\" is reserved\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, labels: [le], buckets: [1]}\n",
         "c.yaml:2:56: metrics[0].labels[0]: label name \"le\" is reserved\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [\"\", \"a-b\"]}\n",
         "c.yaml:2:52: metrics[0].labels[0]: label name \"\" must match [a-zA-Z_][a-zA-Z0-9_]*\n"
         "c.yaml:2:56: metrics[0].labels[1]: label name \"a-b\" must match "
         "[a-zA-Z_][a-zA-Z0-9_]*\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [[x], {a: b, c: d}, {x: [y]}, {}]}\n",
         "c.yaml:2:52: metrics[0].labels[0]: must be a label's name, or {name: definition}\n"
         "c.yaml:2:57: metrics[0].labels[1]: must be a label's name, or {name: definition}\n"
         "c.yaml:2:75: metrics[0].labels[2]: must be a text, not a list\n"
         "c.yaml:2:81: metrics[0].labels[3]: must be a label's name, or {name: definition}\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [{x: outcom}]}\nlabels: {outcome: "
         "{}}\n",
         "c.yaml:2:56: metrics[0].labels[0]: unknown label definition \"outcom\"; the nearest is "
         "outcome\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [{x: y}, y]}\n",
         "c.yaml:2:56: metrics[0].labels[0]: unknown label definition \"y\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]}\n",
         "c.yaml:2:84: metrics[0].labels: more than 16 labels\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(bounds_are_finite_and_ascend)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h}\n",
         "c.yaml:2:3: metrics[0].buckets: is missing; a histogram needs it\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: []}\n",
         "c.yaml:2:56: metrics[0].buckets: needs at least one bound\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [1, 1]}\n",
         "c.yaml:2:60: metrics[0].buckets[1]: bounds must ascend\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [2, 1, 3]}\n",
         "c.yaml:2:60: metrics[0].buckets[1]: bounds must ascend\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [a, .inf, nan, 1e999, '1', [2], "
         "5, 4]}\n",
         "c.yaml:2:57: metrics[0].buckets[0]: must be a finite number, not \"a\"\n"
         "c.yaml:2:60: metrics[0].buckets[1]: must be a finite number, not \".inf\"\n"
         "c.yaml:2:66: metrics[0].buckets[2]: must be a finite number, not \"nan\"\n"
         "c.yaml:2:71: metrics[0].buckets[3]: must be a finite number, not \"1e999\"\n"
         "c.yaml:2:78: metrics[0].buckets[4]: must be a finite number, not a text in quotes\n"
         "c.yaml:2:83: metrics[0].buckets[5]: must be a finite number, not a list\n"
         "c.yaml:2:91: metrics[0].buckets[7]: bounds must ascend\n"},
        {"buckets: {duration: [1]}\nmetrics:\n- {name: t_seconds, type: histogram, help: h, "
         "buckets: durations}\n",
         "c.yaml:3:56: metrics[0].buckets: unknown list of buckets \"durations\"; the nearest is "
         "duration\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: {a: b}}\n",
         "c.yaml:2:56: metrics[0].buckets: must be a list, not a mapping\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, buckets: [1]}\n",
         "c.yaml:2:52: metrics[0].buckets: only a histogram has buckets\n"},
        {"metrics:\n"
         "- {name: g, type: gauge, help: h, buckets: x}\n",
         "c.yaml:2:44: metrics[0].buckets: only a histogram has buckets\n"},
        {"buckets: {a-b: [1], b: 1, c: {bound: [1]}, d: {bounds: []}, e: {bounds: [1], replace: "
         "maybe}}\n",
         "c.yaml:1:87: buckets.e.replace: must be true or false, not \"maybe\"\n"
         "c.yaml:1:11: buckets.a-b: a list's name must match [a-zA-Z_][a-zA-Z0-9_]*\n"
         "c.yaml:1:24: buckets.b: must be a list of bounds, or a mapping with `bounds`, not \"1\"\n"
         "c.yaml:1:31: buckets.c.bound: unknown key; the nearest is bounds\n"
         "c.yaml:1:30: buckets.c.bounds: is missing\n"
         "c.yaml:1:56: buckets.d.bounds: needs at least one bound\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(other_keys_fit_the_metric)
{
    static const struct problem_case cases[] = {
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [1], unit: ms}\n",
         "c.yaml:2:67: metrics[0].unit: the metric's name does not end in \"_ms\"\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [1], unit: \"\"}\n",
         "c.yaml:2:67: metrics[0].unit: the metric's name does not end in \"_\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, unit: total}\n",
         "c.yaml:2:49: metrics[0].unit: the metric's name does not end in \"_total_total\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, unit: a}\n",
         "c.yaml:2:49: metrics[0].unit: the metric's name does not end in \"_a_total\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, unit: [a]}\n",
         "c.yaml:2:49: metrics[0].unit: must be a text, not a list\n"},
        {"metrics:\n"
         "- {name: g, type: gauge, help: h, unit: g}\n",
         "c.yaml:2:41: metrics[0].unit: the metric's name does not end in \"_g\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, series_limit: 0}\n",
         "c.yaml:2:57: metrics[0].series_limit: must be a whole number from 1 to 100000000, not "
         "\"0\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, series_limit: -1}\n",
         "c.yaml:2:57: metrics[0].series_limit: must be a whole number from 1 to 100000000, not "
         "\"-1\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, series_limit: many}\n",
         "c.yaml:2:57: metrics[0].series_limit: must be a whole number from 1 to 100000000, not "
         "\"many\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, series_limit: 100000001}\n",
         "c.yaml:2:57: metrics[0].series_limit: must be a whole number from 1 to 100000000, not "
         "\"100000001\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, series_limit: [1]}\n",
         "c.yaml:2:57: metrics[0].series_limit: must be a whole number from 1 to 100000000, not a "
         "list\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, ttl: 500ms}\n",
         "c.yaml:2:48: metrics[0].ttl: must be a duration of at least 1s, such as 30s or 1h, not "
         "\"500ms\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, ttl: 0}\n",
         "c.yaml:2:48: metrics[0].ttl: must be a duration of at least 1s, such as 30s or 1h, not "
         "\"0\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, ttl: soon}\n",
         "c.yaml:2:48: metrics[0].ttl: must be a duration of at least 1s, such as 30s or 1h, not "
         "\"soon\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, ttl: {a: b}}\n",
         "c.yaml:2:48: metrics[0].ttl: must be a text, not a mapping\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, owner: source}\n",
         "c.yaml:2:50: metrics[0].owner: only a gauge has an owner\n"},
        {"metrics:\n"
         "- {name: t_seconds, type: histogram, help: h, buckets: [1], owner: source}\n",
         "c.yaml:2:68: metrics[0].owner: only a gauge has an owner\n"},
        {"metrics:\n"
         "- {name: g, type: gauge, help: h, owner: process}\n",
         "c.yaml:2:42: metrics[0].owner: unknown value \"process\"\n"},
        {"metrics:\n"
         "- {name: g, type: gauge, help: h, owner: sourc}\n",
         "c.yaml:2:42: metrics[0].owner: unknown value \"sourc\"; the nearest is source\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, precreate: yes}\n",
         "c.yaml:2:54: metrics[0].precreate: must be true or false, not \"yes\"\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, precreate: \"true\"}\n",
         "c.yaml:2:54: metrics[0].precreate: must be true or false, not a text in quotes\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, precreate: true}\n",
         "c.yaml:2:54: metrics[0].precreate: needs a closed label, or one of which it names "
         "values\n"},
        {"metrics:\n"
         "- {name: g, type: gauge, help: h, precreate: true}\n",
         "c.yaml:2:46: metrics[0].precreate: a gauge cannot be created in advance\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, precreate: true, labels: [x]}\n",
         "c.yaml:2:54: metrics[0].precreate: needs a closed label, or one of which it names "
         "values\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, precreate: true, labels: [x, y, z]}\nlabels:\n "
         " x: {values: [a,b,c,d,e,f,g,h,i,j,k], closed: true}\n  y: {values: "
         "[a,b,c,d,e,f,g,h,i,j], closed: true}\n  z: {values: [a,b,c,d,e,f,g,h,i,j], closed: "
         "true}\n",
         "c.yaml:2:54: metrics[0].precreate: the labels have more than 1000 combinations\n"},
        {"labels: {x: {values: [a, b], aliases: {c: a}}, y: {}}\nmetrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [x, y], precreate: {x: some, y: all, "
         "z: all, "
         "x2: [a]}}\n",
         "c.yaml:3:74: metrics[0].precreate.x: unknown value \"some\"\n"
         "c.yaml:3:83: metrics[0].precreate.y: label \"y\" has no known values\n"
         "c.yaml:3:88: metrics[0].precreate.z: the metric has no label \"z\"\n"
         "c.yaml:3:96: metrics[0].precreate.x2: the metric has no label \"x2\"\n"},
        {"labels: {x: {values: [alpha, b], closed: true}}\nmetrics:\n"
         "- {name: a_total, type: counter, help: h, labels: [x], precreate: {x: [alpa, {}, '']}}\n"
         "- {name: b_total, type: counter, help: h, labels: [x], precreate: {x: []}}\n"
         "- {name: c_total, type: counter, help: h, labels: [y], precreate: {y: source}}\n"
         "- {name: d_total, type: counter, help: h, labels: [y], precreate: [y]}\n",
         "c.yaml:3:72: metrics[0].precreate.x[0]: \"alpa\" is not among the values of label \"x\"; "
         "the "
         "nearest is alpha\n"
         "c.yaml:3:78: metrics[0].precreate.x[1]: must be a text, not a mapping\n"
         "c.yaml:3:82: metrics[0].precreate.x[2]: is empty; a label's value must not be empty\n"
         "c.yaml:4:71: metrics[1].precreate.x: needs from 1 to 1000 values\n"
         "c.yaml:5:67: metrics[2].precreate: needs a closed label, or one of which it names "
         "values\n"
         "c.yaml:6:67: metrics[3].precreate: must be true or false, not a list\n"},
        {"metrics:\n"
         "- {name: a_total, type: counter, help: h, replace: 1}\n",
         "c.yaml:2:52: metrics[0].replace: must be true or false, not \"1\"\n"},
    };
    EXPECT_CASES(cases);
}
END_TEST

START_TEST(long_texts_and_lists_meet_their_limits)
{
    struct buf text = BUF_INIT;
    buf_str(&text, "metrics:\n- {name: g, type: gauge, help: ");
    for (size_t i = 0; i < 1024; i++) {
        buf_char(&text, 'h');
    }
    size_t len = text.len;
    buf_str(&text, "}\n");
    expect_problems(buf_string(&text), text.len, "");
    text.len = len;
    buf_str(&text, "h}\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:2:32: metrics[0].help: longer than 1024 bytes\n");
    buf_clear(&text);
    buf_str(&text, "buckets:\n  b:\n");
    for (int i = 0; i < 128; i++) {
        buf_addf(&text, "  - %d\n", i);
    }
    expect_problems(buf_string(&text), text.len, "");
    buf_str(&text, "  - 128\n");
    expect_problems(buf_string(&text), text.len, "c.yaml:131:5: buckets.b: more than 128 bounds\n");
    buf_free(&text);
}
END_TEST

START_TEST(a_thousand_metrics_are_enough)
{
    struct buf text = BUF_INIT;
    buf_str(&text, "metrics:\n");
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text, "- {name: g%d, type: gauge, help: h}\n", i);
    }
    struct catalog *c = load_text(buf_string(&text));
    ck_assert_uint_eq(c->n_metrics, 1000);
    ck_assert_int_eq(catalog_find_metric(c, "g999", 4), 999);
    catalog_free(c);
    buf_str(&text, "- {name: x, type: gauge, help: h}\n- {name: y, type: gauge, help: h}\n"
                   "events:\n- {name: e, updates: [{add: y}]}\n");
    expect_problems(buf_string(&text), text.len,
                    "c.yaml:1002:3: metrics[1000]: more than 1000 metrics\n");
    buf_free(&text);
}
END_TEST

UNIT_MAIN("catalog_metrics", a_metric_name_is_one_that_prometheus_tools_accept,
          a_metric_has_known_keys_and_none_is_missing, a_help_text_is_one_line,
          labels_of_a_metric_are_legal_and_stand_once, bounds_are_finite_and_ascend,
          other_keys_fit_the_metric, long_texts_and_lists_meet_their_limits,
          a_thousand_metrics_are_enough)
