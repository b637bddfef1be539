// SPDX-License-Identifier: Apache-2.0
#include "source/source.c"

#include "breaks.h"
#include "fixture.h"
#include "forget.h"
#include "series/idset.h"
#include "unit.h"

#include <errno.h>
#include <sched.h>

static struct fixture h;
static struct sources *s;

static void open_it(void)
{
    fixture_open(&h, "metrics:\n  - {name: g, type: gauge, help: h, labels: [l], owner: source}\n",
                 100, 100);
    s = h.sources;
}

static struct slice name(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static int enter_as(const struct holder *holder, unsigned component, const char *instance,
                    uint64_t now_ms, struct source **ret, uint32_t *lease)
{
    struct source_call call = {
        .component = component, .instance = name(instance), .holder = *holder, .now_ms = now_ms};
    return source_enter(s, NULL, &call, ret, lease);
}

static const struct holder seven = {.user = 7};
static const struct holder eight = {.user = 8};

static struct source *enter_of(unsigned component, const char *instance, uint64_t now_ms,
                               uint32_t *lease)
{
    struct source *src = NULL;
    int rc = enter_as(&seven, component, instance, now_ms, &src, lease);
    ck_assert(rc == 0 || (rc == -ENOSPC && src == NULL));
    return src;
}

static struct source *enter(const char *instance, uint64_t now_ms, uint32_t *lease)
{
    return enter_of(COMPONENT_PROVIDER, instance, now_ms, lease);
}

static int datagram(const struct holder *holder, const char *instance, uint64_t now_ms,
                    struct source **ret)
{
    uint32_t lease;
    struct source_call call = {.component = COMPONENT_PROVIDER,
                               .instance = name(instance),
                               .holder = *holder,
                               .now_ms = now_ms};
    return source_datagram(s, NULL, &call, ret, &lease);
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
    uint32_t lease[5];
    struct source *a = enter("a", 1, &lease[0]);
    struct source *b = enter("b", 1, &lease[1]);
    struct source *other = enter_of(COMPONENT_MANAGER, "a", 1, &lease[2]);
    struct source *again = enter("a", 1, &lease[3]);
    ck_assert(a != b && a != other && b != other && a == again);
    ck_assert_uint_eq(lease[0], lease[3]);
    ck_assert_uint_ne(lease[0], lease[1]);
    ck_assert_uint_eq(known(), 3);
    ck_assert_uint_eq(s->known, 3);
    // The anonymous ones are known always, and no one lists them.
    struct source *anonymous = enter_of(COMPONENT_PROVIDER, "", 1, &lease[4]);
    ck_assert(anonymous == &s->entries[COMPONENT_PROVIDER]);
    ck_assert_uint_eq(known(), 3);
    fixture_close(&h);
}
END_TEST

START_TEST(ids_are_all_different_and_within_their_range)
{
    open_it();
    uint32_t n = s->n;
    bool *seen = calloc(sources_max_id(FIXTURE_SOURCES) + 1, sizeof *seen);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t ids[] = {source_updater_id(s, &s->entries[i]), source_namer_id(s, &s->entries[i])};
        for (size_t k = 0; k < 2; k++) {
            ck_assert(ids[k] > 0 && ids[k] < sources_lease_from(FIXTURE_SOURCES) && !seen[ids[k]]);
            seen[ids[k]] = true;
        }
    }
    ck_assert_uint_eq(lease_id(s, s->entries, 0), sources_lease_from(FIXTURE_SOURCES));
    ck_assert_uint_eq(lease_id(s, &s->entries[n - 1], SOURCE_LEASES - 1),
                      sources_max_id(FIXTURE_SOURCES));
    for (uint32_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < SOURCE_LEASES; k++) {
            uint32_t id = lease_id(s, &s->entries[i], k);
            ck_assert(!seen[id] && lease_of(s, id) == &s->entries[i].leases[k]);
            ck_assert_uint_eq(id, source_first_lease(s, &s->entries[i]) + k);
            seen[id] = true;
        }
    }
    ck_assert_uint_le(sources_max_id(100000), IDSET_MAX);
    free(seen);
    fixture_close(&h);
}
END_TEST

