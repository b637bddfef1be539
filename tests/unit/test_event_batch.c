// SPDX-License-Identifier: Apache-2.0
// Batches: all of a line or nothing of it, seen through the whole exposition.
#include "event/event.h"

#include "fixture.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, y], closed: true}\n"
    "metrics:\n"
    "  - {name: a_total, type: counter, help: h, labels: [o]}\n"
    "  - {name: two_total, type: counter, help: h, labels: [o, c], series_limit: 2}\n"
    "  - {name: zero_total, type: counter, help: h, labels: [o, c], precreate: true}\n"
    "  - {name: g, type: gauge, help: h, labels: [o], series_limit: 1}\n"
    "  - {name: level, type: gauge, help: h}\n"
    "  - {name: h, type: histogram, help: h, buckets: [1]}\n"
    "  - {name: x_info, type: gauge, help: h, labels: [v], owner: source}\n"
    "  - {name: i, type: histogram, help: h, buckets: [1]}\n"
    "  - {name: j, type: histogram, help: h, buckets: [1]}\n"
    "events:\n"
    "  - {name: three, value: s, updates: [{observe: h}, {observe: i}, {observe: j}]}\n"
    "  - {name: e, labels: [o], updates: [{add: a_total}, {add: level}]}\n";

static struct fixture h;

static void applied(const char *line)
{
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s, %s", line, reject_names[v.rejection.reason],
                  v.rejection.detail);
}

static void refused(const char *line, enum reject_reason reason, int index)
{
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_REJECTED && v.rejection.reason == reason &&
                      v.rejection.element == index,
                  "%s: %s at %d, %s", line, reject_names[v.rejection.reason], v.rejection.element,
                  v.rejection.detail);
}

#define A(o) "{\"metric\":\"a_total\",\"labels\":{\"o\":\"" o "\"}}"
#define TWO(o, c) "{\"metric\":\"two_total\",\"labels\":{\"o\":\"" o "\",\"c\":\"" c "\"}}"
#define ZERO(o, c) "{\"metric\":\"zero_total\",\"labels\":{\"o\":\"" o "\",\"c\":\"" c "\"}}"
#define G(o) "{\"metric\":\"g\",\"labels\":{\"o\":\"" o "\"},\"value\":1}"
#define INFO(v) "{\"metric\":\"x_info\",\"labels\":{\"v\":\"" v "\"},\"value\":1}"
#define LEVEL(rest) "{\"metric\":\"level\"," rest "}"

