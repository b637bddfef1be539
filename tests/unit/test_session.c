// SPDX-License-Identifier: Apache-2.0
#include "source/session.c"

#include "breaks.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { LIMIT = 4 };

#define REAL ((uint64_t)1700000000000)

static struct arena *arena;
static struct arena_writer writer;
static struct sessions *sessions;
static char woken[100]; // workers, in their order
static const struct holder anyone = {.user = 1};

static void note_wake(int worker)
{
    size_t len = strlen(woken);
    if (worker != SESSION_NO_WORKER) {
        snprintf(woken + len, sizeof woken - len, "%d ", worker);
    }
}

static uint64_t take_over_for(struct session *e, unsigned worker)
{
    int wake;
    uint64_t takeover = session_take_over(sessions, e, worker, &wake);
    note_wake(wake);
    return takeover;
}

static enum session_access try_with(struct session *e, uint64_t takeover)
{
    int wake;
    enum session_access access = session_acquire(sessions, e, takeover, &wake);
    note_wake(wake);
    return access;
}

static void leave(struct session *e, uint64_t takeover)
{
    note_wake(session_leave(sessions, e, takeover));
}

static void open_all(uint32_t limit)
{
    writer = (struct arena_writer){0};
    woken[0] = '\0';
    ck_assert_int_eq(arena_new(&arena, 64 << 20), 0);
    layout_init(arena_base(arena), 100);
    ck_assert_int_eq(sessions_new(&sessions, limit, arena), 0);
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
    int rc = session_make(sessions, &writer, &n, &anyone, now_ms, REAL + now_ms, &e);
    if (rc >= 0) {
        leave(e, 0);
    }
    return rc;
}

static bool is_known(const char *id)
{
    struct session_name n = name(1, "provider", "s", id);
    struct session *e = session_find(sessions, &n);
    if (e != NULL) {
        leave(e, 0);
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
        ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, 5, REAL, &made[i]), 0);
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
        ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, 5, REAL, &e), 1);
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
    leave(b, 0);
    ck_assert_int_eq(make_at("f", 60), 0);
    ck_assert(!is_known("a") && is_known("b") && is_known("d") && is_known("e") && is_known("f"));
    ck_assert_uint_eq(sessions_known(sessions), LIMIT);
    close_all();
}
END_TEST

// Makes the session s/ID for a holder, heard at that time, and leaves it. Returns as session_make.
static int make_for(const struct holder *holder, const char *id, uint64_t now_ms)
{
    struct session_name n = name(holder->user, "provider", "s", id);
    struct session *e;
    int rc = session_make(sessions, &writer, &n, holder, now_ms, REAL + now_ms, &e);
    if (rc >= 0) {
        leave(e, 0);
    }
    return rc;
}

static bool is_known_of(uid_t uid, const char *id)
{
    struct session_name n = name(uid, "provider", "s", id);
    struct session *e = session_find(sessions, &n);
    if (e != NULL) {
        leave(e, 0);
    }
    return e != NULL;
}

START_TEST(one_s_own_give_way_first)
{
    static const struct holder seven = {.user = 7};
    static const struct holder eight = {.user = 8};
    open_all(LIMIT);
    ck_assert_int_eq(make_for(&eight, "first", 1), 0);
    for (int i = 0; i < 100; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        ck_assert_int_eq(make_for(&seven, id, 10 + (uint64_t)i), 0);
        ck_assert(is_known_of(8, "first")); // though it was silent for longest
    }
    // And whoever has none takes the place of one of those who have most.
    ck_assert_int_eq(make_at("new", 200), 0);
    ck_assert(is_known_of(8, "first") && is_known("new") && !is_known_of(7, "97"));
    close_all();
}
END_TEST