START_TEST(a_lease_lasts_from_the_first_connection_to_the_last)
{
    open_it();
    uint32_t lease[3];
    struct source *a = enter("a", 1000, &lease[0]);
    enter("a", 2000, &lease[1]);
    source_leave(s, a, 3000);
    ck_assert(source_is_connected(a));
    source_leave(s, a, 4000);
    ck_assert(!source_is_connected(a));
    ck_assert_uint_eq(atomic_load(&a->heard_mono), 4000);
    sources_tick(s, h.store, 4000 + SOURCE_GRACE_MS - 1);
    ck_assert_int_eq(lease_of(s, lease[0])->state, LEASE_GONE);
    sources_tick(s, h.store, 4000 + SOURCE_GRACE_MS);
    ck_assert_int_eq(lease_of(s, lease[0])->state, LEASE_FREE);
    fixture_close(&h);
}
END_TEST

START_TEST(a_source_that_breaks_its_promise_is_down_until_it_is_heard)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    sources_tick(s, h.store, 1000 + 100000000);
    ck_assert(source_is_up(a)); // it has promised nothing
    atomic_store(&a->interval_s, 10);
    source_heard(a, 5000, 1);
    sources_tick(s, h.store, 5000 + 30000);
    ck_assert(source_is_up(a));
    sources_tick(s, h.store, 5000 + 30001);
    ck_assert(!source_is_up(a) && source_is_connected(a));
    // Before the next tick.
    source_heard(a, 36000, 2);
    ck_assert(source_is_up(a));
    // What waited in the sockets was older than what was read since.
    sources_tick(s, h.store, 35900);
    ck_assert(source_is_up(a));
    source_leave(s, a, 37000);
    ck_assert(!source_is_up(a));
    fixture_close(&h);
}
END_TEST

START_TEST(coming_back_begins_a_new_lease_and_ends_the_old_one_later)
{
    open_it();
    uint32_t lease[2];
    struct source *a = enter("a", 1000, &lease[0]);
    source_leave(s, a, 2000);
    enter("a", 12000, &lease[1]);
    ck_assert_uint_ne(lease[0], lease[1]);
    sources_tick(s, h.store, 12000 + SOURCE_GRACE_MS - 1);
    ck_assert_int_eq(lease_of(s, lease[0])->state, LEASE_GONE);
    sources_tick(s, h.store, 12000 + SOURCE_GRACE_MS);
    ck_assert_int_eq(lease_of(s, lease[0])->state, LEASE_FREE);
    ck_assert_int_eq(lease_of(s, lease[1])->state, LEASE_USED);
    fixture_close(&h);
}
END_TEST

START_TEST(whoever_comes_and_goes_too_often_goes_on_with_a_lease)
{
    open_it();
    uint32_t lease;
    uint32_t before = 0;
    struct source *a = NULL;
    for (uint64_t i = 0; i < 100; i++) {
        a = enter("a", 1000 + i, &lease);
        ck_assert_int_eq(lease_of(s, lease)->state, LEASE_USED);
        ck_assert(i >= SOURCE_LEASES || lease != before); // a new one, while there is one
        before = lease;
        source_leave(s, a, 1000 + i);
        if (i == 50) {
            sources_tick(s, h.store, 1000 + i);
        }
    }
    // One of them is always left for whoever comes while the others are ended.
    unsigned left = 0;
    sources_tick(s, h.store, 1100 + SOURCE_GRACE_MS);
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        left += a->leases[i].state != LEASE_FREE;
    }
    ck_assert_uint_eq(left, 1);
    sources_tick(s, h.store, 1100 + SOURCE_GRACE_MS);
    ck_assert_uint_eq(a->lease, 0);
    fixture_close(&h);
}
END_TEST

START_TEST(anonymous_clients_go_on_with_their_lease)
{
    open_it();
    uint32_t lease[2];
    struct source *manager = enter_of(COMPONENT_MANAGER, "", 1, &lease[0]);
    source_leave(s, manager, 2);
    enter_of(COMPONENT_MANAGER, "", 3, &lease[1]);
    ck_assert_uint_eq(lease[0], lease[1]);
    ck_assert_int_eq(lease_of(s, lease[0])->state, LEASE_USED);
    fixture_close(&h);
}
END_TEST

