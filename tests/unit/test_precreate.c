// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "fixture.h"
#include "series/idset.h"
#include "unit.h"

static const char CATALOG[] =
    "labels:\n"
    "  c: {values: [x, \"y\\\"\"], closed: true}\n"
    "  d: {values: [p, q], closed: true}\n"
    "  o: {values: [one], aliases: {uno: one}}\n"
    "metrics:\n"
    "  - {name: big_total, type: counter, help: h, labels: [o, c, d], precreate: true, "
    "series_limit: 6}\n"
    "  - {name: plain_total, type: counter, help: h, labels: [o, c]}\n"
    "  - {name: all_total, type: counter, help: h, labels: [d], precreate: true}\n"
    "  - {name: h, type: histogram, help: h, labels: [e, d], buckets: [1], precreate: true}\n";

static struct fixture h;

// Does what a hello with this one label does.
static void hello(const char *name, const char *value)
{
    struct origin_defaults d = {.n = 1, .names = {strdup(name)}, .values = {strdup(value)}};
    rcu_enter();
    event_precreate(h.p->reader, &d, &h.origin, COMPONENT_PROVIDER, fixture_named(&h.origin.owner));
    rcu_leave();
    free(d.names[0]);
    free(d.values[0]);
}

static uint64_t skipped(size_t family)
{
    return count_read(&schema_current(h.store)->families[family].table->stats->precreate_skipped);
}

#define ALL_TOTAL "all_total{d=\"p\"} 0\nall_total{d=\"q\"} 0\n"

START_TEST(a_hello_makes_every_combination_of_closed_labels)
{
    fixture_open(&h, CATALOG, 100, 100);
    hello("o", "uno");
    ck_assert_str_eq(fixture_samples(&h), "big_total{o=\"one\",c=\"x\",d=\"p\"} 0\n"
                                          "big_total{o=\"one\",c=\"y\\\"\",d=\"p\"} 0\n"
                                          "big_total{o=\"one\",c=\"x\",d=\"q\"} 0\n"
                                          "big_total{o=\"one\",c=\"y\\\"\",d=\"q\"} 0\n" ALL_TOTAL);
    hello("o", "one");
    ck_assert_uint_eq(count_read(&schema_current(h.store)->families[0].table->quota.used), 4);
    fixture_close(&h);
}
END_TEST

START_TEST(open_values_are_escaped_and_unnamed_ones_wait)
{
    fixture_open(&h, CATALOG, 100, 100);
    hello("e", "a\"\n\\");
    ck_assert_ptr_nonnull(strstr(fixture_samples(&h), "h_count{e=\"a\\\"\\n\\\\\",d=\"q\"} 0\n"));
    ck_assert_ptr_null(strstr(fixture_samples(&h), "big_total"));
    fixture_close(&h);
}
END_TEST

