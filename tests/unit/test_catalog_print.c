// SPDX-License-Identifier: Apache-2.0
#include <jansson.h>

#include "catalog/print.h"
#include "catalog_unit.h"

// Everything that a catalogue can hold, with names and values that YAML might take for something else.
static const char odd[] =
    "components: [agent, x-y]\n"
    "buckets: {b: [-1.5, 0, 1e-7, 1e300], c: {bounds: [1], replace: true}}\n"
    "labels:\n"
    "  x:\n"
    "    values: [\"yes\", \"1\", OK, \"null\", \"~\", \"a b\", \"it's\", \"q\\\"q\", \"b\\\\s\", "
    "\"#h\", "
    "\"a: b\", \"é\", \"\\u2028\", \"\\ufeff\", \"\\U0001F600\", \"-\", \"a,b\", \"[\", \"|\"]\n"
    "    closed: true\n"
    "    otherwise: \"null\"\n"
    "    empty: \"~\"\n"
    "    aliases: {y: \"yes\", \"2\": \"1\", \"a: c\": \"a: b\", \"?\": \"-\"}\n"
    "  \"no\": {}\n"
    "  \"on\": {help: \"two | words\"}\n"
    "  e: {empty: e}\n"
    "metrics:\n"
    "- {name: a_bytes_total, type: counter, help: \"h: <b> *x* | `y`\", labels: [x, {z: x}, i], "
    "unit: "
    "bytes, series_limit: 7, ttl: 1h1m1s1ms, precreate: true, component: x-y}\n"
    "- {name: q_total, type: counter, help: h, labels: [x, {z: x}, {w: x}, i], precreate: {w: all, "
    "x: "
    "[OK, y], z: source}}\n"
    "- {name: y, type: gauge, help: \"no\", owner: source, labels: [\"no\"], ignored_labels: "
    "[\"off\", e]}\n"
    "- {name: t, type: histogram, help: \"1\", buckets: b}\n"
    "- {name: u, type: histogram, help: \"~\", buckets: [0.1, 100], component: manager}\n"
    "events:\n"
    "- {name: no, help: \"e: f\", labels: [i, {z: x}, x], value: {unit: bytes, optional: true}, "
    "updates: [{add: a_bytes_total, by: 0.1, when: {x: [\"yes\", y], z: \"1\"}}, {observe: t}]}\n"
    "- {name: n, labels: [\"no\"], ignored_labels: [x], value: seconds, updates: [{set: y}, {add: "
    "y, by: -3}]}\n";

static const char odd_yaml[] =
    "components: [agent, x-y]\n"
    "buckets:\n"
    "  b: [-1.5, 0, 1e-07, 1e+300]\n"
    "  c: [1]\n"
    "labels:\n"
    "  x:\n"
    "    values: [\"yes\", \"1\", OK, \"null\", \"~\", \"a b\", \"it's\", \"q\\\"q\", \"b\\\\s\", "
    "\"#h\", "
    "\"a: b\", \"é\", \"\\u2028\", \"\\ufeff\", \"\xf0\x9f\x98\x80\", \"-\", \"a,b\", \"[\", "
    "\"|\"]\n"
    "    closed: true\n"
    "    otherwise: \"null\"\n"
    "    empty: \"~\"\n"
    "    aliases:\n"
    "      \"y\": \"yes\"\n"
    "      \"2\": \"1\"\n"
    "      \"a: c\": \"a: b\"\n"
    "      \"?\": \"-\"\n"
    "  \"no\": {}\n"
    "  \"on\":\n"
    "    help: \"two | words\"\n"
    "  e:\n"
    "    empty: e\n"
    "metrics:\n"
    "  - name: a_bytes_total\n"
    "    type: counter\n"
    "    help: \"h: <b> *x* | `y`\"\n"
    "    component: x-y\n"
    "    labels: [x, {z: x}, i]\n"
    "    unit: bytes\n"
    "    series_limit: 7\n"
    "    ttl: 1h1m1s1ms\n"
    "    precreate: true\n"
    "  - name: q_total\n"
    "    type: counter\n"
    "    help: h\n"
    "    labels: [x, {z: x}, {w: x}, i]\n"
    "    precreate: {x: [OK, \"yes\"], z: source}\n"
    "  - name: \"y\"\n"
    "    type: gauge\n"
    "    help: \"no\"\n"
    "    labels: [\"no\"]\n"
    "    ignored_labels: [\"off\", e]\n"
    "    owner: source\n"
    "  - name: t\n"
    "    type: histogram\n"
    "    help: \"1\"\n"
    "    buckets: b\n"
    "  - name: u\n"
    "    type: histogram\n"
    "    help: \"~\"\n"
    "    component: manager\n"
    "    buckets: [0.1, 100]\n"
    "events:\n"
    "  - name: \"no\"\n"
    "    help: \"e: f\"\n"
    "    labels: [i, {z: x}, x]\n"
    "    value: {unit: bytes, optional: true}\n"
    "    updates:\n"
    "      - {add: a_bytes_total, by: 0.1, when: {x: [\"yes\", \"yes\"], z: [\"1\"]}}\n"
    "      - {observe: t}\n"
    "  - name: \"n\"\n"
    "    labels: [\"no\"]\n"
    "    ignored_labels: [x]\n"
    "    value: seconds\n"
    "    updates:\n"
    "      - {set: \"y\"}\n"
    "      - {add: \"y\", by: -3}\n";