static bool is_known(const char *instance)
{
    return sources_find(s, COMPONENT_PROVIDER, name(instance)) != NULL;
}

START_TEST(one_that_is_gone_gives_way_at_once_the_longest_silent_first)
{
    open_it();
    struct source *at[FIXTURE_SOURCES];
    uint32_t lease;
    for (int i = 0; i < FIXTURE_SOURCES; i++) {
        at[i] = enter((char[]){(char)('a' + i), '\0'}, 1000 + (uint64_t)i, &lease);
    }
    ck_assert_ptr_null(enter("more", 2000, &lease));
    struct source *none = NULL;
    ck_assert_int_eq(datagram(&seven, "more", 2000, &none), -ENOSPC);
    // While all are connected nobody goes.
    sources_tick(s, h.store, 1000000);
    ck_assert_uint_eq(known(), FIXTURE_SOURCES);
    source_leave(s, at[3], 1000000);
    source_leave(s, at[2], 1001000);
    ck_assert_ptr_nonnull(enter("more", 1001000, &lease));
    ck_assert(!is_known("d") && is_known("c") && is_known("more"));
    ck_assert_uint_eq(known(), FIXTURE_SOURCES);
    // It comes back under its name as who it was.
    ck_assert(enter("d", 1002000, &lease) == at[3]);
    ck_assert(!is_known("c") && is_known("d"));
    ck_assert_ptr_null(enter("c", 1003000, &lease));
    fixture_close(&h);
}
END_TEST

// Comes, sets a series, and goes.
static void visit(int i)
{
    char text[100];
    uint32_t lease;
    snprintf(text, sizeof text, "%d", i);
    struct source *src = enter(text, 1000 + (uint64_t)i, &lease);
    ck_assert_msg(src != NULL, "%d", i);
    h.origin.owner = (struct owner){.updater_id = source_updater_id(s, src), .lease = lease};
    snprintf(text, sizeof text, "{\"metric\":\"g\",\"labels\":{\"l\":\"%d\"},\"value\":1}", i % 90);
    fixture_line(&h, text);
    source_leave(s, src, 1000 + (uint64_t)i);
}

START_TEST(as_many_as_are_gone_give_way_one_after_the_other)
{
    open_it();
    // Far more than there may be, without a tick.
    for (int i = 0; i < 50 * FIXTURE_SOURCES; i++) {
        visit(i);
        ck_assert_uint_eq(known(), i < FIXTURE_SOURCES ? (unsigned)i + 1 : FIXTURE_SOURCES);
    }
    // What they set goes in its time, and their entries can be used again.
    ck_assert_str_ne(fixture_samples(&h), "");
    sources_tick(s, h.store, 2000 + SOURCE_GRACE_MS);
    ck_assert_str_eq(fixture_samples(&h), "");
    ck_assert_uint_eq(s->away, 0);
    ck_assert_uint_eq(known(), FIXTURE_SOURCES);
    fixture_close(&h);
}
END_TEST

START_TEST(one_s_own_give_way_first)
{
    open_it();
    uint32_t lease;
    struct source *src = NULL;
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "first", 1, &src, &lease), 0);
    source_leave(s, src, 1);
    for (int i = 0; i < 10 * FIXTURE_SOURCES; i++) {
        visit(i);
        ck_assert(is_known("first")); // though it was silent for longest
    }
    // And whoever has none takes one of those who have most.
    const struct holder nine = {.user = 9};
    ck_assert_int_eq(enter_as(&nine, COMPONENT_PROVIDER, "nine's", 9000, &src, &lease), 0);
    ck_assert(is_known("first") && is_known("nine's"));
    fixture_close(&h);
}
END_TEST

