// SPDX-License-Identifier: Apache-2.0
#include "breaks.h"
#include "series_unit.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

static bool unlinking_elsewhere; // as if another thread was in the middle of it

static int some_del(struct cds_lfht *index, struct cds_lfht_node *node)
{
    return unlinking_elsewhere ? -ENOENT : cds_lfht_del(index, node);
}

static bool no_memory;

static void *some_malloc(size_t size)
{
    return no_memory ? NULL : malloc(size);
}

#define cds_lfht_del some_del
#define malloc some_malloc
#include "series/index.c"
#undef cds_lfht_del
#undef malloc

static struct series *freed_meanwhile; // by another thread, while it is persisted

static void some_persist(char *base, uint32_t handle)
{
    record_persist(base, handle);
    if (freed_meanwhile != NULL) {
        atomic_store(&freed_meanwhile->state, SERIES_FREE);
    }
}

#define record_persist some_persist
#include "series/table.c"
#undef record_persist

static struct table_share share;
static uint64_t arena_steps_wanted = 1;
static struct series_writer writer;

static struct table *new_table(enum metric_type type, uint64_t limit)
{
    static double bounds[] = {1, 2};
    static char name[] = "m";
    struct metric m = {
        .name = name, .type = type, .bounds = bounds, .n_bounds = type == METRIC_HISTOGRAM ? 2 : 0};
    struct table *t = NULL;
    ck_assert_int_eq(table_new(&t, &share, &m, limit), 0);
    return t;
}

static struct table *begin(enum metric_type type, uint64_t limit)
{
    rcu_join();
    ck_assert_int_eq(arena_new(&share.arena, arena_steps_wanted * ARENA_STEP), 0);
    share.base = arena_base(share.arena);
    unit_arena = share.arena;
    share.lanes = 3;
    share.lease_from = UNIT_LEASE_FROM;
    share.max_id = UNIT_MAX_ID;
    share.crowded = eventfd(0, EFD_NONBLOCK);
    atomic_store(&share.quota.limit, 1000000);
    return new_table(type, limit);
}

static void end(struct table *t)
{
    table_free(t);
    ck_assert_uint_eq(atomic_load(&share.dead), 0);
    arena_free(share.arena);
    close(share.crowded);
    rcu_part();
}

static struct series *make(struct table *t, const char *key)
{
    struct series *s = NULL;
    ck_assert_int_eq(unit_make(t, &writer, key, &s), 1);
    return s;
}

static uint64_t count_of(const struct table *t)
{
    ck_assert_uint_eq(atomic_load(&t->quota.used), atomic_load(&share.quota.used));
    return atomic_load(&t->quota.used);
}

START_TEST(a_series_is_exposed_only_once_it_is_published)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    uint64_t before = clock_real_ms();
    struct series *s = make(t, "a=\"1\"");
    ck_assert_str_eq(unit_keys(t), "");
    ck_assert_uint_eq(count_of(t), 1);
    table_publish(t, s);
    table_publish(t, s);
    ck_assert_str_eq(unit_keys(t), "a=\"1\" ");
    ck_assert_uint_ge(s->record->created_ms, before);
    ck_assert_uint_le(s->record->created_ms, clock_real_ms());
    ck_assert_uint_eq(s->record->lanes, 3);
    ck_assert_uint_eq(s->record->flags, 0);
    ck_assert_ptr_eq(unit_find(t, "a=\"1\""), s);
    ck_assert_ptr_null(unit_find(t, "a=\"2\""));
    ck_assert_ptr_null(unit_find(t, "a=\"1\",b=\"1\""));
    ck_assert_ptr_null(unit_find(t, ""));
    end(t);
}
END_TEST

START_TEST(whoever_finds_a_new_series_publishes_it)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    struct series *s = make(t, "a");
    ck_assert_ptr_eq(unit_find(t, "a"), s);
    ck_assert_str_eq(unit_keys(t), "a ");
    table_undo(t, s); // too late: somebody else has it
    ck_assert_str_eq(unit_keys(t), "a ");
    struct series *other = make(t, "b");
    struct series *again = NULL;
    ck_assert_int_eq(unit_make(t, &writer, "b", &again), 0);
    ck_assert_ptr_eq(again, other);
    ck_assert_ptr_eq(table_peek(t, "b", 1, key_hash("b", 1)), other);
    ck_assert_str_eq(unit_keys(t), "a "); // who makes or peeks leaves it as it is
    table_undo(t, other);
    ck_assert_ptr_null(table_peek(t, "b", 1, key_hash("b", 1)));
    ck_assert_uint_eq(count_of(t), 1);
    end(t);
}
END_TEST

