// SPDX-License-Identifier: Apache-2.0
#include "series_unit.h"

#include <errno.h>

static int callocs_left = -1; // how many more succeed; negative: all

static void *some_calloc(size_t n, size_t size)
{
    return callocs_left-- == 0 ? NULL : calloc(n, size);
}

static int tables_left = -1;

static int some_table_new(struct table **ret, struct table_share *share, const struct metric *m,
                          uint64_t limit)
{
    return tables_left-- == 0 ? -ENOMEM : table_new(ret, share, m, limit);
}

#define calloc some_calloc
#define table_new some_table_new
#include "series/schema.c"
#undef calloc
#undef table_new

static const struct schema_settings usual = {.limit = 1000, .limit_per_metric = 100};

static const char counter_a[] =
    "metrics:\n"
    "  - {name: m_total, type: counter, help: h, component: any, labels: [a]}\n";

static struct series_store *begin(const char *catalog)
{
    rcu_join();
    return unit_store(catalog, 1000, 100);
}

static void end(struct series_store *store)
{
    schema_close(store);
    rcu_part();
}

static struct schema_change reload_with(struct series_store *store, const char *catalog,
                                        const struct schema_settings *settings)
{
    uint64_t generation = schema_current(store)->generation;
    struct schema_change change;
    ck_assert_int_eq(schema_reload(store, load_text(catalog), settings, &change), 0);
    ck_assert_uint_eq(schema_current(store)->generation, generation + 1);
    return change;
}

static struct schema_change reload(struct series_store *store, const char *catalog)
{
    return reload_with(store, catalog, &usual);
}

static void expect_change(struct schema_change change, size_t anew, size_t gone, uint64_t series)
{
    ck_assert_uint_eq(change.reset, anew);
    ck_assert_uint_eq(change.gone, gone);
    ck_assert_uint_eq(change.series, series);
}

START_TEST(a_store_has_a_table_for_each_metric)
{
    struct series_store *store =
        begin("metrics:\n"
              "  - {name: a, type: gauge, help: h, component: any, series_limit: 7}\n"
              "  - {name: b, type: gauge, help: h, component: any, owner: source, ttl: 1h}\n"
              "  - {name: b_info, type: gauge, help: h, component: any, owner: source}\n"
              "  - {name: c_info, type: gauge, help: h, component: any}\n");
    static const struct {
        const char *name;
        uint64_t limit;
        bool owned;
        bool single;
        bool timed;
    } cases[] = {
        {"a", 7, false, false, false},
        {"b", 100, true, false, true},
        {"b_info", 100, true, true, false},
        {"c_info", 100, false, false, false},
    };
    for (size_t i = 0; i < 4; i++) {
        struct table *t = unit_table(store, cases[i].name);
        ck_assert_uint_eq(atomic_load(&t->quota.limit), cases[i].limit);
        ck_assert_int_eq(t->owned, cases[i].owned);
        ck_assert_int_eq(t->single, cases[i].single);
        ck_assert_int_eq(atomic_load(&t->timed), cases[i].timed);
    }
    ck_assert_uint_eq(schema_current(store)->generation, 1);
    ck_assert_uint_eq(atomic_load(&store->share.quota.limit), 1000);
    end(store);
}
END_TEST

START_TEST(what_touches_no_series_keeps_them)
{
    static const char *const others[] = {
        counter_a,
        "metrics:\n"
        "  - {name: m_total, type: counter, help: another, component: manager, labels: [a]}\n",
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a], ttl: 1h}\n",
        "labels:\n  a: {values: ['1', '2'], closed: true}\n"
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a], precreate: "
        "true}\n",
        "labels:\n  a: {values: [u, v]}\n"
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a]}\n",
        "labels:\n  a: {values: [u], aliases: {w: u}}\n"
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a]}\n",
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a], series_limit: "
        "1}\n",
        "metrics:\n"
        "  - {name: first, type: gauge, help: h, component: any, labels: [a]}\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a]}\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct series_store *store = begin(counter_a);
        struct table *t = unit_table(store, "m_total");
        struct series *s = unit_add(t, "a=\"1\"");
        unit_add(t, "a=\"2\"");
        cell_count(table_cell(t, &unit_writer, s), 41);
        atomic_store(&t->stats->folded, 3);
        expect_change(reload(store, others[i]), 0, 0, 0);
        t = unit_table(store, "m_total");
        ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
        uint64_t whole;
        double rest;
        table_read_counter(t, unit_find(t, "a=\"1\""), &whole, &rest);
        ck_assert_uint_eq(whole, 41);
        ck_assert_uint_eq(atomic_load(&t->stats->folded), 3);
        ck_assert_uint_eq(atomic_load(&t->stats->expired), 0);
        end(store);
    }
}
END_TEST

static const char histogram[] = "metrics:\n"
                                "  - {name: m, type: histogram, help: h, component: any,\n"
                                "     labels: [a, b], buckets: [1, 2]}\n";