START_TEST(a_batch_is_applied_in_order)
{
    fixture_open(&h, CATALOG, 100, 100);
    applied("[" LEVEL("\"value\":5") "," LEVEL("\"op\":\"add\",\"value\":2") "," A("p") "," A(
        "q") "," A("p") "]");
    applied("[{\"metric\":\"h\",\"value\":1},{\"event\":\"e\",\"labels\":{\"o\":\"q\"}},{"
            "\"metric\":\"h\",\"value\":3}]");
    applied("[]");
    applied(" [ ] ");
    ck_assert_str_eq(fixture_samples(&h),
                     "a_total{o=\"p\"} 2\na_total{o=\"q\"} 2\nlevel 8\nh_bucket{le=\"1\"} 1\n"
                     "h_bucket{le=\"+Inf\"} 2\nh_sum 4\nh_count 2\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_refusal_names_what_it_is_about_and_not_a_neighbour)
{
    static const struct {
        const char *line;
        const char *name;
    } cases[] = {
        {"[" A("p") ",{\"metric\":\"nope\"}]", ""},
        {"[" A("p") ",{\"metric\":\"level\"}]", "level"},
        {"[" A("p") ",{\"event\":\"e\"}," A("q") "]", "e"},
        {"[" G("q") "," A("p") "]", "g"},
        {G("q"), "g"},
    };
    fixture_open(&h, CATALOG, 100, 100);
    applied(G("p"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event_result v = fixture_line(&h, cases[i].line);
        ck_assert_msg(v.kind == EVENT_REJECTED && strcmp(v.rejection.name, cases[i].name) == 0,
                      "%s: names \"%s\"", cases[i].line, v.rejection.name);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(a_batch_that_is_refused_leaves_no_trace)
{
    static const struct {
        const char *line;
        enum reject_reason reason;
        int index;
    } cases[] = {
        {"[" A("p") "," A("new") ",{}]", REJECT_unknown_field, 2},
        {"[" A("p") "," A("new") ",5]", REJECT_not_an_object, 2},
        {"[" A("p") "," A("new") ",[]]", REJECT_not_an_object, 2},
        {"[" A("p") ",{\"sync\":1}]", REJECT_not_an_object, 1},
        {"[" A("p") ",{\"metric\":\"none\"}," A("q") "]", REJECT_unknown_metric, 1},
        {"[" A("p") ",{\"event\":\"none\"}]", REJECT_unknown_event, 1},
        {"[" A("p") "," A("q") "," A("") "]", REJECT_missing_label, 2},
        {"[" A("p") ",{\"a\":1,\"a\":1}]", REJECT_duplicate_field, 1},
        {"[" A("p") "," A("new") "," G("other") "]", REJECT_series_limit, 2},
        // The line meets its own new series again: it still is taken back.
        {"[" A("new") "," A("new") "," A("new") "," G("other") "]", REJECT_series_limit, 3},
        {"[" ZERO("n", "x") "," ZERO("n", "y") "," ZERO("n", "x") "," G("other") "]",
         REJECT_series_limit, 3},
        // What it folded is neither there nor counted.
        {"[" TWO("new", "y") "," TWO("newer", "y") "," G("other") "]", REJECT_series_limit, 2},
        // The older info series stays.
        {"[" INFO("2") "," G("other") "]", REJECT_series_limit, 1},
        {"[" LEVEL("\"value\":9") "," A("p") "," G("other") "]", REJECT_series_limit, 2},
        {"[{\"metric\":\"h\",\"value\":1e308},{\"metric\":\"h\",\"value\":1e308}]",
         REJECT_bad_value, 1},
        {"[" LEVEL("\"value\":1e308") "," LEVEL("\"op\":\"add\",\"value\":1e308") "]",
         REJECT_bad_value, 1},
        {"[" LEVEL("\"value\":1") "," LEVEL("\"value\":1e999") "]", REJECT_bad_value, 1},
        {"[{\"event\":\"e\",\"labels\":{\"o\":\"new\"}},{\"event\":\"e\",\"labels\":{\"z\":\"p\"}}"
         "]",
         REJECT_unknown_label, 1},
    };
    fixture_open(&h, CATALOG, 100, 100);
    applied("[" A("p") "," TWO("p", "x") "," TWO("q", "x") "," G("p") "," INFO("1") "," LEVEL(
        "\"value\":3") "]");
    char *before = strdup(fixture_text_all(&h));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refused(cases[i].line, cases[i].reason, cases[i].index);
        const char *after = fixture_text_all(&h);
        ck_assert_msg(strcmp(before, after) == 0, "%s left something", cases[i].line);
    }
    free(before);
    fixture_close(&h);
}
END_TEST

START_TEST(a_batch_after_a_refused_one_begins_anew)
{
    fixture_open(&h, CATALOG, 100, 100);
    refused("[" A("p") "," A("p") ",{}]", REJECT_unknown_field, 2);
    applied("[" A("p") "," A("p") "]");
    applied(A("p"));
    ck_assert_str_eq(fixture_samples(&h), "a_total{o=\"p\"} 3\n");
    fixture_close(&h);
}
END_TEST

START_TEST(places_of_a_refused_batch_are_free_again)
{
    fixture_open(&h, CATALOG, 3, 3);
    for (int i = 0; i < 100; i++) {
        refused("[" A("p") "," A("q") "," A("p") ",{\"metric\":\"none\"}]", REJECT_unknown_metric,
                3);
        refused("[" A("p") "," A("q") "," G("1") "," G("2") "]", REJECT_series_limit, 3);
    }
    schema_reclaim(h.store);
    applied("[" A("p") "," A("q") "," A("r") "]");
    ck_assert_uint_eq(count_read(&h.store->share.quota.used), 3);
    ck_assert_uint_eq(strlen(fixture_samples(&h)), 3 * strlen("a_total{o=\"p\"} 1\n"));
    applied(A("s"));
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "a_total{o=\"other\"} 1\n"));
    fixture_close(&h);
}
END_TEST

// As many elements as a line holds, all of new series, each met twice.
START_TEST(a_batch_may_fill_a_whole_line)
{
    fixture_open(&h, CATALOG, 100000, 100000);
    struct buf line = BUF_INIT;
    int n = 0;
    for (; line.len < EVENT_MAX_LINE - 110; n++) {
        buf_addf(&line, "%s{\"metric\":\"a_total\",\"labels\":{\"o\":\"%d\"}}", n == 0 ? "[" : ",",
                 n / 2);
    }
    ck_assert_int_gt(n, 1000);
    size_t good = line.len;
    buf_str(&line, ",{\"metric\":\"none\"}]");
    struct event_result v = fixture_bytes(&h, line.p, line.len);
    ck_assert_int_eq(v.rejection.element, n);
    ck_assert_str_eq(fixture_text(&h), "");
    line.len = good;
    buf_char(&line, ']');
    ck_assert_int_eq(fixture_bytes(&h, line.p, line.len).kind, EVENT_APPLIED);
    ck_assert_uint_eq(count_read(&schema_current(h.store)->families[0].table->quota.used),
                      (n + 1) / 2);
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "a_total{o=\"0\"} 2\na_total{o=\"1\"} 2\n"));
    buf_free(&line);
    fixture_close(&h);
}
END_TEST