START_TEST(a_series_that_is_taken_back_was_never_there)
{
    struct table *t = begin(METRIC_GAUGE, 1);
    struct series *s = make(t, "a");
    table_undo(t, s);
    table_undo(t, s);
    table_publish(t, s);
    ck_assert_str_eq(unit_keys(t), "");
    ck_assert_ptr_null(unit_find(t, "a"));
    ck_assert_uint_eq(count_of(t), 0);
    ck_assert(!table_remove(t, s));
    table_publish(t, make(t, "b"));
    ck_assert_str_eq(unit_keys(t), "b ");
    end(t);
}
END_TEST

START_TEST(a_limit_holds_for_a_metric)
{
    struct table *t = begin(METRIC_COUNTER, 2);
    struct series *a = make(t, "a");
    make(t, "b");
    struct series *untouched = a;
    ck_assert_int_eq(unit_make(t, &writer, "c", &untouched), -ENOSPC);
    ck_assert_ptr_eq(untouched, a);
    // What exists is found at the limit, too.
    ck_assert_int_eq(unit_make(t, &writer, "b", &untouched), 0);
    ck_assert_ptr_eq(untouched, unit_find(t, "b"));
    ck_assert_uint_eq(count_of(t), 2);
    table_publish(t, a);
    ck_assert(table_remove(t, a));
    make(t, "c");
    ck_assert_int_eq(unit_make(t, &writer, "d", &untouched), -ENOSPC);
    end(t);
}
END_TEST

START_TEST(a_limit_holds_for_all_metrics_together)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct table *other = new_table(METRIC_GAUGE, 10);
    atomic_store(&share.quota.limit, 3);
    make(t, "a");
    make(t, "b");
    struct series *s = make(other, "a");
    struct series *none = NULL;
    ck_assert_int_eq(unit_make(t, &writer, "c", &none), -ENOSPC);
    ck_assert_int_eq(unit_make(other, &writer, "c", &none), -ENOSPC);
    ck_assert_uint_eq(atomic_load(&t->quota.used), 2);
    ck_assert_uint_eq(atomic_load(&other->quota.used), 1);
    ck_assert_uint_eq(atomic_load(&share.quota.used), 3);
    table_undo(other, s);
    ck_assert_int_eq(unit_make(t, &writer, "c", &none), 1);
    table_free(other);
    end(t);
}
END_TEST

START_TEST(a_folded_series_stands_outside_the_limits)
{
    struct table *t = begin(METRIC_COUNTER, 1);
    atomic_store(&share.quota.limit, 1);
    make(t, "a");
    struct series *s = NULL;
    uint64_t hash = key_hash("other", 5);
    ck_assert_int_eq(table_make(t, &writer, "other", 5, hash, TABLE_FOLDED, &s), 1);
    table_publish(t, s);
    ck_assert_uint_eq(s->record->flags, SERIES_FOLDED);
    ck_assert_uint_eq(count_of(t), 1);
    ck_assert_int_eq(table_make(t, &writer, "other", 5, hash, TABLE_FOLDED, &s), 0);
    ck_assert_uint_eq(count_of(t), 1);
    ck_assert(table_remove(t, s));
    ck_assert_uint_eq(count_of(t), 1);
    end(t);
}
END_TEST