START_TEST(an_account_keeps_no_more_than_it_may)
{
    open_it();
    uint32_t lease;
    struct source *src = NULL;
    const struct holder two = {.user = 7, .usage = 3, .most = 2};
    ck_assert_int_eq(enter_as(&two, COMPONENT_PROVIDER, "a", 1, &src, &lease), 0);
    for (int i = 0; i < 10; i++) {
        char instance[16];
        snprintf(instance, sizeof instance, "%d", i);
        ck_assert_int_eq(enter_as(&two, COMPONENT_PROVIDER, instance, 10, &src, &lease), 0);
        ck_assert_uint_eq(known(), 2);
        ck_assert(is_known("a") && is_known(instance));
        if (i < 9) {
            source_leave(s, src, 10);
        }
    }
    ck_assert_int_eq(enter_as(&two, COMPONENT_PROVIDER, "b", 10, &src, &lease), -EDQUOT);
    ck_assert_int_eq(enter_as(&two, COMPONENT_PROVIDER, "a", 10, &src, &lease), 0);
    // Another account of the same user has its own.
    const struct holder other = {.user = 7, .usage = 4, .most = 1};
    ck_assert_int_eq(enter_as(&other, COMPONENT_PROVIDER, "b", 10, &src, &lease), 0);
    ck_assert_uint_eq(known(), 3);
    fixture_close(&h);
}
END_TEST

START_TEST(nobody_uses_up_the_spare_entries_between_two_ticks)
{
    open_it();
    uint32_t lease;
    struct source *src = NULL;
    int rc = 0;
    unsigned n = 0;
    for (; rc == 0; n++) {
        char instance[16];
        snprintf(instance, sizeof instance, "%u", n);
        rc = enter_as(&seven, COMPONENT_PROVIDER, instance, 1000, &src, &lease);
        if (rc == 0) {
            source_leave(s, src, 1000);
        }
    }
    ck_assert_int_eq(rc, -EDQUOT);
    ck_assert_uint_ge(n, s->spare / 2);
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "eight's", 1000, &src, &lease), 0);
    sources_tick(s, h.store, 1000); // in need their leases are ended before their time
    ck_assert_int_eq(enter_as(&seven, COMPONENT_PROVIDER, "again", 1000, &src, &lease), 0);
    fixture_close(&h);
}
END_TEST

START_TEST(who_was_silent_for_seven_days_is_forgotten)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    struct source *b = enter("b", 1000, &lease);
    source_leave(s, a, 2000);
    sources_tick(s, h.store, 2000 + SOURCE_GRACE_MS);
    sources_tick(s, h.store, 2000 + SOURCE_FORGOTTEN_MS - 1);
    ck_assert_uint_eq(known(), 2);
    sources_tick(s, h.store, 2000 + SOURCE_FORGOTTEN_MS);
    ck_assert_uint_eq(known(), 1); // who is connected stays
    ck_assert_int_eq(atomic_load(&a->state), SOURCE_FREE);
    ck_assert(source_is_connected(b));
    ck_assert_uint_eq(s->known, 1);
    fixture_close(&h);
}
END_TEST

START_TEST(who_said_forget_goes_with_its_grace)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    atomic_store(&a->forgotten, true);
    sources_tick(s, h.store, 1000000);
    ck_assert_uint_eq(known(), 1);
    ck_assert_ptr_eq(sources_find(s, COMPONENT_PROVIDER, name("a")), a);
    ck_assert_ptr_null(sources_find(s, COMPONENT_MANAGER, name("a")));
    source_leave(s, a, 1000000);
    ck_assert_uint_eq(known(), 0); // at once, though its lease goes on for a while
    ck_assert_ptr_null(sources_find(s, COMPONENT_PROVIDER, name("a")));
    sources_tick(s, h.store, 1000000 + SOURCE_GRACE_MS - 1);
    ck_assert_uint_eq(s->known, 1);
    sources_tick(s, h.store, 1000000 + SOURCE_GRACE_MS);
    ck_assert_uint_eq(s->known, 0);
    fixture_close(&h);
}
END_TEST

START_TEST(a_used_again_entry_inherits_no_series)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    h.origin.owner = (struct owner){.updater_id = source_updater_id(s, a), .lease = lease};
    fixture_line(&h, "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":1}");
    uint32_t anonymous_lease;
    struct source *other = enter_of(COMPONENT_MANAGER, "", 1000, &anonymous_lease);
    h.origin.owner =
        (struct owner){.updater_id = source_updater_id(s, other), .lease = anonymous_lease};
    fixture_line(&h, "{\"metric\":\"g\",\"labels\":{\"l\":\"v\"},\"value\":2}");
    atomic_store(&a->forgotten, true);
    source_leave(s, a, 1000);
    sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    struct source *b = enter("b", 50000, &lease);
    ck_assert(b == a);
    struct origin of_b = {.owner = {.updater_id = source_updater_id(s, b)}};
    struct event_result v = fixture_line(&h, "{\"forget\":{\"labels\":{\"l\":\"v\"}}}");
    rcu_enter();
    ck_assert_uint_eq(forget_all(h.store, &v.control.forget, &of_b), 0);
    rcu_leave();
    ck_assert_str_eq(fixture_samples(&h), "g{l=\"v\"} 2\n");
    fixture_close(&h);
}
END_TEST

