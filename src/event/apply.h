// SPDX-License-Identifier: Apache-2.0
/*
 * apply: updates whose series are there change them.
 *
 * Shape:   one or two stores for each update, into the thread's lane of a counter or histogram, or into the gauge that all
 *          share. Of a line in a session all is changed as one (state/redo), so that it counts once whatever becomes of the
 *          process. The steps for one update are in the header, since cached lines are applied by them too.
 * Threads: each writes its own lane, inside an RCU section.
 */
#ifndef VE_EVENT_APPLY_H
#define VE_EVENT_APPLY_H

#include "event/plan.h"
#include "state/redo.h"

// What a line of a session changes besides series.
struct transaction {
    struct redo *redo;          // of the thread's lane
    _Atomic uint64_t *position; // lines of the session that were dealt with
    _Atomic uint64_t *applied;  // lines that were applied, in the account
};

enum { APPLY_OWN_WORDS = 2 }; // of a transaction's redo record: position and count

// What an update does to its target: the lane's cell of a counter or histogram, or the gauge.
enum apply_step { APPLY_COUNT, APPLY_OBSERVE, APPLY_SET, APPLY_ADD };

static inline enum apply_step apply_step(const struct metric *m, enum update_op op)
{
    return m->type == METRIC_COUNTER     ? APPLY_COUNT
           : m->type == METRIC_HISTOGRAM ? APPLY_OBSERVE
           : op == UPDATE_SET            ? APPLY_SET
                                         : APPLY_ADD;
}

static inline void *apply_target(const struct plan_update *u)
{
    return u->cell != NULL ? u->cell : (void *)series_gauge(u->series);
}

static inline void apply_observe(const struct family *f, void *cell, double v)
{
    cell_observe(cell, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
}

static inline void apply_update(const struct family *f, enum apply_step step, void *target,
                                double v)
{
    switch (step) {
    case APPLY_COUNT:
        cell_count(target, v);
        break;
    case APPLY_OBSERVE:
        apply_observe(f, target, v);
        break;
    case APPLY_SET:
        cell_set(target, v);
        break;
    case APPLY_ADD:
        cell_add(target, v);
        break;
    }
}

static inline void apply_list(const struct family *f, void *cell, const double *values, size_t n)
{
    cell_observe_list(cell, f->metric->bounds, f->metric->n_bounds, values, n);
}

// The same by way of a redo record.
static inline void apply_write(struct redo *redo, const struct family *f, enum apply_step step,
                               void *target, double v)
{
    switch (step) {
    case APPLY_COUNT:
        redo_counter(redo, target, v);
        break;
    case APPLY_OBSERVE:
        redo_histogram(redo, target, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
        break;
    case APPLY_SET:
        redo_set(redo, target, v);
        break;
    case APPLY_ADD:
        redo_add(redo, target, v);
        break;
    }
}

// The values of a list, likewise.
static inline void apply_write_list(struct redo *redo, const struct family *f, void *cell,
                                    const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        apply_write(redo, f, APPLY_OBSERVE, cell, values[i]);
    }
}

// Both for a line whose updates are each of another series.
static inline void apply_put(struct redo *redo, const struct family *f, enum apply_step step,
                             void *target, double v)
{
    switch (step) {
    case APPLY_COUNT:
        redo_put_counter(redo, target, v);
        break;
    case APPLY_OBSERVE:
        redo_put_histogram(redo, target, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
        break;
    case APPLY_SET:
        redo_put_double(redo, target, v);
        break;
    case APPLY_ADD:
        cell_add(target, v); // as redo_add
        break;
    }
}

static inline void apply_put_list(struct redo *redo, const struct family *f, void *cell,
                                  const double *values, size_t n)
{
    redo_put_list(redo, cell, f->metric->bounds, f->metric->n_bounds, values, n);
}

// How many words of a redo record an update changes at most: of a list the sum and a bucket for each value, of which there are
// n; 0: it is no list. A native histogram has buckets of two kinds.
static inline size_t apply_words(const struct family *f, size_t n)
{
    size_t buckets = f->metric->n_bounds + 1;
    size_t values = n == 0 ? 1 : n;
    size_t native = !f->has_native ? 0 : values < f->native_words ? values : f->native_words;
    return 1 + (values < buckets ? values : buckets) + native;
}

// A native histogram has an observation's bucket (series/native) as well, which is there before the update is applied. It counts
// first, so that who reads the classic buckets first finds no more in them.
static inline void apply_native(_Atomic uint64_t *count)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + 1, memory_order_release);
}

// A line of the session has been dealt with and counts there: in the transaction's account when it was applied, which applying
// does by itself, or in that of its rejection.
void apply_commit(struct transaction *transaction, _Atomic uint64_t *account);

// Makes sure that a plan can be applied in its transaction, before it is placed. False: no memory.
bool apply_reserve(const struct plan *p, struct series_writer *writer);

// Applies a placed plan: its updates, and what comes with them (series are shown and their siblings made, folds are
// counted, exemplars kept). `scratch` is for one step at a time.
void apply_plan(const struct plan *p, struct series_writer *writer, struct buf *scratch);

#endif