START_TEST(places_are_reserved_all_or_none)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    atomic_store(&share.quota.limit, 8);
    ck_assert_int_eq(table_reserve(t, &writer, 6), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 5), -ENOSPC); // beyond the metric's
    ck_assert_int_eq(table_reserve(t, &writer, 3), -ENOSPC); // beyond that of all
    ck_assert_uint_eq(count_of(t), 6);
    ck_assert_int_eq(table_reserve(t, &writer, 2), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 0), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 1), -ENOSPC);
    ck_assert_int_eq(table_reserve(t, &writer, UINT64_MAX), -ENOSPC);
    ck_assert_uint_eq(count_of(t), 8);
    struct series *s = NULL;
    ck_assert_int_eq(table_make(t, &writer, "a", 1, key_hash("a", 1), TABLE_RESERVED, &s), 1);
    ck_assert_uint_eq(count_of(t), 8);
    ck_assert_int_eq(table_make(t, &writer, "a", 1, key_hash("a", 1), TABLE_RESERVED, &s), 0);
    ck_assert_uint_eq(count_of(t), 7);
    table_release(t, 0, 6);
    ck_assert_uint_eq(count_of(t), 1);
    end(t);
}
END_TEST

static uint64_t made(uint16_t quota_id)
{
    return atomic_load(&share.quotas[quota_id]);
}

START_TEST(series_count_for_their_quota_until_they_go)
{
    struct table *t = begin(METRIC_GAUGE, 4);
    struct series *s = NULL;
    struct series *other = NULL;
    make(t, "nobody's");
    writer.quota_id = 7;
    writer.quota_limit = 2;
    ck_assert_int_eq(unit_make(t, &writer, "a", &s), 1);
    ck_assert_uint_eq(made(7), 1);
    table_undo(t, s);
    ck_assert_uint_eq(made(7), 0);
    ck_assert_int_eq(unit_make(t, &writer, "a", &s), 1);
    table_publish(t, s);
    ck_assert_int_eq(unit_make(t, &writer, "a", &other), 0);
    ck_assert_uint_eq(made(7), 1);
    ck_assert_int_eq(unit_make(t, &writer, "b", &other), 1);
    ck_assert_int_eq(unit_make(t, &writer, "c", &other), -EDQUOT);
    ck_assert_int_eq(unit_make(t, &writer, "b", &other), 0);
    ck_assert_uint_eq(count_of(t), 3);
    // The quota is looked at before the limit.
    writer.quota_limit = 0;
    ck_assert_int_eq(unit_make(t, &writer, "c", &other), 1);
    ck_assert_int_eq(unit_make(t, &writer, "d", &other), -ENOSPC);
    ck_assert_uint_eq(made(7), 3);
    writer.quota_id = 8;
    ck_assert(table_remove(t, s)); // by whomever
    ck_assert_uint_eq(made(7), 2);
    ck_assert_uint_eq(made(8), 0);
    writer = (struct series_writer){.quota_id = 0};
    table_free(t);
    ck_assert_uint_eq(made(7), 0);
    ck_assert_uint_eq(made(0), 0);
    end(NULL);
}
END_TEST

START_TEST(places_of_a_quota_are_reserved_all_or_none)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    writer.quota_id = 3;
    writer.quota_limit = 5;
    ck_assert_int_eq(table_reserve(t, &writer, 3), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 3), -EDQUOT);
    ck_assert_int_eq(table_reserve(t, &writer, 0), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 2), 0);
    ck_assert_int_eq(table_reserve(t, &writer, 1), -EDQUOT);
    ck_assert_uint_eq(made(3), 5);
    table_release(t, 3, 5);
    // What is folded is nobody's.
    struct series *s = NULL;
    ck_assert_int_eq(table_make(t, &writer, "o", 1, key_hash("o", 1), TABLE_FOLDED, &s), 1);
    table_publish(t, s);
    ck_assert_uint_eq(made(3), 0);
    ck_assert(table_remove(t, s));
    ck_assert_uint_eq(made(3), 0);
    // A lower quota leaves those that exist.
    ck_assert_int_eq(table_reserve(t, &writer, 4), 0);
    writer.quota_limit = 2;
    ck_assert_int_eq(table_reserve(t, &writer, 1), -EDQUOT);
    table_release(t, 3, 4);
    writer = (struct series_writer){.quota_id = 0};
    end(t);
}
END_TEST

START_TEST(a_lower_limit_keeps_what_exists)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    char key[16];
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "k%d", i);
        table_publish(t, make(t, key));
    }
    atomic_store(&t->quota.limit, 3);
    ck_assert_uint_eq(count_of(t), 10);
    struct series *s = NULL;
    ck_assert_int_eq(unit_make(t, &writer, "k10", &s), -ENOSPC);
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "k%d", i);
        ck_assert(table_remove(t, unit_find(t, key)));
    }
    ck_assert_int_eq(unit_make(t, &writer, "k10", &s), 1);
    ck_assert_int_eq(unit_make(t, &writer, "k11", &s), -ENOSPC);
    end(t);
}
END_TEST

