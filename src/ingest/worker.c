// SPDX-License-Identifier: Apache-2.0
#include "ingest/worker.h"

#include "base/clock.h"
#include "base/rcu.h"
#include "ingest/datagram.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_PAUSE_MS = 100,
    ACCEPT_BURST = 64,
    ACCEPT_BURSTS = 64, // that a full backlog is at most
    EVENTS = 256,
    DATAGRAM_BURST = 2, // batches in one turn
    LINGER_TICK_MS = 1000,
    THROTTLE_TICK_MS = 5,
    CATCH_UP_MS = 100, // of catching up in one go
};

// ---- How connections come, and how they leave

static int watch(struct worker *w, int fd, void *as)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = as};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static void unqueue(struct worker *w, struct connection *c)
{
    struct connection **at = &w->forgetting;
    while (c->queued && *at != c) {
        at = &(*at)->next_forgetting;
    }
    if (c->queued) {
        *at = c->next_forgetting;
        w->forgetting_end = *at == NULL ? at : w->forgetting_end;
        c->queued = false;
    }
}

static void drop(struct worker *w, struct connection *c)
{
    unqueue(w, c);
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        w->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    w->n_lingering -= c->linger_until != 0;
    w->n_throttled -= c->throttled_until != 0;
    connection_free(c, &w->protocol);
    atomic_fetch_sub(&w->in->open, 1);
}

static void adopt(struct worker *w, int fd)
{
    struct connection *c = connection_new(fd, &w->protocol);
    if (c == NULL || watch(w, fd, c) < 0) {
        count_add(&w->stats.accept_errors, 1);
        atomic_fetch_sub(&w->in->open, 1);
        if (c != NULL) {
            connection_free(c, &w->protocol);
        } else {
            close(fd);
        }
        return;
    }
    c->polled = EPOLLIN;
    count_add(&w->stats.connections, 1);
    c->next = w->connections;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    w->connections = c;
    if (c->closing) {
        connection_flush(c); // a fresh socket has room for the one reply
        drop(w, c);
    }
}

// Hands the connection to another worker; without memory for that, keeps it.
static void hand_over(struct worker *w, struct worker *to, int fd)
{
    struct handed *h = to == w ? NULL : malloc(sizeof *h);
    if (h == NULL) {
        adopt(w, fd);
        return;
    }
    h->fd = fd;
    h->next = atomic_load_explicit(&to->handed, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&to->handed, &h->next, h, memory_order_release,
                                                  memory_order_relaxed)) {
        // Another round: that worker has taken what was handed, and gone on; nobody else hands connections out.
    }
    eventfd_write(to->wakeup->fd, 1);
}

static void take_handed(struct worker *w)
{
    struct handed *h = atomic_exchange_explicit(&w->handed, NULL, memory_order_acquire);
    while (h != NULL) {
        struct handed *next = h->next;
        adopt(w, h->fd);
        free(h);
        h = next;
    }
}

// Out of descriptors: the socket would stay ready and keep us busy. Look again a little later.
static void pause_accept(struct worker *w)
{
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->in->stream.fd, NULL);
    w->accept_paused = true;
    w->listen_at = w->protocol.now_ms + ACCEPT_PAUSE_MS;
}

static void resume_accept(struct worker *w)
{
    if (w->accept_paused && w->protocol.now_ms >= w->listen_at &&
        watch(w, w->in->stream.fd, &w->in->stream) == 0) {
        w->accept_paused = false;
    }
}

// Whether an error of accept speaks of the one connection and not of us.
static bool is_passing(int err)
{
    return err == EINTR || err == ECONNABORTED || err == EPROTO || err == EPERM;
}

static void accept_burst(struct worker *w)
{
    struct ingest *in = w->in;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(in->stream.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) {
                return;
            }
            count_add(&w->stats.accept_errors, 1);
            if (!is_passing(errno)) {
                pause_accept(w);
                return;
            }
            continue;
        }
        if (atomic_fetch_add(&in->open, 1) >= atomic_load(&in->most)) {
            atomic_fetch_sub(&in->open, 1);
            count_add(&w->stats.accept_errors, 1);
            close(fd);
            continue;
        }
        bool running = atomic_load(&in->order) != WORKER_STOP;
        hand_over(w, running ? &in->workers[in->turn++ % in->n_workers] : w, fd);
    }
}

// ---- The worker

int worker_open_statistics(struct worker *w, const struct catalog *c)
{
    struct table_share *share = &w->in->store->share;
    return statistics_open(&w->protocol.statistics, &w->in->statistics, c, share->arena,
                           &w->writer.arena, share->lanes, w->number);
}

