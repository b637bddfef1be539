// SPDX-License-Identifier: Apache-2.0
#include "web/auth.c"

#include "unit.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// "U*U", cost 5.
#define HASH "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
// Some password, cost 14: takes a second or so.
#define SLOW "$2a$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static int woken;

static struct auth_verifier *begin(void)
{
    struct auth_verifier *l;
    woken = eventfd(0, EFD_NONBLOCK);
    ck_assert_int_eq(auth_verifier_new(&l, woken), 0);
    return l;
}

static struct credentials of(const char *user, const char *password)
{
    struct credentials b;
    snprintf(b.user, sizeof b.user, "%s", user);
    snprintf(b.password, sizeof b.password, "%s", password);
    return b;
}

static char alice[] = "alice";
static char hash[] = HASH;
static char slow[] = SLOW;
static struct webconf_user users[] = {{alice, hash}};
static const struct webconf conf = {.users = users, .n_users = 1};

static int outcome(struct auth_verifier *l, void **who)
{
    int result = -1;
    struct pollfd p = {.fd = woken, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 30000), 1);
    eventfd_t n;
    eventfd_read(woken, &n);
    ck_assert(auth_next_result(l, who, &result));
    ck_assert(!auth_next_result(l, who, &result));
    return result;
}

START_TEST(a_good_password_is_tried_once_and_a_bad_one_each_time)
{
    static const struct {
        const char *user;
        const char *password;
        enum auth_verification answer;
        int result;
    } table[] = {
        {"alice", "U*V", AUTH_PENDING, 0},  {"alice", "U*V", AUTH_PENDING, 0},
        {"alice", "U*U", AUTH_PENDING, 1},  {"alice", "U*U", AUTH_VERIFIED, 0},
        {"alice", "U*V", AUTH_PENDING, 0},  {"bob", "U*U", AUTH_PENDING, 0},
        {"bob", "U*U", AUTH_PENDING, 0},    {"", "", AUTH_PENDING, 0},
        {"alice", "U*U", AUTH_VERIFIED, 0},
    };
    struct auth_verifier *l = begin();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct credentials b = of(table[i].user, table[i].password);
        struct auth_attempt *t = NULL;
        void *who = NULL;
        char me;
        ck_assert_int_eq(auth_verify(l, &conf, &b, 1, &me, &t), table[i].answer);
        if (table[i].answer == AUTH_PENDING) {
            ck_assert_int_eq(outcome(l, &who), table[i].result);
            ck_assert_ptr_eq(who, &me);
        }
    }
    auth_verifier_free(l);
    close(woken);
}
END_TEST

START_TEST(a_changed_hash_forgets_what_was_good)
{
    static char other[] = "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
    struct webconf_user changed[] = {{alice, other}};
    const struct webconf next = {.users = changed, .n_users = 1};
    struct auth_verifier *l = begin();
    struct credentials b = of("alice", "U*U");
    struct auth_attempt *t = NULL;
    void *who = NULL;
    ck_assert_int_eq(auth_verify(l, &conf, &b, 1, &b, &t), AUTH_PENDING);
    ck_assert_int_eq(outcome(l, &who), 1);
    ck_assert_int_eq(auth_verify(l, &next, &b, 1, &b, &t), AUTH_PENDING);
    ck_assert_int_eq(outcome(l, &who), 0);
    ck_assert_int_eq(auth_verify(l, &conf, &b, 1, &b, &t), AUTH_VERIFIED);
    auth_verifier_free(l);
    close(woken);
}
END_TEST

START_TEST(one_more_than_may_wait_is_sent_away)
{
    struct webconf_user busy[] = {{alice, slow}};
    const struct webconf heavy = {.users = busy, .n_users = 1};
    struct auth_verifier *l = begin();
    struct credentials b = of("alice", "x");
    struct auth_attempt *t = NULL;
    for (int i = 0; i < AUTH_ATTEMPTS_MAX; i++) {
        ck_assert_int_eq(auth_verify(l, &heavy, &b, 1, &b, &t), AUTH_PENDING);
    }
    ck_assert_int_eq(auth_verify(l, &heavy, &b, 1, &b, &t), AUTH_BUSY);
    auth_verifier_free(l); // with a try under way
    close(woken);
}
END_TEST

START_TEST(who_has_left_is_not_told)
{
    struct auth_verifier *l = begin();
    struct credentials b = of("alice", "U*U");
    struct auth_attempt *t = NULL;
    void *who = NULL;
    char me;
    ck_assert_int_eq(auth_verify(l, &conf, &b, 1, &b, &t), AUTH_PENDING);
    auth_abandon(t);
    ck_assert_int_eq(auth_verify(l, &conf, &b, 1, &me, &t), AUTH_PENDING);
    int result = -1;
    while (!auth_next_result(l, &who, &result)) {
        usleep(1000);
    }
    ck_assert_ptr_eq(who, &me);
    ck_assert_int_eq(result, 1);
    auth_verifier_free(l);
    close(woken);
}
END_TEST