START_TEST(a_removed_series_is_gone_and_may_come_again)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = make(t, "a");
    ck_assert(!table_remove(t, s)); // not shown yet: its maker decides
    table_publish(t, s);
    ck_assert(table_remove(t, s));
    ck_assert(!table_remove(t, s));
    ck_assert(!table_is_still_alive(s));
    ck_assert_ptr_null(unit_find(t, "a"));
    ck_assert_uint_eq(count_of(t), 0);
    struct series *again = make(t, "a");
    ck_assert_ptr_ne(again, s); // its slot waits for the end of a grace period
    end(t);
}
END_TEST

// Says so many times that the series may go.
static bool countdown(void *ctx, struct series *s)
{
    ck_assert_ptr_nonnull(s);
    int *left = ctx;
    return (*left)-- > 0;
}

START_TEST(a_condition_is_looked_at_again_after_the_removal_was_announced)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = make(t, "a");
    int times = 9;
    ck_assert(!table_remove_if(t, s, countdown, &times)); // not shown yet
    table_publish(t, s);
    for (times = 0; times < 2;) {
        int left = times++;
        ck_assert(!table_remove_if(t, s, countdown, &left));
        ck_assert(table_is_still_alive(s));
        ck_assert_str_eq(unit_keys(t), "a ");
    }
    times = 2;
    ck_assert(table_remove_if(t, s, countdown, &times));
    ck_assert_int_eq(times, 0);
    ck_assert_uint_eq(count_of(t), 0);
    times = 2;
    ck_assert(!table_remove_if(t, s, countdown, &times));
    end(t);
}
END_TEST

START_TEST(an_owner_sees_what_state_a_series_is_in)
{
    static const struct {
        enum series_state state;
        bool survives;
    } cases[] = {
        {SERIES_READY, true},     {SERIES_LIVE, true},     {SERIES_DEAD, false},
        {SERIES_UNLINKED, false}, {SERIES_RETIRED, false}, {SERIES_FREE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct series s = {.state = (uint8_t)cases[i].state};
        ck_assert_int_eq(table_is_still_alive(&s), cases[i].survives);
    }
}
END_TEST

START_TEST(removed_series_give_their_memory_back)
{
    struct table *t = begin(METRIC_HISTOGRAM, 100);
    uint64_t used = 0;
    for (int round = 0; round < 500; round++) {
        char key[32];
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof key, "round=\"%d\",i=\"%d\"", round % 10, i);
            struct series *s = make(t, key);
            table_publish(t, s);
            ck_assert_ptr_nonnull(table_cell(t, &writer, s));
            for (uint32_t id = 1; id <= 5; id++) {
                ck_assert_int_eq(unit_ids_add(s, id), 1);
            }
        }
        for (uint32_t i = 0; i < table_slots(t); i++) {
            ck_assert(table_remove(t, table_at(t, i)));
        }
        ck_assert_uint_eq(unit_reclaim(t), 100);
        ck_assert_uint_eq(unit_reclaim(t), 0);
        ck_assert_uint_eq(table_slots(t), 100);
        ck_assert_uint_eq(count_of(t), 0);
        used = round == 0 ? arena_used(share.arena) : used;
    }
    ck_assert_uint_eq(arena_used(share.arena), used);
    end(t);
}
END_TEST

START_TEST(a_slot_used_again_begins_anew)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = make(t, "a");
    table_publish(t, s);
    cell_count(table_cell(t, &writer, s), 7);
    unit_ids_add(s, 9);
    atomic_store(series_touched(s), 12345);
    ck_assert(table_remove(t, s));
    unit_reclaim(t);
    struct series *again = make(t, "b");
    ck_assert_ptr_eq(again, s);
    table_publish(t, again);
    uint64_t whole;
    double rest;
    table_read_counter(t, again, &whole, &rest);
    ck_assert_uint_eq(whole, 0);
    ck_assert(!unit_ids_has(again, 9));
    uint32_t now_s = (uint32_t)(clock_mono_ms() / 1000);
    ck_assert_uint_le(now_s - atomic_load(series_touched(again)), 5);
    ck_assert_str_eq(unit_keys(t), "b ");
    end(t);
}
END_TEST

