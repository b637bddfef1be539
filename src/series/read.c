// SPDX-License-Identifier: Apache-2.0
// What a scrape reads of a table, and the cells that a worker writes.
#include "series/slab.h"

#include <math.h>
#include <string.h>

uint32_t table_slots(const struct table *t)
{
    return atomic_load_explicit(&t->slots, memory_order_acquire);
}

struct series *table_at(const struct table *t, uint32_t slot)
{
    struct series *s = slab_at(t, slot);
    uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    return state == SERIES_LIVE || state == SERIES_DYING ? s : NULL;
}

void *table_cell(struct table *t, struct series_hand *hand, struct series *s)
{
    _Atomic uint32_t *lane = &series_lanes(s)[hand->lane];
    uint32_t handle = atomic_load_explicit(lane, memory_order_relaxed);
    if (handle == 0) {
        handle = arena_alloc(t->share->arena, &hand->arena, t->cell_size);
        if (handle == 0) {
            return NULL;
        }
        atomic_store_explicit(lane, handle, memory_order_release);
    }
    return arena_at(t->share->base, handle);
}

void table_read_counter(const struct table *t, const struct series *s, uint64_t *ret_whole,
                        double *ret_rest)
{
    uint64_t whole = 0;
    double rest = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        uint32_t handle = atomic_load_explicit(&series_lanes(s)[i], memory_order_acquire);
        if (handle != 0) {
            struct cell_counter *c = arena_at(t->share->base, handle);
            whole += atomic_load_explicit(&c->whole, memory_order_relaxed);
            rest += atomic_load_explicit(&c->rest, memory_order_relaxed);
        }
    }
    *ret_whole = whole;
    *ret_rest = rest;
}

void table_read_histogram(const struct table *t, const struct series *s, uint64_t *ret_counts,
                          double *ret_sum)
{
    memset(ret_counts, 0, (t->n_bounds + 1) * sizeof *ret_counts);
    double sum = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        uint32_t handle = atomic_load_explicit(&series_lanes(s)[i], memory_order_acquire);
        if (handle == 0) {
            continue;
        }
        struct cell_histogram *c = arena_at(t->share->base, handle);
        for (size_t b = 0; b <= t->n_bounds; b++) {
            ret_counts[b] += atomic_load_explicit(&c->counts[b], memory_order_acquire);
        }
        sum += atomic_load_explicit(&c->sum, memory_order_relaxed);
    }
    *ret_sum = sum;
}

double table_magnitude(const struct table *t, const struct series *s)
{
    double sum = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        uint32_t handle = atomic_load_explicit(&series_lanes(s)[i], memory_order_acquire);
        if (handle == 0) {
            continue;
        }
        void *cell = arena_at(t->share->base, handle);
        _Atomic double *part = t->type == METRIC_COUNTER ? &((struct cell_counter *)cell)->rest
                                                         : &((struct cell_histogram *)cell)->sum;
        sum += fabs(atomic_load_explicit(part, memory_order_relaxed));
    }
    return sum;
}
