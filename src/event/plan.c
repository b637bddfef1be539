// SPDX-License-Identifier: Apache-2.0
// The plan of a line: its updates, before any of them is made.
#include "event/line.h"

#include <math.h>
#include <stdlib.h>

// Whether adding the planned value, and what else the line adds anywhere, keeps the sum finite.
static bool stays_finite(struct event_reader *r, const struct planned *p)
{
    if (p->op == UPDATE_SET) {
        r->huge += fabs(p->value); // an `add` may follow
        return true;
    }
    const struct table *t = p->family->table;
    double sum = p->value;
    if (p->series != NULL && t->type == METRIC_GAUGE) {
        sum += atomic_load_explicit(series_gauge(p->series), memory_order_relaxed);
    } else if (p->series != NULL) {
        sum = fabs(sum) + table_magnitude(t, p->series);
    }
    double before = r->huge;
    r->huge += fabs(p->value);
    return isfinite(fabs(sum) + before);
}

static bool make_room(struct event_reader *r)
{
    if (r->n_plan < r->cap_plan) {
        return true;
    }
    size_t cap = r->cap_plan == 0 ? 64 : r->cap_plan * 2;
    struct planned *grown = realloc(r->plan, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    r->plan = grown;
    r->cap_plan = cap;
    return true;
}

enum reject plan_add(struct event_reader *r, const struct plan_update *u,
                     const struct slice *values, struct event_verdict *v)
{
    size_t key_at = r->keys.len;
    key_build(&r->keys, u->family->metric, values);
    if (r->keys.failed || !make_room(r)) {
        return line_refuse(v, REJECT_series_limit, "out of memory");
    }
    struct planned *p = &r->plan[r->n_plan];
    // All of it, since clearing it first would take longer than the rest.
    *p = (struct planned){
        .family = u->family,
        .op = u->op,
        .value = u->value,
        .key_at = key_at,
        .key_len = r->keys.len - key_at,
        .hash = 0,
        .series = NULL,
        .cell = NULL,
        .element = u->element,
        .exemplar = u->exemplar,
        .made = false,
        .folded = false,
        .chained = false,
        .next_made = 0,
    };
    const char *key = planned_key(r, p);
    p->hash = key_hash(key, p->key_len);
    p->series = table_find(u->family->table, key, p->key_len, p->hash);
    if (!stays_finite(r, p)) {
        return line_refuse(v, REJECT_bad_value, "the sum would not be finite");
    }
    r->n_plan++;
    return REJECT_NONE;
}
