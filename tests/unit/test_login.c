// SPDX-License-Identifier: Apache-2.0
#include "web/login.h"

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

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &woken);
    eventfd_write(woken, 1);
}

static struct login *begin(void)
{
    struct login *l;
    woken = eventfd(0, EFD_NONBLOCK);
    ck_assert_int_eq(login_new(&l, wake, &woken), 0);
    return l;
}

static struct basic of(const char *user, const char *password)
{
    struct basic b;
    snprintf(b.user, sizeof b.user, "%s", user);
    snprintf(b.password, sizeof b.password, "%s", password);
    return b;
}

static char alice[] = "alice";
static char hash[] = HASH;
static char slow[] = SLOW;
static struct webconf_user users[] = {{alice, hash}};
static const struct webconf conf = {.users = users, .n_users = 1};

static int outcome(struct login *l, void **who)
{
    int result = -1;
    struct pollfd p = {.fd = woken, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 30000), 1);
    eventfd_t n;
    eventfd_read(woken, &n);
    ck_assert(login_next(l, who, &result));
    ck_assert(!login_next(l, who, &result));
    return result;
}

START_TEST(a_good_password_is_tried_once_and_a_bad_one_each_time)
{
    static const struct {
        const char *user;
        const char *password;
        enum login_answer answer;
        int result;
    } table[] = {
        {"alice", "U*V", LOGIN_WAITS, 0}, {"alice", "U*V", LOGIN_WAITS, 0},
        {"alice", "U*U", LOGIN_WAITS, 1}, {"alice", "U*U", LOGIN_GOOD, 0},
        {"alice", "U*V", LOGIN_WAITS, 0}, {"bob", "U*U", LOGIN_WAITS, 0},
        {"bob", "U*U", LOGIN_WAITS, 0},   {"", "", LOGIN_WAITS, 0},
        {"alice", "U*U", LOGIN_GOOD, 0},
    };
    struct login *l = begin();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct basic b = of(table[i].user, table[i].password);
        struct login_try *t = NULL;
        void *who = NULL;
        char me;
        ck_assert_int_eq(login_ask(l, &conf, &b, &me, &t), table[i].answer);
        if (table[i].answer == LOGIN_WAITS) {
            ck_assert_int_eq(outcome(l, &who), table[i].result);
            ck_assert_ptr_eq(who, &me);
        }
    }
    login_free(l);
    close(woken);
}
END_TEST

START_TEST(a_changed_hash_forgets_what_was_good)
{
    static char other[] = "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
    struct webconf_user changed[] = {{alice, other}};
    const struct webconf next = {.users = changed, .n_users = 1};
    struct login *l = begin();
    struct basic b = of("alice", "U*U");
    struct login_try *t = NULL;
    void *who = NULL;
    ck_assert_int_eq(login_ask(l, &conf, &b, &b, &t), LOGIN_WAITS);
    ck_assert_int_eq(outcome(l, &who), 1);
    ck_assert_int_eq(login_ask(l, &next, &b, &b, &t), LOGIN_WAITS);
    ck_assert_int_eq(outcome(l, &who), 0);
    ck_assert_int_eq(login_ask(l, &conf, &b, &b, &t), LOGIN_GOOD);
    login_free(l);
    close(woken);
}
END_TEST

START_TEST(one_more_than_may_wait_is_sent_away)
{
    struct webconf_user busy[] = {{alice, slow}};
    const struct webconf heavy = {.users = busy, .n_users = 1};
    struct login *l = begin();
    struct basic b = of("alice", "x");
    struct login_try *t = NULL;
    for (int i = 0; i < LOGIN_WAITING; i++) {
        ck_assert_int_eq(login_ask(l, &heavy, &b, &b, &t), LOGIN_WAITS);
        login_abandon(t);
    }
    ck_assert_int_eq(login_ask(l, &heavy, &b, &b, &t), LOGIN_BUSY);
    login_free(l); // with a try under way
    close(woken);
}
END_TEST

START_TEST(who_has_left_is_not_told)
{
    struct login *l = begin();
    struct basic b = of("alice", "U*U");
    struct login_try *t = NULL;
    void *who = NULL;
    char me;
    ck_assert_int_eq(login_ask(l, &conf, &b, &b, &t), LOGIN_WAITS);
    login_abandon(t);
    ck_assert_int_eq(login_ask(l, &conf, &b, &me, &t), LOGIN_WAITS);
    int result = -1;
    while (!login_next(l, &who, &result)) {
        usleep(1000);
    }
    ck_assert_ptr_eq(who, &me);
    ck_assert_int_eq(result, 1);
    login_free(l);
    close(woken);
}
END_TEST

UNIT_MAIN("login", a_good_password_is_tried_once_and_a_bad_one_each_time,
          a_changed_hash_forgets_what_was_good, one_more_than_may_wait_is_sent_away,
          who_has_left_is_not_told)
