// SPDX-License-Identifier: Apache-2.0
#include <stdbool.h>
#include <stdlib.h>

static bool is_short;

static void *some_calloc(size_t n, size_t size)
{
    return is_short ? NULL : calloc(n, size);
}

#define calloc some_calloc
#include "series/rate.c"
#undef calloc

#include "series_unit.h"

static const char catalog[] =
    "metrics:\n"
    "  - {name: g, type: gauge, help: h, component: any, labels: [a]}\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: h_seconds, type: histogram, help: h, component: any, labels: [a], buckets: [1, "
    "2]}\n";

static struct rates rates;
static struct series_store *store;

static void begin(void)
{
    rcu_join();
    rates = (struct rates){0};
    store = unit_store(catalog, 100000, 100000);
}

static void end(void)
{
    schema_close(store);
    rcu_part();
}

static void check_rate(const char *metric, double expected)
{
    double rate = -1;
    ck_assert_msg(rate_read(&unit_table(store, metric)->rate, &rate), "%s has no rate", metric);
    ck_assert_double_eq(rate, expected);
}

static void check_unknown(const char *metric)
{
    double rate;
    ck_assert(!rate_read(&unit_table(store, metric)->rate, &rate));
}

static struct cell_counter *counter(const char *key)
{
    struct table *t = unit_table(store, "c_total");
    return table_cell(t, &unit_writer, unit_add(t, key));
}

START_TEST(a_rate_is_that_between_two_readings)
{
    begin();
    struct table *h = unit_table(store, "h_seconds");
    struct cell_counter *a = counter("a=\"1\"");
    struct cell_counter *b = counter("a=\"2\"");
    struct cell_histogram *c = table_cell(h, &unit_writer, unit_add(h, "a=\"1\""));
    unit_add(unit_table(store, "g"), "a=\"1\"");
    cell_count(a, 1000);
    rates_tick(&rates, store, 50000);
    check_unknown("c_total");
    cell_count(a, 30);
    cell_count(b, 0.5);
    cell_observe(c, 0, 1);
    cell_observe(c, 2, 5);
    rates_tick(&rates, store, 50000 + RATE_ROUND_MS - 1);
    check_unknown("c_total");
    rates_tick(&rates, store, 50000 + RATE_ROUND_MS);
    check_rate("c_total", 3.05);
    check_rate("h_seconds", 0.2);
    check_unknown("g");
    rates_tick(&rates, store, 50000 + 2 * RATE_ROUND_MS);
    check_rate("c_total", 0);
    end();
}
END_TEST

START_TEST(a_rate_is_not_known_where_series_went)
{
    begin();
    cell_count(counter("a=\"1\""), 5);
    rates_tick(&rates, store, 50000);
    cell_count(counter("a=\"2\""), 100);
    struct table *t = unit_table(store, "c_total");
    rcu_enter();
    ck_assert(table_remove(t, unit_find(t, "a=\"1\"")));
    rcu_leave();
    rates_tick(&rates, store, 60000);
    check_unknown("c_total");
    rates_tick(&rates, store, 70000);
    check_rate("c_total", 0);
    end();
}
END_TEST

START_TEST(many_series_take_several_ticks)
{
    enum { SERIES = 2 * RATE_SLOTS + 1 };
    begin();
    struct cell_counter *last = NULL;
    for (unsigned i = 0; i < SERIES; i++) {
        char key[32];
        snprintf(key, sizeof key, "a=\"%u\"", i);
        last = counter(key);
        cell_count(last, 1);
    }
    for (uint64_t now_ms = 50000; now_ms < 53000; now_ms += 1000) {
        ck_assert_int_eq(now_ms > 50000, rates.under_way);
        rates_tick(&rates, store, now_ms);
    }
    ck_assert(!rates.under_way);
    cell_count(last, 40);
    rates_tick(&rates, store, 60000);
    rates_tick(&rates, store, 61000);
    check_unknown("c_total");
    rates_tick(&rates, store, 62000);
    check_rate("c_total", 4);
    end();
}
END_TEST

START_TEST(a_table_that_outlives_a_reload_goes_on)
{
    begin();
    struct cell_counter *a = counter("a=\"1\"");
    struct schema_settings settings = {.limit = 1000, .limit_per_metric = 1000};
    struct schema_change change;
    rates_tick(&rates, store, 50000);
    cell_count(a, 10);
    ck_assert_int_eq(schema_reload(store, load_text(catalog), &settings, &change), 0);
    rates_tick(&rates, store, 55000);
    check_rate("c_total", 2);
    end();
}
END_TEST