int worker_open(struct worker *w, struct ingest *in, unsigned number)
{
    w->in = in;
    w->number = number;
    w->writer.lane = number;
    w->forgetting_end = &w->forgetting;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wakeup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->resume = eventfd(0, EFD_CLOEXEC);
    w->protocol = (struct protocol){
        .store = in->store,
        .sources = in->sources,
        .permissions = &in->permissions,
        .stats = &w->stats,
        .rejected_lines = &w->rejected_lines,
        .sessions = in->sessions,
        .writer = &w->writer,
        .worker = number,
        .wakeups = in->wakeups,
        .clocked = true,
    };
    if (w->epoll < 0 || w->wakeup->fd < 0 || w->resume < 0) {
        return -errno;
    }
    char *base = in->store->share.base;
    w->protocol.redo = (struct redo){.area = layout_redo(base, number), .base = base};
    int rc = worker_open_statistics(w, schema_current(in->store)->catalog);
    if (rc == 0) {
        rc = event_reader_new(&w->protocol.reader, in->store, &w->writer);
    }
    if (rc == 0 && number == 0) {
        rc = datagram_new(&w->protocol.datagram);
    }
    if (rc == 0 && in->cache_bytes > 0) {
        rc = event_reader_cache(w->protocol.reader, in->cache_bytes / in->n_workers);
    }
    if (rc == 0) {
        rc = watch(w, w->wakeup->fd, w);
    }
    if (rc == 0 && number == 0 && in->stream.fd >= 0) {
        rc = watch(w, in->stream.fd, &in->stream);
    }
    if (rc == 0 && number == 0 && in->datagram.fd >= 0) {
        rc = watch(w, in->datagram.fd, &in->datagram);
    }
    return rc;
}

void worker_close(struct worker *w)
{
    take_handed(w);
    while (w->connections != NULL) {
        drop(w, w->connections);
    }
    datagram_free(w->protocol.datagram, &w->protocol);
    event_reader_free(w->protocol.reader);
    int fds[] = {w->epoll, w->wakeup->fd, w->resume};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

void worker_wake_all(struct ingest *in)
{
    for (unsigned i = 0; i < in->started; i++) {
        eventfd_write(in->wakeups[i].fd, 1);
    }
}

// Sets the worker's clocks. Reading a clock takes as long as half a line, and a client may write line by line.
static void set_time(struct worker *w, uint64_t mono_ns)
{
    if (mono_ns / 1000000 != w->protocol.now_ms) {
        w->protocol.now_ms = mono_ns / 1000000;
        w->protocol.now_real_ms = clock_real_ms();
    }
}

// Whether it is read when something comes: not while it waits for its session or a forget, or is throttled.
static bool is_polled(const struct connection *c)
{
    return connection_is_read(c) && c->throttled_until == 0;
}

static void poll_for(struct worker *w, struct connection *c)
{
    uint32_t events = (connection_is_waiting(c) ? EPOLLOUT : 0) | (is_polled(c) ? EPOLLIN : 0);
    if (events != c->polled) {
        struct epoll_event ev = {.events = events, .data.ptr = c};
        epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &ev);
        c->polled = events;
    }
}

// After a connection was read or became writable: send, and close it when all is said.
static void update_connection(struct worker *w, struct connection *c)
{
    if (connection_flush(c) < 0 || (c->closing && !connection_is_waiting(c))) {
        drop(w, c);
        return;
    }
    if (c->closing && c->linger_until == 0) {
        c->linger_until = w->protocol.now_ms + CONNECTION_LINGER_MS;
        w->n_lingering++;
    }
    if (c->forget != NULL && !c->closing && !c->queued) {
        c->queued = true;
        c->next_forgetting = NULL;
        *w->forgetting_end = c;
        w->forgetting_end = &c->next_forgetting;
    }
    poll_for(w, c);
}

// Whoever has more lines rejected than its entry may have events is left alone for a while.
static void throttle(struct worker *w, struct connection *c, uint64_t rejected)
{
    uint64_t until =
        permission_throttle(&c->id.client, w->protocol.permissions, rejected, w->protocol.now_ms);
    w->n_throttled += (until != 0) - (c->throttled_until != 0);
    c->throttled_until = until;
}

static void end_throttling(struct worker *w)
{
    if (w->n_throttled == 0 || w->protocol.now_ms == w->throttle_checked_ms) {
        return;
    }
    w->throttle_checked_ms = w->protocol.now_ms;
    for (struct connection *c = w->connections; c != NULL; c = c->next) {
        if (c->throttled_until != 0 && w->protocol.now_ms >= c->throttled_until) {
            c->throttled_until = 0;
            w->n_throttled--;
            poll_for(w, c);
        }
    }
}

