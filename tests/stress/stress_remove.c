// SPDX-License-Identifier: Apache-2.0
/*
 * Updates beside every kind of removal. Each update is either in a series that is there at the end, or in
 * one that was removed after it: what stands in removed series when their grace period is over, and what
 * stands in those that are left, is for each key what was counted.
 */
#include "stress.h"

enum { WRITERS = 3, REMOVERS = 2, KEYS = 64, LEASES = 3 };

struct work {
    struct table *table;
    uint64_t updates;
    _Atomic unsigned writing;
    uint64_t counted[WRITERS][KEYS];
    uint64_t found[KEYS]; // in series that are no more
    uint64_t made[WRITERS];
    _Atomic uint64_t undone;
    _Atomic uint64_t removed;
    uint64_t reclaimed;
};

static void write_series(struct work *w, unsigned lane)
{
    struct series_writer writer = {.lane = lane};
    uint64_t seed = 5 + lane;
    for (uint64_t n = 0; n < w->updates; n++) {
        uint64_t r = stress_random(&seed);
        unsigned key = (unsigned)(r >> 40) % KEYS;
        struct owner c = {.updater_id = 1 + lane, .lease = 100 + (uint32_t)(r % LEASES)};
        struct series *s;
        rcu_enter();
        int made = stress_claim(w->table, &writer, key, &c, &w->made[lane], &s);
        STRESS_CHECK(made >= 0, "error %d", made);
        if (made > 0 && r % 8 == 0) { // a line that is refused after all
            table_undo(w->table, s);
            atomic_fetch_add(&w->undone, 1);
        } else {
            cell_count(table_cell(w->table, &writer, s), 1);
            table_publish(w->table, s);
            w->counted[lane][key]++;
        }
        rcu_leave();
    }
    atomic_fetch_sub(&w->writing, 1);
}

static bool unowned(void *ctx, struct series *s)
{
    return owner_is_gone(ctx, s);
}

static void remove_series(struct work *w, unsigned i)
{
    uint64_t seed = 1000 + i;
    while (atomic_load(&w->writing) > 0) {
        rcu_enter();
        for (uint32_t slot = 0; slot < table_slots(w->table); slot++) {
            struct series *s = table_at(w->table, slot);
            uint64_t r = stress_random(&seed);
            if (s == NULL || r % 4 != 0) {
                continue;
            }
            bool gone;
            if (i == 0) {
                gone = table_remove(w->table, s);
            } else {
                for (uint32_t lease = 100; lease < 100 + LEASES; lease++) {
                    idset_remove(w->table->share->base, series_ids(s), lease);
                }
                gone = table_remove_if(w->table, s, unowned, w->table);
            }
            atomic_fetch_add(&w->removed, gone);
        }
        rcu_leave();
    }
}

static void add_found(struct work *w, struct series *s)
{
    uint64_t whole;
    double rest;
    table_read_counter(w->table, s, &whole, &rest);
    w->found[stress_key_of(s)] += whole;
}

// Slots of a state that table_at does not give.
static struct series *slot_at(const struct table *t, uint32_t slot)
{
    uint32_t first = slot < SLAB_FIRST ? 0 : 1u << (31 - __builtin_clz(slot));
    unsigned slab = slot < SLAB_FIRST ? 0 : 31 - (unsigned)__builtin_clz(slot) - 5;
    return atomic_load(&t->slab.parts[slab]) + (slot - first);
}

static void reclaim(struct work *w)
{
    w->reclaimed += table_retire(w->table);
    rcu_wait();
    for (uint32_t slot = 0; slot < table_slots(w->table); slot++) {
        struct series *s = slot_at(w->table, slot);
        if (atomic_load(&s->state) == SERIES_RETIRED) {
            add_found(w, s);
        }
    }
    table_reclaim(w->table);
}

static void run(void *arg, unsigned i)
{
    struct work *w = arg;
    if (i < WRITERS) {
        write_series(w, i);
    } else if (i < WRITERS + REMOVERS) {
        remove_series(w, i - WRITERS);
    } else {
        while (atomic_load(&w->writing) > 0) {
            reclaim(w);
        }
    }
}

static void compare(struct work *w)
{
    reclaim(w);
    uint64_t live = 0;
    for (uint32_t slot = 0; slot < table_slots(w->table); slot++) {
        struct series *s = table_at(w->table, slot);
        if (s != NULL) {
            add_found(w, s);
            live++;
        }
    }
    uint64_t made = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        uint64_t counted = 0;
        for (unsigned i = 0; i < WRITERS; i++) {
            counted += w->counted[i][key];
        }
        STRESS_CHECK(counted == w->found[key], "key %u: %" PRIu64 " instead of %" PRIu64, key,
                     w->found[key], counted);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        made += w->made[i];
    }
    STRESS_CHECK(live <= KEYS, "%" PRIu64 " series of %d keys", live, KEYS);
    STRESS_CHECK(atomic_load(&w->table->quota.used) == live, "the count is wrong");
    STRESS_CHECK(made + atomic_load(&stress_lost_races) == w->reclaimed + live,
                 "%" PRIu64 " made, %" PRIu64 " gone, %" PRIu64 " left", made, w->reclaimed, live);
    STRESS_CHECK(atomic_load(&w->table->dead) == 0, "some wait still");
    printf("%" PRIu64 " updates, %" PRIu64 " series made, %" PRIu64 " removed, %" PRIu64
           " slots: none lost\n",
           w->updates * WRITERS, made, atomic_load(&w->removed), (uint64_t)table_slots(w->table));
}

int main(void)
{
    struct work *w = calloc(1, sizeof *w);
    struct table_share share = {0};
    rcu_join();
    stress_share(&share, WRITERS, KEYS * 4);
    w->table = stress_table(&share, METRIC_COUNTER, KEYS * 4);
    w->table->owned = true;
    w->updates = stress_scaled(4000000);
    w->writing = WRITERS;
    stress_run(WRITERS + REMOVERS + 1, run, w);
    compare(w);
    table_free(w->table);
    arena_free(share.arena);
    free(w);
    rcu_part();
    return 0;
}
