// SPDX-License-Identifier: Apache-2.0
#include "ingest/source_table.h"

#include "house.h"
#include "series/marks.h"
#include "unit.h"

#include <errno.h>
#include <sched.h>

static struct house h;
static struct sources *s;

static void open_it(void)
{
    house_open(&h, "metrics:\n  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n",
               100, 100);
    s = h.sources;
}

static struct slice name(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static struct source *enter(const char *instance, uint64_t now_ms, uint32_t *life)
{
    return source_enter(s, NULL, COMPONENT_PROVIDER, name(instance), now_ms, life);
}

static unsigned known(void)
{
    unsigned n = 0;
    uint32_t at = 0;
    while (sources_next(s, &at) != NULL) {
        n++;
    }
    return n;
}

START_TEST(a_source_is_a_component_and_an_instance)
{
    open_it();
    uint32_t life[5];
    struct source *a = enter("a", 1, &life[0]);
    struct source *b = enter("b", 1, &life[1]);
    struct source *other = source_enter(s, NULL, COMPONENT_MANAGER, name("a"), 1, &life[2]);
    struct source *again = enter("a", 1, &life[3]);
    ck_assert(a != b && a != other && b != other && a == again);
    ck_assert_uint_eq(life[0], life[3]);
    ck_assert_uint_ne(life[0], life[1]);
    ck_assert_uint_eq(known(), 3);
    ck_assert_uint_eq(atomic_load(&s->known), 3);
    // The nameless ones are known always, and no one lists them.
    struct source *nameless = source_enter(s, NULL, COMPONENT_PROVIDER, name(""), 1, &life[4]);
    ck_assert(nameless == &s->at[COMPONENT_PROVIDER]);
    ck_assert_uint_eq(known(), 3);
    house_close(&h);
}
END_TEST

START_TEST(marks_are_all_different_and_within_their_range)
{
    open_it();
    uint32_t n = HOUSE_SOURCES + CATALOG_MAX_COMPONENTS;
    bool *seen = calloc(sources_most_marks(HOUSE_SOURCES) + 1, sizeof *seen);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t marks[] = {source_base(s, &s->at[i]), source_named(s, &s->at[i])};
        for (size_t k = 0; k < 2; k++) {
            ck_assert(marks[k] > 0 && marks[k] < sources_life_from(HOUSE_SOURCES) &&
                      !seen[marks[k]]);
            seen[marks[k]] = true;
        }
    }
    ck_assert_uint_eq(life_mark(s, 0), sources_life_from(HOUSE_SOURCES));
    ck_assert_uint_eq(life_mark(s, s->n_lives - 1), sources_most_marks(HOUSE_SOURCES));
    for (uint32_t i = 0; i < s->n_lives; i++) {
        ck_assert(!seen[life_mark(s, i)] && life_of(s, life_mark(s, i)) == &s->lives[i]);
    }
    free(seen);
    house_close(&h);
}
END_TEST

START_TEST(a_life_lasts_from_the_first_connection_to_the_last)
{
    open_it();
    uint32_t life[3];
    struct source *a = enter("a", 1000, &life[0]);
    enter("a", 2000, &life[1]);
    source_leave(s, a, 3000);
    ck_assert(source_connected(a));
    source_leave(s, a, 4000);
    ck_assert(!source_connected(a));
    ck_assert_uint_eq(atomic_load(&a->heard_mono), 4000);
    sources_tick(s, h.store, 4000 + SOURCE_GRACE_MS - 1);
    ck_assert_int_eq(atomic_load(&life_of(s, life[0])->state), LIFE_GONE);
    sources_tick(s, h.store, 4000 + SOURCE_GRACE_MS);
    ck_assert_int_eq(atomic_load(&life_of(s, life[0])->state), LIFE_FREE);
    house_close(&h);
}
END_TEST

