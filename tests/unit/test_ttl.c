// SPDX-License-Identifier: Apache-2.0
#include "series_unit.h"

static const char catalog[] =
    "labels:\n"
    "  outcome: {values: [good, bad], closed: true}\n"
    "  k: {values: [x, y]}\n"
    "metrics:\n"
    "  - {name: kept_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: aged, type: gauge, help: h, component: any, labels: [a], ttl: 10s}\n"
    "  - {name: group_total, type: counter, help: h, component: any, labels: [a, outcome, b],\n"
    "     ttl: 10s, precreate: true}\n"
    "  - {name: part_total, type: counter, help: h, component: any, labels: [a, outcome, k],\n"
    "     ttl: 10s, precreate: {k: all, outcome: source}}\n"
    "  - {name: owned, type: gauge, help: h, component: any, labels: [a], owner: source}\n";

static struct sources *sources;

static struct series_store *begin(void)
{
    rcu_join();
    ck_assert_int_eq(sources_new(&sources, 4), 0);
    return unit_store(catalog, 1000, 1000);
}

static void end(struct series_store *store)
{
    schema_close(store);
    sources_free(sources);
    rcu_part();
}

static struct series *add_at(struct table *t, const char *key, uint32_t touched)
{
    struct series *s = unit_add(t, key);
    atomic_store(series_touched(s), touched);
    return s;
}

START_TEST(a_series_goes_when_its_ttl_is_over)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "aged");
    add_at(t, "a=\"1\"", 100);
    add_at(t, "a=\"2\"", 101);
    add_at(t, "a=\"3\"", 109);
    add_at(t, "a=\"4\"", 200); // as when the clocks of two threads differ
    unit_add(unit_table(store, "kept_total"), "a=\"1\"");
    // An update of second 100 may have come at 100.999, and is not 10 s old before 110.999.
    ttl_expire(store, sources, 110);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" a=\"3\" a=\"4\" ");
    ttl_expire(store, sources, 111);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" a=\"3\" a=\"4\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 1);
    ttl_expire(store, sources, 120);
    ck_assert_str_eq(unit_keys(t), "a=\"4\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 3);
    ck_assert_uint_eq(atomic_load(&t->quota.used), 1);
    ttl_expire(store, sources, 1000000);
    ck_assert_str_eq(unit_keys(unit_table(store, "kept_total")), "a=\"1\" ");
    end(store);
}
END_TEST

START_TEST(a_group_of_precreated_series_ages_together)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "group_total");
    add_at(t, "a=\"1\",outcome=\"good\",b=\"x\"", 100);
    add_at(t, "a=\"1\",outcome=\"bad\",b=\"x\"", 105);
    add_at(t, "a=\"1\",outcome=\"good\",b=\"y\"", 100);
    add_at(t, "a=\"x\",outcome=\"good\",b=\"1\"", 107);
    ttl_expire(store, sources, 112);
    ck_assert_str_eq(unit_keys(t),
                     "a=\"1\",outcome=\"good\",b=\"x\" a=\"1\",outcome=\"bad\",b=\"x\" "
                     "a=\"x\",outcome=\"good\",b=\"1\" ");
    ttl_expire(store, sources, 116);
    ck_assert_str_eq(unit_keys(t), "a=\"x\",outcome=\"good\",b=\"1\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 3);
    end(store);
}
END_TEST

START_TEST(a_group_has_one_value_of_each_label_that_is_not_precreated)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "part_total");
    add_at(t, "a=\"1\",outcome=\"good\",k=\"x\"", 100);
    add_at(t, "a=\"1\",outcome=\"good\",k=\"z\"", 105);
    add_at(t, "a=\"1\",outcome=\"bad\",k=\"x\"", 100);
    ttl_expire(store, sources, 112);
    ck_assert_str_eq(unit_keys(t),
                     "a=\"1\",outcome=\"good\",k=\"x\" a=\"1\",outcome=\"good\",k=\"z\" ");
    end(store);
}
END_TEST

START_TEST(a_group_stays_while_a_source_keeps_one_of_it)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "group_total");
    add_at(t, "a=\"1\",outcome=\"good\",b=\"x\"", 100);
    struct series *s = add_at(t, "a=\"1\",outcome=\"bad\",b=\"x\"", 100);
    add_at(t, "a=\"2\",outcome=\"bad\",b=\"x\"", 100);
    struct source *src;
    uint32_t lease;
    struct source_call call = {
        .component = COMPONENT_PROVIDER, .instance = {"one", 3}, .now_ms = 1};
    ck_assert_int_eq(source_enter(sources, NULL, &call, &src, &lease), 0);
    uint32_t id = source_namer_id(sources, src);
    unit_ids_add(s, id);
    ttl_expire(store, sources, 500);
    ck_assert_str_eq(unit_keys(t),
                     "a=\"1\",outcome=\"good\",b=\"x\" a=\"1\",outcome=\"bad\",b=\"x\" ");
    unit_ids_remove(s, id);
    ttl_expire(store, sources, 500);
    ck_assert_str_eq(unit_keys(t), "");
    end(store);
}
END_TEST