static struct buf print(const struct catalog *c, void (*how)(const struct catalog *, struct buf *))
{
    struct buf out = BUF_INIT;
    how(c, &out);
    ck_assert_ptr_nonnull(buf_string(&out));
    return out;
}

// Prints, loads what was printed, and prints that in all three forms: nothing may differ.
static void expect_round_trip(struct catalog *c)
{
    static void (*const how[])(const struct catalog *, struct buf *) = {
        catalog_print_yaml, catalog_print_markdown, catalog_print_json};
    struct buf yaml = print(c, catalog_print_yaml);
    struct catalog *again = load_text(yaml.p);
    for (size_t i = 0; i < sizeof how / sizeof how[0]; i++) {
        struct buf first = print(c, how[i]);
        struct buf second = print(again, how[i]);
        ck_assert_str_eq(first.p, second.p);
        buf_free(&first);
        buf_free(&second);
    }
    buf_free(&yaml);
    catalog_free(again);
}

static struct catalog *load_builtin(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    ck_assert_int_eq(catalog_load(&c, &(struct catalog_input){0}, &errs), 0);
    return c;
}

START_TEST(yaml_is_quoted_where_it_must_be_and_defaults_are_left_out)
{
    struct catalog *c = load_text(odd);
    struct buf out = print(c, catalog_print_yaml);
    ck_assert_str_eq(out.p, odd_yaml);
    buf_free(&out);
    catalog_free(c);
}
END_TEST

START_TEST(printed_yaml_loads_back_to_the_same_catalogue)
{
    struct catalog *c = load_builtin();
    expect_round_trip(c);
    catalog_free(c);
    c = load_text(odd);
    expect_round_trip(c);
    catalog_free(c);
    c = load_text("");
    struct buf out = print(c, catalog_print_yaml);
    ck_assert_str_eq(out.p, "");
    expect_round_trip(c);
    buf_free(&out);
    catalog_free(c);
}
END_TEST

START_TEST(the_longest_values_survive)
{
    // 85 characters of three bytes, each of which is printed as six.
    struct buf text = BUF_INIT;
    buf_str(&text, "labels: {x: {values: [v], aliases: {? \"");
    for (int i = 0; i < 85; i++) {
        buf_str(&text, "\\u2029");
    }
    buf_str(&text, "\" : v, ? \"");
    for (int i = 0; i < 128; i++) {
        buf_str(&text, "\\\\\\\"");
    }
    buf_str(&text, "\" : v}}}\n");
    struct catalog *c = load_text(buf_string(&text));
    ck_assert_uint_eq(c->defs[0].n_aliases, 2);
    ck_assert_uint_eq(strlen(c->defs[0].aliases[1].alias), 256);
    expect_round_trip(c);
    catalog_free(c);
    buf_free(&text);
}
END_TEST