START_TEST(coming_back_begins_a_new_life_and_ends_the_old_one_later)
{
    open_it();
    uint32_t life[2];
    struct source *a = enter("a", 1000, &life[0]);
    source_leave(s, a, 2000);
    enter("a", 12000, &life[1]);
    ck_assert_uint_ne(life[0], life[1]);
    sources_tick(s, h.store, 12000 + SOURCE_GRACE_MS - 1);
    ck_assert_int_eq(atomic_load(&life_of(s, life[0])->state), LIFE_GONE);
    sources_tick(s, h.store, 12000 + SOURCE_GRACE_MS);
    ck_assert_int_eq(atomic_load(&life_of(s, life[0])->state), LIFE_FREE);
    ck_assert_int_eq(atomic_load(&life_of(s, life[1])->state), LIFE_USED);
    house_close(&h);
}
END_TEST

START_TEST(whoever_comes_and_goes_too_often_waits_for_a_life_to_end)
{
    open_it();
    uint32_t life;
    uint32_t lives = s->n_lives - CATALOG_MAX_COMPONENTS; // the nameless ones have theirs
    for (uint32_t i = 0; i < lives; i++) {
        struct source *a = enter("a", 1000, &life);
        ck_assert_ptr_nonnull(a);
        ck_assert_int_eq(atomic_load(&life_of(s, life)->state), LIFE_USED);
        source_leave(s, a, 1000);
    }
    ck_assert_ptr_null(enter("a", 1000, &life));
    ck_assert_ptr_null(enter("b", 1000, &life));
    ck_assert_ptr_nonnull(source_enter(s, NULL, COMPONENT_PROVIDER, name(""), 1000, &life));
    sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    ck_assert_ptr_nonnull(enter("a", 2000, &life));
    ck_assert_ptr_nonnull(enter("b", 2000, &life));
    house_close(&h);
}
END_TEST

START_TEST(the_nameless_go_on_with_their_life)
{
    open_it();
    uint32_t life[2];
    struct source *manager = source_enter(s, NULL, COMPONENT_MANAGER, name(""), 1, &life[0]);
    source_leave(s, manager, 2);
    source_enter(s, NULL, COMPONENT_MANAGER, name(""), 3, &life[1]);
    ck_assert_uint_eq(life[0], life[1]);
    ck_assert_int_eq(atomic_load(&life_of(s, life[0])->state), LIFE_USED);
    house_close(&h);
}
END_TEST

START_TEST(a_full_table_makes_room_for_the_next_by_letting_the_oldest_go)
{
    open_it();
    struct source *at[HOUSE_SOURCES];
    uint32_t life;
    for (int i = 0; i < HOUSE_SOURCES; i++) {
        char instance[2] = {(char)('a' + i), '\0'};
        at[i] = enter(instance, 1000 + (uint64_t)i, &life);
    }
    ck_assert_ptr_null(enter("more", 2000, &life));
    struct source *none = NULL;
    ck_assert_int_eq(
        source_datagram(s, NULL, COMPONENT_PROVIDER, name("more"), 7, 2000, &none, &life), -ENOSPC);
    // While all are connected nobody goes.
    sources_tick(s, h.store, 1000000);
    ck_assert_uint_eq(known(), HOUSE_SOURCES);
    source_leave(s, at[3], 3000);
    source_leave(s, at[2], 4000);
    sources_tick(s, h.store, 4000);
    ck_assert_uint_eq(known(), HOUSE_SOURCES); // not within their grace
    sources_tick(s, h.store, 4000 + SOURCE_GRACE_MS);
    ck_assert_uint_eq(known(), HOUSE_SOURCES - 1);
    ck_assert_int_eq(atomic_load(&at[3]->state), SOURCE_FREE);
    ck_assert_int_eq(atomic_load(&at[2]->state), SOURCE_KNOWN);
    ck_assert(enter("more", 50000, &life) == at[3]);
    house_close(&h);
}
END_TEST

START_TEST(who_was_silent_for_seven_days_is_forgotten)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    struct source *b = enter("b", 1000, &life);
    source_leave(s, a, 2000);
    sources_tick(s, h.store, 2000 + SOURCE_GRACE_MS);
    sources_tick(s, h.store, 2000 + SOURCE_FORGOTTEN_MS - 1);
    ck_assert_uint_eq(known(), 2);
    sources_tick(s, h.store, 2000 + SOURCE_FORGOTTEN_MS);
    ck_assert_uint_eq(known(), 1); // who is connected stays
    ck_assert_int_eq(atomic_load(&a->state), SOURCE_FREE);
    ck_assert(source_connected(b));
    ck_assert_uint_eq(atomic_load(&s->known), 1);
    house_close(&h);
}
END_TEST

