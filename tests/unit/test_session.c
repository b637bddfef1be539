// SPDX-License-Identifier: Apache-2.0
#include "ingest/session.h"

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { LIMIT = 4 };

#define REAL ((uint64_t)1700000000000)

static struct arena *arena;
static struct arena_hand hand;
static struct sessions *sessions;
static char woken[100]; // workers, in their order

static void on_wake(void *ctx, unsigned worker)
{
    ck_assert_ptr_eq(ctx, &woken);
    size_t len = strlen(woken);
    snprintf(woken + len, sizeof woken - len, "%u ", worker);
}

static void open_all(uint32_t limit)
{
    hand = (struct arena_hand){0};
    woken[0] = '\0';
    ck_assert_int_eq(arena_new(&arena, 64 << 20), 0);
    layout_init(arena_base(arena), 100);
    ck_assert_int_eq(sessions_new(&sessions, limit, arena, on_wake, &woken), 0);
}

static void close_all(void)
{
    sessions_free(sessions);
    arena_free(arena);
}

static struct slice text(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static struct session_name name(uid_t uid, const char *component, const char *instance,
                                const char *id)
{
    struct session_name n;
    session_name(&n, uid, text(component), text(instance), text(id));
    return n;
}

// Makes the session s/ID, heard at that time, and leaves it.
static int make_at(const char *id, uint64_t now_ms)
{
    struct session_name n = name(1, "provider", "s", id);
    struct session *e;
    int rc = session_make(sessions, &hand, &n, now_ms, REAL + now_ms, &e);
    if (rc >= 0) {
        session_leave(sessions, e, 0);
    }
    return rc;
}

static bool is_known(const char *id)
{
    struct session_name n = name(1, "provider", "s", id);
    struct session *e = session_find(sessions, &n);
    if (e != NULL) {
        session_leave(sessions, e, 0);
    }
    return e != NULL;
}

START_TEST(sessions_are_told_apart_by_user_component_instance_and_id)
{
    static const struct {
        uid_t uid;
        const char *component;
        const char *instance;
        const char *id;
    } names[] = {
        {0, "provider", "vc1", "a"},
        {1, "provider", "vc1", "a"},
        {(uid_t)-1, "provider", "vc1", "a"},
        {0, "manager", "vc1", "a"},
        {0, "provider", "vc", "1a"},
        {0, "provider", "", "vc1a"},
        {0, "providerv", "c1", "a"},
        {0, "provider", "vc1", "A"},
        {0, "provider", "vc1", "aa"},
        {0, "provider", "vc1a", "a"},
        {0, "provider", "", "a"},
    };
    enum { N = sizeof names / sizeof names[0] };
    open_all(N);
    struct session *made[N];
    for (unsigned i = 0; i < N; i++) {
        struct session_name n =
            name(names[i].uid, names[i].component, names[i].instance, names[i].id);
        ck_assert_ptr_null(session_find(sessions, &n));
        ck_assert_int_eq(session_make(sessions, &hand, &n, 5, REAL, &made[i]), 0);
        ck_assert_uint_eq(session_position(made[i]), 0);
        atomic_store(&made[i]->record->word, i + 1);
        ck_assert(session_has_id(made[i], text(names[i].id)));
        ck_assert(!session_has_id(made[i], text("other")));
    }
    ck_assert_uint_eq(sessions_known(sessions), N);
    for (unsigned i = 0; i < N; i++) {
        struct session_name n =
            name(names[i].uid, names[i].component, names[i].instance, names[i].id);
        struct session *e = session_find(sessions, &n);
        ck_assert_ptr_eq(e, made[i]);
        ck_assert_uint_eq(session_position(e), i + 1);
        ck_assert_int_eq(session_make(sessions, &hand, &n, 5, REAL, &e), 1);
        ck_assert_ptr_eq(e, made[i]);
    }
    close_all();
}
END_TEST

START_TEST(the_longest_silent_one_without_a_connection_gives_way)
{
    open_all(LIMIT);
    ck_assert_int_eq(make_at("a", 30), 0);
    ck_assert_int_eq(make_at("b", 10), 0);
    ck_assert_int_eq(make_at("c", 20), 0);
    struct session_name n = name(1, "provider", "s", "b");
    struct session *b = session_find(sessions, &n); // b has a connection
    ck_assert_int_eq(make_at("d", 40), 0);
    ck_assert_int_eq(make_at("e", 50), 0);
    ck_assert(is_known("a") && is_known("b") && !is_known("c") && is_known("d") && is_known("e"));
    session_heard(b, 60, REAL + 60);
    session_leave(sessions, b, 0);
    ck_assert_int_eq(make_at("f", 60), 0);
    ck_assert(!is_known("a") && is_known("b") && is_known("d") && is_known("e") && is_known("f"));
    ck_assert_uint_eq(sessions_known(sessions), LIMIT);
    close_all();
}
END_TEST

START_TEST(when_all_have_connections_there_is_no_room)
{
    open_all(LIMIT);
    struct session *held[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        struct session_name n = name(1, "provider", "s", (char[]){(char)('a' + i), '\0'});
        ck_assert_int_eq(session_make(sessions, &hand, &n, 1, REAL, &held[i]), 0);
    }
    ck_assert_int_eq(make_at("z", 2), -ENOSPC);
    session_leave(sessions, held[2], 0);
    ck_assert_int_eq(make_at("z", 2), 0);
    ck_assert(!is_known("c") && is_known("a") && is_known("z"));
    close_all();

    open_all(0);
    ck_assert_int_eq(make_at("a", 1), -ENOSPC);
    close_all();
}
END_TEST

START_TEST(what_gives_way_leaves_no_memory_behind)
{
    open_all(LIMIT);
    uint64_t used = 0;
    for (int i = 0; i < 5000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%05d", i);
        ck_assert_int_eq(make_at(id, (uint64_t)i), 0);
        used = i == 100 ? arena_used(arena) : used;
    }
    ck_assert_uint_eq(arena_used(arena), used);
    close_all();
}
END_TEST

START_TEST(a_session_is_forgotten_after_a_day_of_silence)
{
    open_all(LIMIT);
    uint64_t now = 1000;
    make_at("a", now);
    make_at("b", now + 1);
    struct session_name n = name(1, "provider", "s", "c");
    struct session *c;
    session_make(sessions, &hand, &n, now, REAL, &c); // connected
    sessions_tick(sessions, now + SESSION_FORGOTTEN_MS - 1);
    ck_assert(is_known("a") && is_known("b") && is_known("c"));
    sessions_tick(sessions, now + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("a") && is_known("b") && is_known("c"));
    session_heard(c, now + 100, REAL);
    session_leave(sessions, c, 0);
    sessions_tick(sessions, now + 99 + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("b") && is_known("c"));
    sessions_tick(sessions, now + 100 + SESSION_FORGOTTEN_MS);
    ck_assert_uint_eq(sessions_known(sessions), 0);
    // Anew it begins at 0.
    ck_assert_int_eq(session_make(sessions, &hand, &n, now, REAL, &c), 0);
    close_all();
}
END_TEST

START_TEST(the_latest_claim_holds_once_the_one_before_has_let_go)
{
    open_all(LIMIT);
    struct session_name n = name(1, "provider", "s", "a");
    struct session *e;
    session_make(sessions, &hand, &n, 1, REAL, &e);
    uint64_t first = session_claim(sessions, e, 3);
    ck_assert_int_eq(session_try(sessions, e, first), SESSION_HELD);
    ck_assert_int_eq(session_try(sessions, e, first), SESSION_HELD);
    ck_assert(!session_is_fenced(e, first));
    ck_assert_str_eq(woken, "");

    session_find(sessions, &n);
    uint64_t second = session_claim(sessions, e, 63);
    ck_assert(session_is_fenced(e, first) && !session_is_fenced(e, second));
    ck_assert_str_eq(woken, "3 ");
    ck_assert_int_eq(session_try(sessions, e, second), SESSION_WAIT);
    ck_assert_str_eq(woken, "3 3 ");
    ck_assert_int_eq(session_try(sessions, e, first), SESSION_FENCED);

    session_find(sessions, &n);
    uint64_t third = session_claim(sessions, e, 0);
    ck_assert_str_eq(woken, "3 3 63 "); // who waits is told that it waits in vain
    ck_assert_int_eq(session_try(sessions, e, second), SESSION_FENCED);
    ck_assert_int_eq(session_try(sessions, e, third), SESSION_WAIT);
    ck_assert_str_eq(woken, "3 3 63 3 ");
    session_leave(sessions, e, second); // it never held it
    ck_assert_int_eq(session_try(sessions, e, third), SESSION_WAIT);
    ck_assert_str_eq(woken, "3 3 63 3 3 ");
    session_leave(sessions, e, first);
    ck_assert_str_eq(woken, "3 3 63 3 3 0 ");
    ck_assert_int_eq(session_try(sessions, e, third), SESSION_HELD);
    session_leave(sessions, e, third);
    session_find(sessions, &n);
    session_leave(sessions, e, session_claim(sessions, e, 5)); // nobody is there to be told
    ck_assert_str_eq(woken, "3 3 63 3 3 0 ");
    ck_assert_uint_eq(atomic_load(&e->users), 0);
    close_all();
}
END_TEST

static struct record_image image_of(void)
{
    struct record_image image = {.base = arena_base(arena),
                                 .seed = layout_of(arena_base(arena))->seed};
    image.size = arena_used(arena);
    ck_assert_int_eq(record_scan(&image), 0);
    return image;
}

// A second table, in an arena of its own, of what the first one left.
static void restore(struct record_image *image, uint32_t limit, uint64_t now_ms, uint64_t real_ms)
{
    struct arena *before = arena;
    sessions_free(sessions);
    open_all(limit);
    sessions_restore(sessions, &hand, image, now_ms, real_ms);
    record_scan_free(image);
    arena_free(before);
}

START_TEST(sessions_are_known_to_the_next_process)
{
    open_all(LIMIT);
    make_at("old", 1000);
    make_at("young", 2000);
    struct session_name n = name(1, "provider", "s", "young");
    struct session *e = session_find(sessions, &n);
    atomic_store(&e->record->word, 77);
    atomic_store(&session_saved(e)->lost, 5);
    struct record_image image = image_of();
    // After a start of the system, whose clock begins anew.
    restore(&image, LIMIT, 500, REAL + 1000 + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("old") && is_known("young"));
    e = session_find(sessions, &n);
    ck_assert_uint_eq(session_position(e), 77);
    ck_assert_uint_eq(atomic_load(&session_saved(e)->lost), 5);
    session_leave(sessions, e, 0);
    sessions_tick(sessions, 500 + 999);
    ck_assert(is_known("young"));
    sessions_tick(sessions, 500 + 1000);
    ck_assert(!is_known("young"));
    close_all();
}
END_TEST

START_TEST(a_clock_that_was_set_back_makes_nobody_silent)
{
    open_all(LIMIT);
    make_at("a", 1000);
    struct record_image image = image_of();
    restore(&image, LIMIT, 500, REAL - 100 * SESSION_FORGOTTEN_MS);
    ck_assert(is_known("a"));
    sessions_tick(sessions, 500 + SESSION_FORGOTTEN_MS - 1);
    ck_assert(is_known("a"));
    close_all();
}
END_TEST

START_TEST(records_that_make_no_sense_are_left_out)
{
    uint32_t beyond[4] = {1, 5, 5, 0x41414141};
    uint32_t huge[4] = {1, UINT32_MAX, UINT32_MAX, 0};
    uint32_t good[4] = {1, 2, 2, 0x41414141};
    char longest[sizeof((struct session_name *)0)->bytes + 1] = {0};
    const struct {
        const void *text;
        size_t len;
        uint16_t payload;
        bool good;
    } cases[] = {
        {beyond, sizeof beyond, sizeof(struct session_saved), false},
        {huge, sizeof huge, sizeof(struct session_saved), false},
        {good, 11, sizeof(struct session_saved), false},
        {"", 0, sizeof(struct session_saved), false},
        {longest, sizeof longest, sizeof(struct session_saved), false},
        {good, sizeof good, 8, false},
        {good, sizeof good, sizeof(struct session_saved), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_all(LIMIT);
        struct record_spec spec = {.kind = RECORD_SESSION,
                                   .payload = cases[i].payload,
                                   .text = cases[i].text,
                                   .text_len = cases[i].len};
        uint32_t handle = record_new(arena, &hand, &spec);
        ck_assert_uint_ne(handle, 0);
        record_publish(arena_base(arena), handle);
        struct record_image image = image_of();
        ck_assert_uint_eq(image.n, 1);
        restore(&image, LIMIT, 1, 1);
        ck_assert_uint_eq(sessions_known(sessions), cases[i].good);
        close_all();
    }
}
END_TEST

START_TEST(more_sessions_than_the_limit_allows_now_leave_the_latest)
{
    open_all(LIMIT);
    make_at("a", 30);
    make_at("d", 5);
    make_at("c", 20);
    make_at("b", 10);
    struct record_image image = image_of();
    restore(&image, 2, 100, REAL + 100);
    ck_assert(is_known("a") && is_known("c") && !is_known("b"));
    close_all();
}
END_TEST

START_TEST(a_session_whose_record_was_lost_is_forgotten_and_its_connection_fenced)
{
    open_all(LIMIT);
    struct session_name n = name(1, "provider", "s", "a");
    struct session *e;
    make_at("b", 5);
    session_make(sessions, &hand, &n, 5, REAL, &e);
    uint64_t claim = session_claim(sessions, e, 7);
    ck_assert_int_eq(session_try(sessions, e, claim), SESSION_HELD);
    memset(e->record, 0, record_size(e->record)); // a page of zeroes
    sessions_mend(sessions);
    ck_assert(session_is_fenced(e, claim));
    ck_assert_str_eq(woken, "7 ");
    ck_assert(!is_known("a") && is_known("b"));
    ck_assert_int_eq(make_at("a", 6), 0);
    session_leave(sessions, e, claim);
    sessions_tick(sessions, 6);
    ck_assert_uint_eq(sessions_known(sessions), 2);
    close_all();
}
END_TEST

enum { THREADS = 4, ROUNDS = 3000, NAMES = 3 };

static _Atomic unsigned at_once[NAMES];

static void no_wake(void *ctx, unsigned worker)
{
    (void)ctx;
    (void)worker;
}

// Makes sessions, holds them for a moment, and goes.
static void *contend(void *seed)
{
    struct arena_hand own = {0};
    uint64_t random = (uint64_t)(uintptr_t)seed;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned which = (unsigned)(unit_random(&random) >> 20) % NAMES;
        struct session_name n = name(1, "provider", "s", (char[]){(char)('a' + which), '\0'});
        struct session *e;
        int rc = session_make(sessions, &own, &n, (uint64_t)i, REAL, &e);
        if (rc == -ENOSPC) {
            continue;
        }
        ck_assert_int_ge(rc, 0);
        uint64_t claim = session_claim(sessions, e, 1);
        if (session_try(sessions, e, claim) == SESSION_HELD) {
            ck_assert_uint_eq(atomic_fetch_add(&at_once[which], 1), 0);
            uint64_t position = session_position(e);
            atomic_store_explicit(&e->record->word, position + 1, memory_order_relaxed);
            atomic_fetch_sub(&at_once[which], 1);
        }
        session_leave(sessions, e, claim);
    }
    return NULL;
}

START_TEST(nobody_holds_a_session_beside_another_one)
{
    // With fewer places than names sessions are made and give way all the time.
    for (uint32_t limit = NAMES - 1; limit <= NAMES; limit++) {
        open_all(limit);
        sessions_free(sessions);
        ck_assert_int_eq(sessions_new(&sessions, limit, arena, no_wake, NULL), 0);
        pthread_t threads[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++) {
            ck_assert_int_eq(pthread_create(&threads[i], NULL, contend, (void *)(i + 1)), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        ck_assert_uint_le(sessions_known(sessions), limit);
        struct record_image image = image_of();
        ck_assert_uint_eq(image.n, sessions_known(sessions));
        record_scan_free(&image);
        close_all();
    }
}
END_TEST

UNIT_MAIN("session", sessions_are_told_apart_by_user_component_instance_and_id,
          the_longest_silent_one_without_a_connection_gives_way,
          when_all_have_connections_there_is_no_room, what_gives_way_leaves_no_memory_behind,
          a_session_is_forgotten_after_a_day_of_silence,
          the_latest_claim_holds_once_the_one_before_has_let_go,
          sessions_are_known_to_the_next_process, a_clock_that_was_set_back_makes_nobody_silent,
          records_that_make_no_sense_are_left_out,
          more_sessions_than_the_limit_allows_now_leave_the_latest,
          a_session_whose_record_was_lost_is_forgotten_and_its_connection_fenced,
          nobody_holds_a_session_beside_another_one)