START_TEST(another_type_other_labels_or_bounds_begin_anew)
{
    static const char *const others[] = {
        "metrics:\n  - {name: m, type: gauge, help: h, component: any, labels: [a, b]}\n",
        "metrics:\n  - {name: m, type: histogram, help: h, component: any, labels: [a],\n"
        "     buckets: [1, 2]}\n",
        "metrics:\n  - {name: m, type: histogram, help: h, component: any, labels: [b, a],\n"
        "     buckets: [1, 2]}\n",
        "metrics:\n  - {name: m, type: histogram, help: h, component: any, labels: [a, c],\n"
        "     buckets: [1, 2]}\n",
        "metrics:\n  - {name: m, type: histogram, help: h, component: any, labels: [a, b],\n"
        "     buckets: [1, 3]}\n",
        "metrics:\n  - {name: m, type: histogram, help: h, component: any, labels: [a, b],\n"
        "     buckets: [1, 2, 3]}\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct series_store *store = begin(histogram);
        struct table *t = unit_table(store, "m");
        unit_add(t, "a=\"1\",b=\"1\"");
        unit_add(t, "a=\"1\",b=\"2\"");
        atomic_store(&t->stats->expired, 10);
        atomic_store(&t->stats->folded, 20);
        atomic_store(&t->stats->precreate_skipped, 30);
        expect_change(reload(store, others[i]), 1, 0, 2);
        t = unit_table(store, "m");
        ck_assert_str_eq(unit_keys(t), "");
        ck_assert_uint_eq(atomic_load(&t->stats->expired), 12);
        ck_assert_uint_eq(atomic_load(&t->stats->folded), 20);
        ck_assert_uint_eq(atomic_load(&t->stats->precreate_skipped), 30);
        ck_assert_uint_eq(atomic_load(&t->quota.used), 0);
        ck_assert_uint_eq(atomic_load(&store->share.quota.used), 0);
        end(store);
    }
}
END_TEST

START_TEST(series_outside_a_narrowed_closed_set_go)
{
    static const char wide[] =
        "labels:\n  a: {values: [u, v, \"w\\\\\"], closed: true}\n"
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [b, a]}\n";
    static const struct {
        const char *labels;
        const char *left;
    } cases[] = {
        {"a: {values: [u, v, \"w\\\\\"], closed: true}",
         "b=\"u\",a=\"u\" b=\"v\",a=\"v\" b=\"w\",a=\"w\\\\\" "},
        {"a: {values: [u, \"w\\\\\"], closed: true}", "b=\"u\",a=\"u\" b=\"w\",a=\"w\\\\\" "},
        {"a: {values: [v, x], closed: true}", "b=\"v\",a=\"v\" "},
        {"a: {values: [x], closed: true}", ""},
        // A value that is now another spelling of one is no value any more.
        {"a: {values: [u, v], closed: true, aliases: {\"w\\\\\": u}}",
         "b=\"u\",a=\"u\" b=\"v\",a=\"v\" "},
        {"a: {values: [x]}", "b=\"u\",a=\"u\" b=\"v\",a=\"v\" b=\"w\",a=\"w\\\\\" "},
        {"b: {values: [w], closed: true}", "b=\"w\",a=\"w\\\\\" "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct series_store *store = begin(wide);
        struct table *t = unit_table(store, "m_total");
        unit_add(t, "b=\"u\",a=\"u\"");
        unit_add(t, "b=\"v\",a=\"v\"");
        unit_add(t, "b=\"w\",a=\"w\\\\\"");
        char text[256];
        snprintf(text, sizeof text,
                 "labels:\n  %s\nmetrics:\n"
                 "  - {name: m_total, type: counter, help: h, component: any, labels: [b, a]}\n",
                 cases[i].labels);
        struct schema_change change = reload(store, text);
        t = unit_table(store, "m_total");
        ck_assert_str_eq(unit_keys(t), cases[i].left);
        uint64_t left = atomic_load(&t->quota.used);
        expect_change(change, 0, 0, 3 - left);
        ck_assert_uint_eq(atomic_load(&t->stats->expired), 3 - left);
        ck_assert_uint_eq(atomic_load(&store->share.quota.used), left);
        end(store);
    }
}
END_TEST

START_TEST(lower_limits_keep_what_exists_and_higher_ones_make_room)
{
    struct series_store *store = begin(counter_a);
    struct table *t = unit_table(store, "m_total");
    unit_add(t, "a=\"1\"");
    unit_add(t, "a=\"2\"");
    struct schema_settings tight = {.limit = 1, .limit_per_metric = 1};
    expect_change(reload_with(store, counter_a, &tight), 0, 0, 0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    struct series *s = NULL;
    ck_assert_int_eq(unit_make(t, &unit_writer, "a=\"3\"", &s), -ENOSPC);
    struct schema_settings wide = {.limit = 3, .limit_per_metric = 1000000};
    expect_change(reload_with(store, counter_a, &wide), 0, 0, 0);
    unit_add(t, "a=\"3\"");
    ck_assert_int_eq(unit_make(t, &unit_writer, "a=\"4\"", &s), -ENOSPC);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" a=\"3\" ");
    ck_assert_ptr_nonnull(unit_find(t, "a=\"1\""));
    end(store);
}
END_TEST

