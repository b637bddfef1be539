// SPDX-License-Identifier: Apache-2.0
#include "series/rate.h"

#include "base/count.h"
#include "series/rcu.h"

static double reading_of(const struct table *t, const struct series *s)
{
    double rest = 0;
    uint64_t whole = 0;
    if (t->type == METRIC_COUNTER) {
        table_read_counter(t, s, &whole, &rest);
        return (double)whole + rest;
    }
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    table_read_histogram(t, s, counts, &rest);
    for (size_t i = 0; i <= t->n_bounds; i++) {
        whole += counts[i];
    }
    return (double)whole;
}

// A reading is complete.
static void take_reading(struct table *t, const struct rates *r)
{
    struct table_rate *rate = &t->rate;
    uint64_t removals = count_read(&t->removals);
    bool known = rate->at_ms != 0 && r->at_ms > rate->at_ms && rate->removals == removals &&
                 r->sum >= rate->sum;
    double per_second = known ? (r->sum - rate->sum) * 1000 / (double)(r->at_ms - rate->at_ms) : 0;
    atomic_store_explicit(&rate->per_second, per_second, memory_order_relaxed);
    atomic_store_explicit(&rate->known, known, memory_order_relaxed);
    rate->sum = r->sum;
    rate->at_ms = r->at_ms;
    rate->removals = r->removals;
}

// Looks at up to `budget` slots of a table; returns at how many.
static uint32_t read_some(struct table *t, struct rates *r, uint32_t budget, uint64_t now_ms)
{
    if (r->slot == 0) {
        r->sum = 0;
        r->at_ms = now_ms;
        r->removals = count_read(&t->removals);
    }
    uint32_t from = r->slot;
    struct table_walk w = table_walk_begin(t, TABLE_WALK_ALL);
    uint32_t end = w.end;
    w.slot = from;
    w.end = end - from > budget ? from + budget : end;
    uint32_t looked = w.end - from;
    const struct series *s;
    while ((s = table_walk_next(&w)) != NULL) {
        r->sum += reading_of(t, s);
    }
    r->slot = from + looked;
    if (r->slot == end) {
        take_reading(t, r);
        r->slot = 0;
        r->family++;
    }
    return looked;
}

static void go_on(struct rates *r, const struct schema *schema, uint64_t now_ms)
{
    uint32_t budget = RATE_SLOTS;
    while (r->family < schema->catalog->n_metrics && budget > 0) {
        struct table *t = schema->families[r->family].table;
        if (t->type == METRIC_GAUGE) {
            r->family++;
        } else {
            budget -= read_some(t, r, budget, now_ms);
        }
    }
    r->under_way = r->family < schema->catalog->n_metrics;
}

void rates_tick(struct rates *r, struct series_store *store, uint64_t now_ms)
{
    rcu_enter();
    const struct schema *schema = schema_current(store);
    bool other = r->generation != schema->generation;
    if (other || (!r->under_way && now_ms - r->begun_ms >= RATE_ROUND_MS)) {
        // Tables whose reading is not complete keep the previous one.
        *r =
            (struct rates){.generation = schema->generation, .begun_ms = now_ms, .under_way = true};
    }
    if (r->under_way) {
        go_on(r, schema, now_ms);
    }
    rcu_leave();
}