START_TEST(many_groups_are_told_apart)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "group_total");
    char key[64];
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "a=\"%d\",outcome=\"good\",b=\"\\\"\"", i);
        add_at(t, key, i % 2 == 0 ? 100 : 200);
    }
    ttl_expire(store, sources, 150);
    ck_assert_uint_eq(atomic_load(&t->quota.used), 200);
    for (uint32_t i = 0; i < 400; i++) {
        ck_assert((table_at(t, i) != NULL) == (i % 2 == 1));
    }
    end(store);
}
END_TEST

static void claim(struct table *t, struct series *s, uint32_t base, uint32_t lease)
{
    struct owner c = {.updater_id = base, .lease = lease};
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &c, OWNER_DROPS_OTHERS), 0);
}

// owner_clear for a list of ids that ends with 0.
static void expire_some(struct series_store *store, const uint32_t *ids, bool owned_only)
{
    uint64_t bits[UNIT_MAX_ID / 64 + 1] = {0};
    for (; *ids != 0; ids++) {
        bits[*ids / 64] |= (uint64_t)1 << *ids % 64;
    }
    owner_clear(store, bits, owned_only);
}

START_TEST(an_owned_series_goes_with_its_last_owner)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    struct table *others = unit_table(store, "kept_total");
    struct series *both = unit_add(t, "a=\"both\"");
    claim(t, both, 1, 101);
    claim(t, both, 2, 102);
    claim(t, unit_add(t, "a=\"one\""), 1, 101);
    claim(t, unit_add(t, "a=\"two\""), 2, 102);
    unit_add(t, "a=\"nobody's\"");
    claim(others, unit_add(others, "a=\"1\""), 1, 101);
    uint32_t first[] = {101, 150, 0};
    expire_some(store, first, true);
    ck_assert_str_eq(unit_keys(t), "a=\"both\" a=\"two\" a=\"nobody's\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 1);
    ck_assert(unit_ids_has(both, 1));
    uint32_t second[] = {102, 0};
    expire_some(store, second, true);
    ck_assert_str_eq(unit_keys(t), "a=\"nobody's\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 3);
    ck_assert_str_eq(unit_keys(others), "a=\"1\" ");
    ck_assert_uint_eq(atomic_load(&others->stats->expired), 0);
    end(store);
}
END_TEST

START_TEST(ids_of_a_forgotten_source_are_swept_from_all_series)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "kept_total");
    struct table *owned = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    for (uint32_t id = 1; id <= 6; id++) {
        unit_ids_add(s, id);
    }
    struct series *o = unit_add(owned, "a=\"1\"");
    claim(owned, o, 3, 101);
    uint32_t ids[] = {3, 4, 0};
    expire_some(store, ids, true);
    ck_assert(unit_ids_has(s, 3));
    ck_assert(!unit_ids_has(o, 3));
    expire_some(store, ids, false);
    for (uint32_t id = 1; id <= 6; id++) {
        ck_assert_int_eq(unit_ids_has(s, id), id != 3 && id != 4);
    }
    ck_assert_str_eq(unit_keys(t), "a=\"1\" ");
    ck_assert_str_eq(unit_keys(owned), "a=\"1\" "); // its lease goes on
    end(store);
}
END_TEST

// Thousands of sources that end together, each with series of its own: all are looked for in one walk.
START_TEST(all_ids_are_taken_out_in_one_walk)
{
    enum { SERIES = 900 };
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    char key[32];
    for (uint32_t i = 0; i < SERIES; i++) {
        snprintf(key, sizeof key, "a=\"%u\"", i);
        struct series *s = unit_add(t, key);
        claim(t, s, 1 + i % 99, UNIT_LEASE_FROM + i % 100);
        if (i % 3 == 0) {
            claim(t, s, 1 + i % 99, UNIT_LEASE_FROM + 1);
            claim(t, s, 1 + i % 99, UNIT_LEASE_FROM + 5); // the fourth id makes it a wide set
        }
    }
    uint64_t bits[UNIT_MAX_ID / 64 + 1];
    memset(bits, 0xff, sizeof bits);
    bits[(UNIT_LEASE_FROM + 5) / 64] &= ~((uint64_t)1 << (UNIT_LEASE_FROM + 5) % 64);
    owner_clear(store, bits, true);
    for (uint32_t i = 0; i < SERIES; i++) {
        ck_assert_int_eq(table_at(t, i) != NULL, i % 3 == 0 || i % 100 == 5);
    }
    end(store);
}
END_TEST

START_TEST(slots_of_removed_series_are_used_again_after_a_reclaim)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "aged");
    schema_reclaim(store);
    for (uint32_t round = 1; round < 100; round++) {
        add_at(t, "a=\"1\"", round * 100);
        add_at(t, "a=\"2\"", round * 100);
        ttl_expire(store, sources, round * 100 + 50);
        ck_assert_str_eq(unit_keys(t), "");
        schema_reclaim(store);
        ck_assert_uint_eq(table_slots(t), 2);
    }
    ck_assert_uint_eq(atomic_load(&t->dead), 0);
    end(store);
}
END_TEST

UNIT_MAIN("expire", a_series_goes_when_its_ttl_is_over, a_group_of_precreated_series_ages_together,
          a_group_has_one_value_of_each_label_that_is_not_precreated,
          a_group_stays_while_a_source_keeps_one_of_it, many_groups_are_told_apart,
          an_owned_series_goes_with_its_last_owner,
          ids_of_a_forgotten_source_are_swept_from_all_series, all_ids_are_taken_out_in_one_walk,
          slots_of_removed_series_are_used_again_after_a_reclaim)
