// SPDX-License-Identifier: Apache-2.0
#include "ingest/worker.h"

#include "base/clock.h"
#include "ingest/datagram.h"
#include "ingest/fence.h"
#include "series/rcu.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, DATAGRAM_BURST = 64, LINGER_TICK_MS = 1000, REST_TICK_MS = 5 };

static int watch(struct worker *w, int fd, void *as)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = as};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int worker_open_accounts(struct worker *w, const struct catalog *c)
{
    struct table_share *share = &w->in->store->share;
    return accounts_open(&w->protocol.accounts, &w->in->accounts, c, share->arena, &w->hand.arena,
                         share->lanes, w->number);
}

int worker_open(struct worker *w, struct ingest *in, unsigned number)
{
    w->in = in;
    w->number = number;
    w->hand.lane = number;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->resume = eventfd(0, EFD_CLOEXEC);
    w->protocol = (struct protocol){
        .store = in->store,
        .sources = in->sources,
        .rights = &in->rights,
        .stats = &w->stats,
        .refusals = &w->refusals,
        .sessions = in->sessions,
        .hand = &w->hand,
        .worker = number,
    };
    if (w->epoll < 0 || w->wake < 0 || w->resume < 0) {
        return -errno;
    }
    char *base = in->store->share.base;
    w->protocol.redo = (struct redo){.area = layout_redo(base, number), .base = base};
    int rc = worker_open_accounts(w, schema_current(in->store)->catalog);
    if (rc == 0) {
        rc = event_reader_new(&w->protocol.reader, in->store, &w->hand);
    }
    if (rc == 0 && in->settings.memo_bytes > 0) {
        rc = event_reader_memo(w->protocol.reader, in->settings.memo_bytes / in->settings.workers);
    }
    if (rc == 0) {
        rc = watch(w, w->wake, w);
    }
    if (rc == 0 && number == 0 && in->settings.stream.fd >= 0) {
        rc = watch(w, in->settings.stream.fd, &in->settings.stream);
    }
    if (rc == 0 && number == 0 && in->settings.datagram.fd >= 0) {
        rc = watch(w, in->settings.datagram.fd, &in->settings.datagram);
    }
    return rc;
}

void worker_close(struct worker *w)
{
    worker_take_handed(w);
    while (w->connections != NULL) {
        worker_drop(w, w->connections);
    }
    event_reader_free(w->protocol.reader);
    int fds[] = {w->epoll, w->wake, w->resume};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

// Sets the worker's clocks. A clock costs as much as half a line, and a client may write line by line.
static void tell_time(struct worker *w, uint64_t mono_ns)
{
    if (mono_ns / 1000000 != w->protocol.now_ms) {
        w->protocol.now_ms = mono_ns / 1000000;
        w->protocol.now_real_ms = clock_real_ms();
    }
}

static void poll_for(struct worker *w, struct connection *c)
{
    bool reads = !c->closing && !c->waiting && c->rest_until == 0;
    uint32_t events = (connection_waits(c) ? EPOLLOUT : 0) | (reads ? EPOLLIN : 0);
    if (events != c->polled) {
        struct epoll_event ev = {.events = events, .data.ptr = c};
        epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &ev);
        c->polled = events;
    }
}

// After a connection was read or became writable: send, and close it when all is said.
static void settle(struct worker *w, struct connection *c)
{
    if (connection_flush(c) < 0 || (c->closing && !connection_waits(c))) {
        worker_drop(w, c);
        return;
    }
    if (c->closing && c->linger_until == 0) {
        c->linger_until = w->protocol.now_ms + CONNECTION_LINGER_MS;
        w->n_lingering++;
    }
    poll_for(w, c);
}

// Whoever has more lines refused than its entry may have events is left alone for a while.
static void may_rest(struct worker *w, struct connection *c, uint64_t refused)
{
    uint64_t until = admit_refused(&c->who, w->protocol.rights, refused, w->protocol.now_ms);
    w->n_resting += (until != 0) - (c->rest_until != 0);
    c->rest_until = until;
}

static void end_resting(struct worker *w)
{
    if (w->n_resting == 0 || w->protocol.now_ms == w->looked_ms) {
        return;
    }
    w->looked_ms = w->protocol.now_ms;
    for (struct connection *c = w->connections; c != NULL; c = c->next) {
        if (c->rest_until != 0 && w->protocol.now_ms >= c->rest_until) {
            c->rest_until = 0;
            w->n_resting--;
            poll_for(w, c);
        }
    }
}

static void on_connection(struct worker *w, struct connection *c, uint32_t events)
{
    // Who waits for its session is not read, and so would not be seen to go.
    bool broken = (events & EPOLLERR) != 0 || (c->waiting && (events & EPOLLHUP) != 0);
    uint64_t refused = c->rejected;
    if (!c->closing && !c->waiting && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        if (connection_read(c, &w->protocol, w->input) < 0) {
            worker_drop(w, c);
            return;
        }
        may_rest(w, c, c->rejected - refused);
    } else if (broken) {
        worker_drop(w, c);
        return;
    }
    settle(w, c);
}