START_TEST(markdown_has_a_table_for_everything)
{
    struct catalog *c = load_text(
        "buckets: {b: [1, 2.5]}\nlabels:\n  x: {values: [a, 'b|c'], closed: true, otherwise: a, "
        "empty: 'b|c', aliases: {d: a}, help: words}\nmetrics:\n"
        "- {name: m_total, type: counter, help: 'one | two_three', component: manager, labels: "
        "[x]}\n"
        "- {name: t, type: histogram, help: Time., component: provider, labels: [{y: x}], buckets: "
        "b}\n- {name: g, type: gauge, help: Now., labels: [z], "
        "ignored_labels: [a, b]}\n"
        "events:\n- {name: e, help: Words., labels: [x, {y: x}], value: {unit: s, optional: true}, "
        "updates: [{add: m_total, by: 2, when: {x: a, y: [a]}}, {observe: t}]}\n");
    struct buf out = print(c, catalog_print_markdown);
    ck_assert_str_eq(
        out.p, "# Metrics\n"
               "\n## Metrics of manager\n\n"
               "| Metric | Type | Labels | Description |\n|---|---|---|---|\n"
               "| `m_total` | Counter | `x` | one \\| two\\_three |\n"
               "\n## Metrics of provider\n\n"
               "| Metric | Type | Labels | Description |\n|---|---|---|---|\n"
               "| `t` | Histogram | `y` (`x`) | Time. Buckets: `b`. |\n"
               "\n## Metrics of any component\n\n"
               "| Metric | Type | Labels | Description |\n|---|---|---|---|\n"
               "| `g` | Gauge | `z`; ignored: `a`, `b` | Now. |\n"
               "\n## Labels\n\n"
               "| Label | Values | Known | Aliases | Description |\n|---|---|---|---|---|\n"
               "| `x` | only | `a`, b\\|c | `d` = `a`, any other = `a`, empty = b\\|c | words |\n"
               "| `z` | any |  |  |  |\n"
               "\n## Buckets\n\n| Name | Bounds |\n|---|---|\n| `b` | 1, 2.5 |\n"
               "\n## Events\n\n"
               "| Event | Labels | Value | What it does | Description |\n|---|---|---|---|---|\n"
               "| `e` | `x`, `y` (`x`) | s, optional | adds 2 to `m_total` when `x` is `a` and `y` "
               "is `a`; "
               "observes in `t` | Words. |\n");
    buf_free(&out);
    catalog_free(c);
}
END_TEST

