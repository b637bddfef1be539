// SPDX-License-Identifier: Apache-2.0
#include "series/exemplar.h"

#include "base/clock.h"
#include "event/plan.h"
#include "fixture.h"
#include "unit.h"

static const char CATALOG[] =
    "labels: {closed: {values: [x], closed: true}}\n"
    "metrics:\n"
    "  - {name: c_total, type: counter, help: C., labels: [a], series_limit: 2}\n"
    "  - {name: h, type: histogram, help: H., labels: [a], buckets: [1, 10]}\n"
    "  - {name: g, type: gauge, help: G., labels: [a]}\n"
    "  - {name: two_total, type: counter, help: T., labels: [a]}\n"
    "events:\n"
    "  - {name: e, labels: [a], value: seconds, updates: [{add: two_total, by: 3}, {observe: h}, "
    "{set: g}]}\n";

static struct fixture h;

static void apply(const char *line)
{
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s", line, v.rejection.detail);
}

// The samples as OpenMetrics, without HELP, TYPE and EOF.
static const char *samples(void)
{
    static char out[65536];
    const char *next;
    size_t at = 0;
    for (const char *line = fixture_open_text(&h, fixture_wants_catalog, false); *line != '\0';
         line = next) {
        next = strchr(line, '\n') + 1;
        if (*line != '#') {
            ck_assert_uint_lt(at + (size_t)(next - line), sizeof out);
            memcpy(out + at, line, (size_t)(next - line));
            at += (size_t)(next - line);
        }
    }
    out[at] = '\0';
    return out;
}

START_TEST(the_last_exemplar_of_a_counter_and_of_each_bucket_is_shown)
{
    fixture_open(&h, CATALOG, 100, 100);
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"},\"value\":2,\"exemplar\":"
          "{\"labels\":{\"trace_id\":\"old, which is longer\"},\"timestamp\":1e9}}");
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"},\"value\":0.25,\"exemplar\":"
          "{\"labels\":{\"trace_id\":\"new\",\"b\":\"\\\"\\\\\\n} "
          "\"},\"timestamp\":1520879607.789}}");
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"}}");
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"2\"}}");
    apply("{\"metric\":\"h\",\"labels\":{\"a\":\"1\"},\"value\":0.5}");
    apply("{\"metric\":\"h\",\"labels\":{\"a\":\"1\"},\"value\":10,\"exemplar\":"
          "{\"labels\":{},\"timestamp\":1500000002.0005}}");
    apply("{\"metric\":\"h\",\"labels\":{\"a\":\"1\"},\"value\":11,\"exemplar\":"
          "{\"labels\":{\"i\":\"above\"},\"timestamp\":1e9}}");
    ck_assert_str_eq(
        samples(),
        "c_total{a=\"1\"} 3.25 # {trace_id=\"new\",b=\"\\\"\\\\\\n} \"} 0.25 1520879607.789\n"
        "c_total{a=\"2\"} 1\n"
        "h_bucket{a=\"1\",le=\"1.0\"} 1\n"
        "h_bucket{a=\"1\",le=\"10.0\"} 2 # {} 10 1500000002.001\n"
        "h_bucket{a=\"1\",le=\"+Inf\"} 3 # {i=\"above\"} 11 1000000000.000\n"
        "h_sum{a=\"1\"} 21.5\nh_count{a=\"1\"} 3\n");
    ck_assert_ptr_null(strstr(fixture_text(&h), " # {"));
    fixture_close(&h);
}
END_TEST

