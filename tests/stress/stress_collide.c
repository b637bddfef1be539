// SPDX-License-Identifier: Apache-2.0
/*
 * The index under hashes that collide: three of them for all keys, so that every chain is long and all
 * threads work on the same ones. Makers, removers and lines that are taken back at once; a key is there at
 * most once whenever all stand still, and found when and only when it is exposed.
 */
#include "series/key.h"

#define key_hash(text, len) ((key_hash)(text, len) % 3 << 40)
#include "series/table.c"

#include "stress.h"

#include <errno.h>
#include <sched.h>

enum { THREADS = 4, KEYS = 48 };

struct work {
    struct table *table;
    uint64_t steps;
    _Atomic unsigned running;
    _Atomic uint64_t made;
    uint64_t reclaimed;
};

static void churn(struct work *w, unsigned lane)
{
    struct series_writer writer = {.lane = lane};
    uint64_t seed = 31 + lane;
    for (uint64_t n = 0; n < w->steps; n++) {
        uint64_t r = stress_random(&seed);
        unsigned key = (unsigned)(r >> 40) % KEYS;
        struct series *s;
        rcu_enter();
        int made = stress_place(w->table, &writer, key, &s);
        if (made ==
            -ENOSPC) { // as many as may wait do, since the reclaiming thread has not run for long
            rcu_leave();
            sched_yield();
            continue;
        }
        STRESS_CHECK(made >= 0, "error %d", made);
        STRESS_CHECK(stress_key_of(s) == key, "another key's series");
        atomic_fetch_add(&w->made, made > 0);
        if (made > 0 && r % 4 == 0) {
            table_undo(w->table, s);
        } else {
            table_publish(w->table, s);
        }
        if (r % 4 == 1) {
            table_remove(w->table, s);
        }
        rcu_leave();
    }
    atomic_fetch_sub(&w->running, 1);
}

static void reclaim(struct work *w)
{
    w->reclaimed += table_retire(w->table);
    rcu_wait();
    table_reclaim(w->table);
}

static void run(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < THREADS) {
        churn(w, i);
        return;
    }
    while (atomic_load(&w->running) > 0) {
        reclaim(w);
    }
}

// With all others standing still.
static uint64_t compare(struct work *w)
{
    reclaim(w);
    struct series *of_key[KEYS] = {NULL};
    uint64_t live = 0;
    rcu_enter();
    for (uint32_t i = 0; i < table_slots(w->table); i++) {
        struct series *s = table_at(w->table, i);
        if (s != NULL) {
            unsigned key = stress_key_of(s);
            STRESS_CHECK(of_key[key] == NULL, "key %u is there twice", key);
            of_key[key] = s;
            live++;
        }
    }
    for (unsigned key = 0; key < KEYS; key++) {
        char text[32];
        size_t len = stress_key(text, sizeof text, key);
        STRESS_CHECK(table_find(w->table, text, len, key_hash(text, len)) == of_key[key],
                     "key %u is found elsewhere", key);
    }
    rcu_leave();
    STRESS_CHECK(live == atomic_load(&w->table->quota.used), "the count is wrong");
    STRESS_CHECK(w->made + atomic_load(&stress_lost_races) == w->reclaimed + live,
                 "%" PRIu64 " made, %" PRIu64 " gone", (uint64_t)w->made, w->reclaimed);
    return live;
}

int main(void)
{
    struct work w = {.steps = stress_scaled(60000)};
    struct table_share share = {0};
    rcu_join();
    stress_share(&share, THREADS, KEYS * 2);
    w.table = stress_table(&share, METRIC_GAUGE, KEYS * 2);
    uint64_t live = 0;
    for (int round = 0; round < 10; round++) {
        w.running = THREADS;
        stress_run(THREADS + 1, run, &w);
        live = compare(&w);
    }
    printf("%" PRIu64 " made, %" PRIu64 " removed, %" PRIu64 " left: no key twice\n",
           (uint64_t)w.made, w.reclaimed, live);
    table_free(w.table);
    arena_free(share.arena);
    rcu_part();
    return 0;
}