START_TEST(lost_grows_by_what_is_new)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    static const uint64_t said[] = {0, 5, 5, 9, 3, 3, 0, 1};
    static const uint64_t more[] = {0, 5, 0, 4, 3, 0, 0, 1};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_FIRST, 0, said[i]), more[i]);
    }
    // Two connections are two accounts.
    ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_MORE, 1, 4), 3);
    enter("a", 1000, &lease);
    ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_FIRST, 0, 6), 6);
    ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_MORE, 4, 5), 1);
    ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_MORE, 5, 2), 0);
    ck_assert_uint_eq(source_report_lost(s, a, SOURCE_LOST_DATAGRAM, 0, 7), 1);
    fixture_close(&h);
}
END_TEST

START_TEST(a_series_is_kept_while_one_that_named_it_is_connected)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    struct source *b = enter("b", 1000, &lease);
    const struct table *t = schema_current(h.store)->families[0].table;
    struct arena_writer writer = {0};
    struct idset_memory room = {h.store->share.arena, &writer, sources_max_id(FIXTURE_SOURCES)};
    struct {
        struct record record;
        struct series_saved saved;
    } in_arena = {.saved = {0}};
    struct series series = {.record = &in_arena.record};
    _Atomic uint64_t *ids = series_ids(&series);
    ck_assert(!sources_has_named(s, t, &series));
    idset_add(ids, source_updater_id(s, a), &room);
    ck_assert(!sources_has_named(s, t, &series));
    idset_add(ids, source_namer_id(s, a), &room);
    idset_add(ids, source_namer_id(s, b), &room);
    source_leave(s, a, 1000);
    ck_assert(sources_has_named(s, t, &series));
    source_leave(s, b, 1000);
    ck_assert(!sources_has_named(s, t, &series));
    fixture_close(&h);
}
END_TEST

enum { ROUNDS = 20000, NAMES = FIXTURE_SOURCES + 3 };

static _Atomic int done;

static void *come_and_go(void *seed)
{
    uint64_t state = (uintptr_t)seed * 7919 + 1;
    rcu_join();
    for (int i = 0; i < ROUNDS; i++) {
        char instance[2] = {(char)('a' + unit_random(&state) % NAMES), '\0'};
        uint32_t lease;
        struct source *src;
        int rc;
        // Until the tick has made room.
        while ((rc = enter_as(&seven, COMPONENT_PROVIDER, instance, 1000, &src, &lease)) != 0) {
            if (rc != -ENOSPC && rc != -EDQUOT) {
                abort();
            }
            sched_yield();
        }
        // Not ck_assert: that belongs to the main thread.
        if (src->instance_len != 1 || src->instance[0] != instance[0] ||
            !source_is_connected(src)) {
            abort();
        }
        atomic_store(&src->forgotten, unit_random(&state) % 2 == 0);
        source_leave(s, src, 1000);
    }
    rcu_part();
    atomic_fetch_add(&done, 1);
    return NULL;
}

// As a scrape does: what a source is called does not change under it.
static void look_at_names(void)
{
    uint32_t at = 0;
    rcu_enter();
    for (const struct source *src; (src = sources_next(s, &at)) != NULL;) {
        char first = src->instance[0];
        sched_yield();
        if (src->instance_len != 1 || src->instance[0] != first || first < 'a' ||
            first >= 'a' + NAMES) {
            abort();
        }
    }
    rcu_leave();
}

static void *look(void *none)
{
    rcu_join();
    while (atomic_load(&done) < 3) {
        look_at_names();
    }
    rcu_part();
    return none;
}