START_TEST(an_event_s_exemplar_goes_to_all_that_it_counts_and_to_no_gauge)
{
    fixture_open(&h, CATALOG, 100, 100);
    apply("[{\"event\":\"e\",\"labels\":{\"a\":\"1\"},\"value\":0.5,\"exemplar\":"
          "{\"labels\":{\"i\":\"1\"},\"timestamp\":1000000001}},"
          "{\"event\":\"e\",\"labels\":{\"a\":\"2\"},\"value\":5},"
          "{\"event\":\"e\",\"labels\":{\"a\":\"3\"},\"value\":50,\"exemplar\":"
          "{\"labels\":{\"i\":\"3\"},\"timestamp\":1000000003}}]");
    static const char *const wanted[] = {
        "h_bucket{a=\"1\",le=\"1.0\"} 1 # {i=\"1\"} 0.5 1000000001.000\n",
        "h_bucket{a=\"1\",le=\"10.0\"} 1\n",
        "h_bucket{a=\"2\",le=\"10.0\"} 1\n",
        "h_bucket{a=\"3\",le=\"+Inf\"} 1 # {i=\"3\"} 50 1000000003.000\n",
        "g{a=\"1\"} 0.5\n",
        "g{a=\"3\"} 50\n",
        "two_total{a=\"1\"} 3 # {i=\"1\"} 3 1000000001.000\n",
        "two_total{a=\"2\"} 3\n",
        "two_total{a=\"3\"} 3 # {i=\"3\"} 3 1000000003.000\n",
    };
    const char *text = samples();
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in\n%s", wanted[i], text);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(a_refused_line_and_a_folded_series_leave_none)
{
    fixture_open(&h, CATALOG, 100, 100);
    struct event_result v =
        fixture_line(&h, "[{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"},\"exemplar\":"
                         "{\"labels\":{\"i\":\"1\"},\"timestamp\":1000000001}},{\"metric\":\"g\","
                         "\"labels\":{\"a\":\"1\"}}]");
    ck_assert_int_eq(v.kind, EVENT_REJECTED);
    for (int i = 0; i < 4; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "{\"metric\":\"c_total\",\"labels\":{\"a\":\"%d\"},\"exemplar\":{\"labels\":"
                 "{\"i\":\"%d\"},\"timestamp\":1000000001}}",
                 i, i);
        apply(line);
    }
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"other\"},\"exemplar\":"
          "{\"labels\":{\"i\":\"o\"},\"timestamp\":1000000001}}");
    ck_assert_str_eq(samples(), "c_total{a=\"0\"} 1 # {i=\"0\"} 1 1000000001.000\n"
                                "c_total{a=\"1\"} 1 # {i=\"1\"} 1 1000000001.000\n"
                                "c_total{a=\"other\"} 3\n");
    fixture_close(&h);
}
END_TEST

START_TEST(one_without_a_time_gets_that_of_its_coming)
{
    fixture_open(&h, CATALOG, 100, 100);
    uint64_t before = clock_real_ms();
    apply("{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"},\"exemplar\":{\"labels\":{}}}");
    uint64_t after = clock_real_ms();
    double seconds;
    ck_assert_int_eq(sscanf(samples(), "c_total{a=\"1\"} 1 # {} 1 %lf\n", &seconds), 1);
    ck_assert(seconds * 1000 > (double)before - 1 && seconds * 1000 < (double)after + 1);
    fixture_close(&h);
}
END_TEST

START_TEST(the_longest_exemplar_is_kept)
{
    fixture_open(&h, CATALOG, 100, 100);
    struct buf line = BUF_INIT;
    struct buf want = BUF_INIT;
    buf_str(&line, "{\"metric\":\"c_total\",\"labels\":{\"a\":\"1\"},\"value\":0.1234567890123456,"
                   "\"exemplar\":{\"labels\":{");
    buf_str(&want, "c_total{a=\"1\"} 0.1234567890123456 # {");
    // One label for each name of one letter, which takes most, the last with all the other characters.
    for (int i = 0; i < 53; i++) {
        char name = (char)(i < 26 ? 'a' + i : i < 52 ? 'A' + i - 26 : '_');
        buf_addf(&line, "%s\"%c\":\"", i > 0 ? "," : "", name);
        buf_addf(&want, "%s%c=\"", i > 0 ? "," : "", name);
        for (int k = 0; i == 52 && k < PLAN_MAX_EXEMPLAR - 53; k++) {
            buf_str(&line, "\xf0\x9f\x9a\x80");
            buf_str(&want, "\xf0\x9f\x9a\x80");
        }
        buf_char(&line, '"');
        buf_char(&want, '"');
    }
    buf_str(&line, "},\"timestamp\":1000000000.999}}");
    buf_str(&want, "} 0.1234567890123456 1000000000.999\n");
    apply(buf_string(&line));
    ck_assert_str_eq(samples(), buf_string(&want));
    ck_assert_uint_gt(want.len - strlen("c_total{a=\"1\"} 0.1234567890123456\n"), 600);
    buf_free(&line);
    buf_free(&want);
    fixture_close(&h);
}
END_TEST

