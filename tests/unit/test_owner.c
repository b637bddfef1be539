// SPDX-License-Identifier: Apache-2.0
#include "series_unit.h"

#include <errno.h>
#include <pthread.h>

// What another line does at the moment in which this one takes an id out of another series.
static void (*meanwhile)(void);
static bool no_memory;

static int some_add(_Atomic uint64_t *word, uint32_t id, const struct idset_memory *room)
{
    return no_memory ? -ENOMEM : idset_add(word, id, room);
}

static void some_clear(char *base, _Atomic uint64_t *word, uint32_t id)
{
    idset_remove(base, word, id);
    if (meanwhile != NULL) {
        meanwhile();
    }
}

#define idset_add some_add
#define idset_remove some_clear
#include "source/owner.c"
#undef idset_add
#undef idset_remove

static const char catalog[] =
    "metrics:\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: aged_total, type: counter, help: h, component: any, labels: [a], ttl: 1h}\n"
    "  - {name: owned, type: gauge, help: h, component: any, labels: [a], owner: source}\n"
    "  - {name: x_info, type: gauge, help: h, component: any, labels: [a], owner: source}\n";

static const struct owner one = {.updater_id = 1, .lease = 101, .now_s = 1000};
static const struct owner two = {.updater_id = 2, .lease = 102, .now_s = 1000};

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

// What a retired source leaves is what no other one has updated.
START_TEST(a_series_is_had_alone_until_another_source_updates_it)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "c_total");
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert(!owner_has_series_alone(t, s, &one));
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert(owner_has_series_alone(t, s, &one));
    ck_assert(!owner_has_series_alone(t, s, &two));
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &two, OWNER_DROPS_OTHERS), 0);
    ck_assert(!owner_has_series_alone(t, s, &one));
    ck_assert(!owner_has_series_alone(t, s, &two));
    // The last one of those that there may be.
    struct owner last = {.updater_id = (UNIT_LEASE_FROM - 1) / OWNER_ID_KINDS, .now_s = 1000};
    struct series *other = unit_add(t, "a=\"2\"");
    ck_assert_int_eq(owner_add(t, &unit_writer, other, &last, OWNER_DROPS_OTHERS), 0);
    ck_assert(owner_has_series_alone(t, other, &last));
    // Pre-created, and updated by nobody.
    struct owner creator = {.updater_id = 3, .precreator_id = 70};
    struct series *made = unit_add(t, "a=\"3\"");
    unit_ids_add(made, 70);
    ck_assert(owner_has_series_alone(t, made, &creator));
    unit_ids_add(made, 2);
    ck_assert(!owner_has_series_alone(t, made, &creator));
    end(store);
}
END_TEST

START_TEST(an_owner_leaves_its_id)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "c_total");
    struct series *s = unit_add(t, "a=\"1\"");
    uint32_t touched = atomic_load(series_touched(s));
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &two, OWNER_DROPS_OTHERS), 0);
    ck_assert(unit_ids_has(s, 1) && unit_ids_has(s, 2));
    ck_assert(!unit_ids_has(s, 101));
    ck_assert_uint_eq(atomic_load(series_touched(s)), touched);
    end(store);
}
END_TEST

START_TEST(an_owner_of_a_metric_with_a_ttl_leaves_its_time)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "aged_total");
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 1000);
    struct owner later = one;
    later.now_s = 1001;
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &later, OWNER_DROPS_OTHERS), 0);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 1001);
    end(store);
}
END_TEST

START_TEST(an_owner_of_an_owned_metric_leaves_the_lease_s_id)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    ck_assert(owner_is_gone(t, s));
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert(unit_ids_has(s, 1) && unit_ids_has(s, 101));
    ck_assert(!owner_is_gone(t, s));
    unit_ids_remove(s, 101);
    ck_assert(owner_is_gone(t, s));
    // A source may set several series of a metric that is no info metric.
    struct series *other = unit_add(t, "a=\"2\"");
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(owner_add(t, &unit_writer, other, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    end(store);
}
END_TEST

START_TEST(a_source_s_new_info_series_replaces_the_old_one)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "x_info");
    rcu_enter();
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_add(t, "a=\"1\""), &one, OWNER_DROPS_OTHERS),
                     0);
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_add(t, "a=\"2\""), &two, OWNER_DROPS_OTHERS),
                     0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_add(t, "a=\"3\""), &one, OWNER_DROPS_OTHERS),
                     0);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" a=\"3\" ");
    ck_assert_uint_eq(atomic_load(&t->stats->expired), 1);
    // The same one again replaces nothing.
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_find(t, "a=\"3\""), &one, OWNER_DROPS_OTHERS),
                     0);
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
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &two, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_add(t, "a=\"2\""), &one, OWNER_DROPS_OTHERS),
                     0);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" a=\"2\" ");
    ck_assert(!unit_ids_has(s, one.lease));
    ck_assert_int_eq(owner_add(t, &unit_writer, unit_find(t, "a=\"2\""), &two, OWNER_DROPS_OTHERS),
                     0);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" ");
    rcu_leave();
    end(store);
}
END_TEST

