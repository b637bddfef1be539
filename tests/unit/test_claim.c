// SPDX-License-Identifier: Apache-2.0
#include "series_unit.h"

#include <errno.h>
#include <pthread.h>

// What another line does at the moment in which this one takes a mark out of another series.
static void (*meanwhile)(void);
static bool no_memory;

static int some_add(_Atomic uint64_t *word, uint32_t mark, const struct marks_room *room)
{
    return no_memory ? -ENOMEM : marks_add(word, mark, room);
}

static void some_clear(char *base, _Atomic uint64_t *word, uint32_t mark)
{
    marks_clear(base, word, mark);
    if (meanwhile != NULL) {
        meanwhile();
    }
}

#define marks_add some_add
#define marks_clear some_clear
#include "series/claim.c"
#undef marks_add
#undef marks_clear

static const char catalog[] =
    "metrics:\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: aged_total, type: counter, help: h, component: any, labels: [a], ttl: 1h}\n"
    "  - {name: owned, type: gauge, help: h, component: any, labels: [a], owner: source}\n"
    "  - {name: x_info, type: gauge, help: h, component: any, labels: [a], owner: source}\n";

static const struct claimant one = {.base = 1, .life = 101, .now_s = 1000};
static const struct claimant two = {.base = 2, .life = 102, .now_s = 1000};

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

START_TEST(a_claim_leaves_the_source_s_mark)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "c_total");
    struct series *s = unit_add(t, "a=\"1\"");
    uint32_t touched = atomic_load(series_touched(s));
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &two), 0);
    ck_assert(unit_marks_has(s, 1) && unit_marks_has(s, 2));
    ck_assert(!unit_marks_has(s, 101));
    ck_assert_uint_eq(atomic_load(series_touched(s)), touched);
    end(store);
}
END_TEST

START_TEST(a_claim_of_a_metric_with_a_ttl_leaves_its_time)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "aged_total");
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 1000);
    struct claimant later = one;
    later.now_s = 1001;
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &later), 0);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 1001);
    end(store);
}
END_TEST

START_TEST(a_claim_of_an_owned_metric_leaves_the_life_s_mark)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert(claim_unowned(t, s));
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert(unit_marks_has(s, 1) && unit_marks_has(s, 101));
    ck_assert(!claim_unowned(t, s));
    unit_marks_clear(s, 101);
    ck_assert(claim_unowned(t, s));
    // A source may set several series of a metric that is no info metric.
    struct series *other = unit_add(t, "a=\"2\"");
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, other, &one), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    end(store);
}
END_TEST

START_TEST(a_source_s_new_info_series_replaces_the_old_one)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "x_info");
    rcu_enter();
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_add(t, "a=\"1\""), &one), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_add(t, "a=\"2\""), &two), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_add(t, "a=\"3\""), &one), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" a=\"3\" ");
    ck_assert_uint_eq(atomic_load(&t->account->expired), 1);
    // The same one again replaces nothing.
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_find(t, "a=\"3\""), &one), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" a=\"3\" ");
    rcu_leave();
    end(store);
}
END_TEST

START_TEST(an_info_series_of_two_sources_stays_for_the_other)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "x_info");
    rcu_enter();
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &two), 0);
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_add(t, "a=\"2\""), &one), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    ck_assert(!unit_marks_has(s, one.life));
    ck_assert_int_eq(claim_series(t, &unit_hand, unit_find(t, "a=\"2\""), &two), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" ");
    rcu_leave();
    end(store);
}
END_TEST

START_TEST(of_two_info_series_of_one_line_the_last_stays)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "x_info");
    struct series_hand hand = {0};
    struct series *first = NULL;
    struct series *last = NULL;
    rcu_enter();
    ck_assert_int_eq(unit_make(t, &hand, "a=\"1\"", &first), 1);
    ck_assert_int_eq(claim_series(t, &unit_hand, first, &one), 0);
    ck_assert_int_eq(unit_make(t, &hand, "a=\"2\"", &last), 1);
    ck_assert_int_eq(claim_series(t, &unit_hand, last, &one), 0);
    table_show(t, first);
    table_show(t, last);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" ");
    ck_assert_uint_eq(atomic_load(&t->count), 1);
    rcu_leave();
    end(store);
}
END_TEST

static struct table *shared_table;
static struct series *shared_series;

static void drop_ours(void)
{
    meanwhile = NULL;
    unit_marks_clear(shared_series, one.life);
    ck_assert(table_remove_if(shared_table, shared_series, claim_unowned, shared_table));
}

