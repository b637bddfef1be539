// SPDX-License-Identifier: Apache-2.0
// Limits: where a further series goes when there is no room for it.
#include "event/event.h"

#include "fixture.h"
#include "forget.h"
#include "series/idset.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, y], closed: true}\n"
    "metrics:\n"
    "  - {name: n_total, type: counter, help: h, labels: [a, c, b], series_limit: 2}\n"
    "  - {name: h, type: histogram, help: h, labels: [a], buckets: [1], series_limit: 1}\n"
    "  - {name: g, type: gauge, help: h, labels: [a], series_limit: 1}\n"
    "  - {name: closed_total, type: counter, help: h, labels: [c], series_limit: 1}\n"
    "  - {name: free_total, type: counter, help: h, labels: [a]}\n"
    "  - {name: own, type: gauge, help: h, labels: [a], owner: source}\n"
    "  - {name: old_total, type: counter, help: h, labels: [a], ttl: 1h}\n"
    "  - {name: x_info, type: gauge, help: h, labels: [v], owner: source}\n"
    "  - {name: y_info, type: gauge, help: h, labels: [v], owner: source, series_limit: 1}\n"
    "events:\n"
    "  - {name: all, labels: [a, v], value: s, updates: [{add: free_total}, {set: own}, {add: "
    "old_total},\n"
    "     {set: x_info}, {set: y_info}, {set: g}]}\n";

static struct fixture h;

static enum reject_reason say(const char *metric, const char *labels, const char *value)
{
    char line[500];
    snprintf(line, sizeof line, "{\"metric\":\"%s\",\"labels\":{%s},\"value\":%s}", metric, labels,
             value);
    struct event_result v = fixture_line(&h, line);
    return v.kind == EVENT_APPLIED ? REJECT_NONE : v.rejection.reason;
}

static enum reject_reason count(const char *a, const char *c, const char *value)
{
    char labels[200];
    snprintf(labels, sizeof labels, "\"a\":\"%s\",\"c\":\"%s\",\"b\":\"%s\"", a, c, a);
    return say("n_total", labels, value);
}

static uint64_t folded(size_t family)
{
    return count_read(&schema_current(h.store)->families[family].table->stats->folded);
}

START_TEST(further_counters_are_folded_by_their_closed_labels)
{
    fixture_open(&h, CATALOG, 100, 100);
    count("1", "x", "1");
    count("2", "x", "2");
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(count("3", "x", "4"), REJECT_NONE);
        ck_assert_int_eq(count("4", "y", "0.25"), REJECT_NONE);
        ck_assert_int_eq(count("5", "y", "0.25"), REJECT_NONE);
        ck_assert_int_eq(count("2", "x", "8"), REJECT_NONE);
    }
    ck_assert_str_eq(fixture_samples(&h), "n_total{a=\"1\",c=\"x\",b=\"1\"} 1\n"
                                          "n_total{a=\"2\",c=\"x\",b=\"2\"} 82\n"
                                          "n_total{a=\"other\",c=\"x\",b=\"other\"} 40\n"
                                          "n_total{a=\"other\",c=\"y\",b=\"other\"} 5\n");
    ck_assert_uint_eq(folded(0), 30);
    ck_assert_uint_eq(count_read(&schema_current(h.store)->families[0].table->quota.used), 2);
    fixture_close(&h);
}
END_TEST

START_TEST(further_histograms_are_folded_too)
{
    fixture_open(&h, CATALOG, 100, 100);
    say("h", "\"a\":\"1\"", "0.5");
    say("h", "\"a\":\"2\"", "3");
    say("h", "\"a\":\"3\"", "0.25");
    ck_assert_str_eq(fixture_samples(&h),
                     "h_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\n"
                     "h_sum{a=\"1\"} 0.5\nh_count{a=\"1\"} 1\n"
                     "h_bucket{a=\"other\",le=\"1\"} 1\nh_bucket{a=\"other\",le=\"+Inf\"} 2\n"
                     "h_sum{a=\"other\"} 3.25\nh_count{a=\"other\"} 2\n");
    ck_assert_uint_eq(folded(1), 2);
    fixture_close(&h);
}
END_TEST

START_TEST(a_gauge_or_a_series_without_open_labels_is_refused)
{
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(say("g", "\"a\":\"1\"", "1"), REJECT_NONE);
    ck_assert_int_eq(say("g", "\"a\":\"2\"", "1"), REJECT_series_limit);
    ck_assert_int_eq(say("g", "\"a\":\"1\"", "5"), REJECT_NONE);
    ck_assert_int_eq(say("closed_total", "\"c\":\"x\"", "1"), REJECT_NONE);
    ck_assert_int_eq(say("closed_total", "\"c\":\"y\"", "1"), REJECT_series_limit);
    ck_assert_str_eq(fixture_samples(&h), "g{a=\"1\"} 5\nclosed_total{c=\"x\"} 1\n");
    struct event_result v =
        fixture_line(&h, "{\"metric\":\"g\",\"labels\":{\"a\":\"2\"},\"value\":1}");
    ck_assert_str_eq(v.rejection.detail, "g is at its limit of series");
    fixture_close(&h);
}
END_TEST