static size_t steps_of(const char *metric, struct rate_step ret[static RATE_STEPS])
{
    return rate_history_read(&unit_table(store, metric)->rate, ret);
}

static size_t values_of(const char *metric, const char *key,
                        struct rate_value ret[static RATE_STEPS])
{
    struct table *t = unit_table(store, metric);
    rcu_enter();
    size_t n = rate_series_read(&t->rate, unit_find(t, key), ret);
    rcu_leave();
    return n;
}

static void set_gauge(const char *key, double value)
{
    struct table *t = unit_table(store, "g");
    struct series *s = unit_find(t, key);
    atomic_store(series_gauge(s != NULL ? s : unit_add(t, key)), value);
}

static void remove_series(const char *metric, const char *key)
{
    struct table *t = unit_table(store, metric);
    rcu_enter();
    ck_assert(table_remove(t, unit_find(t, key)));
    rcu_leave();
}

START_TEST(a_history_has_a_step_for_each_minute)
{
    static struct rate_step steps[RATE_STEPS];
    begin();
    struct table *h = unit_table(store, "h_seconds");
    rates_tick(&rates, store, 50000);
    ck_assert_uint_eq(steps_of("c_total", steps), 0);
    struct cell_counter *a = counter("a=\"1\"");
    struct cell_histogram *c = table_cell(h, &unit_writer, unit_add(h, "a=\"1\""));
    unit_add(unit_table(store, "g"), "a=\"1\"");
    cell_observe(c, 1, 1.5);
    uint64_t now = 60000;
    rates_tick(&rates, store, now);
    for (int minute = 0; minute < 2; minute++) {
        cell_count(a, 120);
        cell_observe(c, 0, 1);
        cell_observe(c, 2, 9);
        cell_observe(c, 2, 9);
        for (int i = 0; i < 6; i++) {
            ck_assert_uint_eq(steps_of("c_total", steps), (size_t)minute);
            rates_tick(&rates, store, now += RATE_ROUND_MS);
        }
    }
    ck_assert_uint_eq(steps_of("c_total", steps), 2);
    ck_assert_uint_eq(steps[1].from_ms, 120000);
    ck_assert_uint_eq(steps[1].to_ms, 180000);
    ck_assert_double_eq(steps[0].per_second, 2);
    ck_assert_uint_eq(steps[0].series, 1);
    ck_assert_ptr_null(steps[0].counts);
    ck_assert_uint_eq(steps_of("h_seconds", steps), 2);
    ck_assert_double_eq(steps[1].per_second, 0.05);
    ck_assert_uint_eq(steps[1].counts[0], 1);
    ck_assert_uint_eq(steps[1].counts[1], 0);
    ck_assert_uint_eq(steps[1].counts[2], 2);
    ck_assert_uint_eq(steps_of("g", steps), 2);
    ck_assert(isnan(steps[0].per_second));
    ck_assert_uint_eq(steps[0].series, 1);
    end();
}
END_TEST

START_TEST(a_step_in_which_series_went_has_no_rate)
{
    static struct rate_step steps[RATE_STEPS];
    begin();
    struct table *h = unit_table(store, "h_seconds");
    cell_observe(table_cell(h, &unit_writer, unit_add(h, "a=\"1\"")), 0, 1);
    rates_tick(&rates, store, 60000);
    rcu_enter();
    ck_assert(table_remove(h, unit_find(h, "a=\"1\"")));
    rcu_leave();
    rates_tick(&rates, store, 120000);
    rates_tick(&rates, store, 180000);
    ck_assert_uint_eq(steps_of("h_seconds", steps), 2);
    ck_assert(isnan(steps[0].per_second));
    ck_assert_ptr_null(steps[0].counts);
    ck_assert_double_eq(steps[1].per_second, 0);
    ck_assert_ptr_nonnull(steps[1].counts);
    ck_assert_uint_eq(steps[1].series, 0);
    end();
}
END_TEST

START_TEST(a_history_keeps_its_last_steps)
{
    static struct rate_step steps[RATE_STEPS];
    begin();
    struct cell_counter *a = counter("a=\"1\"");
    for (uint64_t i = 1; i <= 3 * RATE_STEPS; i++) {
        cell_count(a, 60 * i);
        rates_tick(&rates, store, i * 60000);
    }
    ck_assert_uint_eq(steps_of("c_total", steps), RATE_STEPS);
    for (size_t i = 0; i < RATE_STEPS; i++) {
        ck_assert_uint_eq(steps[i].to_ms, (2 * RATE_STEPS + i + 1) * 60000);
        ck_assert_double_eq(steps[i].per_second, (double)(2 * RATE_STEPS + i + 1));
    }
    end();
}
END_TEST

