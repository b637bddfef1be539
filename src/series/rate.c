// SPDX-License-Identifier: Apache-2.0
#include "series/rate.h"

#include "base/count.h"
#include "base/rcu.h"

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

// One of the series whose values are kept. When another one takes its place, `first_step` is written before `id`: who sees
// the new id does not take values of before for its own, and who sees the old one does not know a step of the new one yet.
struct kept {
    _Atomic uint64_t id; // 0: nobody's
    _Atomic uint64_t first_step;
    _Atomic double values[PLACES];
    double base; // of the reading that the next step begins with; of the ticking thread
    bool read;   // it is in the reading; likewise
};

struct rate_history {
    _Atomic uint64_t n; // steps that are complete
    size_t buckets;     // 0: no histogram
    uint64_t
        base_ms; // of the reading that the next step begins with; 0: none. This and the next of the ticking thread
    double base_sum;
    uint64_t base_removals;
    struct history_step steps[PLACES];
    struct kept kept[RATE_KEPT];
    _Atomic uint64_t counts[]; // PLACES times `buckets`, and the base's
};

// A slot and how often it was used: of no other series of the table.
static uint64_t id_of(const struct series *s)
{
    uint64_t uses = atomic_load_explicit(&s->uses, memory_order_relaxed);
    return (uses << 32 | s->record->slot) + 1;
}

// A counter's value, or a histogram's number of observations.
static double read_growing(const struct table *t, const struct series *s, struct rates *r)
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
        r->counts[i] += counts[i];
    }
    return (double)whole;
}

static void read_series(const struct table *t, const struct series *s, struct rates *r)
{
    double value = t->type == METRIC_GAUGE
                       ? atomic_load_explicit(series_gauge(s), memory_order_relaxed)
                       : read_growing(t, s, r);
    r->sum += value;
    if (r->n_first < RATE_KEPT) {
        r->first[r->n_first++] = (struct rate_reading){id_of(s), value};
    }
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

static struct kept *find_kept(struct rate_history *h, uint64_t id)
{
    for (size_t i = 0; i < RATE_KEPT; i++) {
        if (atomic_load_explicit(&h->kept[i].id, memory_order_acquire) == id) {
            return &h->kept[i];
        }
    }
    return NULL;
}

// Finds the series of the reading among those that are kept, and those that are new in the places of those that went.
static void choose_kept(struct rate_history *h, const struct rates *r,
                        struct kept *ret[static RATE_KEPT])
{
    uint64_t n = atomic_load_explicit(&h->n, memory_order_relaxed);
    for (size_t i = 0; i < RATE_KEPT; i++) {
        h->kept[i].read = false;
    }
    for (size_t i = 0; i < r->n_first; i++) {
        ret[i] = find_kept(h, r->first[i].id);
        if (ret[i] != NULL) {
            ret[i]->read = true;
        }
    }
    struct kept *free_one = h->kept;
    for (size_t i = 0; i < r->n_first; i++) {
        if (ret[i] != NULL) {
            continue;
        }
        while (free_one->read) {
            free_one++;
        }
        free_one->read = true;
        free_one->base = NAN;
        atomic_store_explicit(&free_one->first_step, n, memory_order_relaxed);
        atomic_store_explicit(&free_one->id, r->first[i].id, memory_order_release);
        ret[i] = free_one;
    }
}

// The values of the step that this reading ends, if one does, and the beginnings of the next. Before end_step.
static void keep_series(const struct table *t, struct rate_history *h, const struct rates *r)
{
    struct kept *kept[RATE_KEPT];
    size_t place = atomic_load_explicit(&h->n, memory_order_relaxed) % PLACES;
    double seconds = (double)(r->at_ms - h->base_ms) / 1000;
    choose_kept(h, r, kept);
    for (size_t i = 0; i < r->n_first; i++) {
        double value = r->first[i].value;
        double grown = value >= kept[i]->base ? value - kept[i]->base : NAN;
        atomic_store_explicit(&kept[i]->values[place],
                              t->type == METRIC_GAUGE ? value : grown / seconds,
                              memory_order_relaxed);
        kept[i]->base = value;
    }
    for (size_t i = 0; i < RATE_KEPT; i++) {
        if (!h->kept[i].read) {
            atomic_store_explicit(&h->kept[i].id, 0, memory_order_release);
        }
    }
}

static bool is_due(const struct rate_history *h, const struct rates *r)
{
    return h != NULL && (h->base_ms == 0 || r->at_ms - h->base_ms >= RATE_STEP_MS);
}

// `measured`: the reading has a sum, as that of each table but of a gauge.
static void keep_reading(const struct table *t, struct rate_history *h, const struct rates *r,
                         bool measured)
{
    keep_series(t, h, r);
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

size_t rate_series_read(const struct table_rate *rate, const struct series *s,
                        struct rate_value ret[static RATE_STEPS])
{
    struct rate_history *h = atomic_load_explicit(&rate->history, memory_order_acquire);
    if (h == NULL) {
        return 0;
    }
    uint64_t n = atomic_load_explicit(&h->n, memory_order_acquire);
    const struct kept *kept = find_kept(h, id_of(s));
    if (kept == NULL) {
        return 0;
    }
    size_t given = 0;
    uint64_t from = atomic_load_explicit(&kept->first_step, memory_order_relaxed);
    uint64_t first = n > RATE_STEPS ? n - RATE_STEPS : 0;
    for (uint64_t i = from > first ? from : first; i < n; i++) {
        ret[given++] = (struct rate_value){
            .to_ms = atomic_load_explicit(&h->steps[i % PLACES].to_ms, memory_order_relaxed),
            .value = atomic_load_explicit(&kept->values[i % PLACES], memory_order_relaxed),
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
    struct rate_history *h = history_of(t);
    if (is_due(h, r)) {
        keep_reading(t, h, r, true);
    }
}

static void begin_reading(const struct table *t, struct rates *r, uint64_t now_ms)
{
    r->sum = 0;
    r->at_ms = now_ms;
    r->removals = count_read(&t->removals);
    r->n_first = 0;
    memset(r->counts, 0, sizeof r->counts);
}

// Looks at the slots of a gauge's first series if a step ends; returns at how many.
static uint32_t read_gauge(struct table *t, struct rates *r, uint64_t now_ms)
{
    struct rate_history *h = history_of(t);
    begin_reading(t, r, now_ms);
    if (!is_due(h, r)) {
        return 0;
    }
    struct table_walk w = table_walk_begin(t, TABLE_WALK_ALL);
    w.end = w.end > RATE_SLOTS ? RATE_SLOTS : w.end;
    const struct series *s;
    while (r->n_first < RATE_KEPT && (s = table_walk_next(&w)) != NULL) {
        read_series(t, s, r);
    }
    keep_reading(t, h, r, false);
    return w.slot;
}

// Looks at up to `budget` slots of a table; returns at how many.
static uint32_t read_some(struct table *t, struct rates *r, uint32_t budget, uint64_t now_ms)
{
    if (r->slot == 0) {
        begin_reading(t, r, now_ms);
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
            uint32_t looked = read_gauge(t, r, now_ms);
            budget -= looked < budget ? looked : budget;
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