START_TEST(of_two_info_series_of_one_line_the_last_stays)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "x_info");
    struct series_writer writer = {0};
    struct series *first = NULL;
    struct series *last = NULL;
    rcu_enter();
    ck_assert_int_eq(unit_make(t, &writer, "a=\"1\"", &first), 1);
    ck_assert_int_eq(owner_add(t, &unit_writer, first, &one, OWNER_DROPS_OTHERS), 0);
    ck_assert_int_eq(unit_make(t, &writer, "a=\"2\"", &last), 1);
    ck_assert_int_eq(owner_add(t, &unit_writer, last, &one, OWNER_DROPS_OTHERS), 0);
    table_publish(t, first);
    table_publish(t, last);
    ck_assert_str_eq(unit_keys(t), "a=\"2\" ");
    ck_assert_uint_eq(atomic_load(&t->quota.used), 1);
    rcu_leave();
    end(store);
}
END_TEST

static struct table *shared_table;
static struct series *shared_series;

static void drop_ours(void)
{
    meanwhile = NULL;
    unit_ids_remove(shared_series, one.lease);
    ck_assert(table_remove_if(shared_table, shared_series, owner_is_gone, shared_table));
}

static void take_our_id(void)
{
    meanwhile = NULL;
    unit_ids_remove(shared_series, one.lease);
}

START_TEST(two_lines_that_drop_each_other_s_info_series_do_not_both_lose)
{
    static void (*const what[])(void) = {drop_ours, take_our_id};
    for (size_t i = 0; i < 2; i++) {
        struct series_store *store = begin();
        shared_table = unit_table(store, "x_info");
        rcu_enter();
        ck_assert_int_eq(owner_add(shared_table, &unit_writer, unit_add(shared_table, "a=\"1\""),
                                   &one, OWNER_DROPS_OTHERS),
                         0);
        shared_series = unit_add(shared_table, "a=\"2\"");
        meanwhile = what[i];
        ck_assert_int_eq(
            owner_add(shared_table, &unit_writer, shared_series, &one, OWNER_DROPS_OTHERS),
            -ESTALE);
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
            idset_free(unit_arena, series_ids(s));
            atomic_store(&s->state, cases[i].state);
            ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), cases[i].rc);
        }
        atomic_store(&s->state, SERIES_LIVE);
    }
    // Time alone is a change, too.
    struct table *t = unit_table(store, "aged_total");
    struct series *s = unit_find(t, "a=\"1\"");
    struct owner later = one;
    later.now_s++;
    atomic_store(&s->state, SERIES_DEAD);
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &later, OWNER_DROPS_OTHERS), -ESTALE);
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

START_TEST(an_owner_waits_for_what_the_remover_decides)
{
    static uint8_t states[] = {SERIES_LIVE, SERIES_DEAD};
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    shared_series = unit_add(t, "a=\"1\"");
    for (size_t i = 0; i < 2; i++) {
        idset_free(unit_arena, series_ids(shared_series));
        atomic_store(&shared_series->state, SERIES_DYING);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, decide, &states[i]), 0);
        ck_assert_int_eq(owner_add(t, &unit_writer, shared_series, &one, OWNER_DROPS_OTHERS),
                         i == 0 ? 0 : -ESTALE);
        pthread_join(thread, NULL);
    }
    atomic_store(&shared_series->state, SERIES_LIVE);
    end(store);
}
END_TEST

START_TEST(without_memory_for_its_id_no_owner_is_added)
{
    struct series_store *store = begin();
    struct table *t = unit_table(store, "owned");
    struct series *s = unit_add(t, "a=\"1\"");
    no_memory = true;
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), -ENOMEM);
    no_memory = false;
    ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
    end(store);
}
END_TEST

// Another worker left the same ids after the remover's last look, and goes to look the series up again.
START_TEST(a_series_that_went_is_looked_up_again_though_it_has_the_ids)
{
    static const char *const metrics[] = {"aged_total", "owned"};
    struct series_store *store = begin();
    for (size_t m = 0; m < 2; m++) {
        struct table *t = unit_table(store, metrics[m]);
        struct series *s = unit_add(t, "a=\"1\"");
        ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), 0);
        atomic_store(&s->state, SERIES_DEAD);
        ck_assert_int_eq(owner_add(t, &unit_writer, s, &one, OWNER_DROPS_OTHERS), -ESTALE);
        atomic_store(&s->state, SERIES_LIVE);
    }
    end(store);
}
END_TEST

UNIT_MAIN("owner", a_series_is_had_alone_until_another_source_updates_it, an_owner_leaves_its_id,
          an_owner_of_a_metric_with_a_ttl_leaves_its_time,
          an_owner_of_an_owned_metric_leaves_the_lease_s_id,
          a_source_s_new_info_series_replaces_the_old_one,
          an_info_series_of_two_sources_stays_for_the_other,
          of_two_info_series_of_one_line_the_last_stays,
          two_lines_that_drop_each_other_s_info_series_do_not_both_lose,
          a_series_that_went_is_looked_up_again, an_owner_waits_for_what_the_remover_decides,
          a_series_that_went_is_looked_up_again_though_it_has_the_ids,
          without_memory_for_its_id_no_owner_is_added)