START_TEST(a_first_event_makes_its_siblings)
{
    fixture_open(&h, CATALOG, 100, 100);
    ck_assert_int_eq(
        fixture_line(&h,
                     "{\"metric\":\"big_total\",\"labels\":{\"o\":\"v\",\"c\":\"x\",\"d\":\"q\"}}")
            .kind,
        EVENT_APPLIED);
    ck_assert_int_eq(
        fixture_line(&h, "{\"metric\":\"plain_total\",\"labels\":{\"o\":\"v\",\"c\":\"x\"}}").kind,
        EVENT_APPLIED);
    ck_assert_str_eq(fixture_samples(&h), "big_total{o=\"v\",c=\"x\",d=\"q\"} 1\n"
                                          "big_total{o=\"v\",c=\"x\",d=\"p\"} 0\n"
                                          "big_total{o=\"v\",c=\"y\\\"\",d=\"p\"} 0\n"
                                          "big_total{o=\"v\",c=\"y\\\"\",d=\"q\"} 0\n"
                                          "plain_total{o=\"v\",c=\"x\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_group_that_passes_a_limit_is_skipped_whole_and_counted)
{
    fixture_open(&h, CATALOG, 100, 100);
    hello("o", "one");
    hello("o", "two");
    ck_assert_uint_eq(skipped(0), 1);
    ck_assert_uint_eq(count_read(&schema_current(h.store)->families[0].table->quota.used), 4);
    ck_assert_ptr_null(strstr(fixture_samples(&h), "two"));
    // The event itself finds room, its siblings do not.
    fixture_line(&h,
                 "{\"metric\":\"big_total\",\"labels\":{\"o\":\"two\",\"c\":\"x\",\"d\":\"q\"}}");
    ck_assert_uint_eq(count_read(&schema_current(h.store)->families[0].table->quota.used), 5);
    ck_assert_uint_eq(skipped(0), 2);
    // A folded series has no siblings.
    fixture_line(&h,
                 "{\"metric\":\"big_total\",\"labels\":{\"o\":\"two\",\"c\":\"x\",\"d\":\"p\"}}");
    fixture_line(&h,
                 "{\"metric\":\"big_total\",\"labels\":{\"o\":\"three\",\"c\":\"x\",\"d\":\"p\"}}");
    ck_assert_ptr_nonnull(
        strstr(fixture_samples(&h), "big_total{o=\"other\",c=\"x\",d=\"p\"} 1\n"));
    ck_assert_ptr_null(strstr(fixture_samples(&h), "o=\"other\",c=\"x\",d=\"q\""));
    fixture_close(&h);
}
END_TEST

START_TEST(the_limit_of_all_series_counts_too)
{
    fixture_open(&h, CATALOG, 5, 100);
    hello("o", "one");
    ck_assert_uint_eq(skipped(0), 0);
    ck_assert_uint_eq(skipped(2), 1);
    ck_assert_uint_eq(count_read(&h.store->share.quota.used), 4);
    fixture_close(&h);
}
END_TEST

START_TEST(what_a_hello_named_and_what_was_made_carry_ids)
{
    fixture_open(&h, CATALOG, 100, 100);
    hello("o", "one");
    fixture_line(&h,
                 "{\"metric\":\"big_total\",\"labels\":{\"o\":\"one\",\"c\":\"x\",\"d\":\"p\"}}");
    fixture_line(&h, "{\"metric\":\"all_total\",\"labels\":{\"d\":\"q\"}}");
    char *base = h.store->share.base;
    const struct owner *c = &h.origin.owner;
    const struct table *t = schema_current(h.store)->families[0].table;
    for (uint32_t i = 0; i < 4; i++) {
        const struct series *s = table_at(t, i);
        size_t len;
        bool updated = strcmp(series_text(s, &len), "o=\"one\",c=\"x\",d=\"p\"") == 0;
        ck_assert(idset_has(base, series_ids(s), c->updater_id) == updated);
        ck_assert(idset_has(base, series_ids(s), c->precreator_id));
        ck_assert(idset_has(base, series_ids(s), fixture_named(c)));
    }
    // Another source's hello finds all of them.
    struct owner first = *c;
    h.origin.owner.updater_id++;
    h.origin.owner.precreator_id++;
    hello("o", "one");
    for (uint32_t i = 0; i < 4; i++) {
        const struct series *s = table_at(t, i);
        ck_assert(!idset_has(base, series_ids(s), c->updater_id));
        ck_assert(!idset_has(base, series_ids(s), c->precreator_id));
        ck_assert(idset_has(base, series_ids(s), fixture_named(c)));
        ck_assert(idset_has(base, series_ids(s), first.precreator_id));
    }
    fixture_close(&h);
}
END_TEST

static size_t count_lines(const char *begin)
{
    size_t n = 0;
    for (const char *at = fixture_samples(&h); *at != '\0'; at = strchr(at, '\n') + 1) {
        n += strncmp(at, begin, strlen(begin)) == 0;
    }
    return n;
}

START_TEST(the_built_in_counters_start_at_zero)
{
    fixture_open(&h, NULL, 10000, 1000);
    hello("provider_type", "vsphere");
    static const struct {
        const char *begin;
        size_t n;
    } cases[] = {
        {"virtrigaud_vm_reconfigure_total{provider_type=\"vsphere\"", 3},
        {"virtrigaud_vm_snapshot_total{", 3 * 3},
        {"virtrigaud_vm_clone_total{linked=\"true\",provider_type=\"vsphere\",outcome=", 3},
        {"virtrigaud_vm_clone_total{", 2 * 3},
        {"virtrigaud_vm_image_prepare_total{", 3},
        {"virtrigaud_vm_operations_total{", 0}, // of which provider was not said
        {"virtrigaud_manager_reconcile_total{kind=\"VMSet\"", 4},
        {"virtrigaud_manager_reconcile_total{", 10 * 4},
        {"virtrigaud_provider_rpc_requests_total{provider_type=\"vsphere\",method=\"CloneVM\",code="
         "\"OK\"} 0\n",
         1},
        {"virtrigaud_provider_rpc_requests_total{", 17},
        {"virtrigaud_errors_total{reason=\"tls-not-configured\",component=\"provider\"} 0\n", 1},
        {"virtrigaud_errors_total{", 25},
        {"", 103},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(count_lines(cases[i].begin) == cases[i].n, "%s: %zu", cases[i].begin,
                      count_lines(cases[i].begin));
    }
    fixture_close(&h);
}
END_TEST

START_TEST(the_first_event_of_a_provider_makes_all_its_operations)
{
    fixture_open(&h, NULL, 10000, 1000);
    fixture_line(&h,
                 "{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Odd\",\"provider_type\":"
                 "\"a\",\"provider\":\"\",\"outcome\":\"error\"}}");
    ck_assert_uint_eq(count_lines("virtrigaud_vm_operations_total{"), 5 * 3 + 3);
    ck_assert_uint_eq(
        count_lines("virtrigaud_vm_operations_total{operation=\"Odd\",provider_type=\"a\","
                    "provider=\"none\",outcome=\"error\"} 1\n"),
        1);
    // An RPC that fails makes the zero of those that do not, of every known method.
    fixture_line(&h, "{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"a\",\"method\":\"Odd\","
                     "\"code\":\"Aborted\"},\"value\":1}");
    ck_assert_uint_eq(count_lines("virtrigaud_provider_rpc_requests_total{"), 17 + 2);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("precreate", a_hello_makes_every_combination_of_closed_labels,
          open_values_are_escaped_and_unnamed_ones_wait, a_first_event_makes_its_siblings,
          a_group_that_passes_a_limit_is_skipped_whole_and_counted,
          the_limit_of_all_series_counts_too, what_a_hello_named_and_what_was_made_carry_ids,
          the_built_in_counters_start_at_zero,
          the_first_event_of_a_provider_makes_all_its_operations)
