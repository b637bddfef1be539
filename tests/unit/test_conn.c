// SPDX-License-Identifier: Apache-2.0
#include "web/conn.c"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START = 1000000 };

struct conn_table {
    struct stats stats;
    struct conns conns;
};

static void table_init(struct conn_table *t)
{
    memset(t, 0, sizeof *t);
    t->conns.stats = &t->stats;
    t->conns.now_ms = START;
}

// A connection and its peer's end.
static struct conn *add(struct conn_table *t, int *ret_peer)
{
    int fd[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct conn *c = conn_open(&t->conns, fd[0], &(struct sockaddr_storage){.ss_family = AF_UNIX});
    ck_assert_ptr_nonnull(c);
    *ret_peer = fd[1];
    return c;
}

static void drop(struct conn_table *t, struct conn *c, int peer)
{
    conn_close(&t->conns, c);
    close(peer);
}

static bool is_shut(int peer)
{
    char byte;
    return recv(peer, &byte, 1, 0) == 0;
}

START_TEST(each_state_has_its_deadline)
{
    static const struct {
        enum conn_state state;
        uint64_t ms;
    } cases[] = {
        {CONN_HEAD, 10000}, {CONN_IDLE, 90000},  {CONN_SCRAPE, 60000},
        {CONN_BODY, 60000}, {CONN_OTHER, 60000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conn_table t;
        int peer;
        table_init(&t);
        struct conn *c = add(&t, &peer);
        t.conns.now_ms += 5000;
        if (cases[i].state != CONN_HEAD) {
            conn_move(&t.conns, c, cases[i].state);
        } else {
            t.conns.now_ms = START;
        }
        uint64_t end = t.conns.now_ms + cases[i].ms;
        t.conns.now_ms = end - 1;
        conns_sample(&t.conns);
        ck_assert_uint_le(conns_deadline(&t.conns), end);
        conns_expire(&t.conns);
        ck_assert_int_eq(c->state, cases[i].state);
        ck_assert(!is_shut(peer));
        t.conns.now_ms = end;
        conns_expire(&t.conns);
        ck_assert_int_eq(c->state, CONN_CUT);
        ck_assert(is_shut(peer));
        ck_assert_uint_eq(conns_live(&t.conns), 0);
        ck_assert_uint_eq(conns_deadline(&t.conns), UINT64_MAX);
        drop(&t, c, peer);
    }
}
END_TEST

START_TEST(the_oldest_silent_connection_gives_way)
{
    struct conn_table t;
    struct conn *c[4];
    int peer[4];
    table_init(&t);
    for (size_t i = 0; i < 4; i++) {
        c[i] = add(&t, &peer[i]);
        t.conns.now_ms += 10;
    }
    conn_move(&t.conns, c[0], CONN_OTHER); // is being answered: stays
    conn_move(&t.conns, c[1], CONN_IDLE);  // younger in its state than the heads
    static const size_t order[] = {2, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        ck_assert(conns_make_room(&t.conns));
        ck_assert_int_eq(c[order[i]]->state, CONN_CUT);
        ck_assert_uint_eq(conns_live(&t.conns), 3 - i);
    }
    ck_assert(!conns_make_room(&t.conns));
    ck_assert_int_eq(c[0]->state, CONN_OTHER);
    ck_assert_uint_eq(t.stats.cut, 3);
    for (size_t i = 0; i < 4; i++) {
        drop(&t, c[i], peer[i]);
    }
}
END_TEST

// Cuts the slowest one. Returns it, or NULL.
static struct conn *cut_slow(struct conn_table *t)
{
    struct conn *c = conns_slowest(&t->conns, CONN_ANY);
    if (c != NULL) {
        conn_cut(&t->conns, c, true);
    }
    return c;
}

START_TEST(a_body_that_does_not_move_is_slow)
{
    struct conn_table t;
    struct conn *c[3];
    int peer[3];
    table_init(&t);
    for (size_t i = 0; i < 3; i++) {
        c[i] = add(&t, &peer[i]);
        conn_move(&t.conns, c[i], CONN_BODY);
    }
    for (int i = 0; i < 6; i++) {
        ck_assert_ptr_null(cut_slow(&t));
        c[0]->sent += 20000;
        c[2]->sent += 10;
        t.conns.now_ms += CONN_SAMPLE_MS;
        conns_sample(&t.conns);
    }
    ck_assert_ptr_eq(cut_slow(&t), c[1]);
    ck_assert_int_eq(c[1]->state, CONN_CUT);
    ck_assert_ptr_eq(cut_slow(&t), c[2]);
    ck_assert_ptr_null(cut_slow(&t));
    ck_assert_int_eq(c[0]->state, CONN_BODY);
    for (size_t i = 0; i < 3; i++) {
        drop(&t, c[i], peer[i]);
    }
}
END_TEST

START_TEST(a_body_that_moves_by_little_is_slow_and_one_that_pauses_is_not)
{
    // Bytes that move at first, then each so many milliseconds; and when it is seen to be slow.
    static const struct {
        uint64_t first;
        uint64_t bytes;
        uint64_t every_ms;
        uint64_t slow_ms; // 0: never
    } cases[] = {
        {0, 0, 100, 600},
        {0, 1000, 100, 600},
        {0, 10000, 1000, 600},
        {0, 12500, 100, 8800},
        {0, 13200, 100, 0},
        {0, 200000, 100, 0},
        {6 << 20, 0, 100, 4100},
        {6 << 20, 1000, 100, 4400},
        {6 << 20, 3 << 20, 1500, 0},
        {6 << 20, 6 << 20, 3500, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conns cs = {.now_ms = START};
        struct conn c = {.credit = CONN_CREDIT_FIRST, .credit_ms = START, .fd = -1};
        uint64_t slow = 0;
        for (uint64_t ms = 100; ms <= 50000 && slow == 0; ms += 100) {
            c.sent += ms == 100 ? cases[i].first : ms % cases[i].every_ms == 0 ? cases[i].bytes : 0;
            cs.now_ms = START + ms;
            sample(&cs, &c);
            slow = conn_is_slow(&c) ? ms : 0;
        }
        ck_assert_msg(slow == cases[i].slow_ms, "%zu: %llu", i, (unsigned long long)slow);
    }
}
END_TEST

START_TEST(a_larger_body_has_more_time)
{
    struct conn_table t;
    int peer;
    table_init(&t);
    struct conn *c = add(&t, &peer);
    struct conn_answer body = {.len = 141 << 20};
    conn_move(&t.conns, c, CONN_BODY);
    c->answer = &body;
    t.conns.now_ms += 60000 + 140999;
    conns_expire(&t.conns);
    ck_assert_int_eq(c->state, CONN_BODY);
    t.conns.now_ms += 1;
    conns_expire(&t.conns);
    ck_assert_int_eq(c->state, CONN_CUT);
    c->answer = NULL;
    drop(&t, c, peer);
}
END_TEST

UNIT_MAIN("conn", each_state_has_its_deadline, the_oldest_silent_connection_gives_way,
          a_body_that_does_not_move_is_slow,
          a_body_that_moves_by_little_is_slow_and_one_that_pauses_is_not,
          a_larger_body_has_more_time)