// A step of one forget: so between two steps everybody else is served, and those who forget take turns.
static void continue_forgets(struct worker *w)
{
    struct connection *c = w->forgetting;
    if (datagram_is_open(&w->protocol)) {
        datagram_go_on(&w->protocol);
    }
    if (c == NULL) {
        return;
    }
    uint64_t rejected = c->rejected;
    unqueue(w, c);
    connection_go_on(c, &w->protocol, w->input);
    throttle(w, c, c->rejected - rejected);
    update_connection(w, c);
}

static void on_connection(struct worker *w, struct connection *c, uint32_t events)
{
    // Who waits for its session is not read, and so would not be seen to go.
    bool broken = (events & EPOLLERR) != 0 || (c->waiting && (events & EPOLLHUP) != 0);
    uint64_t rejected = c->rejected;
    if (connection_is_read(c) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        if (connection_read(c, &w->protocol, w->input) < 0) {
            drop(w, c);
            return;
        }
        throttle(w, c, c->rejected - rejected);
    } else if (broken) {
        drop(w, c);
        return;
    }
    update_connection(w, c);
}

static void on_datagrams(struct worker *w)
{
    int n = DATAGRAM_BATCH; // fewer: none is left
    for (int i = 0; i < DATAGRAM_BURST && n == DATAGRAM_BATCH; i++) {
        n = datagram_is_open(&w->protocol) ? 0 : datagram_read(w->in->datagram.fd, &w->protocol);
    }
}

// Closes the connections whose clients had long enough to take their last replies.
static void end_lingering(struct worker *w)
{
    struct connection *next;
    for (struct connection *c = w->n_lingering > 0 ? w->connections : NULL; c != NULL; c = next) {
        next = c->next;
        if (c->linger_until != 0 && w->protocol.now_ms >= c->linger_until) {
            drop(w, c);
        }
    }
}

// Closes the connections whose session another one has taken over, and goes on with those that waited for it.
static void check_sessions(struct worker *w)
{
    if (!atomic_load(&w->wakeup->sessions_changed)) {
        return;
    }
    // Before looking: who wants another look asks once more.
    atomic_store(&w->wakeup->sessions_changed, false);
    struct connection *next;
    for (struct connection *c = w->connections; c != NULL; c = next) {
        next = c->next;
        if (connection_is_taken_over(c)) {
            drop(w, c);
        } else if (c->waiting) {
            connection_go_on(c, &w->protocol, w->input);
            update_connection(w, c);
        }
    }
}

static bool has_time(uint64_t until_ms)
{
    return clock_mono_ms() < until_ms;
}

// Reads what waits in the connection's socket, and no more, until then at most. Returns as connection_read.
static int read_waiting(struct worker *w, struct connection *c, uint64_t until_ms)
{
    int left = 0;
    int n = ioctl(c->fd, FIONREAD, &left) < 0 ? -errno : 1;
    while (n > 0 && (left > 0 || c->forget != NULL) && !c->closing && has_time(until_ms)) {
        if (c->forget != NULL) {
            connection_go_on(c, &w->protocol, w->input);
        } else {
            n = connection_read(c, &w->protocol, w->input);
            left -= n;
        }
    }
    return n;
}

/*
 * Reads what was there when the stop came, and the end if the client has ended. Then writing to the socket fails, and
 * what was written before that is read too: so a client knows what nobody took, and may give it to the next daemon.
 */
static void drain_connection(struct worker *w, struct connection *c)
{
    int n = read_waiting(w, c, w->in->stop_at);
    bool read = n >= 0 && !c->closing && has_time(w->in->stop_at);
    n = read ? connection_read(c, &w->protocol, w->input) : n;
    shutdown(c->fd, SHUT_RD);
    if (n >= 0) {
        read_waiting(w, c, w->in->stop_at);
    }
    connection_flush(c);
}

// Accepts what waits, and reads the datagrams that wait in their socket, until then at most.
static void take_waiting(struct worker *w, uint64_t until_ms)
{
    if (w->number == 0) {
        for (int i = 0; i < ACCEPT_BURSTS && w->in->stream.fd >= 0; i++) {
            accept_burst(w);
        }
        int left = 0;
        socklen_t len = sizeof left;
        int fd = w->in->datagram.fd;
        if (fd >= 0) {
            getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &left, &len);
        }
        while ((left > 0 || datagram_is_open(&w->protocol)) && has_time(until_ms)) {
            uint64_t before = atomic_load(&w->stats.bytes);
            if (datagram_is_open(&w->protocol)) {
                datagram_go_on(&w->protocol);
                continue;
            }
            int n = datagram_read(fd, &w->protocol);
            if (n <= 0) {
                break;
            }
            left -= (int)(atomic_load(&w->stats.bytes) - before) + n;
        }
    }
    take_handed(w);
}

void worker_drain(struct worker *w)
{
    set_time(w, clock_mono_ns());
    take_waiting(w, w->in->stop_at);
    for (struct connection *c = w->connections; c != NULL; c = c->next) {
        drain_connection(w, c);
    }
}