START_TEST(a_history_for_which_there_is_no_memory_begins_later)
{
    static struct rate_step steps[RATE_STEPS];
    static struct rate_value values[RATE_STEPS];
    begin();
    struct cell_counter *a = counter("a=\"1\"");
    is_short = true;
    rates_tick(&rates, store, 60000);
    cell_count(a, 60);
    rates_tick(&rates, store, 120000);
    is_short = false;
    ck_assert_uint_eq(steps_of("c_total", steps), 0);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", values), 0);
    check_rate("c_total", 1);
    rates_tick(&rates, store, 180000);
    cell_count(a, 120);
    rates_tick(&rates, store, 240000);
    ck_assert_uint_eq(steps_of("c_total", steps), 1);
    ck_assert_double_eq(steps[0].per_second, 2);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", values), 1);
    ck_assert_double_eq(values[0].value, 2);
    end();
}
END_TEST

START_TEST(each_of_the_first_series_has_a_history)
{
    static struct rate_value v[RATE_STEPS];
    begin();
    struct table *h = unit_table(store, "h_seconds");
    struct cell_counter *a = counter("a=\"1\"");
    struct cell_counter *b = counter("a=\"2\"");
    struct cell_histogram *c = table_cell(h, &unit_writer, unit_add(h, "a=\"1\""));
    set_gauge("a=\"1\"", -1);
    cell_count(a, 1000);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", v), 0);
    rates_tick(&rates, store, 60000);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", v), 0);
    cell_count(a, 60);
    cell_count(b, 30);
    cell_observe(c, 0, 1);
    cell_observe(c, 2, 5);
    cell_observe(c, 2, 5);
    set_gauge("a=\"1\"", -2.5);
    set_gauge("a=\"2\"", 7);
    rates_tick(&rates, store, 120000);
    set_gauge("a=\"1\"", 3);
    rates_tick(&rates, store, 130000); // within a step
    set_gauge("a=\"1\"", 4);
    rates_tick(&rates, store, 180000);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", v), 2);
    ck_assert_double_eq(v[0].value, 1);
    ck_assert_double_eq(v[1].value, 0);
    ck_assert_uint_eq(v[0].to_ms, 120000);
    ck_assert_uint_eq(v[1].to_ms, 180000);
    ck_assert_uint_eq(values_of("c_total", "a=\"2\"", v), 2);
    ck_assert_double_eq(v[0].value, 0.5);
    ck_assert_uint_eq(values_of("h_seconds", "a=\"1\"", v), 2);
    ck_assert_double_eq(v[0].value, 0.05);
    ck_assert_uint_eq(values_of("g", "a=\"1\"", v), 2);
    ck_assert_double_eq(v[0].value, -2.5);
    ck_assert_double_eq(v[1].value, 4);
    ck_assert_uint_eq(values_of("g", "a=\"2\"", v), 2);
    ck_assert_double_eq(v[0].value, 7);
    end();
}
END_TEST

START_TEST(a_series_that_comes_later_has_a_shorter_history)
{
    static struct rate_value v[RATE_STEPS];
    begin();
    cell_count(counter("a=\"1\""), 1);
    for (uint64_t i = 1; i <= 2 * RATE_STEPS; i++) {
        rates_tick(&rates, store, i * 60000);
    }
    struct cell_counter *b = counter("a=\"2\"");
    cell_count(b, 1000);
    rates_tick(&rates, store, (2 * RATE_STEPS + 1) * 60000);
    cell_count(b, 60);
    rates_tick(&rates, store, (2 * RATE_STEPS + 2) * 60000);
    ck_assert_uint_eq(values_of("c_total", "a=\"1\"", v), RATE_STEPS);
    ck_assert_uint_eq(v[0].to_ms, (RATE_STEPS + 3) * 60000);
    ck_assert_uint_eq(values_of("c_total", "a=\"2\"", v), 2);
    ck_assert(isnan(v[0].value)); // it is not known when it began
    ck_assert_double_eq(v[1].value, 1);
    end();
}
END_TEST