START_TEST(an_account_keeps_no_more_than_it_may)
{
    static const struct holder two = {.user = 7, .usage = 3, .most = 2};
    static const struct holder other = {.user = 7, .usage = 4, .most = 1};
    open_all(LIMIT);
    ck_assert_int_eq(make_for(&two, "a", 1), 0);
    ck_assert_int_eq(make_for(&two, "b", 2), 0);
    ck_assert_int_eq(make_for(&two, "c", 3), 0);
    ck_assert(!is_known_of(7, "a") && is_known_of(7, "b") && is_known_of(7, "c"));
    struct session_name b = name(7, "provider", "s", "b");
    struct session_name c = name(7, "provider", "s", "c");
    session_find(sessions, &b); // both have connections
    session_find(sessions, &c);
    ck_assert_int_eq(make_for(&two, "d", 4), -EDQUOT);
    ck_assert_int_eq(make_for(&two, "b", 4), 1);
    ck_assert_int_eq(make_for(&other, "d", 4), 0);
    ck_assert_uint_eq(sessions_known(sessions), 3);
    close_all();
}
END_TEST

START_TEST(when_all_have_connections_there_is_no_room)
{
    open_all(LIMIT);
    struct session *held[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        struct session_name n = name(1, "provider", "s", (char[]){(char)('a' + i), '\0'});
        ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, 1, REAL, &held[i]), 0);
    }
    ck_assert_int_eq(make_at("z", 2), -ENOSPC);
    leave(held[2], 0);
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
    session_make(sessions, &writer, &n, &anyone, now, REAL, &c); // connected
    sessions_tick(sessions, now + SESSION_FORGOTTEN_MS - 1);
    ck_assert(is_known("a") && is_known("b") && is_known("c"));
    sessions_tick(sessions, now + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("a") && is_known("b") && is_known("c"));
    session_heard(c, now + 100, REAL);
    leave(c, 0);
    sessions_tick(sessions, now + 99 + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("b") && is_known("c"));
    sessions_tick(sessions, now + 100 + SESSION_FORGOTTEN_MS);
    ck_assert_uint_eq(sessions_known(sessions), 0);
    // Anew it begins at 0.
    ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, now, REAL, &c), 0);
    close_all();
}
END_TEST

START_TEST(the_latest_takeover_counts_once_the_previous_connection_has_left)
{
    open_all(LIMIT);
    struct session_name n = name(1, "provider", "s", "a");
    struct session *e;
    session_make(sessions, &writer, &n, &anyone, 1, REAL, &e);
    uint64_t first = take_over_for(e, 3);
    ck_assert_int_eq(try_with(e, first), SESSION_ACQUIRED);
    ck_assert_int_eq(try_with(e, first), SESSION_ACQUIRED);
    ck_assert(!session_is_taken_over(e, first));
    ck_assert_str_eq(woken, "");

    session_find(sessions, &n);
    uint64_t second = take_over_for(e, 63);
    ck_assert(session_is_taken_over(e, first) && !session_is_taken_over(e, second));
    ck_assert_str_eq(woken, "3 ");
    ck_assert_int_eq(try_with(e, second), SESSION_BUSY);
    ck_assert_str_eq(woken, "3 3 ");
    ck_assert_int_eq(try_with(e, first), SESSION_TAKEN_OVER);

    session_find(sessions, &n);
    uint64_t third = take_over_for(e, 0);
    ck_assert_str_eq(woken, "3 3 63 "); // who waits is told that it waits in vain
    ck_assert_int_eq(try_with(e, second), SESSION_TAKEN_OVER);
    ck_assert_int_eq(try_with(e, third), SESSION_BUSY);
    ck_assert_str_eq(woken, "3 3 63 3 ");
    leave(e, second); // it never had it
    ck_assert_int_eq(try_with(e, third), SESSION_BUSY);
    ck_assert_str_eq(woken, "3 3 63 3 3 ");
    leave(e, first);
    ck_assert_str_eq(woken, "3 3 63 3 3 0 ");
    ck_assert_int_eq(try_with(e, third), SESSION_ACQUIRED);
    leave(e, third);
    session_find(sessions, &n);
    leave(e, take_over_for(e, 5)); // there is nobody to be woken
    ck_assert_str_eq(woken, "3 3 63 3 3 0 ");
    ck_assert_uint_eq(e->users, 0);
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
    sessions_restore(sessions, &writer, image, now_ms, real_ms);
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
    leave(e, 0);
    sessions_tick(sessions, 500 + 999);
    ck_assert(is_known("young"));
    sessions_tick(sessions, 500 + 1000);
    ck_assert(!is_known("young"));
    close_all();
}
END_TEST