START_TEST(a_newer_info_series_of_a_source_replaces_the_older_one)
{
    fixture_open(&h, CATALOG, 100, 100);
    applied(INFO("1"));
    applied("[" A("p") "," INFO("2") "]");
    ck_assert_str_eq(fixture_samples(&h), "a_total{o=\"p\"} 1\nx_info{v=\"2\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(the_reason_is_that_of_the_first_element_that_has_one)
{
    static const struct {
        const char *line;
        enum reject_reason reason;
        int index;
    } cases[] = {
        {"[" G("q") ",{\"metric\":\"none\"}]", REJECT_series_limit, 0},
        {"[" A("q") "," G("q") "," A("") "," G("r") "]", REJECT_series_limit, 1},
        {"[" G("p") ",{\"metric\":\"none\"}," G("q") "]", REJECT_unknown_metric, 1},
        {"[{\"metric\":\"none\"}," G("q") "]", REJECT_unknown_metric, 0},
        {"[" LEVEL("\"value\":true") "," LEVEL("\"value\":1,\"op\":\"sub\"") "]", REJECT_bad_value,
         0},
        // What concerns the structure comes before, wherever it stands.
        {"[" G("q") ",{\"metric\":\"none\"},{}]", REJECT_unknown_field, 2},
        {"[{\"metric\":\"none\"},5]", REJECT_not_an_object, 1},
        {"[{},5]", REJECT_unknown_field, 0},
        {"[{\"metric\":\"none\"},{\"a\":1,\"a\":1}]", REJECT_duplicate_field, 1},
    };
    fixture_open(&h, CATALOG, 100, 100);
    applied(G("p"));
    char *before = strdup(fixture_text_all(&h));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refused(cases[i].line, cases[i].reason, cases[i].index);
        ck_assert_str_eq(fixture_text_all(&h), before);
    }
    free(before);
    fixture_close(&h);
}
END_TEST

#define H(value) "{\"metric\":\"h\",\"value\":" value "}"

START_TEST(only_a_sum_that_would_be_infinite_is_refused)
{
    fixture_open(&h, CATALOG, 100, 100);
    applied("{\"event\":\"three\",\"value\":1.7e308}");
    refused("{\"event\":\"three\",\"value\":1.7e308}", REJECT_bad_value, -1);
    applied("[" H("-1.7e308") "," H("1.7e308") "," H("-1.7e308") "]");
    applied("[" H("1.7e308") "]");
    refused("[" H("1e300") "," H("1.7e308") "]", REJECT_bad_value, 1);
    applied("[" LEVEL("\"value\":1.7e308") "," LEVEL("\"value\":0") "," LEVEL(
        "\"op\":\"add\",\"value\":1.7e308") "]");
    refused(LEVEL("\"op\":\"add\",\"value\":1.7e308"), REJECT_bad_value, -1);
    applied(LEVEL("\"op\":\"add\",\"value\":-1.7e308"));
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "level 0\n"));
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "\nh_count 5\n"));
    fixture_close(&h);
}
END_TEST

// Each element replaces the one before, which may be of this very line and then is not found any more.
START_TEST(a_batch_may_set_an_info_metric_over_and_over)
{
    static const struct {
        const char *first; // applied before; NULL: nothing
        const char *line;
        const char *samples;
    } cases[] = {
        {NULL, "[" INFO("1") "," INFO("2") "," INFO("1") "]", "x_info{v=\"1\"} 1\n"},
        {NULL, "[" INFO("1") "," INFO("1") "," INFO("2") "," INFO("2") "]", "x_info{v=\"2\"} 1\n"},
        {INFO("1"), "[" INFO("1") "," INFO("2") "," INFO("1") "]", "x_info{v=\"1\"} 1\n"},
        {INFO("2"), "[" INFO("1") "," INFO("2") "," INFO("1") "," INFO("2") "]",
         "x_info{v=\"2\"} 1\n"},
        {INFO("1"), "[" INFO("2") "," INFO("3") "," INFO("1") "," INFO("2") "," INFO("3") "]",
         "x_info{v=\"3\"} 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_open(&h, CATALOG, 100, 100);
        if (cases[i].first != NULL) {
            applied(cases[i].first);
        }
        applied(cases[i].line);
        ck_assert_str_eq(fixture_samples(&h), cases[i].samples);
        applied(cases[i].line);
        ck_assert_str_eq(fixture_samples(&h), cases[i].samples);
        ck_assert_uint_eq(count_read(&h.store->share.quota.used), 1);
        fixture_close(&h);
    }
}
END_TEST

UNIT_MAIN("event_batch", a_batch_is_applied_in_order,
          a_refusal_names_what_it_is_about_and_not_a_neighbour,
          a_batch_that_is_refused_leaves_no_trace, a_batch_after_a_refused_one_begins_anew,
          places_of_a_refused_batch_are_free_again, a_batch_may_fill_a_whole_line,
          a_newer_info_series_of_a_source_replaces_the_older_one,
          the_reason_is_that_of_the_first_element_that_has_one,
          only_a_sum_that_would_be_infinite_is_refused,
          a_batch_may_set_an_info_metric_over_and_over)