START_TEST(so_many_series_have_a_history_and_the_next_one_moves_up)
{
    static struct rate_value v[RATE_STEPS];
    char key[32];
    begin();
    for (unsigned i = 0; i <= RATE_KEPT; i++) {
        snprintf(key, sizeof key, "a=\"%u\"", i);
        set_gauge(key, i);
        counter(key);
    }
    rates_tick(&rates, store, 60000);
    rates_tick(&rates, store, 120000);
    ck_assert_uint_eq(values_of("g", "a=\"19\"", v), 1);
    ck_assert_double_eq(v[0].value, 19);
    ck_assert_uint_eq(values_of("g", "a=\"20\"", v), 0);
    ck_assert_uint_eq(values_of("c_total", "a=\"19\"", v), 1);
    ck_assert_uint_eq(values_of("c_total", "a=\"20\"", v), 0);
    remove_series("g", "a=\"3\"");
    remove_series("c_total", "a=\"3\"");
    rates_tick(&rates, store, 180000);
    ck_assert_uint_eq(values_of("g", "a=\"20\"", v), 1);
    ck_assert_double_eq(v[0].value, 20);
    ck_assert_uint_eq(values_of("c_total", "a=\"20\"", v), 1);
    ck_assert(isnan(v[0].value));
    ck_assert_uint_eq(values_of("g", "a=\"19\"", v), 2);
    ck_assert_double_eq(v[0].value, 19);
    // It takes the slot that was free, and one that was among the first is no longer.
    unit_reclaim(unit_table(store, "g"));
    set_gauge("a=\"new\"", 5);
    ck_assert_uint_eq(values_of("g", "a=\"new\"", v), 0);
    rates_tick(&rates, store, 240000);
    ck_assert_uint_eq(values_of("g", "a=\"new\"", v), 1);
    ck_assert_uint_eq(values_of("g", "a=\"20\"", v), 0);
    end();
}
END_TEST

START_TEST(a_series_does_not_take_the_history_of_its_slot)
{
    static struct rate_value v[RATE_STEPS];
    begin();
    set_gauge("a=\"old\"", 1);
    cell_count(counter("a=\"old\""), 600);
    rates_tick(&rates, store, 60000);
    rates_tick(&rates, store, 120000);
    uint32_t slot = unit_find(unit_table(store, "g"), "a=\"old\"")->record->slot;
    remove_series("g", "a=\"old\"");
    remove_series("c_total", "a=\"old\"");
    unit_reclaim(unit_table(store, "g"));
    unit_reclaim(unit_table(store, "c_total"));
    set_gauge("a=\"new\"", 2);
    cell_count(counter("a=\"new\""), 60000);
    ck_assert_uint_eq(unit_find(unit_table(store, "g"), "a=\"new\"")->record->slot, slot);
    ck_assert_uint_eq(values_of("g", "a=\"new\"", v), 0);
    ck_assert_uint_eq(values_of("c_total", "a=\"new\"", v), 0);
    rates_tick(&rates, store, 180000);
    ck_assert_uint_eq(values_of("g", "a=\"new\"", v), 1);
    ck_assert_double_eq(v[0].value, 2);
    ck_assert_uint_eq(values_of("c_total", "a=\"new\"", v), 1);
    ck_assert(isnan(v[0].value));
    end();
}
END_TEST

START_TEST(a_history_of_a_series_outlives_a_reload)
{
    static struct rate_value v[RATE_STEPS];
    begin();
    struct schema_settings settings = {.limit = 1000, .limit_per_metric = 1000};
    struct schema_change change;
    set_gauge("a=\"1\"", 1);
    rates_tick(&rates, store, 60000);
    rates_tick(&rates, store, 120000);
    ck_assert_int_eq(schema_reload(store, load_text(catalog), &settings, &change), 0);
    set_gauge("a=\"1\"", 2);
    rates_tick(&rates, store, 180000);
    ck_assert_uint_eq(values_of("g", "a=\"1\"", v), 2);
    ck_assert_double_eq(v[0].value, 1);
    ck_assert_double_eq(v[1].value, 2);
    end();
}
END_TEST

UNIT_MAIN("rate", a_rate_is_that_between_two_readings, a_rate_is_not_known_where_series_went,
          many_series_take_several_ticks, a_table_that_outlives_a_reload_goes_on,
          a_history_has_a_step_for_each_minute, a_step_in_which_series_went_has_no_rate,
          a_history_keeps_its_last_steps, a_history_for_which_there_is_no_memory_begins_later,
          each_of_the_first_series_has_a_history, a_series_that_comes_later_has_a_shorter_history,
          so_many_series_have_a_history_and_the_next_one_moves_up,
          a_series_does_not_take_the_history_of_its_slot, a_history_of_a_series_outlives_a_reload)