static void expect_rolled_back(const char *id, uint64_t position)
{
    struct session_name n = name(1, "provider", "s", id);
    struct session *e;
    ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, 5, REAL, &e), 1);
    ck_assert(session_is_rolled_back(e));
    ck_assert_uint_eq(session_position(e), position);
    leave(e, 0);
}

START_TEST(sessions_of_a_file_that_is_behind_keep_their_position_and_are_rolled_back)
{
    open_all(LIMIT);
    make_at("began", 1000); // its position is 0
    make_at("a", 1000);
    make_at("b", 900);
    make_at("c", 2000);
    for (const char *id = "abc"; *id != '\0'; id++) {
        struct session_name n = name(1, "provider", "s", (char[]){*id, '\0'});
        struct session *e = session_find(sessions, &n);
        ck_assert(!session_is_rolled_back(e));
        atomic_store(&e->record->word, 100);
        leave(e, 0);
    }
    struct record_image image = image_of();
    image.behind = true;
    restore(&image, 2, 500, REAL + 2000); // no more than the limit
    ck_assert(!is_known("b") && !is_known("began"));
    expect_rolled_back("a", 100);
    expect_rolled_back("c", 100);
    image = image_of();
    restore(&image, LIMIT, 500, REAL + 2000); // the next process was asked again
    expect_rolled_back("a", 100);
    ck_assert_int_eq(make_at("began", 1), 0);
    struct session_name n = name(1, "provider", "s", "began");
    struct session *e = session_find(sessions, &n);
    ck_assert(!session_is_rolled_back(e));
    leave(e, 0);
    sessions_tick(sessions, 500 + SESSION_FORGOTTEN_MS);
    ck_assert(!is_known("a"));
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
        uint32_t handle = record_new(arena, &writer, &spec);
        ck_assert_uint_ne(handle, 0);
        record_persist(arena_base(arena), handle);
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

START_TEST(a_session_whose_record_was_lost_is_forgotten_and_taken_from_its_connection)
{
    open_all(LIMIT);
    struct session_name n = name(1, "provider", "s", "a");
    struct session *e;
    make_at("b", 5);
    session_make(sessions, &writer, &n, &anyone, 5, REAL, &e);
    uint64_t takeover = take_over_for(e, 7);
    ck_assert_int_eq(try_with(e, takeover), SESSION_ACQUIRED);
    memset(e->record, 0, record_size(e->record)); // a page of zeroes
    ck_assert(sessions_repair(sessions, false));
    ck_assert(session_is_taken_over(e, takeover));
    ck_assert(!is_known("a") && is_known("b"));
    ck_assert_int_eq(make_at("a", 6), 0);
    leave(e, takeover);
    sessions_tick(sessions, 6);
    ck_assert_uint_eq(sessions_known(sessions), 2);
    close_all();
}
END_TEST

START_TEST(foreign_bytes_in_place_of_its_record_are_not_followed)
{
    for (int byte = 0x11; byte <= 0xFF; byte += 0x11) {
        open_all(LIMIT);
        struct session_name n = name(1, "provider", "s", "a");
        struct session *e;
        session_make(sessions, &writer, &n, &anyone, 5, REAL, &e);
        uint64_t takeover = take_over_for(e, 7);
        memset(e->record, byte, record_size(e->record));
        ck_assert(sessions_repair(sessions, true));
        leave(e, takeover);
        sessions_tick(sessions, 6);
        ck_assert_uint_eq(sessions_known(sessions), 0);
        ck_assert_int_eq(make_at("a", 6), 0);
        close_all();
    }
}
END_TEST

enum { THREADS = 4, ROUNDS = 3000, NAMES = 3 };

static _Atomic unsigned at_once[NAMES];

// Makes sessions, has them for a moment, and goes.
static void *contend(void *seed)
{
    struct arena_writer own = {0};
    uint64_t random = (uint64_t)(uintptr_t)seed;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned which = (unsigned)(unit_random(&random) >> 20) % NAMES;
        struct session_name n = name(1, "provider", "s", (char[]){(char)('a' + which), '\0'});
        struct session *e;
        int rc = session_make(sessions, &own, &n, &anyone, (uint64_t)i, REAL, &e);
        if (rc == -ENOSPC) {
            continue;
        }
        ck_assert_int_ge(rc, 0);
        int wake;
        uint64_t takeover = session_take_over(sessions, e, 1, &wake);
        if (session_acquire(sessions, e, takeover, &wake) == SESSION_ACQUIRED) {
            ck_assert_uint_eq(atomic_fetch_add(&at_once[which], 1), 0);
            uint64_t position = session_position(e);
            atomic_store_explicit(&e->record->word, position + 1, memory_order_relaxed);
            atomic_fetch_sub(&at_once[which], 1);
        }
        session_leave(sessions, e, takeover);
    }
    return NULL;
}