static void on_datagrams(struct worker *w)
{
    for (int i = 0; i < DATAGRAM_BURST; i++) {
        if (datagram_read(w->in->settings.datagram.fd, &w->protocol, w->input) <= 0) {
            return;
        }
    }
}

// Closes the connections whose clients had long enough to take their last replies.
static void end_lingering(struct worker *w)
{
    struct connection *next;
    for (struct connection *c = w->n_lingering > 0 ? w->connections : NULL; c != NULL; c = next) {
        next = c->next;
        if (c->linger_until != 0 && w->protocol.now_ms >= c->linger_until) {
            worker_drop(w, c);
        }
    }
}

// Closes the connections whose session another one has claimed, and goes on with those that waited for it.
static void look_at_sessions(struct worker *w)
{
    if (!atomic_load(&w->look)) {
        return;
    }
    atomic_store(&w->look, false); // before looking: who wants another look says so once more
    struct connection *next;
    for (struct connection *c = w->connections; c != NULL; c = next) {
        next = c->next;
        if (fence_is_lost(c)) {
            worker_drop(w, c);
        } else if (c->waiting) {
            connection_go_on(c, &w->protocol, w->input);
            settle(w, c);
        }
    }
}

// Reads what stands in the connection's socket, and no more. Returns as connection_read.
static int read_standing(struct worker *w, struct connection *c)
{
    int left = 0;
    int n = ioctl(c->fd, FIONREAD, &left) < 0 ? -errno : 1;
    while (n > 0 && left > 0 && !c->closing && clock_mono_ms() < w->in->stop_at) {
        n = connection_read(c, &w->protocol, w->input);
        left -= n;
    }
    return n;
}

/*
 * Reads what was there when the stop came, and the end if the client has ended. Then writing to the socket fails, and
 * what was written before that is read too: so a client knows what nobody took, and may give it to the next daemon.
 */
static void drain_connection(struct worker *w, struct connection *c)
{
    int n = read_standing(w, c);
    n = n < 0 || c->closing ? n : connection_read(c, &w->protocol, w->input);
    shutdown(c->fd, SHUT_RD);
    if (n >= 0) {
        read_standing(w, c);
    }
    connection_flush(c);
}

void worker_drain(struct worker *w)
{
    tell_time(w, clock_mono_ns());
    if (w->number == 0) {
        for (int i = 0; i < DATAGRAM_BURST && w->in->settings.stream.fd >= 0; i++) {
            worker_accept(w);
        }
        int left = 0;
        socklen_t len = sizeof left;
        int fd = w->in->settings.datagram.fd;
        if (fd >= 0) {
            getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &left, &len);
        }
        while (left > 0 && clock_mono_ms() < w->in->stop_at) {
            uint64_t before = atomic_load(&w->stats.bytes);
            if (datagram_read(fd, &w->protocol, w->input) <= 0) {
                break;
            }
            left -= (int)(atomic_load(&w->stats.bytes) - before) + 1;
        }
    }
    worker_take_handed(w);
    for (struct connection *c = w->connections; c != NULL; c = c->next) {
        drain_connection(w, c);
    }
}

// Stands still until the pause ends. Returns the order of the day.
static enum worker_order obey(struct worker *w)
{
    eventfd_t n;
    eventfd_read(w->wake, &n);
    worker_take_handed(w);
    enum worker_order order = atomic_load(&w->in->order);
    if (order == WORKER_PAUSE) {
        eventfd_write(w->in->acks, 1);
        eventfd_read(w->resume, &n);
        order = atomic_load(&w->in->order);
    }
    return order;
}

static int sleep_ms(const struct worker *w)
{
    if (w->deaf) {
        return w->listen_at > w->protocol.now_ms ? (int)(w->listen_at - w->protocol.now_ms) : 0;
    }
    return w->n_resting > 0 ? REST_TICK_MS : w->n_lingering > 0 ? LINGER_TICK_MS : -1;
}

static enum worker_order turn(struct worker *w, const struct epoll_event *events, int n)
{
    enum worker_order order = WORKER_RUN;
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        if (what == w) {
            order = obey(w);
        } else if (what == &w->in->settings.stream) {
            worker_accept(w);
        } else if (what == &w->in->settings.datagram) {
            on_datagrams(w);
        } else {
            on_connection(w, what, events[i].events);
        }
    }
    return order;
}

void *worker_main(void *worker)
{
    struct worker *w = worker;
    struct epoll_event events[EVENTS];
    rcu_join();
    tell_time(w, clock_mono_ns());
    enum worker_order order = WORKER_RUN;
    while (order != WORKER_STOP) {
        int n = epoll_wait(w->epoll, events, EVENTS, sleep_ms(w));
        uint64_t begin = clock_mono_ns();
        count_add(&w->stats.turns, 1);
        tell_time(w, begin);
        order = turn(w, events, n);
        end_lingering(w);
        end_resting(w);
        look_at_sessions(w);
        worker_listen_again(w);
        uint64_t end = clock_mono_ns();
        count_add(&w->stats.busy_ns, end - begin);
        tell_time(w, end);
    }
    worker_drain(w);
    rcu_part();
    return NULL;
}