/*
 * More names than may be known, while the tick lets those go that are gone: whoever finds an entry is connected as who
 * it asked for, and whoever reads a name reads one.
 */
START_TEST(an_entry_that_is_given_away_is_never_taken_for_another)
{
    open_it();
    pthread_t threads[4];
    ck_assert_int_eq(pthread_create(&threads[3], NULL, look, NULL), 0);
    for (uintptr_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, (void *)i), 0);
    }
    while (atomic_load(&done) < 3) {
        sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_le(known(), FIXTURE_SOURCES);
    uint32_t at = 0;
    for (const struct source *src; (src = sources_next(s, &at)) != NULL;) {
        ck_assert(!source_is_connected(src));
    }
    for (int i = 0; i < 2; i++) {
        sources_tick(s, h.store, 1000 + SOURCE_GRACE_MS);
    }
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < s->n; i++) {
        for (unsigned k = 0; k < SOURCE_LEASES; k++) {
            ck_assert_int_eq(s->entries[i].leases[k].state, LEASE_FREE);
        }
    }
    fixture_close(&h);
}
END_TEST

START_TEST(a_source_is_one_user_s_for_as_long_as_one_is_connected_as_it)
{
    open_it();
    uint32_t lease;
    struct source *a = enter("a", 1000, &lease);
    struct source *src = NULL;
    const struct holder nobody = {.user = (uid_t)-1};
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "a", 1, &src, &lease), -EPERM);
    ck_assert_int_eq(enter_as(&nobody, COMPONENT_PROVIDER, "a", 1, &src, &lease), -EPERM);
    ck_assert(enter("a", 1000, &lease) == a);
    source_leave(s, a, 1000);
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "a", 1, &src, &lease), -EPERM);
    ck_assert_ptr_null(src);
    source_leave(s, a, 1000);
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "a", 1, &src, &lease), 0);
    ck_assert_ptr_eq(src, a);
    ck_assert_int_eq(enter_as(&seven, COMPONENT_PROVIDER, "a", 1, &src, &lease), -EPERM);
    // The anonymous are a crowd.
    ck_assert_int_eq(enter_as(&seven, COMPONENT_MANAGER, "", 1, &src, &lease), 0);
    ck_assert_int_eq(enter_as(&eight, COMPONENT_MANAGER, "", 1, &src, &lease), 0);
    fixture_close(&h);
}
END_TEST

START_TEST(a_source_of_datagrams_is_its_user_s_until_the_window_closes)
{
    open_it();
    uint32_t lease;
    struct source *a = NULL;
    struct source *b = NULL;
    ck_assert_int_eq(datagram(&seven, "a", 1000, &a), 0);
    ck_assert_int_eq(datagram(&eight, "a", 2000, &b), -EPERM);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(datagram(&seven, "a", 2000, &b), 0);
    ck_assert_ptr_eq(a, b);
    sources_tick(s, h.store, 2000 + SOURCE_DATAGRAM_MS - 1);
    ck_assert(source_is_connected(a));
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "a", 1, &b, &lease), -EPERM);
    sources_tick(s, h.store, 2000 + SOURCE_DATAGRAM_MS);
    ck_assert(!source_is_connected(a));
    ck_assert_int_eq(enter_as(&eight, COMPONENT_PROVIDER, "a", 1, &b, &lease), 0);
    fixture_close(&h);
}
END_TEST

START_TEST(a_retired_source_is_not_known_once_it_has_gone)
{
    open_it();
    uint32_t lease;
    struct source *src = enter("a", 1, &lease);
    ck_assert_int_eq(source_forget(s, COMPONENT_PROVIDER, name("b")), -ENOENT);
    ck_assert_int_eq(source_forget(s, COMPONENT_MANAGER, name("a")), -ENOENT);
    ck_assert_int_eq(source_forget(s, COMPONENT_PROVIDER, name("")), -ENOENT);
    ck_assert_int_eq(source_forget(s, COMPONENT_PROVIDER, name("a")), 1);
    ck_assert_uint_eq(known(), 1);
    source_leave(s, src, 2);
    ck_assert_uint_eq(known(), 0);
    ck_assert_int_eq(source_forget(s, COMPONENT_PROVIDER, name("a")), -ENOENT);
    struct source *gone = enter("c", 3, &lease);
    source_leave(s, gone, 4);
    ck_assert_uint_eq(known(), 1);
    ck_assert_int_eq(source_forget(s, COMPONENT_PROVIDER, name("c")), 0);
    ck_assert_uint_eq(known(), 0);
    fixture_close(&h);
}
END_TEST