// Waits for the next one that is done, and returns for whom it was.
static char *next_done(struct auth_verifier *l)
{
    void *who = NULL;
    int result;
    while (!auth_next_result(l, &who, &result)) {
        usleep(1000);
    }
    return who;
}

START_TEST(users_and_peers_are_tried_in_turn)
{
    static char bob[] = "bob";
    struct webconf_user both[] = {{alice, hash}, {bob, hash}};
    const struct webconf two = {.users = both, .n_users = 2};
    static const struct {
        const char *user;
        uint64_t peer;
    } asked[] = {{"alice", 1}, {"alice", 1}, {"alice", 1}, {"alice", 1}, {"x", 1},
                 {"y", 1},     {"z", 1},     {"bob", 1},   {"bob", 1},   {"bob", 2}};
    // Each user in turn, the unknown ones as one; of bob the other peer before the second of the first.
    static const char order[] = "0471592683";
    char who[10];
    struct auth_verifier *l = begin();
    pthread_mutex_lock(&l->lock); // so that all are there when the second is chosen
    for (size_t i = 0; i < 10; i++) {
        struct credentials b = of(asked[i].user, "U*V");
        struct auth_attempt *t = calloc(1, sizeof *t);
        ck_assert_ptr_nonnull(t);
        try_fill(l, t, &two, &b, asked[i].peer);
        t->who = &who[i];
        put(l, t);
    }
    for (size_t i = 0; i < 10; i++) {
        struct auth_attempt *t = take_next(l);
        ck_assert_msg((char *)t->who - who == order[i] - '0', "%zu: %d", i,
                      (int)((char *)t->who - who));
        try_free(t);
    }
    ck_assert_ptr_null(take_next(l));
    pthread_mutex_unlock(&l->lock);
    auth_verifier_free(l);
    close(woken);
}
END_TEST

static void put_one(struct auth_verifier *l, char *who, uint64_t peer)
{
    struct credentials b = of("alice", "U*V");
    struct auth_attempt *t = calloc(1, sizeof *t);
    ck_assert_ptr_nonnull(t);
    try_fill(l, t, &conf, &b, peer);
    t->who = who;
    put(l, t);
}

static void expect_next(struct auth_verifier *l, const char *who)
{
    struct auth_attempt *t = take_next(l);
    ck_assert_ptr_nonnull(t);
    ck_assert_str_eq(t->who, who);
    try_free(t);
}

// Who comes behind a crowd of other addresses, and who came before it, is next or the one after.
START_TEST(a_crowd_of_new_peers_holds_up_neither_the_first_nor_the_last)
{
    char who[] = "a\0b\0c\0d\0e\0f";
    struct auth_verifier *l = begin();
    for (uint64_t i = 0; i < 5; i++) {
        put_one(l, who + 2 * i, i);
    }
    put_one(l, who, 0); // once more
    expect_next(l, "a");
    expect_next(l, "e");
    put_one(l, who + 10, 5);
    expect_next(l, "b");
    expect_next(l, "f");
    expect_next(l, "c");
    expect_next(l, "d");
    expect_next(l, "a");
    ck_assert_ptr_null(take_next(l));
    auth_verifier_free(l);
    close(woken);
}
END_TEST

START_TEST(who_shares_a_slot_is_not_taken_for_the_other)
{
    struct auth_verifier *l = begin();
    struct last_attempt *one = last_attempt_of(l->peer, 7);
    one->tried = 5;
    ck_assert_uint_eq(last_attempt_of(l->peer, 7)->tried, 5);
    ck_assert_uint_eq(last_attempt_of(l->peer, 7 + AUTH_SLOTS)->tried, 0);
    ck_assert_uint_eq(last_attempt_of(l->peer, 7)->tried, 0);
    auth_verifier_free(l);
    close(woken);
}
END_TEST

START_TEST(one_that_is_abandoned_in_time_is_not_tried)
{
    struct webconf_user busy[] = {{alice, slow}};
    const struct webconf heavy = {.users = busy, .n_users = 1};
    struct auth_verifier *l = begin();
    struct credentials b = of("alice", "x");
    struct auth_attempt *t[3];
    char who[3];
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(auth_verify(l, &heavy, &b, 1, &who[i], &t[i]), AUTH_PENDING);
    }
    auth_abandon(t[1]);
    ck_assert_ptr_eq(next_done(l), &who[0]);
    ck_assert_ptr_eq(next_done(l), &who[2]);
    ck_assert_uint_eq(l->tried, 2);
    ck_assert_uint_eq(l->waiting, 0);
    auth_verifier_free(l);
    close(woken);
}
END_TEST

UNIT_MAIN("auth", a_good_password_is_tried_once_and_a_bad_one_each_time,
          a_changed_hash_forgets_what_was_good, one_more_than_may_wait_is_sent_away,
          who_has_left_is_not_told, users_and_peers_are_tried_in_turn,
          a_crowd_of_new_peers_holds_up_neither_the_first_nor_the_last,
          who_shares_a_slot_is_not_taken_for_the_other, one_that_is_abandoned_in_time_is_not_tried)