START_TEST(they_go_with_their_series)
{
    fixture_open(&h, CATALOG, 100, 100);
    static const char line[] =
        "{\"event\":\"e\",\"labels\":{\"a\":\"1\"},\"value\":0.5,\"exemplar\":"
        "{\"labels\":{\"i\":\"1\"},\"timestamp\":1000000001}}";
    apply(line);
    ck_assert_uint_eq(atomic_load(&h.store->share.exemplars), 2);
    for (size_t i = 0; i < schema_current(h.store)->catalog->n_metrics; i++) {
        struct table *t = schema_current(h.store)->families[i].table;
        rcu_enter();
        for (uint32_t slot = 0; slot < table_slots(t); slot++) {
            ck_assert(table_remove(t, table_at(t, slot)));
        }
        rcu_leave();
        table_retire(t);
        rcu_wait();
        table_reclaim(t);
    }
    ck_assert_uint_eq(atomic_load(&h.store->share.exemplars), 0);
    apply("{\"event\":\"e\",\"labels\":{\"a\":\"1\"},\"value\":0.5}");
    ck_assert_ptr_null(strstr(samples(), " # {"));
    fixture_close(&h);
}
END_TEST

START_TEST(beyond_the_bound_new_ones_are_left_out_and_old_ones_replaced)
{
    fixture_open(&h, CATALOG, 100, 100);
    apply("{\"metric\":\"two_total\",\"labels\":{\"a\":\"1\"},\"exemplar\":"
          "{\"labels\":{\"i\":\"1\"},\"timestamp\":1000000001}}");
    atomic_store(&h.store->share.exemplars, EXEMPLARS_MOST);
    apply("{\"metric\":\"two_total\",\"labels\":{\"a\":\"2\"},\"exemplar\":"
          "{\"labels\":{\"i\":\"2\"},\"timestamp\":1000000001}}");
    apply("{\"metric\":\"two_total\",\"labels\":{\"a\":\"1\"},\"exemplar\":"
          "{\"labels\":{\"i\":\"3\"},\"timestamp\":1000000001}}");
    ck_assert_uint_eq(atomic_load(&h.store->share.exemplars), EXEMPLARS_MOST);
    const struct table *t = schema_current(h.store)->families[3].table;
    ck_assert_ptr_nonnull(series_exemplars(table_at(t, 0)));
    ck_assert_ptr_null(series_exemplars(table_at(t, 1))); // not even the row
    ck_assert_str_eq(samples(), "two_total{a=\"1\"} 2 # {i=\"3\"} 1 1000000001.000\n"
                                "two_total{a=\"2\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(too_long_a_text_is_not_kept)
{
    fixture_open(&h, CATALOG, 100, 100);
    apply("{\"metric\":\"two_total\",\"labels\":{\"a\":\"1\"}}");
    struct table *t = schema_current(h.store)->families[3].table;
    static const char numbers[] = "0.5 1700000000.250";
    char text[EXEMPLAR_LABELS + 1];
    char out[EXEMPLAR_TEXT];
    memset(text, 'x', sizeof text);
    rcu_enter();
    struct series *s = table_at(t, 0);
    ck_assert(!exemplar_keep(table_exemplars(t, s), 0, text, sizeof text, 1, 1));
    ck_assert(!exemplar_keep(table_exemplars(t, s), 0, text, 0, 1, 1));
    ck_assert_ptr_null(series_exemplars(s));
    for (size_t len = 1; len <= EXEMPLAR_LABELS; len++) {
        text[len - 1] = (char)('a' + len % 26);
        ck_assert(exemplar_keep(table_exemplars(t, s), 0, text, len, 0.5, 1700000000250));
        ck_assert_uint_eq(exemplar_read(series_exemplars(s), 0, out), len + sizeof numbers - 1);
        ck_assert_mem_eq(out, text, len);
        ck_assert_mem_eq(out + len, numbers, sizeof numbers - 1);
    }
    rcu_leave();
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("exemplar", the_last_exemplar_of_a_counter_and_of_each_bucket_is_shown,
          an_event_s_exemplar_goes_to_all_that_it_counts_and_to_no_gauge,
          a_refused_line_and_a_folded_series_leave_none, one_without_a_time_gets_that_of_its_coming,
          the_longest_exemplar_is_kept, they_go_with_their_series,
          beyond_the_bound_new_ones_are_left_out_and_old_ones_replaced, too_long_a_text_is_not_kept)
