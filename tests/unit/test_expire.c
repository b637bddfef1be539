// SPDX-License-Identifier: Apache-2.0
#include "series_unit.h"

static const char catalog[] =
    "labels:\n"
    "  outcome: {values: [good, bad], closed: true}\n"
    "metrics:\n"
    "  - {name: kept_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: aged, type: gauge, help: h, component: any, labels: [a], ttl: 10s}\n"
    "  - {name: group_total, type: counter, help: h, component: any, labels: [a, outcome, b],\n"
    "     ttl: 10s, precreate: true}\n"
    "  - {name: owned, type: gauge, help: h, component: any, labels: [a], owner: source}\n";

static struct series_store *begin(void)
{
    rcu_join();
    return unit_store(catalog, 1000, 1000);
}

static void end(struct series_store *store)
{
    schema_close(store);
    rcu_part();
}

static struct series *add_at(struct table *t, const char *key, uint32_t touched)
{
    struct series *s = unit_add(t, key);
    atomic_store(series_touched(s), touched);
    return s;
}

static bool keep_nothing(void *ctx, const struct table *t, const struct series *s)
{
    (void)t;
    ck_assert_ptr_nonnull(s);
    (void)ctx;
    return false;
}

static bool keep_marked(void *ctx, const struct table *t, const struct series *s)
{
    (void)t;
    return unit_marks_has(s, *(uint32_t *)ctx);
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
    expire_old(store, 109, keep_nothing, NULL);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" a=\"3\" a=\"4\" ");
    expire_old(store, 110, keep_nothing, NULL);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" a=\"3\" a=\"4\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 1);
    expire_old(store, 119, keep_nothing, NULL);
    ck_assert_str_eq(unit_keys(t), "a=\"4\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 3);
    ck_assert_uint_eq(atomic_load(&t->count), 1);
    expire_old(store, 1000000, keep_nothing, NULL);
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
    expire_old(store, 111, keep_nothing, NULL);
    ck_assert_str_eq(unit_keys(t),
                     "a=\"1\",outcome=\"good\",b=\"x\" a=\"1\",outcome=\"bad\",b=\"x\" "
                     "a=\"x\",outcome=\"good\",b=\"1\" ");
    expire_old(store, 115, keep_nothing, NULL);
    ck_assert_str_eq(unit_keys(t), "a=\"x\",outcome=\"good\",b=\"1\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 3);
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
    uint32_t mark = 7;
    unit_marks_add(s, mark);
    expire_old(store, 500, keep_marked, &mark);
    ck_assert_str_eq(unit_keys(t),
                     "a=\"1\",outcome=\"good\",b=\"x\" a=\"1\",outcome=\"bad\",b=\"x\" ");
    unit_marks_clear(s, mark);
    expire_old(store, 500, keep_marked, &mark);
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
    expire_old(store, 150, keep_nothing, NULL);
    ck_assert_uint_eq(atomic_load(&t->count), 200);
    for (uint32_t i = 0; i < 400; i++) {
        ck_assert((table_at(t, i) != NULL) == (i % 2 == 1));
    }
    end(store);
}
END_TEST

static void claim(struct table *t, struct series *s, uint32_t base, uint32_t life)
{
    struct claimant c = {.base = base, .life = life};
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &c), 0);
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
    uint32_t first[] = {101, 150};
    expire_marks(store, first, 2, true);
    ck_assert_str_eq(unit_keys(t), "a=\"both\" a=\"two\" a=\"nobody's\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 1);
    ck_assert(unit_marks_has(both, 1));
    uint32_t second[] = {102};
    expire_marks(store, second, 1, true);
    ck_assert_str_eq(unit_keys(t), "a=\"nobody's\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 3);
    ck_assert_str_eq(unit_keys(others), "a=\"1\" ");
    ck_assert_uint_eq(atomic_load(&others->account->expired), 0);
    end(store);
}
END_TEST

START_TEST(marks_of_a_forgotten_source_are_swept_from_all_series)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "kept_total");
    struct table *owned = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    for (uint32_t mark = 1; mark <= 6; mark++) {
        unit_marks_add(s, mark);
    }
    struct series *o = unit_add(owned, "a=\"1\"");
    claim(owned, o, 3, 101);
    uint32_t marks[] = {3, 4};
    expire_marks(store, marks, 2, true);
    ck_assert(unit_marks_has(s, 3));
    ck_assert(!unit_marks_has(o, 3));
    expire_marks(store, marks, 2, false);
    for (uint32_t mark = 1; mark <= 6; mark++) {
        ck_assert_int_eq(unit_marks_has(s, mark), mark != 3 && mark != 4);
    }
    ck_assert_str_eq(unit_keys(t), "a=\"1\" ");
    ck_assert_str_eq(unit_keys(owned), "a=\"1\" "); // its life goes on
    end(store);
}
END_TEST

START_TEST(slots_of_removed_series_are_used_again_after_a_reclaim)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "aged");
    expire_reclaim(store);
    for (uint32_t round = 1; round < 100; round++) {
        add_at(t, "a=\"1\"", round * 100);
        add_at(t, "a=\"2\"", round * 100);
        expire_old(store, round * 100 + 50, keep_nothing, NULL);
        ck_assert_str_eq(unit_keys(t), "");
        expire_reclaim(store);
        ck_assert_uint_eq(table_slots(t), 2);
    }
    ck_assert_uint_eq(atomic_load(&t->dead), 0);
    end(store);
}
END_TEST

UNIT_MAIN("expire", a_series_goes_when_its_ttl_is_over, a_group_of_precreated_series_ages_together,
          a_group_stays_while_a_source_keeps_one_of_it, many_groups_are_told_apart,
          an_owned_series_goes_with_its_last_owner,
          marks_of_a_forgotten_source_are_swept_from_all_series,
          slots_of_removed_series_are_used_again_after_a_reclaim)
