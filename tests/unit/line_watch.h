// SPDX-License-Identifier: Apache-2.0
/*
 * line_watch: ends the process when one line takes more than a second of its thread's CPU time, however busy the machine
 * is. The thread that applies lines calls line_watch_begin once and line_watch_next before each line.
 */
#ifndef VE_TESTS_LINE_WATCH_H
#define VE_TESTS_LINE_WATCH_H

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct line_watch {
    pthread_t watcher;
    clockid_t cpu; // of the thread that is watched
    _Atomic uint64_t lines;
    _Atomic(const char *) line; // the present one
    _Atomic int len;
    atomic_bool over;
};

static inline uint64_t line_watch_cpu_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void *line_watch_main(void *arg)
{
    struct line_watch *w = arg;
    uint64_t lines = 0;
    uint64_t since_ns = line_watch_cpu_ns(w->cpu);
    while (!atomic_load(&w->over)) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        uint64_t now_ns = line_watch_cpu_ns(w->cpu);
        uint64_t now = atomic_load(&w->lines);
        if (now != lines) {
            lines = now;
            since_ns = now_ns;
        } else if (now_ns - since_ns > 1000000000 && atomic_load(&w->line) != NULL) {
            fprintf(stderr, "line %" PRIu64 " takes over a second: %.*s\n", now,
                    atomic_load(&w->len), atomic_load(&w->line));
            abort();
        }
    }
    return NULL;
}

static inline void line_watch_begin(struct line_watch *w)
{
    *w = (struct line_watch){0};
    if (pthread_getcpuclockid(pthread_self(), &w->cpu) != 0 ||
        pthread_create(&w->watcher, NULL, line_watch_main, w) != 0) {
        abort();
    }
}

// NULL: no line is being applied until the next call.
static inline void line_watch_next(struct line_watch *w, const char *line, size_t len)
{
    atomic_store(&w->line, NULL);
    atomic_store(&w->len, (int)len);
    atomic_store(&w->line, line);
    atomic_fetch_add(&w->lines, 1);
}

static inline void line_watch_end(struct line_watch *w)
{
    line_watch_next(w, NULL, 0);
    atomic_store(&w->over, true);
    pthread_join(w->watcher, NULL);
}

#endif
