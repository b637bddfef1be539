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
    bool exposed = state == SERIES_LIVE || state == SERIES_DYING;
    return exposed && record_is_there(s->record) ? s : NULL;
}

void table_fetch(const struct table *t, uint32_t slot)
{
    __builtin_prefetch(slab_at(t, slot), 1);
}

void *table_cell(struct table *t, struct series_hand *hand, struct series *s)
{
    return record_cell(t->share->arena, &hand->arena,
                       atomic_load_explicit(&s->handle, memory_order_relaxed), hand->lane,
                       t->cell_size);
}

void table_read_counter(const struct table *t, const struct series *s, uint64_t *ret_whole,
                        double *ret_rest)
{
    uint64_t whole = 0;
    double rest = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        struct cell_counter *c = record_cell_made(t->share->base, s->record, i);
        if (c != NULL) {
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
        struct cell_histogram *c = record_cell_made(t->share->base, s->record, i);
        if (c == NULL) {
            continue;
        }
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
        void *cell = record_cell_made(t->share->base, s->record, i);
        if (cell == NULL) {
            continue;
        }
        _Atomic double *part = t->type == METRIC_COUNTER ? &((struct cell_counter *)cell)->rest
                                                         : &((struct cell_histogram *)cell)->sum;
        sum += fabs(atomic_load_explicit(part, memory_order_relaxed));
    }
    return sum;
}
