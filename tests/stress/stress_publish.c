// SPDX-License-Identifier: Apache-2.0
/*
 * Lines that make the same series at the same moment: one shows it or takes it back, the others find it.
 * What was found stays, whatever its maker does; what nobody found and its maker took back is gone.
 * Then sources whose two lines say two things in one info metric: exactly one of them stays.
 */
#include "stress.h"

#include <sched.h>

enum { THREADS = 3, BATCH = 64, SOURCES = 8 };

struct work {
    struct table *table;
    uint64_t rounds;
    pthread_barrier_t turn;
    _Atomic unsigned found[BATCH];  // how many found the series of this key
    _Atomic unsigned shown[BATCH];  // its maker showed it
    _Atomic unsigned undone[BATCH]; // its maker took it back
    uint64_t shared;                // keys whose maker was overtaken
    struct table *info;
};

static void meet(struct work *w, struct series_writer *writer, uint64_t *seed)
{
    for (unsigned key = 0; key < BATCH; key++) {
        struct series *s;
        rcu_enter();
        int made = stress_place(w->table, writer, key, &s);
        STRESS_CHECK(made >= 0, "error %d", made);
        if (made == 0) {
            atomic_fetch_add(&w->found[key], 1);
        } else if (stress_random(seed) % 2 == 0) {
            table_publish(w->table, s);
            atomic_fetch_add(&w->shown[key], 1);
        } else {
            table_undo(w->table, s);
            atomic_fetch_add(&w->undone[key], 1);
        }
        rcu_leave();
    }
}

// With all others waiting: looks at every key, and removes it.
static void settle(struct work *w)
{
    for (unsigned key = 0; key < BATCH; key++) {
        char text[32];
        size_t len = stress_key(text, sizeof text, key);
        bool expected = w->found[key] > 0 || w->shown[key] > 0;
        w->shared += w->found[key] > 0 && w->undone[key] > 0;
        rcu_enter();
        struct series *s = table_find(w->table, text, len, key_hash(text, len));
        STRESS_CHECK((s != NULL) == expected, "key %u: found by %u, shown by %u, undone by %u", key,
                     w->found[key], w->shown[key], w->undone[key]);
        STRESS_CHECK(s == NULL || table_remove(w->table, s), "key %u", key);
        rcu_leave();
        w->found[key] = w->shown[key] = w->undone[key] = 0;
    }
    STRESS_CHECK(atomic_load(&w->table->quota.used) == 0, "places are lost");
    table_retire(w->table);
    rcu_wait();
    table_reclaim(w->table);
}

static void run(void *arg, unsigned i)
{
    struct work *w = arg;
    struct series_writer writer = {.lane = i};
    uint64_t seed = 3 + i;
    for (uint64_t round = 0; round < w->rounds; round++) {
        pthread_barrier_wait(&w->turn);
        meet(w, &writer, &seed);
        pthread_barrier_wait(&w->turn);
        if (i == 0) {
            settle(w);
        }
    }
}

// Of each source, one thread says one thing and another thread another.
static void say(void *arg, unsigned i)
{
    struct work *w = arg;
    struct series_writer writer = {.lane = i};
    uint64_t made = 0;
    for (uint64_t round = 0; round < w->rounds; round++) {
        pthread_barrier_wait(&w->turn);
        for (unsigned source = 0; source < SOURCES; source++) {
            struct owner c = {.updater_id = 1 + source, .lease = 100 + source};
            struct series *s;
            rcu_enter();
            unsigned version = (unsigned)(round % 5 * 10) + i;
            int rc = stress_claim(w->info, &writer, version * SOURCES + source, &c, &made, &s);
            STRESS_CHECK(rc >= 0, "error %d", rc);
            sched_yield(); // so that the others come in between
            table_publish(w->info, s);
            rcu_leave();
        }
        pthread_barrier_wait(&w->turn);
        unsigned n[SOURCES] = {0};
        rcu_enter();
        for (uint32_t slot = 0; i == 0 && slot < table_slots(w->info); slot++) {
            struct series *s = table_at(w->info, slot);
            if (s != NULL) {
                n[stress_key_of(s) % SOURCES]++;
            }
        }
        rcu_leave();
        for (unsigned source = 0; i == 0 && source < SOURCES; source++) {
            STRESS_CHECK(n[source] == 1, "source %u says %u things", source, n[source]);
        }
        if (i == 0) {
            table_retire(w->info);
            rcu_wait();
            table_reclaim(w->info);
        }
    }
}

int main(void)
{
    struct work w = {.rounds = stress_scaled(20000)};
    struct table_share share = {0};
    rcu_join();
    stress_share(&share, THREADS, 10000);
    w.table = stress_table(&share, METRIC_GAUGE, 1000);
    w.info = stress_table(&share, METRIC_GAUGE, 1000);
    w.info->owned = w.info->single = true;
    pthread_barrier_init(&w.turn, NULL, THREADS);
    stress_run(THREADS, run, &w);
    stress_run(THREADS, say, &w);
    printf("%" PRIu64 " rounds of %d keys, %" PRIu64 " taken back too late: all as agreed\n",
           w.rounds, BATCH, w.shared);
    pthread_barrier_destroy(&w.turn);
    table_free(w.table);
    table_free(w.info);
    arena_free(share.arena);
    rcu_part();
    return 0;
}