START_TEST(a_series_is_retired_only_when_it_was_unlinked)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = make(t, "a");
    table_publish(t, s);
    unlinking_elsewhere = true;
    ck_assert(table_remove(t, s));
    ck_assert_uint_eq(table_retire(t), 0); // readers may still be led to it
    unlinking_elsewhere = false;
    ck_assert_ptr_null(unit_find(t, "a")); // unlinks what it meets
    ck_assert_uint_eq(unit_reclaim(t), 1);
    ck_assert_uint_eq(atomic_load(&t->dead), 0);
    end(t);
}
END_TEST

START_TEST(series_stand_in_the_order_in_which_they_came)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    static const char *const keys[] = {"d", "b", "a", "c"};
    for (size_t i = 0; i < 4; i++) {
        table_publish(t, make(t, keys[i]));
    }
    ck_assert_str_eq(unit_keys(t), "d b a c ");
    ck_assert(table_remove(t, unit_find(t, "b")));
    ck_assert_str_eq(unit_keys(t), "d a c ");
    table_publish(t, make(t, "e"));
    ck_assert_str_eq(unit_keys(t), "d a c e ");
    unit_reclaim(t);
    table_publish(t, make(t, "f"));
    ck_assert_str_eq(unit_keys(t), "d f a c e ");
    end(t);
}
END_TEST

static void fill(struct table *t, int n, uint64_t (*hash)(int i))
{
    char key[16];
    for (int i = 0; i < n; i++) {
        struct series *s = NULL;
        int len = snprintf(key, sizeof key, "key%d", i);
        ck_assert_int_eq(table_make(t, &writer, key, (size_t)len, hash(i), TABLE_WITHIN, &s), 1);
        table_publish(t, s);
    }
}

static void expect_all(struct table *t, int n, uint64_t (*hash)(int i))
{
    char key[16];
    for (int i = 0; i < n; i++) {
        int len = snprintf(key, sizeof key, "key%d", i);
        struct series *s = table_find(t, key, (size_t)len, hash(i));
        ck_assert_ptr_nonnull(s);
        size_t text_len;
        ck_assert_mem_eq(series_text(s, &text_len), key, (size_t)len);
        ck_assert_uint_eq(text_len, (size_t)len);
        ck_assert_ptr_eq(table_at(t, s->record->slot), s);
    }
}

static uint64_t same_hash(int i)
{
    return 7 + (uint64_t)i * 0;
}

static uint64_t true_hash(int i)
{
    char key[16];
    int len = snprintf(key, sizeof key, "key%d", i);
    return key_hash(key, (size_t)len);
}

START_TEST(series_whose_hashes_collide_are_told_apart)
{
    struct table *t = begin(METRIC_GAUGE, 1000);
    fill(t, 500, same_hash);
    expect_all(t, 500, same_hash);
    ck_assert_ptr_null(table_find(t, "key500", 6, 7));
    for (uint32_t i = 0; i < 500; i += 2) {
        ck_assert(table_remove(t, table_at(t, i)));
    }
    ck_assert_ptr_null(table_find(t, "key0", 4, 7));
    ck_assert_ptr_nonnull(table_find(t, "key1", 4, 7));
    ck_assert_uint_eq(unit_reclaim(t), 250);
    ck_assert_uint_eq(count_of(t), 250);
    end(t);
}
END_TEST

static bool was_asked(void)
{
    eventfd_t n;
    return eventfd_read(share.crowded, &n) == 0;
}

