// SPDX-License-Identifier: Apache-2.0
/*
 * stress: threads, the amount of work, and the way of an update, as the stress tests share them.
 */
#ifndef VE_TESTS_STRESS_H
#define VE_TESTS_STRESS_H

#include "base/clock.h"
#include "base/rcu.h"
#include "series/idset.h"
#include "series/key.h"
#include "source/owner.h"
#include "source/ttl.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRESS_CHECK(what, ...)                                                                    \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #what);                             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// The work of the full run, scaled by VE_STRESS_SCALE percent; at least 1.
static inline uint64_t stress_scaled(uint64_t n)
{
    const char *scale = getenv("VE_STRESS_SCALE");
    n = n * (scale != NULL ? strtoull(scale, NULL, 10) : 100) / 100;
    return n == 0 ? 1 : n;
}

static inline uint64_t stress_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

// Runs fn(arg, i) for i in [0, n) in threads of their own that have joined, and waits for all.
struct stress_thread {
    pthread_t id;
    pthread_barrier_t *start;
    void (*fn)(void *arg, unsigned i);
    void *arg;
    unsigned i;
};

static inline void *stress_main(void *arg)
{
    struct stress_thread *t = arg;
    rcu_join();
    pthread_barrier_wait(t->start);
    t->fn(t->arg, t->i);
    rcu_part();
    return NULL;
}

static inline void stress_run(unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
    struct stress_thread threads[32];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        threads[i] = (struct stress_thread){.start = &start, .fn = fn, .arg = arg, .i = i};
        STRESS_CHECK(pthread_create(&threads[i].id, NULL, stress_main, &threads[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i].id, NULL);
    }
    pthread_barrier_destroy(&start);
}

static inline void stress_share(struct table_share *share, unsigned lanes, uint64_t limit)
{
    STRESS_CHECK(arena_new(&share->arena, (uint64_t)1 << 32) == 0, "arena");
    share->base = arena_base(share->arena);
    share->lanes = lanes;
    share->crowded = -1;
    share->lease_from = 100;
    share->max_id = 199;
    atomic_store(&share->quota.limit, limit);
}

// With what stands behind them in a catalogue.
static double stress_bounds[4 + CATALOG_BOUNDS_PAD] = {1, 2, 4, 8,
                                                       [4 ... 3 + CATALOG_BOUNDS_PAD] = INFINITY};

static inline struct table *stress_table(struct table_share *share, enum metric_type type,
                                         uint64_t limit)
{
    static char name[] = "m";
    struct metric m = {.name = name,
                       .type = type,
                       .bounds = stress_bounds,
                       .n_bounds = type == METRIC_HISTOGRAM ? 4 : 0};
    struct table *t = NULL;
    STRESS_CHECK(table_new(&t, share, &m, limit) == 0, "table");
    return t;
}

static inline size_t stress_key(char *room, size_t size, unsigned key)
{
    return (size_t)snprintf(room, size, "key=\"%u\"", key);
}

// Slots that were filled for a key which came in before; where the limits leave room for all.
static _Atomic uint64_t stress_lost_races;

// Finds or makes the series, as a line does. Returns 1 when it was made, 0, or -errno.
static inline int stress_place(struct table *t, struct series_writer *writer, unsigned key,
                               struct series **ret)
{
    char text[32];
    size_t len = stress_key(text, sizeof text, key);
    uint64_t hash = key_hash(text, len);
    int rc;
    do {
        *ret = table_find(t, text, len, hash);
        if (*ret != NULL) {
            return 0;
        }
        rc = table_make(t, writer, text, len, hash, TABLE_WITHIN, ret);
        if (rc == 0) {
            table_publish(t, *ret);
            atomic_fetch_add(&stress_lost_races, 1);
        }
    } while (rc == 0 && !table_is_still_alive(*ret));
    return rc;
}

// The same, claimed: again when it went meanwhile. Adds to `ret_made` each series that it made. In a section.
static inline int stress_claim(struct table *t, struct series_writer *writer, unsigned key,
                               const struct owner *c, uint64_t *ret_made, struct series **ret)
{
    for (;;) {
        int made = stress_place(t, writer, key, ret);
        *ret_made += made > 0;
        int rc = made < 0 ? made : owner_add(t, writer, *ret, c, OWNER_DROPS_OTHERS);
        if (rc != -ESTALE) {
            return rc < 0 ? rc : made;
        }
    }
}

// The number in a series' key.
static inline unsigned stress_key_of(const struct series *s)
{
    char text[32];
    size_t len;
    const char *at = series_text(s, &len);
    STRESS_CHECK(len < sizeof text && len > 6, "a key of %zu bytes", len);
    memcpy(text, at, len);
    text[len] = '\0';
    unsigned key;
    STRESS_CHECK(sscanf(text, "key=\"%u\"", &key) == 1, "the key %s", text);
    return key;
}

#endif