START_TEST(who_said_forget_goes_with_its_grace)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    atomic_store(&a->forgotten, true);
    sources_tick(s, h.store, 1000000);
    ck_assert_uint_eq(known(), 1);
    ck_assert_ptr_eq(sources_find(s, COMPONENT_PROVIDER, name("a")), a);
    ck_assert_ptr_null(sources_find(s, COMPONENT_MANAGER, name("a")));
    source_leave(s, a, 1000000);
    ck_assert_uint_eq(known(), 0); // at once, though its life goes on for a while
    ck_assert_ptr_null(sources_find(s, COMPONENT_PROVIDER, name("a")));
    sources_tick(s, h.store, 1000000 + SOURCE_GRACE_MS - 1);
    ck_assert_uint_eq(atomic_load(&s->known), 1);
    sources_tick(s, h.store, 1000000 + SOURCE_GRACE_MS);
    ck_assert_uint_eq(atomic_load(&s->known), 0);
    house_close(&h);
}
END_TEST

START_TEST(a_used_again_entry_inherits_no_series)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    h.origin.claimant = (struct claimant){.base = source_base(s, a), .life = life};
    house_line(&h, "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":1}");
    uint32_t nameless_life;
    struct source *other = source_enter(s, NULL, COMPONENT_MANAGER, name(""), 1000, &nameless_life);
    h.origin.claimant = (struct claimant){.base = source_base(s, other), .life = nameless_life};
    house_line(&h, "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":2}");
    atomic_store(&a->forgotten, true);
    source_leave(s, a, 1000);
    sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    struct source *b = enter("b", 50000, &life);
    ck_assert(b == a);
    struct event_origin of_b = {.claimant = {.base = source_base(s, b)}};
    struct event_verdict v = house_line(&h, "{\"forget\":{\"labels\":{\"l\":\"v\"}}}");
    rcu_enter();
    ck_assert_uint_eq(event_forget(h.p->reader, &v.control.forget, &of_b), 0);
    rcu_leave();
    ck_assert_str_eq(house_samples(&h), "g{l=\"v\"} 2\n");
    house_close(&h);
}
END_TEST

START_TEST(lost_grows_by_what_is_new)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    static const uint64_t said[] = {0, 5, 5, 9, 3, 3, 0, 1};
    static const uint64_t more[] = {0, 5, 0, 4, 3, 0, 0, 1};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        ck_assert_uint_eq(source_lost(a, said[i]), more[i]);
    }
    house_close(&h);
}
END_TEST

START_TEST(a_series_is_kept_while_one_that_named_it_is_connected)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    struct source *b = enter("b", 1000, &life);
    const struct table *t = schema_current(h.store)->families[0].table;
    struct arena_hand hand = {0};
    struct marks_room room = {h.store->share.arena, &hand, sources_most_marks(HOUSE_SOURCES)};
    struct {
        struct record record;
        struct series_saved saved;
    } in_arena = {.saved = {0}};
    struct series series = {.record = &in_arena.record};
    _Atomic uint64_t *marks = series_marks(&series);
    ck_assert(!sources_keep(s, t, &series));
    marks_add(marks, source_base(s, a), &room);
    ck_assert(!sources_keep(s, t, &series));
    marks_add(marks, source_named(s, a), &room);
    marks_add(marks, source_named(s, b), &room);
    source_leave(s, a, 1000);
    ck_assert(sources_keep(s, t, &series));
    source_leave(s, b, 1000);
    ck_assert(!sources_keep(s, t, &series));
    house_close(&h);
}
END_TEST

enum { ROUNDS = 20000, NAMES = 4 };

static _Atomic int done;

