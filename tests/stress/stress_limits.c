// SPDX-License-Identifier: Apache-2.0
/*
 * Makers at the limits, that of a metric and that of all, and beside them removal, lines that are taken
 * back and places that are reserved. No count ever passes its limit, no place is lost.
 */
#include "stress.h"

enum { MAKERS = 4, TABLES = 2, KEYS = 300, PER_TABLE = 100, ALL = 150 };

struct work {
    struct table_share share;
    struct table *tables[TABLES];
    uint64_t rounds;
    _Atomic unsigned making;
    _Atomic uint64_t refused;
    _Atomic uint64_t made;
};

static void check_counts(struct work *w)
{
    for (int t = 0; t < TABLES; t++) {
        uint64_t n = atomic_load(&w->tables[t]->quota.used);
        STRESS_CHECK(n <= PER_TABLE, "%" PRIu64 " series of one metric", n);
    }
    uint64_t n = atomic_load(&w->share.quota.used);
    STRESS_CHECK(n <= ALL, "%" PRIu64 " series", n);
}

// What a group of series takes at once.
static void reserve(struct table *t, struct series_writer *writer, unsigned key)
{
    char text[32];
    struct series *s;
    uint64_t places = 3;
    if (table_reserve(t, writer, places) < 0) {
        return;
    }
    for (unsigned i = 0; i < 3 && places > 0; i++) {
        size_t len = stress_key(text, sizeof text, (key + i) % KEYS);
        uint64_t hash = key_hash(text, len);
        if (table_find(t, text, len, hash) == NULL) {
            places--;
            if (table_make(t, writer, text, len, hash, TABLE_RESERVED, &s) > 0) {
                table_publish(t, s);
            }
        }
    }
    table_release(t, 0, places);
}

static void make_series(struct work *w, unsigned lane)
{
    struct series_writer writer = {.lane = lane};
    uint64_t seed = 9 + lane;
    for (uint64_t n = 0; n < w->rounds; n++) {
        uint64_t r = stress_random(&seed);
        struct table *t = w->tables[r % TABLES];
        unsigned key = (unsigned)(r >> 40) % KEYS;
        struct series *s = NULL;
        rcu_enter();
        int rc = stress_place(t, &writer, key, &s);
        STRESS_CHECK(rc >= 0 || rc == -ENOSPC, "error %d", rc);
        atomic_fetch_add(&w->refused, rc < 0);
        atomic_fetch_add(&w->made, rc > 0);
        if (rc > 0 && r % 16 < 4) {
            table_undo(t, s);
        } else if (rc >= 0 && r % 16 < 12) {
            table_publish(t, s);
            table_remove(t, s);
        } else if (rc > 0) {
            table_publish(t, s);
        }
        if (r % 64 == 0) {
            reserve(t, &writer, key);
        }
        rcu_leave();
        check_counts(w);
    }
    atomic_fetch_sub(&w->making, 1);
}

static void reclaim(struct work *w)
{
    for (int t = 0; t < TABLES; t++) {
        table_retire(w->tables[t]);
    }
    rcu_wait();
    for (int t = 0; t < TABLES; t++) {
        table_reclaim(w->tables[t]);
    }
}

static void run(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < MAKERS) {
        make_series(w, i);
        return;
    }
    while (atomic_load(&w->making) > 0) {
        reclaim(w);
        check_counts(w);
    }
}

static uint64_t remove_all(struct table *t)
{
    uint64_t n = 0;
    rcu_enter();
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = table_at(t, i);
        n += s != NULL && table_remove(t, s);
    }
    rcu_leave();
    return n;
}

int main(void)
{
    struct work w = {.rounds = stress_scaled(2500000), .making = MAKERS};
    rcu_join();
    stress_share(&w.share, MAKERS, ALL);
    for (int t = 0; t < TABLES; t++) {
        w.tables[t] = stress_table(&w.share, METRIC_GAUGE, PER_TABLE);
    }
    stress_run(MAKERS + 1, run, &w);
    uint64_t left = 0;
    for (int t = 0; t < TABLES; t++) {
        uint64_t count = atomic_load(&w.tables[t]->quota.used);
        uint64_t n = remove_all(w.tables[t]);
        STRESS_CHECK(n == count, "%" PRIu64 " series, counted %" PRIu64, n, count);
        STRESS_CHECK(atomic_load(&w.tables[t]->quota.used) == 0, "places are lost");
        left += n;
    }
    STRESS_CHECK(atomic_load(&w.share.quota.used) == 0, "places are lost");
    STRESS_CHECK(atomic_load(&w.refused) > 0, "no limit was met");
    reclaim(&w);
    printf("%" PRIu64 " made, %" PRIu64 " refused, %" PRIu64 " left: no place lost\n",
           atomic_load(&w.made), atomic_load(&w.refused), left);
    for (int t = 0; t < TABLES; t++) {
        table_free(w.tables[t]);
    }
    arena_free(w.share.arena);
    rcu_part();
    return 0;
}