START_TEST(the_limit_of_all_series_folds_as_well)
{
    fixture_open(&h, CATALOG, 2, 100);
    ck_assert_int_eq(say("free_total", "\"a\":\"1\"", "1"), REJECT_NONE);
    ck_assert_int_eq(say("g", "\"a\":\"1\"", "1"), REJECT_NONE);
    ck_assert_int_eq(say("free_total", "\"a\":\"2\"", "1"), REJECT_NONE);
    ck_assert_int_eq(say("h", "\"a\":\"2\"", "1"), REJECT_NONE);
    ck_assert_ptr_nonnull(
        strstr(fixture_samples(&h), "free_total{a=\"1\"} 1\nfree_total{a=\"other\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "h_count{a=\"other\"} 1\n"));
    fixture_close(&h);
}
END_TEST

START_TEST(folding_goes_on_until_series_are_removed)
{
    fixture_open(&h, CATALOG, 100, 100);
    count("1", "x", "1");
    count("2", "x", "1");
    count("3", "x", "1");
    struct event_result v = fixture_line(&h, "{\"forget\":{\"labels\":{\"a\":\"1\"}}}");
    rcu_enter();
    ck_assert_uint_eq(forget_all(h.store, &v.control.forget, &h.origin), 1);
    rcu_leave();
    count("3", "x", "5");
    count("4", "x", "7");
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "n_total{a=\"3\",c=\"x\",b=\"3\"} 5\n"));
    ck_assert_ptr_nonnull(
        strstr(fixture_samples(&h), "n_total{a=\"other\",c=\"x\",b=\"other\"} 8\n"));
    ck_assert_uint_eq(folded(0), 2);
    fixture_close(&h);
}
END_TEST

START_TEST(a_folded_sum_stays_finite)
{
    fixture_open(&h, CATALOG, 100, 100);
    count("1", "x", "1");
    count("2", "x", "1");
    ck_assert_int_eq(count("3", "x", "1e308"), REJECT_NONE);
    ck_assert_int_eq(count("4", "x", "1e308"), REJECT_bad_value);
    ck_assert_int_eq(count("5", "x", "5e307"), REJECT_NONE);
    ck_assert_uint_eq(folded(0), 2);
    fixture_close(&h);
}
END_TEST

START_TEST(whoever_says_other_meets_the_folded_ones)
{
    fixture_open(&h, CATALOG, 100, 100);
    say("h", "\"a\":\"1\"", "1");
    say("h", "\"a\":\"2\"", "1");
    say("h", "\"a\":\"other\"", "1");
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "h_count{a=\"other\"} 2\n"));
    ck_assert_uint_eq(folded(1), 1);
    fixture_close(&h);
}
END_TEST

static struct series *only_series(size_t family)
{
    return table_at(schema_current(h.store)->families[family].table, 0);
}

static bool is_marked(size_t family, uint32_t id)
{
    return idset_has(h.store->share.base, series_ids(only_series(family)), id);
}

// All is another source's. The last update of a line has no room, and nothing of the line shows.
START_TEST(a_rejected_line_owns_nothing)
{
    static const char *const lines[] = {
        "{\"event\":\"all\",\"labels\":{\"a\":\"2\",\"v\":\"1\"},\"value\":2}",
        ("[{\"metric\":\"free_total\",\"labels\":{\"a\":\"1\"}},{\"metric\":\"own\",\"labels\":{"
         "\"a\":\"1\"},"
         "\"value\":2},{\"metric\":\"old_total\",\"labels\":{\"a\":\"1\"}},{\"metric\":\"x_info\","
         "\"labels\":{"
         "\"v\":\"1\"},\"value\":1},{\"metric\":\"g\",\"labels\":{\"a\":\"2\"},\"value\":2}]"),
        ("[{\"metric\":\"x_info\",\"labels\":{\"v\":\"2\"},\"value\":1},{\"metric\":\"y_info\","
         "\"labels\":{"
         "\"v\":\"2\"},\"value\":1}]"),
    };
    fixture_open(&h, CATALOG, 100, 100);
    struct owner own = h.origin.owner;
    ck_assert_int_eq(
        fixture_line(&h, "{\"event\":\"all\",\"labels\":{\"a\":\"1\",\"v\":\"1\"},\"value\":1}")
            .kind,
        EVENT_APPLIED);
    char *before = strdup(fixture_text_all(&h));
    uint32_t touched = atomic_load(series_touched(only_series(6)));
    h.origin.owner = (struct owner){
        .updater_id = own.updater_id + 1, .lease = own.lease + 1, .now_s = own.now_s + 100};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct event_result v = fixture_line(&h, lines[i]);
        ck_assert_msg(v.kind == EVENT_REJECTED && v.rejection.reason == REJECT_series_limit, "%s",
                      lines[i]);
        ck_assert_str_eq(fixture_text_all(&h), before);
        for (size_t family = 4; family < 9; family++) {
            ck_assert_msg(!is_marked(family, own.updater_id + 1) &&
                              !is_marked(family, own.lease + 1),
                          "%s claims family %zu", lines[i], family);
        }
        ck_assert_uint_eq(atomic_load(series_touched(only_series(6))), touched);
    }
    free(before);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("place", further_counters_are_folded_by_their_closed_labels,
          further_histograms_are_folded_too, a_gauge_or_a_series_without_open_labels_is_refused,
          the_limit_of_all_series_folds_as_well, folding_goes_on_until_series_are_removed,
          a_folded_sum_stays_finite, whoever_says_other_meets_the_folded_ones,
          a_rejected_line_owns_nothing)