// However they go: each is gone and takes memory still.
START_TEST(removed_series_that_wait_have_a_limit_too)
{
    arena_steps_wanted = 8;
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = NULL;
    atomic_store(&share.quota.limit, 10);
    uint64_t most = 10 + TABLE_DEAD_MORE;
    for (uint64_t i = 0; i < most; i++) {
        ck_assert(table_has_garbage(&share) == (i >= TABLE_DEAD_SOON));
        s = make(t, "a");
        if (i % 2 == 0) {
            table_undo(t, s);
        } else {
            table_publish(t, s);
            ck_assert(table_remove(t, s));
        }
        ck_assert(was_asked() == ((i + 1) % TABLE_DEAD_SOON == 0));
    }
    ck_assert_int_eq(unit_make(t, &writer, "a", &s), -ENOSPC);
    ck_assert_int_eq(table_make(t, &writer, "o", 1, key_hash("o", 1), TABLE_FOLDED, &s), -ENOSPC);
    ck_assert_int_eq(table_reserve(t, &writer, 1), 0);
    ck_assert_int_eq(table_make(t, &writer, "b", 1, key_hash("b", 1), TABLE_RESERVED, &s), -ENOSPC);
    ck_assert_uint_eq(count_of(t), 0);
    ck_assert_uint_eq(unit_reclaim(t), most);
    ck_assert(!table_has_garbage(&share));
    table_publish(t, make(t, "a"));
    ck_assert_uint_eq(table_slots(t), most);
    end(t);
}
END_TEST

START_TEST(a_wider_index_keeps_all)
{
    struct table *t = begin(METRIC_COUNTER, 5000);
    fill(t, 5000, true_hash);
    ck_assert(table_remove(t, unit_find(t, "key17")));
    size_t before = t->index.size;
    ck_assert_uint_eq(before, 512); // of what it holds, and not of its limit
    ck_assert(atomic_load(&t->crowded));
    ck_assert(table_widen(t));
    ck_assert(table_widen(t)); // what was not used is given back
    table_swap(t);
    ck_assert_uint_eq(t->index.size, 16384);
    ck_assert(!table_widen(t) && !atomic_load(&t->crowded));
    table_swap(t);
    ck_assert_uint_eq(t->index.size, 16384);
    ck_assert_uint_eq(count_of(t), 4999);
    ck_assert_ptr_null(unit_find(t, "key17"));
    ck_assert_uint_eq(unit_reclaim(t), 1);
    struct series *s = make(t, "key17");
    table_publish(t, s);
    expect_all(t, 5000, true_hash);
    ck_assert_uint_eq(table_slots(t), 5000);
    ck_assert(table_remove(t, unit_find(t, "key18")));
    ck_assert_uint_eq(unit_reclaim(t), 1);
    end(t);
}
END_TEST

START_TEST(without_memory_nothing_is_made_and_no_place_is_lost)
{
    struct table *t = begin(METRIC_HISTOGRAM, 10);
    struct series *s = NULL;
    static char text[ARENA_MAX_PIECE];
    ck_assert_int_eq(table_make(t, &writer, text, UINT16_MAX, 1, TABLE_WITHIN, &s), -ENOMEM);
    ck_assert_int_eq(table_make(t, &writer, text, UINT16_MAX + 1, 1, TABLE_FOLDED, &s), -ENOMEM);
    ck_assert_uint_eq(count_of(t), 0);
    s = make(t, "a");
    while (arena_alloc(share.arena, &writer.arena, ARENA_MAX_PIECE) != 0) {
    }
    while (arena_alloc(share.arena, &writer.arena, 16) != 0) {
    }
    struct series *none = NULL;
    ck_assert_int_eq(unit_make(t, &writer, "b", &none), -ENOMEM);
    ck_assert_ptr_null(none);
    ck_assert_ptr_null(table_cell(t, &writer, s));
    ck_assert_uint_eq(count_of(t), 1);
    ck_assert_ptr_null(unit_find(t, "b"));
    end(t);
}
END_TEST

START_TEST(lanes_are_added_up)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    struct series *s = make(t, "a");
    for (unsigned lane = 0; lane < 3; lane++) {
        struct series_writer other = {.lane = lane};
        void *cell = table_cell(t, &other, s);
        ck_assert_ptr_eq(table_cell(t, &other, s), cell);
        cell_count(cell, 100 + lane);
        cell_count(cell, 0.25);
    }
    uint64_t whole;
    double rest;
    table_read_counter(t, s, &whole, &rest);
    ck_assert_uint_eq(whole, 303);
    ck_assert(rest == 0.75);
    double own;
    ck_assert(table_magnitude(t, s, 1, &own) == 0.5 && own == 0.25);
    end(t);
}
END_TEST

