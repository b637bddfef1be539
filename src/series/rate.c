// SPDX-License-Identifier: Apache-2.0
#include "series/rate.h"

#include "base/count.h"
#include "series/rcu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The history of a metric. Step i is in place i % PLACES; that after the last one is being written while others are read.
enum { PLACES = RATE_STEPS + 2 };

struct history_step {
    _Atomic uint64_t from_ms;
    _Atomic uint64_t to_ms;
    _Atomic double per_second;
    _Atomic uint64_t series;
    _Atomic bool counted;
};

struct rate_history {
    _Atomic uint64_t n; // steps that are complete
    size_t buckets;     // 0: no histogram
    uint64_t
        base_ms; // of the reading that the next step begins with; 0: none. This and the next of the ticking thread
    double base_sum;
    uint64_t base_removals;
    struct history_step steps[PLACES];
    _Atomic uint64_t counts[]; // PLACES times `buckets`, and the base's
};

static void read_series(const struct table *t, const struct series *s, struct rates *r)
{
    double rest = 0;
    uint64_t whole = 0;
    if (t->type == METRIC_COUNTER) {
        table_read_counter(t, s, &whole, &rest);
        r->sum += (double)whole + rest;
        return;
    }
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    table_read_histogram(t, s, counts, &rest);
    for (size_t i = 0; i <= t->n_bounds; i++) {
        whole += counts[i];
        r->counts[i] += counts[i];
    }
    r->sum += (double)whole;
}

// The table's history, made when it has series for the first time. NULL: there is none, or no memory.
static struct rate_history *history_of(struct table *t)
{
    struct rate_history *h = atomic_load_explicit(&t->rate.history, memory_order_relaxed);
    if (h == NULL && count_read(&t->quota.used) > 0) {
        size_t buckets = t->type == METRIC_HISTOGRAM ? t->n_bounds + 1 : 0;
        h = calloc(1, sizeof *h + (PLACES + 1) * buckets * sizeof h->counts[0]);
        if (h != NULL) {
            h->buckets = buckets;
            atomic_store_explicit(&t->rate.history, h, memory_order_release);
        }
    }
    return h;
}

static _Atomic uint64_t *counts_of(struct rate_history *h, size_t place)
{
    return &h->counts[place * h->buckets];
}

// A step ends with this reading, of which the series were not removed in between if `known`.
static void end_step(struct rate_history *h, const struct rates *r, bool known, uint64_t series)
{
    uint64_t n = atomic_load_explicit(&h->n, memory_order_relaxed);
    struct history_step *step = &h->steps[n % PLACES];
    double seconds = (double)(r->at_ms - h->base_ms) / 1000;
    atomic_store_explicit(&step->from_ms, h->base_ms, memory_order_relaxed);
    atomic_store_explicit(&step->to_ms, r->at_ms, memory_order_relaxed);
    atomic_store_explicit(&step->per_second, known ? (r->sum - h->base_sum) / seconds : NAN,
                          memory_order_relaxed);
    atomic_store_explicit(&step->series, series, memory_order_relaxed);
    atomic_store_explicit(&step->counted, known && h->buckets > 0, memory_order_relaxed);
    const _Atomic uint64_t *base = counts_of(h, PLACES);
    for (size_t i = 0; known && i < h->buckets; i++) {
        uint64_t before = atomic_load_explicit(&base[i], memory_order_relaxed);
        uint64_t grown = r->counts[i] > before ? r->counts[i] - before : 0;
        atomic_store_explicit(&counts_of(h, n % PLACES)[i], grown, memory_order_relaxed);
    }
    atomic_store_explicit(&h->n, n + 1, memory_order_release);
}

// `measured`: the reading has a sum, as that of each table but of a gauge.
static void keep_reading(struct table *t, const struct rates *r, bool measured)
{
    struct rate_history *h = history_of(t);
    if (h == NULL || (h->base_ms != 0 && r->at_ms - h->base_ms < RATE_STEP_MS)) {
        return;
    }
    if (h->base_ms != 0) {
        bool known = measured && h->base_removals == count_read(&t->removals) &&
                     h->base_removals == r->removals && r->sum >= h->base_sum;
        end_step(h, r, known, count_read(&t->quota.used));
    }
    h->base_ms = r->at_ms;
    h->base_sum = r->sum;
    h->base_removals = r->removals;
    for (size_t i = 0; i < h->buckets; i++) {
        atomic_store_explicit(&counts_of(h, PLACES)[i], r->counts[i], memory_order_relaxed);
    }
}

size_t rate_history_read(const struct table_rate *rate, struct rate_step ret[static RATE_STEPS])
{
    struct rate_history *h = atomic_load_explicit(&rate->history, memory_order_acquire);
    uint64_t n = h != NULL ? atomic_load_explicit(&h->n, memory_order_acquire) : 0;
    size_t given = 0;
    for (uint64_t i = n > RATE_STEPS ? n - RATE_STEPS : 0; i < n; i++) {
        const struct history_step *step = &h->steps[i % PLACES];
        ret[given++] = (struct rate_step){
            .from_ms = atomic_load_explicit(&step->from_ms, memory_order_relaxed),
            .to_ms = atomic_load_explicit(&step->to_ms, memory_order_relaxed),
            .per_second = atomic_load_explicit(&step->per_second, memory_order_relaxed),
            .series = atomic_load_explicit(&step->series, memory_order_relaxed),
            .counts = atomic_load_explicit(&step->counted, memory_order_relaxed)
                          ? counts_of(h, i % PLACES)
                          : NULL,
        };
    }
    return given;
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
    keep_reading(t, r, true);
}

// Looks at up to `budget` slots of a table; returns at how many.
static uint32_t read_some(struct table *t, struct rates *r, uint32_t budget, uint64_t now_ms)
{
    if (r->slot == 0) {
        r->sum = 0;
        r->at_ms = now_ms;
        r->removals = count_read(&t->removals);
        memset(r->counts, 0, sizeof r->counts);
    }
    uint32_t from = r->slot;
    struct table_walk w = table_walk_begin(t, TABLE_WALK_ALL);
    uint32_t end = w.end;
    w.slot = from;
    w.end = end - from > budget ? from + budget : end;
    uint32_t looked = w.end - from;
    const struct series *s;
    while ((s = table_walk_next(&w)) != NULL) {
        read_series(t, s, r);
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
            r->at_ms = now_ms;
            keep_reading(t, r, false);
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
