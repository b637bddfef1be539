// SPDX-License-Identifier: Apache-2.0
// How connections come to their workers, and how they leave.
#include "ingest/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEAF_MS = 100, ACCEPT_BURST = 64 };

void worker_adopt(struct worker *w, int fd)
{
    struct connection *c = connection_new(fd, &w->protocol);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (c == NULL || epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        count_add(&w->stats.accept_errors, 1);
        atomic_fetch_sub(&w->in->open, 1);
        if (c != NULL) {
            connection_free(c, &w->protocol);
        } else {
            close(fd);
        }
        return;
    }
    c->polled = ev.events;
    count_add(&w->stats.connections, 1);
    c->next = w->connections;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    w->connections = c;
    if (c->closing) {
        connection_flush(c); // a fresh socket has room for the one reply
        worker_drop(w, c);
    }
}

void worker_drop(struct worker *w, struct connection *c)
{
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        w->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    w->n_lingering -= c->linger_until != 0;
    w->n_resting -= c->rest_until != 0;
    connection_free(c, &w->protocol);
    atomic_fetch_sub(&w->in->open, 1);
}

// Hands the connection to another worker; without memory for that, keeps it.
static void hand_over(struct worker *w, struct worker *to, int fd)
{
    struct handed *h = to == w ? NULL : malloc(sizeof *h);
    if (h == NULL) {
        worker_adopt(w, fd);
        return;
    }
    h->fd = fd;
    h->next = atomic_load_explicit(&to->handed, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&to->handed, &h->next, h, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    eventfd_write(to->wake, 1);
}

void worker_take_handed(struct worker *w)
{
    struct handed *h = atomic_exchange_explicit(&w->handed, NULL, memory_order_acquire);
    while (h != NULL) {
        struct handed *next = h->next;
        worker_adopt(w, h->fd);
        free(h);
        h = next;
    }
}

// Out of descriptors: the socket would stay ready and keep us busy. Look again a little later.
static void go_deaf(struct worker *w)
{
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->in->settings.stream.fd, NULL);
    w->deaf = true;
    w->listen_at = w->protocol.now_ms + DEAF_MS;
}

void worker_listen_again(struct worker *w)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &w->in->settings.stream};
    if (w->deaf && w->protocol.now_ms >= w->listen_at &&
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->in->settings.stream.fd, &ev) == 0) {
        w->deaf = false;
    }
}

// Whether an error of accept speaks of the one connection and not of us.
static bool is_passing(int err)
{
    return err == EINTR || err == ECONNABORTED || err == EPROTO || err == EPERM;
}

void worker_accept(struct worker *w)
{
    struct ingest *in = w->in;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(in->settings.stream.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) {
                return;
            }
            count_add(&w->stats.accept_errors, 1);
            if (!is_passing(errno)) {
                go_deaf(w);
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
        hand_over(w, running ? &in->workers[in->turn++ % in->settings.workers] : w, fd);
    }
}