static void *come_and_go(void *seed)
{
    uint64_t state = (uintptr_t)seed * 7919 + 1;
    rcu_join();
    for (int i = 0; i < ROUNDS; i++) {
        char instance[2] = {(char)('a' + unit_random(&state) % NAMES), '\0'};
        uint32_t life;
        struct source *src;
        while ((src = enter(instance, 1000, &life)) == NULL) {
            sched_yield(); // until the tick has ended some lives
        }
        // Not ck_assert: that belongs to the main thread.
        if (src->instance_len != 1 || src->instance[0] != instance[0] || !source_connected(src) ||
            atomic_load(&life_of(s, life)->state) != LIFE_USED) {
            abort();
        }
        source_leave(s, src, 1000);
    }
    rcu_part();
    atomic_fetch_add(&done, 1);
    return NULL;
}

START_TEST(threads_that_add_the_same_sources_share_them)
{
    open_it();
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, (void *)i), 0);
    }
    while (atomic_load(&done) < 3) {
        sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(known(), NAMES);
    uint32_t at = 0;
    for (const struct source *src; (src = sources_next(s, &at)) != NULL;) {
        ck_assert(!source_connected(src));
    }
    sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    for (uint32_t i = 0; i < s->n_lives; i++) {
        // But for the life of the house's own nameless source.
        uint8_t state = atomic_load(&s->lives[i].state);
        ck_assert(state == LIFE_FREE || life_mark(s, i) == h.origin.claimant.life);
    }
    house_close(&h);
}
END_TEST

START_TEST(a_source_is_one_user_s_for_as_long_as_one_is_connected_as_it)
{
    open_it();
    uint32_t life;
    struct source *a = enter("a", 1000, &life);
    ck_assert(source_hold(a, 7));
    ck_assert(!source_hold(a, 8));
    ck_assert(!source_hold(a, (uid_t)-1));
    ck_assert(source_hold(a, 7));
    source_release(a);
    ck_assert(!source_hold(a, 8));
    source_release(a);
    ck_assert(source_hold(a, 8));
    ck_assert(!source_hold(a, 7));
    source_release(a);
    // The nameless are a crowd.
    struct source *crowd = source_enter(s, NULL, COMPONENT_MANAGER, name(""), 1, &life);
    ck_assert(source_hold(crowd, 7));
    ck_assert(source_hold(crowd, 8));
    source_release(crowd);
    source_release(crowd);
    house_close(&h);
}
END_TEST

START_TEST(a_source_of_datagrams_is_its_user_s_until_the_window_closes)
{
    open_it();
    uint32_t life;
    struct source *a = NULL;
    struct source *b = NULL;
    ck_assert_int_eq(source_datagram(s, NULL, COMPONENT_PROVIDER, name("a"), 7, 1000, &a, &life),
                     0);
    ck_assert_int_eq(source_datagram(s, NULL, COMPONENT_PROVIDER, name("a"), 8, 2000, &b, &life),
                     -EPERM);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(source_datagram(s, NULL, COMPONENT_PROVIDER, name("a"), 7, 2000, &b, &life),
                     0);
    ck_assert_ptr_eq(a, b);
    ck_assert(!source_hold(a, 8));
    sources_tick(s, h.store, 2000 + SOURCE_DATAGRAM_MS - 1);
    ck_assert(!source_hold(a, 8));
    sources_tick(s, h.store, 2000 + SOURCE_DATAGRAM_MS);
    ck_assert(!source_connected(a));
    ck_assert(source_hold(a, 8));
    source_release(a);
    house_close(&h);
}
END_TEST

UNIT_MAIN("source", a_source_is_one_user_s_for_as_long_as_one_is_connected_as_it,
          a_source_of_datagrams_is_its_user_s_until_the_window_closes,
          a_source_is_a_component_and_an_instance, marks_are_all_different_and_within_their_range,
          a_life_lasts_from_the_first_connection_to_the_last,
          coming_back_begins_a_new_life_and_ends_the_old_one_later,
          whoever_comes_and_goes_too_often_waits_for_a_life_to_end,
          the_nameless_go_on_with_their_life,
          a_full_table_makes_room_for_the_next_by_letting_the_oldest_go,
          who_was_silent_for_seven_days_is_forgotten, who_said_forget_goes_with_its_grace,
          a_used_again_entry_inherits_no_series, lost_grows_by_what_is_new,
          a_series_is_kept_while_one_that_named_it_is_connected,
          threads_that_add_the_same_sources_share_them)