START_TEST(a_histogram_s_lanes_are_added_up)
{
    struct table *t = begin(METRIC_HISTOGRAM, 10);
    struct series *s = make(t, "a");
    uint64_t counts[3] = {9, 9, 9};
    double sum = 9;
    table_read_histogram(t, s, counts, &sum);
    ck_assert(counts[0] == 0 && counts[1] == 0 && counts[2] == 0 && sum == 0);
    struct series_writer first = {.lane = 0};
    struct series_writer last = {.lane = 2};
    cell_observe(table_cell(t, &first, s), 0, -3);
    cell_observe(table_cell(t, &last, s), 0, 1);
    cell_observe(table_cell(t, &last, s), 2, 5);
    table_read_histogram(t, s, counts, &sum);
    ck_assert(counts[0] == 2 && counts[1] == 0 && counts[2] == 1 && sum == 3);
    double own;
    ck_assert(table_magnitude(t, s, 0, &own) == 6 && own == -3);
    ck_assert(table_magnitude(t, s, 1, &own) == 9 && own == 0);
    end(t);
}
END_TEST

static struct series *add_old(struct table *t, const char *key, uint64_t created_ms)
{
    struct series_spec what = {
        .text = key, .len = strlen(key), .created_ms = created_ms, .touched_s = 7};
    struct series *s = table_add(t, &writer, &what);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->record->created_ms, created_ms);
    ck_assert_uint_eq(atomic_load(series_touched(s)), 7);
    return s;
}

// Whatever the limits, and with little memory by longer chains.
START_TEST(series_of_an_earlier_process_are_found_once_they_are_indexed)
{
    for (int little = 0; little < 2; little++) {
        arena_steps_wanted = 8;
        writer = (struct series_writer){0};
        struct table *t = begin(METRIC_COUNTER, 10);
        char key[16];
        for (int i = 0; i < 20000; i++) {
            snprintf(key, sizeof key, "key%d", i);
            struct series *s = add_old(t, key, 1);
            if (i % 10 == 9) {
                table_discard(t, s);
            } else {
                table_publish(t, s);
            }
        }
        ck_assert_ptr_null(unit_find(t, "key0"));
        no_memory = little;
        ck_assert_uint_eq(table_index(t), 0);
        no_memory = false;
        ck_assert_uint_eq(t->index.size, little ? 512 : 32768);
        ck_assert_uint_eq(count_of(t), 18000);
        for (int i = 0; i < 20000; i++) {
            snprintf(key, sizeof key, "key%d", i);
            struct series *s = unit_find(t, key);
            ck_assert(i % 10 == 9 ? s == NULL : s == table_at(t, (uint32_t)i));
        }
        ck_assert_uint_eq(unit_reclaim(t), 2000);
        end(t);
    }
}
END_TEST

START_TEST(of_two_old_series_with_one_key_the_later_created_one_stays)
{
    struct table *t = begin(METRIC_COUNTER, 10);
    static const struct {
        const char *key;
        uint64_t created_ms;
    } old[] = {{"a", 5}, {"b", 5}, {"a", 6}, {"b", 4}, {"c", 1}, {"a", 6}};
    struct series *s[6];
    for (int i = 0; i < 6; i++) {
        s[i] = add_old(t, old[i].key, old[i].created_ms);
        table_publish(t, s[i]);
    }
    ck_assert_uint_eq(table_index(t), 3);
    ck_assert_uint_eq(count_of(t), 3);
    ck_assert_ptr_eq(unit_find(t, "a"), s[2]);
    ck_assert_ptr_eq(unit_find(t, "b"), s[1]);
    ck_assert_ptr_eq(unit_find(t, "c"), s[4]);
    ck_assert(record_is_whole(share.base, s[2]->handle));
    ck_assert(!record_is_whole(share.base, s[0]->handle) &&
              !record_is_whole(share.base, s[3]->handle));
    ck_assert_uint_eq(unit_reclaim(t), 3);
    end(t);
}
END_TEST

// ---- What must never be done

static struct table *begin_gauge(void)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    rcu_enter();
    return t;
}

static void release_a_place_that_was_not_reserved(void)
{
    table_release(begin_gauge(), 0, 1);
}

static void find_the_slot_of_a_foreign_series(void)
{
    struct series s = {0};
    slab_slot(&begin_gauge()->slab, &s);
}