START_TEST(a_metric_that_is_no_more_takes_its_series_along)
{
    static const char both[] =
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a]}\n"
        "  - {name: n, type: gauge, help: h, component: any, labels: [a]}\n";
    struct series_store *store = begin(both);
    unit_add(unit_table(store, "m_total"), "a=\"1\"");
    unit_add(unit_table(store, "n"), "a=\"1\"");
    unit_add(unit_table(store, "n"), "a=\"2\"");
    struct series *removed = unit_add(unit_table(store, "n"), "a=\"3\"");
    ck_assert(table_remove(unit_table(store, "n"), removed));
    expect_change(reload(store, counter_a), 0, 1, 2);
    ck_assert_uint_eq(atomic_load(&store->share.quota.used), 1);
    ck_assert_int_eq(catalog_find_metric(schema_current(store)->catalog, "n", 1), -1);
    // It comes back empty.
    expect_change(reload(store, both), 0, 0, 0);
    ck_assert_str_eq(unit_keys(unit_table(store, "n")), "");
    ck_assert_str_eq(unit_keys(unit_table(store, "m_total")), "a=\"1\" ");
    unit_add(unit_table(store, "n"), "a=\"1\"");
    end(store);
}
END_TEST

START_TEST(a_ttl_that_begins_counts_from_now)
{
    struct series_store *store = begin(counter_a);
    struct series *s = unit_add(unit_table(store, "m_total"), "a=\"1\"");
    atomic_store(series_touched(s), 0);
    static const char aged[] =
        "metrics:\n"
        "  - {name: m_total, type: counter, help: h, component: any, labels: [a], ttl: 1h}\n";
    reload(store, aged);
    uint32_t now_s = (uint32_t)(clock_mono_ms() / 1000);
    ck_assert_uint_le(now_s - atomic_load(series_touched(s)), 5);
    // And goes on when it is changed.
    atomic_store(series_touched(s), 1);
    reload(store, aged);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 1);
    reload(store, counter_a);
    ck_assert(!atomic_load(&unit_table(store, "m_total")->timed));
    end(store);
}
END_TEST

START_TEST(a_reload_without_memory_leaves_all_as_it_was)
{
    struct series_store *store = begin(histogram);
    struct schema *before = schema_current(store);
    unit_add(unit_table(store, "m"), "a=\"1\",b=\"1\"");
    struct catalog *c = load_text(
        "metrics:\n"
        "  - {name: new, type: gauge, help: h, component: any}\n"
        "  - {name: m, type: gauge, help: h, component: any, labels: [a, b], series_limit: 1}\n");
    struct schema_change untouched = {77, 77, 77};
    struct schema_settings other = {.limit = 5, .limit_per_metric = 5};
    callocs_left = 0;
    ck_assert_int_eq(schema_reload(store, c, &other, &untouched), -ENOMEM);
    callocs_left = -1;
    for (int ok = 0; ok < 2; ok++) {
        tables_left = ok;
        ck_assert_int_eq(schema_reload(store, c, &other, &untouched), -ENOMEM);
    }
    tables_left = -1;
    expect_change(untouched, 77, 77, 77);
    ck_assert_ptr_eq(schema_current(store), before);
    ck_assert_str_eq(unit_keys(unit_table(store, "m")), "a=\"1\",b=\"1\" ");
    ck_assert_uint_eq(atomic_load(&store->share.quota.used), 1);
    ck_assert_uint_eq(atomic_load(&store->share.quota.limit), 1000);
    catalog_free(c);
    end(store);
}
END_TEST

START_TEST(without_memory_there_is_no_store)
{
    rcu_join();
    struct catalog *c = load_text(counter_a);
    struct series_store *store = NULL;
    for (int ok = 0; ok < 2; ok++) {
        callocs_left = ok;
        ck_assert_int_eq(schema_open(&store, c, &usual, 1, 100, 199), -ENOMEM);
        callocs_left = -1;
    }
    tables_left = 0;
    ck_assert_int_eq(schema_open(&store, c, &usual, 1, 100, 199), -ENOMEM);
    ck_assert_ptr_null(store);
    catalog_free(c);
    schema_close(NULL);
    rcu_part();
}
END_TEST

UNIT_MAIN("schema", a_store_has_a_table_for_each_metric, what_touches_no_series_keeps_them,
          another_type_other_labels_or_bounds_begin_anew, series_outside_a_narrowed_closed_set_go,
          lower_limits_keep_what_exists_and_higher_ones_make_room,
          a_metric_that_is_no_more_takes_its_series_along, a_ttl_that_begins_counts_from_now,
          a_reload_without_memory_leaves_all_as_it_was, without_memory_there_is_no_store)