// Whether it is to read what waits in its sockets; the first worker begins, since it hands connections to the others.
static bool is_behind(const struct worker *w)
{
    uint64_t asked = atomic_load(&w->in->catch_up);
    return atomic_load(&w->caught_up) != asked &&
           (w->number == 0 || atomic_load(&w->in->accepted) == asked);
}

static void accept_waiting(struct worker *w, uint64_t asked, uint64_t until_ms)
{
    take_waiting(w, until_ms);
    if (w->number != 0 || atomic_load(&w->in->accepted) == asked) {
        return;
    }
    atomic_store(&w->in->accepted, asked);
    worker_wake_all(w->in);
}

// Reads what waits in the connection's socket now. Returns whether that was all until then; the connection may be gone.
static bool catch_up_connection(struct worker *w, struct connection *c, uint64_t asked,
                                uint64_t until_ms)
{
    int left = 0;
    int n = 1;
    uint64_t rejected = c->rejected;
    ioctl(c->fd, FIONREAD, &left);
    while (n > 0 && left > 0 && is_polled(c) && has_time(until_ms)) {
        n = connection_read(c, &w->protocol, w->input);
        left -= n;
    }
    bool all = n <= 0 || left <= 0 || !is_polled(c);
    c->caught_up = all ? asked : 0;
    if (n < 0) {
        drop(w, c);
    } else {
        throttle(w, c, c->rejected - rejected);
        update_connection(w, c);
    }
    return all;
}

// Reads what waits in the sockets now, for CATCH_UP_MS at most, and the rest in the next turn. It ends: each connection
// is read once, and of that no more than waited there when its turn came.
static void catch_up(struct worker *w)
{
    if (!is_behind(w)) {
        return;
    }
    uint64_t asked = atomic_load(&w->in->catch_up);
    uint64_t until_ms = clock_mono_ms() + CATCH_UP_MS;
    accept_waiting(w, asked, until_ms);
    struct connection *next;
    for (struct connection *c = w->connections; c != NULL; c = next) {
        next = c->next;
        bool read = c->caught_up == asked || !is_polled(c);
        if (!read && !catch_up_connection(w, c, asked, until_ms)) {
            return;
        }
    }
    atomic_store(&w->caught_up, asked);
}

bool worker_is_idle(const struct worker *w)
{
    struct pollfd standing = {.fd = w->epoll, .events = POLLIN};
    uint64_t turns = count_read(&w->stats.turns);
    return atomic_load(&w->asleep) && poll(&standing, 1, 0) == 0 && atomic_load(&w->asleep) &&
           count_read(&w->stats.turns) == turns;
}

// Follows an order: a pause lasts until it ends. Returns the present order.
static enum worker_order follow_order(struct worker *w)
{
    eventfd_t n;
    eventfd_read(w->wakeup->fd, &n);
    take_handed(w);
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
    bool busy = w->forgetting != NULL || datagram_is_open(&w->protocol) || is_behind(w);
    if (busy) {
        return 0;
    }
    if (w->accept_paused) {
        return w->listen_at > w->protocol.now_ms ? (int)(w->listen_at - w->protocol.now_ms) : 0;
    }
    return w->n_throttled > 0 ? THROTTLE_TICK_MS : w->n_lingering > 0 ? LINGER_TICK_MS : -1;
}

static enum worker_order handle_events(struct worker *w, const struct epoll_event *events, int n)
{
    enum worker_order order = WORKER_RUN;
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        if (what == w) {
            order = follow_order(w);
        } else if (what == &w->in->stream) {
            accept_burst(w);
        } else if (what == &w->in->datagram) {
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
    set_time(w, clock_mono_ns());
    enum worker_order order = WORKER_RUN;
    while (order != WORKER_STOP) {
        int ms = sleep_ms(w);
        atomic_store(&w->asleep, ms != 0);
        int n = epoll_wait(w->epoll, events, EVENTS, ms);
        atomic_store(&w->asleep, false);
        uint64_t begin = clock_mono_ns();
        count_add(&w->stats.turns, 1);
        atomic_store_explicit(&w->stats.busy_since_ms, begin / 1000000, memory_order_relaxed);
        set_time(w, begin);
        order = handle_events(w, events, n);
        end_lingering(w);
        end_throttling(w);
        check_sessions(w);
        continue_forgets(w);
        catch_up(w);
        resume_accept(w);
        uint64_t end = clock_mono_ns();
        count_add(&w->stats.busy_ns, end - begin);
        atomic_store_explicit(&w->stats.busy_since_ms, 0, memory_order_relaxed);
        set_time(w, end);
    }
    worker_drain(w);
    rcu_part();
    return NULL;
}
