// SPDX-License-Identifier: Apache-2.0
#include "event/apply.h"

#include "base/clock.h"
#include "event/place.h"
#include "series/exemplar.h"

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

// Counts an update's observations in their native buckets (event/place): at once, or through the redo record.
static void count_native(const struct plan *p, const struct plan_update *u, struct redo *redo)
{
    const struct table *t = u->family->table;
    struct native_block *b = native_lane_block(t->share->base, u->series->record, p->lane);
    const double *values = u->n_values > 0 ? plan_values(p, u) : &u->value;
    size_t n = u->n_values > 0 ? u->n_values : 1;
    for (size_t i = 0; b != NULL && i < n; i++) {
        _Atomic uint64_t *count = native_find(b, values[i]);
        if (count != NULL && redo != NULL) {
            redo_count(redo, count, 1);
        } else if (count != NULL) { // else its page was lost meanwhile
            apply_native(count);
        }
    }
}

static void apply_updates(const struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        if (u->family->has_native) {
            count_native(p, u, NULL);
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

/*
 * In a session the line counts from the mark of its record on. What it made must be there by then, since replaying
 * publishes nothing: counters and histograms with 0, gauges with their value.
 */
static void apply_in_session(const struct plan *p, struct transaction *transaction)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        enum apply_step step = apply_step(u->family->metric, u->op);
        if (u->family->has_native) {
            count_native(p, u, transaction->redo);
        }
        if (u->n_values > 0) {
            apply_note_list(transaction->redo, u->family, u->cell, plan_values(p, u), u->n_values);
        } else {
            apply_note(transaction->redo, u->family, step, apply_target(u), u->value);
        }
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
