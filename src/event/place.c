// SPDX-License-Identifier: Apache-2.0
#include "event/line.h"

#include <errno.h>

// Appends the key of the series that a metric's further ones are folded into: open labels read `other`.
static bool fold_key(struct buf *out, const struct metric *m, const char *key)
{
    struct slice values[CATALOG_MAX_LABELS];
    bool open = false;
    key_split(m, key, values);
    for (size_t i = 0; i < m->n_labels; i++) {
        bool closed = m->labels[i].def->closed;
        open |= !closed;
        buf_addf(out, "%s%s=\"%.*s\"", i > 0 ? "," : "", m->labels[i].name,
                 closed ? (int)values[i].len : 5, closed ? values[i].p : "other");
    }
    return open && !out->failed;
}

static int fold(struct event_reader *r, struct planned *p)
{
    struct table *t = p->family->table;
    buf_clear(&r->scratch);
    if (t->type == METRIC_GAUGE || !fold_key(&r->scratch, p->family->metric, planned_key(r, p))) {
        return -ENOSPC;
    }
    const char *key = r->scratch.p;
    size_t len = r->scratch.len;
    uint64_t hash = key_hash(key, len);
    p->series = table_find(t, key, len, hash);
    int rc =
        p->series != NULL ? 0 : table_make(t, r->hand, key, len, hash, TABLE_BEYOND, &p->series);
    if (rc >= 0) {
        atomic_fetch_add_explicit(&t->folded, 1, memory_order_relaxed);
    }
    return rc;
}

static int find_or_make(struct event_reader *r, struct planned *p)
{
    struct table *t = p->family->table;
    const char *key = planned_key(r, p);
    p->series = table_find(t, key, p->key_len, p->hash);
    if (p->series != NULL) {
        return 0;
    }
    int rc = table_make(t, r->hand, key, p->key_len, p->hash, TABLE_WITHIN, &p->series);
    return rc == -ENOSPC ? fold(r, p) : rc;
}

/*
 * The series was looked up while planning, or is looked up here; either way it may be removed before it is
 * claimed. Then it is looked up again, so that no update goes to a series that nobody shows.
 */
enum reject place_planned(struct event_reader *r, struct planned *p, struct event_verdict *v)
{
    struct table *t = p->family->table;
    int rc = 0;
    do {
        if (p->series == NULL || rc == -ESTALE) {
            rc = find_or_make(r, p);
            p->made = rc > 0;
        }
        if (rc == -ENOSPC) {
            return line_refuse(v, REJECT_series_limit, "%s is at its limit of series",
                               p->family->metric->name);
        }
        if (rc >= 0) {
            rc = claim_series(t, p->series, &r->origin->claimant);
        }
    } while (rc == -ESTALE);
    if (rc >= 0 && t->cell_size > 0) {
        p->cell = table_cell(t, r->hand, p->series);
        rc = p->cell == NULL ? -ENOMEM : 0;
    }
    return rc < 0 ? line_refuse(v, REJECT_series_limit, "out of memory") : REJECT_NONE;
}
