// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.c"
#include "web/status_view.h"

#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 16, START = 1000000 };

struct places_case {
    struct stats stats;
    struct conns conns;
    struct scheduler scheduler;
    struct conn *conn[MOST];
    int fd[MOST][2];
    size_t n;
};

static struct places_case t;
static const struct status_view_form form;

static void begin(unsigned max)
{
    memset(&t, 0, sizeof t);
    t.conns.stats = &t.stats;
    t.conns.now_ms = START;
    t.scheduler.conns = &t.conns;
    t.scheduler.max = max;
}

static void end(void)
{
    for (size_t i = 0; i < t.n; i++) {
        conn_close(&t.conns, t.conn[i]);
        close(t.fd[i][1]);
    }
}

// A request of a peer that waits for a place.
static struct conn *come(uint64_t peer, const struct status_view_form *view)
{
    ck_assert_uint_lt(t.n, MOST);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd[t.n]), 0);
    struct conn *c =
        conn_open(&t.conns, t.fd[t.n][0], &(struct sockaddr_storage){.ss_family = AF_UNIX});
    ck_assert_ptr_nonnull(c);
    c->peer = peer;
    c->view = view;
    conn_move(&t.conns, c, CONN_SCRAPE);
    t.conn[t.n++] = c;
    return c;
}

static bool all_fit(void *ctx, const struct conn *c)
{
    (void)ctx;
    (void)c;
    return true;
}

static void give(void)
{
    scheduler_admit(&t.scheduler, CONN_EXPOSITIONS);
    scheduler_admit(&t.scheduler, CONN_VIEWS);
}

START_TEST(one_place_is_kept_for_a_peer_that_holds_none)
{
    begin(2);
    struct conn *a[3] = {come(1, NULL), come(1, NULL), come(1, NULL)};
    give();
    ck_assert_int_eq(a[1]->state, CONN_QUEUE);
    ck_assert_int_eq(a[2]->state, CONN_SCRAPE);
    ck_assert_uint_eq(a[2]->denied_ms, START);
    struct conn *b[2] = {come(2, NULL), come(2, NULL)};
    struct conn *page = come(1, &form);
    give();
    ck_assert_int_eq(b[0]->state, CONN_QUEUE);
    ck_assert_int_eq(b[1]->state, CONN_SCRAPE);
    ck_assert_int_eq(page->state, CONN_QUEUE); // has places of its own
    ck_assert_uint_eq(scheduler_count(&t.scheduler, CONN_EXPOSITIONS, NULL), 3);
    ck_assert_uint_eq(scheduler_count(&t.scheduler, CONN_EXPOSITIONS, a[0]), 2);
    ck_assert_uint_eq(scheduler_count(&t.scheduler, CONN_VIEWS, NULL), 1);
    end();
}
END_TEST

START_TEST(a_user_of_its_own_is_a_peer_of_its_own)
{
    begin(1);
    struct conn *a = come(1, NULL);
    give();
    struct conn *b = come(1, NULL);
    b->user = 5;
    give();
    ck_assert_int_eq(a->state, CONN_QUEUE);
    ck_assert_int_eq(b->state, CONN_QUEUE);
    end();
}
END_TEST

START_TEST(the_peer_that_holds_most_gives_way)
{
    begin(4);
    struct conn *a[4];
    for (size_t i = 0; i < 4; i++) {
        a[i] = come(1, NULL);
    }
    give();
    conn_move(&t.conns, a[0], CONN_BODY);
    conn_move(&t.conns, a[1], CONN_RENDER);
    struct conn *b = come(2, NULL);
    give();
    struct conn *c = come(3, NULL);
    struct conn *more = come(1, NULL);
    give();
    ck_assert_int_eq(b->state, CONN_QUEUE);
    ck_assert_int_eq(c->state, CONN_SCRAPE);
    ck_assert_ptr_eq(scheduler_first_denied(&t.scheduler, CONN_EXPOSITIONS), c);
    ck_assert_ptr_null(scheduler_victim(&t.scheduler, more, false)); // not for its own peer
    ck_assert_ptr_eq(scheduler_victim(&t.scheduler, c, false), a[3]);
    ck_assert_ptr_null(scheduler_victim(&t.scheduler, c, true)); // it sends one body only
    conn_move(&t.conns, a[3], CONN_OTHER);
    conn_move(&t.conns, a[2], CONN_BODY);
    ck_assert_ptr_null(scheduler_victim(&t.scheduler, c, true)); // a body may go on for a while
    t.conns.now_ms += SCHEDULER_GRACE_MS;
    ck_assert_ptr_eq(scheduler_victim(&t.scheduler, c, true), a[0]);
    conn_move(&t.conns, a[0], CONN_OTHER);
    ck_assert_ptr_eq(scheduler_victim(&t.scheduler, c, false), a[2]);
    conn_move(&t.conns, a[2], CONN_OTHER);
    ck_assert_ptr_null(
        scheduler_victim(&t.scheduler, c, false)); // with one more than `c` it may stay
    end();
}
END_TEST

START_TEST(a_slow_one_gives_way_first)
{
    begin(2);
    struct conn *a[2] = {come(1, NULL), come(1, NULL)};
    struct conn *b = come(2, NULL);
    give();
    conn_move(&t.conns, a[0], CONN_BODY);
    conn_move(&t.conns, b, CONN_BODY);
    a[0]->credit = 0;
    b->credit = -1;
    struct conn *waits = come(1, NULL);
    ck_assert_ptr_eq(scheduler_victim(&t.scheduler, waits, false), b);
    ck_assert_ptr_eq(scheduler_victim(&t.scheduler, waits, true), b);
    end();
}
END_TEST

START_TEST(peers_are_rendered_for_by_turns)
{
    begin(10);
    struct conn *a[4];
    for (size_t i = 0; i < 4; i++) {
        a[i] = come(1, NULL);
    }
    give();
    ck_assert_ptr_eq(scheduler_next(&t.scheduler, all_fit, NULL), a[0]);
    scheduler_start(&t.scheduler, a[0]);
    struct conn *b[2] = {come(2, NULL), come(2, NULL)};
    struct conn *page = come(1, &form);
    give();
    struct conn *order[] = {b[0], page, a[1], b[1], a[2], a[3]};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct conn *next = scheduler_next(&t.scheduler, all_fit, NULL);
        ck_assert_ptr_eq(next, order[i]);
        ck_assert_int_eq(next->state, CONN_QUEUE);
        scheduler_start(&t.scheduler, next);
        ck_assert_int_eq(next->state, CONN_RENDER);
    }
    ck_assert_ptr_null(scheduler_next(&t.scheduler, all_fit, NULL));
    end();
}
END_TEST

UNIT_MAIN("scrape", one_place_is_kept_for_a_peer_that_holds_none,
          a_user_of_its_own_is_a_peer_of_its_own, the_peer_that_holds_most_gives_way,
          a_slow_one_gives_way_first, peers_are_rendered_for_by_turns)
