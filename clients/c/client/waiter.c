// SPDX-License-Identifier: Apache-2.0
#include "client/waiter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

void waiter_init(struct waiter *w)
{
    w->epoll = w->timer = w->event = -1;
    atomic_store(&w->woken, true);
    pthread_mutex_init(&w->mutex, NULL);
}

void waiter_destroy(struct waiter *w)
{
    pthread_mutex_destroy(&w->mutex);
}

static int watch(const struct waiter *w, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int open_event(struct waiter *w)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    pthread_mutex_lock(&w->mutex);
    w->event = fd;
    pthread_mutex_unlock(&w->mutex);
    return watch(w, fd);
}

static int open_timer(struct waiter *w)
{
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return w->timer < 0 ? -errno : watch(w, w->timer);
}

int waiter_open(struct waiter *w)
{
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    int error = w->epoll < 0 ? -errno : 0;
    error = error < 0 ? error : open_event(w);
    error = error < 0 ? error : open_timer(w);
    if (error < 0) {
        waiter_close(w);
    }
    return error;
}

void waiter_close(struct waiter *w)
{
    int *fds[] = {&w->epoll, &w->event, &w->timer};
    atomic_store(&w->woken, true);
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
        }
        *fds[i] = -1;
    }
    pthread_mutex_unlock(&w->mutex);
}

void waiter_wake(struct waiter *w)
{
    uint64_t one = 1;
    pthread_mutex_lock(&w->mutex);
    ssize_t n = w->event >= 0 ? write(w->event, &one, sizeof one) : 0;
    (void)n; // a full counter is readable too
    pthread_mutex_unlock(&w->mutex);
}

void waiter_wake_once(struct waiter *w)
{
    if (!atomic_exchange(&w->woken, true)) {
        waiter_wake(w);
    }
}

static void clear(int fd)
{
    uint64_t n;
    ssize_t r = read(fd, &n, sizeof n);
    (void)r; // there was nothing to clear
}

void waiter_clear(struct waiter *w)
{
    clear(w->event);
    clear(w->timer);
    atomic_store(&w->woken, false);
}

void waiter_set(struct waiter *w, const struct pollfd *socket, uint64_t time, uint64_t now)
{
    struct epoll_event e = {.events = (socket->events & POLLIN ? EPOLLIN : 0u) |
                                      (socket->events & POLLOUT ? EPOLLOUT : 0u)};
    // A descriptor that was closed has left epoll, though its number may be the same.
    if (socket->fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_MOD, socket->fd, &e) < 0) {
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, socket->fd, &e);
    }
    uint64_t at = time == UINT64_MAX ? 0 : time <= now ? now + 1 : time;
    struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000}};
    timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

void waiter_wait(int epoll, int timeout_ms)
{
    struct epoll_event e;
    epoll_wait(epoll, &e, 1, timeout_ms);
}