static void find_a_retired_series_in_the_index(void)
{
    struct table *t = begin_gauge();
    atomic_store(&make(t, "a")->state, SERIES_RETIRED);
    unit_find(t, "a");
}

static void free_a_series_while_it_is_published(void)
{
    struct table *t = begin_gauge();
    freed_meanwhile = make(t, "a");
    table_publish(t, freed_meanwhile);
}

static void make_a_series_in_a_free_slot_that_lives(void)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    struct series *s = make(t, "a");
    table_undo(t, s);
    unit_reclaim(t);
    atomic_store(&s->state, SERIES_LIVE);
    make(t, "b");
}

static struct series *add_unfound(struct table *t)
{
    struct series *s = table_add(t, &writer, &(struct series_spec){.text = "a", .len = 1});
    ck_assert_ptr_nonnull(s);
    return s;
}

static void discard_a_series_twice(void)
{
    struct table *t = begin_gauge();
    struct series *s = add_unfound(t);
    table_discard(t, s);
    table_discard(t, s);
}

static bool revive_at_the_second_look(void *ctx, struct series *s)
{
    unsigned *looks = ctx;
    if (++*looks == 2) {
        atomic_store(&s->state, SERIES_LIVE);
    }
    return true;
}

static void change_a_dying_series(void)
{
    unsigned looks = 0;
    struct table *t = begin_gauge();
    table_remove_if(t, unit_add(t, "a"), revive_at_the_second_look, &looks);
}

static void free_a_series_twice(void)
{
    struct table *t = begin_gauge();
    struct series *s = make(t, "a");
    free_series(t, s);
    s->lost = true; // else its record would be looked for
    free_series(t, s);
}

static void reclaim_what_was_not_counted(void)
{
    struct table *t = begin_gauge();
    table_undo(t, make(t, "a"));
    table_retire(t);
    atomic_store(&t->dead, 0);
    table_reclaim(t);
}

static void index_a_key_twice(void)
{
    struct table *t = begin(METRIC_GAUGE, 10);
    add_unfound(t);
    add_unfound(t);
    ck_assert(index_widen(&t->index, (uint64_t)INDEX_FIRST * 2));
    table_swap(t);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a place that is released was reserved", release_a_place_that_was_not_reserved);
    breaks("a series lies in a slab of its table", find_the_slot_of_a_foreign_series);
    breaks("only a DEAD series is unlinked", find_a_retired_series_in_the_index);
    breaks("a series that is published is not free", free_a_series_while_it_is_published);
    breaks("an allocated slot was FREE", make_a_series_in_a_free_slot_that_lives);
    breaks("a series is discarded once", discard_a_series_twice);
    breaks("only its remover changes a DYING series", change_a_dying_series);
    breaks("a slot is freed once", free_a_series_twice);
    breaks("each removed series is counted once", reclaim_what_was_not_counted);
    breaks("an index has each key once", index_a_key_twice);
}
END_TEST

UNIT_MAIN("table", a_series_is_exposed_only_once_it_is_published,
          whoever_finds_a_new_series_publishes_it, a_series_that_is_taken_back_was_never_there,
          a_limit_holds_for_a_metric, a_limit_holds_for_all_metrics_together,
          a_folded_series_stands_outside_the_limits, places_are_reserved_all_or_none,
          series_count_for_their_quota_until_they_go, places_of_a_quota_are_reserved_all_or_none,
          a_lower_limit_keeps_what_exists, a_removed_series_is_gone_and_may_come_again,
          a_condition_is_looked_at_again_after_the_removal_was_announced,
          an_owner_sees_what_state_a_series_is_in, removed_series_give_their_memory_back,
          a_slot_used_again_begins_anew, a_series_is_retired_only_when_it_was_unlinked,
          series_stand_in_the_order_in_which_they_came, series_whose_hashes_collide_are_told_apart,
          removed_series_that_wait_have_a_limit_too, a_wider_index_keeps_all,
          series_of_an_earlier_process_are_found_once_they_are_indexed,
          of_two_old_series_with_one_key_the_later_created_one_stays,
          without_memory_nothing_is_made_and_no_place_is_lost, lanes_are_added_up,
          a_histogram_s_lanes_are_added_up, a_broken_invariant_ends_the_process)
