// SPDX-License-Identifier: Apache-2.0
#include "event/apply.h"

#include "base/clock.h"
#include "event/place.h"
#include "series/exemplar.h"

#include <assert.h>

static_assert((int)REDO_MOST >= APPLY_OWN_WORDS + CATALOG_MAX_UPDATES * (1 + CATALOG_MAX_BOUNDS +
                                                                         1 + SAMPLE_MAX_VALUES),
              "a redo record has room for an event that observes a list in native histograms");

void apply_commit(struct transaction *transaction, _Atomic uint64_t *account)
{
    redo_put_count(transaction->redo, transaction->position, 1);
    redo_put_count(transaction->redo, account, 1);
    redo_commit(transaction->redo);
}

static void count_folds(const struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        if (u->folded) {
            atomic_fetch_add_explicit(&u->family->table->stats->folded, 1, memory_order_relaxed);
        }
    }
}

static void show_made(const struct plan *p, struct series_writer *writer, struct buf *scratch)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        if (!u->made) {
            continue;
        }
        table_publish(u->family->table, u->series);
        if (u->family->metric->precreate && !u->series->folded) {
            place_siblings(u->family, plan_key(p, u), p->origin, writer, scratch);
        }
    }
}

// The native buckets of an update's observations, which event/place has made.
struct native_counts {
    struct native_block *block;
    size_t n;
    uint16_t slots[SAMPLE_MAX_VALUES];
};

// Those whose page was lost meanwhile are left out.
static void find_native(const struct plan *p, const struct plan_update *u,
                        struct native_counts *ret)
{
    const struct table *t = u->family->table;
    const double *values = u->n_values > 0 ? plan_values(p, u) : &u->value;
    size_t n = u->n_values > 0 ? u->n_values : 1;
    ret->block = native_lane_block(t->share->base, u->series->record, p->lane);
    ret->n = ret->block != NULL ? native_find_list(ret->block, values, n, ret->slots) : 0;
}

static void apply_updates(const struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        if (u->family->has_native) {
            struct native_counts native;
            find_native(p, u, &native);
            for (size_t k = 0; k < native.n; k++) {
                apply_native(&native.block->slot[native.slots[k]].count);
            }
        }
        if (u->n_values > 0) {
            apply_list(u->family, u->cell, plan_values(p, u), u->n_values);
        } else {
            apply_update(u->family, apply_step(u->family->metric, u->op), apply_target(u),
                         u->value);
        }
    }
    count_folds(p);
}

bool apply_reserve(const struct plan *p, struct series_writer *writer)
{
    const struct transaction *transaction = p->origin->transaction;
    size_t words = APPLY_OWN_WORDS;
    for (size_t i = 0; transaction != NULL && i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        words += apply_words(u->family, u->n_values);
    }
    return transaction == NULL || redo_has_room(transaction->redo, words) ||
           redo_reserve(transaction->redo, p->updates[0].family->table->share->arena,
                        &writer->arena, words) == 0;
}

// Whether no earlier update changes what this one does.
static bool is_first(const struct plan *p, const struct plan_update *u)
{
    for (const struct plan_update *before = p->updates; before < u; before++) {
        if (before->series == u->series) {
            return false;
        }
    }
    return true;
}

// A list may change so many words that to look for each of them among all others takes too long.
static void note_update(const struct plan *p, const struct plan_update *u, struct redo *redo)
{
    const struct family *f = u->family;
    bool first = is_first(p, u);
    if (f->has_native) {
        struct native_counts native;
        find_native(p, u, &native);
        (first ? redo_put_native : redo_native)(redo, native.block, native.slots, native.n);
    }
    if (u->n_values > 0) {
        (first ? apply_put_list : apply_write_list)(redo, f, u->cell, plan_values(p, u),
                                                    u->n_values);
    } else {
        (first ? apply_put : apply_write)(redo, f, apply_step(f->metric, u->op), apply_target(u),
                                          u->value);
    }
}

/*
 * In a session the line counts from the mark of its record on. What it made must be there by then, since replaying
 * publishes nothing: counters and histograms with 0, gauges with their value.
 */
static void apply_in_session(const struct plan *p, struct transaction *transaction)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        note_update(p, u, transaction->redo);
        if (u->made && u->op == UPDATE_SET) {
            cell_set(series_gauge(u->series), u->value);
        }
    }
    count_folds(p);
    for (size_t i = 0; i < p->n; i++) {
        if (p->updates[i].made) {
            table_persist(p->updates[i].family->table, p->updates[i].series);
        }
    }
    apply_commit(transaction, transaction->applied);
}

// Who says no time means now: what is shown for hours would else be taken for new all the time.
static void keep_exemplar(const struct plan *p, const struct plan_update *u, uint64_t now_ms)
{
    struct table *t = u->family->table;
    if (t->type == METRIC_GAUGE || u->series->folded) {
        return;
    }
    const struct metric *m = u->family->metric;
    bool histogram = m->type == METRIC_HISTOGRAM;
    size_t bucket = histogram ? cell_bucket(m->bounds, m->n_bounds, u->value) : 0;
    exemplar_keep(table_exemplars(t, u->series), bucket, p->exemplars.p + u->exemplar_at,
                  u->exemplar_len, u->value, u->exemplar_ms != 0 ? u->exemplar_ms : now_ms);
}

void apply_plan(const struct plan *p, struct series_writer *writer, struct buf *scratch)
{
    if (p->origin->transaction != NULL) {
        apply_in_session(p, p->origin->transaction);
    } else {
        apply_updates(p);
    }
    show_made(p, writer, scratch);
    uint64_t now_ms = 0; // asked for once, and only if it is needed
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        if (u->exemplar_len > 0) {
            now_ms = now_ms == 0 && u->exemplar_ms == 0 ? clock_real_ms() : now_ms;
            keep_exemplar(p, u, now_ms);
        }
    }
}
