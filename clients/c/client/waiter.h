// SPDX-License-Identifier: Apache-2.0
/*
 * waiter: one descriptor that becomes readable when a client has something to do: its socket is ready, a time has come, or
 * another thread has woken it.
 *
 * Threads: waiter_wake by any; the others by one at a time.
 * Errors:  0 or -errno.
 */
#ifndef VE_CLIENT_WAITER_H
#define VE_CLIENT_WAITER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct waiter {
    int epoll;             // the descriptor; -1: not open, as the next two
    int timer;             // is in it
    pthread_mutex_t mutex; // guards `event`, last of a client's
    int event;             // is in it: an eventfd
    _Atomic bool woken;    // it is readable, or is not open
};

void waiter_init(struct waiter *w);
void waiter_destroy(struct waiter *w);

// Returns 0; -errno of what could not be had, and nothing is open then.
int waiter_open(struct waiter *w);
void waiter_close(struct waiter *w);

static inline bool waiter_is_open(const struct waiter *w)
{
    return w->epoll >= 0;
}

// Makes the descriptor readable, also when it is that already.
void waiter_wake(struct waiter *w);

// The same, once until waiter_clear.
void waiter_wake_once(struct waiter *w);

// What woke it is dealt with from now on.
void waiter_clear(struct waiter *w);

// What makes it readable: the events of a socket (of none when its descriptor is -1), and a time in milliseconds of
// CLOCK_MONOTONIC; UINT64_MAX: none.
void waiter_set(struct waiter *w, const struct pollfd *socket, uint64_t time, uint64_t now);

// Waits until the descriptor is readable, at most for that time; -1: for ever.
void waiter_wait(int epoll, int timeout_ms);

#endif