static void take_our_mark(void)
{
    meanwhile = NULL;
    unit_marks_clear(shared_series, one.life);
}

START_TEST(two_lines_that_drop_each_other_s_info_series_do_not_both_lose)
{
    static void (*const what[])(void) = {drop_ours, take_our_mark};
    for (size_t i = 0; i < 2; i++) {
        struct series_store *store = begin();
        shared_table = unit_table(store, "x_info");
        rcu_enter();
        ck_assert_int_eq(
            claim_series(shared_table, &unit_hand, unit_add(shared_table, "a=\"1\""), &one), 0);
        shared_series = unit_add(shared_table, "a=\"2\"");
        meanwhile = what[i];
        ck_assert_int_eq(claim_series(shared_table, &unit_hand, shared_series, &one), -ESTALE);
        ck_assert_ptr_null(unit_find(shared_table, "a=\"1\""));
        rcu_leave();
        end(store);
    }
}
END_TEST

START_TEST(a_series_that_went_is_looked_up_again)
{
    static const struct {
        enum series_state state;
        int rc;
    } cases[] = {
        {SERIES_READY, 0},          {SERIES_LIVE, 0},          {SERIES_DEAD, -ESTALE},
        {SERIES_UNLINKED, -ESTALE}, {SERIES_RETIRED, -ESTALE},
    };
    static const char *const metrics[] = {"c_total", "aged_total", "owned"};
    struct series_store *store = begin();
    for (size_t m = 0; m < 3; m++) {
        struct table *t = unit_table(store, metrics[m]);
        struct series *s = unit_add(t, "a=\"1\"");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            marks_drop(unit_arena, series_marks(s));
            atomic_store(&s->state, cases[i].state);
            ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), cases[i].rc);
        }
        atomic_store(&s->state, SERIES_LIVE);
    }
    // Time alone is a change, too.
    struct table *t = unit_table(store, "aged_total");
    struct series *s = unit_find(t, "a=\"1\"");
    struct claimant later = one;
    later.now_s++;
    atomic_store(&s->state, SERIES_DEAD);
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &later), -ESTALE);
    atomic_store(&s->state, SERIES_LIVE);
    end(store);
}
END_TEST

static void *decide(void *state)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    atomic_store(&shared_series->state, *(uint8_t *)state);
    return NULL;
}

START_TEST(a_claimer_waits_for_what_the_remover_decides)
{
    static uint8_t states[] = {SERIES_LIVE, SERIES_DEAD};
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    shared_series = unit_add(t, "a=\"1\"");
    for (size_t i = 0; i < 2; i++) {
        marks_drop(unit_arena, series_marks(shared_series));
        atomic_store(&shared_series->state, SERIES_DYING);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, decide, &states[i]), 0);
        ck_assert_int_eq(claim_series(t, &unit_hand, shared_series, &one), i == 0 ? 0 : -ESTALE);
        pthread_join(thread, NULL);
    }
    atomic_store(&shared_series->state, SERIES_LIVE);
    end(store);
}
END_TEST

START_TEST(without_memory_for_a_mark_a_claim_fails)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    no_memory = true;
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), -ENOMEM);
    no_memory = false;
    ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
    end(store);
}
END_TEST

// Another worker left the same marks after the remover's last look, and goes to look the series up again.
START_TEST(a_series_that_went_is_looked_up_again_though_it_has_the_marks)
{
    static const char *const metrics[] = {"aged_total", "owned"};
    struct series_store *store = begin();
    for (size_t m = 0; m < 2; m++) {
        struct table *t = unit_table(store, metrics[m]);
        struct series *s = unit_add(t, "a=\"1\"");
        ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), 0);
        atomic_store(&s->state, SERIES_DEAD);
        ck_assert_int_eq(claim_series(t, &unit_hand, s, &one), -ESTALE);
        atomic_store(&s->state, SERIES_LIVE);
    }
    end(store);
}
END_TEST

UNIT_MAIN("claim", a_claim_leaves_the_source_s_mark, a_claim_of_a_metric_with_a_ttl_leaves_its_time,
          a_claim_of_an_owned_metric_leaves_the_life_s_mark,
          a_source_s_new_info_series_replaces_the_old_one,
          an_info_series_of_two_sources_stays_for_the_other,
          of_two_info_series_of_one_line_the_last_stays,
          two_lines_that_drop_each_other_s_info_series_do_not_both_lose,
          a_series_that_went_is_looked_up_again, a_claimer_waits_for_what_the_remover_decides,
          a_series_that_went_is_looked_up_again_though_it_has_the_marks,
          without_memory_for_a_mark_a_claim_fails)