START_TEST(json_is_valid_and_complete)
{
    struct catalog *c = load_text(odd);
    struct buf out = print(c, catalog_print_json);
    json_t *got = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(json_array_size(json_object_get(got, "components")), 5);
    const json_t *x = json_array_get(json_object_get(got, "labels"), 0);
    for (size_t i = 0; i < c->defs[0].n_values; i++) {
        ck_assert_str_eq(json_string_value(json_array_get(json_object_get(x, "values"), i)),
                         c->defs[0].values[i]);
    }
    ck_assert_str_eq(json_string_value(json_object_get(x, "otherwise")), "null");
    ck_assert_str_eq(json_string_value(json_object_get(x, "empty")), "~");
    json_t *want = json_pack("{s:s,s:s,s:s,s:s,s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}],s:s,s:i,s:f,s:b}",
                             "name", "a_bytes_total", "help", "h: <b> *x* | `y`", "type", "counter",
                             "component", "x-y", "labels", "name", "x", "definition", "x", "name",
                             "z", "definition", "x", "name", "i", "definition", "i", "unit",
                             "bytes", "series_limit", 7, "ttl_seconds", 3661.001, "precreate", 1);
    json_t *precreated = json_object();
    json_object_set(precreated, "x", json_object_get(x, "values"));
    json_object_set(precreated, "z", json_object_get(x, "values"));
    json_object_set_new(want, "precreated", precreated);
    ck_assert(json_equal(json_array_get(json_object_get(got, "metrics"), 0), want));
    json_decref(want);
    json_t *second = json_array_get(json_object_get(got, "metrics"), 1);
    want = json_pack("{s:[s,s],s:s,s:O}", "x", "OK", "yes", "z", "source", "w",
                     json_object_get(x, "values"));
    ck_assert(json_equal(json_object_get(second, "precreated"), want));
    json_decref(want);
    want = json_loads(
        "{\"name\":\"n\",\"help\":\"\",\"labels\":[{\"name\":\"no\",\"definition\":"
        "\"no\"}],\"ignored_labels\":[\"x\"],\"value\":{\"unit\":\"seconds\",\"optional\":false},"
        "\"updates\":["
        "{\"op\":\"set\",\"metric\":\"y\"},{\"op\":\"add\",\"metric\":\"y\",\"by\":-3}]}",
        0, NULL);
    ck_assert(json_equal(json_array_get(json_object_get(got, "events"), 1), want));
    json_decref(want);
    json_decref(got);
    buf_free(&out);
    catalog_free(c);
}
END_TEST

static void expect_part(struct catalog *c, void (*how)(const struct catalog *, struct buf *),
                        const char *part)
{
    struct buf out = print(c, how);
    ck_assert_msg(strstr(out.p, part) != NULL, "%s lacks %s", out.p, part);
    buf_free(&out);
}

START_TEST(a_native_form_is_printed_as_it_was_asked_for)
{
    struct catalog *c =
        load_text("metrics:\n"
                  "- {name: a, type: histogram, help: h, buckets: [1], native: false}\n"
                  "- {name: b, type: histogram, help: h, buckets: [1], native: true}\n"
                  "- {name: c, type: histogram, help: h, buckets: [1], "
                  "native: {factor: 1.5, max_buckets: 20, classic: false}}\n"
                  "- {name: d, type: histogram, help: h, buckets: [1]}\n");
    struct buf out = print(c, catalog_print_yaml);
#define METRIC(name, rest)                                                                         \
    "  - name: " name "\n    type: histogram\n    help: h\n    buckets: [1]\n" rest
    ck_assert_str_eq(
        out.p, "metrics:\n" METRIC("a", "    native: false\n")
                   METRIC("b", "    native: {factor: 1.1, max_buckets: 160}\n")
                       METRIC("c", "    native: {factor: 1.5, max_buckets: 20, classic: false}\n")
                           METRIC("d", ""));
    buf_free(&out);
    expect_round_trip(c);
    expect_part(c, catalog_print_markdown, "| `a` | Histogram |  | h Buckets: 1. |\n");
    expect_part(c, catalog_print_markdown,
                "| `c` | Histogram |  | h Buckets: 1. Native: factor 1.5, at most 20 buckets. |\n");
    out = print(c, catalog_print_json);
    json_t *got = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *metrics = json_object_get(got, "metrics");
    json_t *want = json_pack("{s:f,s:i,s:b}", "factor", 1.5, "max_buckets", 20, "classic", 0);
    ck_assert(json_is_false(json_object_get(json_array_get(metrics, 0), "native")));
    ck_assert(json_equal(json_object_get(json_array_get(metrics, 2), "native"), want));
    ck_assert_ptr_null(json_object_get(json_array_get(metrics, 3), "native"));
    json_decref(want);
    json_decref(got);
    buf_free(&out);
    catalog_free(c);
}
END_TEST

UNIT_MAIN("catalog_print", yaml_is_quoted_where_it_must_be_and_defaults_are_left_out,
          printed_yaml_loads_back_to_the_same_catalogue, the_longest_values_survive,
          markdown_has_a_table_for_everything, json_is_valid_and_complete,
          a_native_form_is_printed_as_it_was_asked_for)