START_TEST(nobody_has_a_session_beside_another_one)
{
    // With fewer places than names sessions are made and give way all the time.
    for (uint32_t limit = NAMES - 1; limit <= NAMES; limit++) {
        open_all(limit);
        sessions_free(sessions);
        ck_assert_int_eq(sessions_new(&sessions, limit, arena), 0);
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

// ---- What must never be done

static struct session *open_with_one(const char *id)
{
    struct session *e;
    struct session_name n = name(1, "provider", "s", id);
    open_all(LIMIT);
    ck_assert_int_eq(session_make(sessions, &writer, &n, &anyone, 0, REAL, &e), 0);
    return e;
}

static void forget_one_that_has_a_connection(void)
{
    forget_session(sessions, open_with_one("a"));
}

static void forget_more_than_are_known(void)
{
    leave(open_with_one("a"), 0);
    sessions->known = 0;
    sessions_tick(sessions, SESSION_FORGOTTEN_MS);
}

static void count_fewer_than_there_are(void)
{
    open_all(1);
    make_at("a", 0);
    sessions->known = 0;
    make_at("b", 0);
}

static void leave_one_twice(void)
{
    struct session *e = open_with_one("a");
    leave(e, 0);
    leave(e, 0);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a session that is forgotten has no connection", forget_one_that_has_a_connection);
    breaks("a session that is forgotten was known", forget_more_than_are_known);
    breaks("there is a free entry while fewer sessions are known than may be",
           count_fewer_than_there_are);
    breaks("a connection leaves only its own session", leave_one_twice);
}
END_TEST

UNIT_MAIN("session", sessions_are_told_apart_by_user_component_instance_and_id,
          the_longest_silent_one_without_a_connection_gives_way, one_s_own_give_way_first,
          an_account_keeps_no_more_than_it_may, when_all_have_connections_there_is_no_room,
          what_gives_way_leaves_no_memory_behind, a_session_is_forgotten_after_a_day_of_silence,
          the_latest_takeover_counts_once_the_previous_connection_has_left,
          sessions_are_known_to_the_next_process,
          sessions_of_a_file_that_is_behind_keep_their_position_and_are_rolled_back,
          a_clock_that_was_set_back_makes_nobody_silent, records_that_make_no_sense_are_left_out,
          more_sessions_than_the_limit_allows_now_leave_the_latest,
          a_session_whose_record_was_lost_is_forgotten_and_taken_from_its_connection,
          foreign_bytes_in_place_of_its_record_are_not_followed,
          nobody_has_a_session_beside_another_one, a_broken_invariant_ends_the_process)
