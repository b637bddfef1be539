// SPDX-License-Identifier: Apache-2.0
#include "web/conn.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START = 1000000 };

struct table {
    struct stats stats;
    struct conns conns;
};

static void table_init(struct table *t)
{
    memset(t, 0, sizeof *t);
    t->conns.stats = &t->stats;
    t->conns.now_ms = START;
}

// A connection and its peer's end.
static struct conn *add(struct table *t, int *ret_peer)
{
    int fd[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct conn *c = conn_open(&t->conns, NULL, fd[0]);
    ck_assert_ptr_nonnull(c);
    *ret_peer = fd[1];
    return c;
}

static void drop(struct table *t, struct conn *c, int peer)
{
    int fd = c->fd;
    conn_close(&t->conns, c);
    close(fd);
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
        struct table t;
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
    struct table t;
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

static void send_some(const struct conn *c)
{
    ck_assert_int_eq(send(c->fd, "0123456789", 10, 0), 10);
}

START_TEST(only_a_response_that_does_not_move_is_cut_as_stalled)
{
    struct table t;
    struct conn *c[3];
    int peer[3];
    table_init(&t);
    for (size_t i = 0; i < 3; i++) {
        c[i] = add(&t, &peer[i]);
        send_some(c[i]);
        conn_move(&t.conns, c[i], CONN_BODY);
    }
    t.conns.now_ms += CONN_STALL_MS - 1;
    ck_assert(!conns_cut_stalled(&t.conns));
    send_some(c[0]); // moves
    conns_sample(&t.conns);
    t.conns.now_ms += 1;
    ck_assert(conns_cut_stalled(&t.conns));
    ck_assert_int_eq(c[1]->state, CONN_CUT);
    ck_assert(conns_cut_stalled(&t.conns));
    ck_assert_int_eq(c[2]->state, CONN_CUT);
    ck_assert(!conns_cut_stalled(&t.conns));
    ck_assert_int_eq(c[0]->state, CONN_BODY);
    for (size_t i = 0; i < 3; i++) {
        drop(&t, c[i], peer[i]);
    }
}
END_TEST

UNIT_MAIN("conn", each_state_has_its_deadline, the_oldest_silent_connection_gives_way,
          only_a_response_that_does_not_move_is_cut_as_stalled)