// The rate is that of the lines between two readings, and belongs to the source that the entry is for.
START_TEST(lines_are_counted_and_measured)
{
    struct source src = {.per_second = -1};
    source_count(&src, 5, 0);
    source_measure(&src, 1000);
    source_count(&src, 100, 3);
    source_measure(&src, 1000 + SOURCE_RATE_MS - 1);
    ck_assert_double_eq(atomic_load(&src.per_second), -1);
    source_measure(&src, 1000 + 2 * SOURCE_RATE_MS);
    ck_assert_double_eq(atomic_load(&src.per_second), 5);
    ck_assert_uint_eq(atomic_load(&src.applied), 105);
    ck_assert_uint_eq(atomic_load(&src.rejected), 3);
    atomic_store(&src.applied, 7); // another source
    source_measure(&src, 1000 + 4 * SOURCE_RATE_MS);
    source_measure(&src, 1000 + 6 * SOURCE_RATE_MS);
    ck_assert_double_eq(atomic_load(&src.per_second), 0);
}
END_TEST

// ---- What must never be done

static struct source *open_with_one(void)
{
    uint32_t lease;
    open_it();
    return enter("a", 0, &lease);
}

static void release_more_than_was_reserved(void)
{
    open_it();
    holder_count(&s->kept, &seven, -1);
}

static void evict_a_source_twice(void)
{
    uint32_t lease;
    struct source *src = open_with_one();
    enter("b", 0, &lease); // so that the holder has another one
    give_way(s, src);
    give_way(s, src);
}

static void connect_while_all_leases_end(void)
{
    uint32_t lease;
    struct source *src = open_with_one();
    source_leave(s, src, 0);
    for (unsigned i = 0; i < SOURCE_LEASES; i++) {
        src->leases[i].state = LEASE_ENDING;
    }
    enter("a", 0, &lease);
}

static void leave_a_source_twice(void)
{
    struct source *src = open_with_one();
    source_leave(s, src, 0);
    source_leave(s, src, 0);
}

static void stay_with_a_source_that_was_left(void)
{
    struct source *src = open_with_one();
    source_leave(s, src, 0);
    source_add_connection(s, src);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a holder releases only what it reserved", release_more_than_was_reserved);
    breaks("only a known source is evicted", evict_a_source_twice);
    breaks("a source that connects has a lease", connect_while_all_leases_end);
    breaks("a source that is left has a connection", leave_a_source_twice);
    breaks("a source that stays is connected", stay_with_a_source_that_was_left);
}
END_TEST

UNIT_MAIN("source", a_retired_source_is_not_known_once_it_has_gone, lines_are_counted_and_measured,
          a_source_is_a_component_and_an_instance, ids_are_all_different_and_within_their_range,
          a_lease_lasts_from_the_first_connection_to_the_last,
          a_source_that_breaks_its_promise_is_down_until_it_is_heard,
          coming_back_begins_a_new_lease_and_ends_the_old_one_later,
          whoever_comes_and_goes_too_often_goes_on_with_a_lease,
          anonymous_clients_go_on_with_their_lease,
          one_that_is_gone_gives_way_at_once_the_longest_silent_first,
          as_many_as_are_gone_give_way_one_after_the_other, one_s_own_give_way_first,
          an_account_keeps_no_more_than_it_may, nobody_uses_up_the_spare_entries_between_two_ticks,
          who_was_silent_for_seven_days_is_forgotten, who_said_forget_goes_with_its_grace,
          a_used_again_entry_inherits_no_series, lost_grows_by_what_is_new,
          a_series_is_kept_while_one_that_named_it_is_connected,
          an_entry_that_is_given_away_is_never_taken_for_another,
          a_source_is_one_user_s_for_as_long_as_one_is_connected_as_it,
          a_source_of_datagrams_is_its_user_s_until_the_window_closes,
          a_broken_invariant_ends_the_process)
