// SPDX-License-Identifier: Apache-2.0
/*
 * walk: the exposed series of a table, in the order of their slots: those that a scrape shows, or all.
 *
 * Shape:   a series, its record and its cells lie far apart, so that a plain loop would wait for memory three
 *          times for each. The walk is a few series ahead of what it returns, and prefetches their memory.
 * Threads: any, inside an RCU section that lasts as long as the walk.
 * Memory:  borrows the table.
 */
#ifndef VE_SERIES_WALK_H
#define VE_SERIES_WALK_H

#include "series/table.h"

enum { WALK_AHEAD = 16, WALK_LINE = 64 /* bytes that memory gives at once */ };

#define WALK_ALL UINT32_MAX // for `scrape`

struct walk {
    const struct table *table;
    uint32_t scrape; // of table_scrape
    uint32_t slot;   // to be looked at next
    uint32_t end;
    uint32_t given;
    uint32_t found;
    const struct series *run; // the slots that lie side by side with `slot`, from slot 0 of them on
    uint32_t run_first;
    uint32_t run_end;
    const struct series *ahead[WALK_AHEAD]; // found and not given, in a ring
};

static inline struct walk walk_begin(const struct table *t, uint32_t scrape)
{
    return (struct walk){.table = t, .scrape = scrape, .end = table_slots(t)};
}

static inline void walk_fetch(const void *p, size_t size)
{
    for (size_t at = 0; at < size; at += WALK_LINE) {
        __builtin_prefetch((const char *)p + at);
    }
}

// Prefetches the numbers of a series, whose record has been loaded meanwhile.
static inline void walk_fetch_cells(const struct table *t, const struct series *s)
{
    for (unsigned i = 0; t->cell_size > 0 && i < t->share->lanes; i++) {
        uint32_t handle = atomic_load_explicit(&record_lanes(s->record)[i], memory_order_relaxed);
        if (handle != 0) {
            walk_fetch(arena_at(t->share->base, handle), t->cell_size);
        }
    }
}

static inline void walk_look_ahead(struct walk *w)
{
    while (w->slot < w->end && w->found - w->given < WALK_AHEAD) {
        if (w->slot >= w->run_end) {
            w->run = slab_run(&w->table->slab, w->slot, &w->run_first, &w->run_end);
        }
        const struct series *s = &w->run[w->slot++ - w->run_first];
        uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        if (series_is_exposed(state) &&
            atomic_load_explicit(&s->since, memory_order_relaxed) <= w->scrape) {
            walk_fetch(s->record, 3 * WALK_LINE);
            w->ahead[w->found++ % WALK_AHEAD] = s;
        }
    }
}

// The next one, or NULL at the end.
static inline const struct series *walk_next(struct walk *w)
{
    for (;;) {
        walk_look_ahead(w);
        if (w->given == w->found) {
            return NULL;
        }
        if (w->found - w->given > WALK_AHEAD / 2) {
            walk_fetch_cells(w->table, w->ahead[(w->given + WALK_AHEAD / 2) % WALK_AHEAD]);
        }
        const struct series *s = w->ahead[w->given++ % WALK_AHEAD];
        if (record_is_there(s->record)) {
            return s;
        }
    }
}

#endif
