// SPDX-License-Identifier: Apache-2.0
#include "client/waiter.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const struct pollfd no_socket = {.fd = -1};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_readable(const struct waiter *w, int timeout_ms)
{
    struct pollfd p = {.fd = w->epoll, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

START_TEST(it_is_woken_by_a_call_a_time_or_its_socket)
{
    struct waiter w;
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    waiter_init(&w);
    waiter_wake_once(&w); // it is not open
    ck_assert_int_eq(waiter_open(&w), 0);
    waiter_clear(&w);
    ck_assert(!is_readable(&w, 0));
    waiter_wake_once(&w);
    waiter_wake_once(&w);
    ck_assert(is_readable(&w, 0));
    waiter_clear(&w);
    ck_assert(!is_readable(&w, 0));
    waiter_set(&w, &no_socket, now_ms() + 20, now_ms());
    ck_assert(is_readable(&w, 60000));
    waiter_clear(&w);
    struct pollfd reader = {.fd = pipes[0], .events = POLLIN};
    waiter_set(&w, &reader, UINT64_MAX, now_ms());
    ck_assert(!is_readable(&w, 0));
    ck_assert_int_eq(write(pipes[1], "x", 1), 1);
    ck_assert(is_readable(&w, 0));
    waiter_wait(w.epoll, -1);
    waiter_close(&w);
    ck_assert(!waiter_is_open(&w));
    waiter_wake(&w);
    waiter_destroy(&w);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(without_descriptors_it_says_so_and_leaves_none)
{
    struct waiter w;
    struct rlimit before;
    waiter_init(&w);
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(first);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int left = 0; left < 3; left++) {
        struct rlimit few = {.rlim_cur = (rlim_t)(first + left), .rlim_max = before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        ck_assert_int_eq(waiter_open(&w), -EMFILE);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert(!waiter_is_open(&w));
        int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(next, first);
        close(next);
    }
    ck_assert_int_eq(waiter_open(&w), 0);
    waiter_close(&w);
    waiter_destroy(&w);
}
END_TEST

UNIT_MAIN("waiter", it_is_woken_by_a_call_a_time_or_its_socket,
          without_descriptors_it_says_so_and_leaves_none)
