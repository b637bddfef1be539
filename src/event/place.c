// SPDX-License-Identifier: Apache-2.0
#include "event/line.h"

#include <errno.h>
#include <math.h>

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

// The series if this very line made it. The table would show it, and it could not be taken back any more.
static struct series *made_before(const struct event_reader *r, const struct table *t,
                                  const char *key, size_t len, uint64_t hash)
{
    for (uint32_t at = r->made[hash % LINE_CHAINS]; at != 0; at = r->plan[at - 1].next_made) {
        const struct planned *p = &r->plan[at - 1];
        size_t text_len = 0;
        const char *text =
            p->family->table == t && p->series != NULL ? series_text(p->series, &text_len) : NULL;
        if (text != NULL && text_len == len && memcmp(text, key, len) == 0) {
            return p->series;
        }
    }
    return NULL;
}

// Makes the series, unless somebody else just did.
static int make(struct event_reader *r, struct planned *p, struct slice key, uint64_t hash,
                enum table_place place)
{
    int rc = table_make(p->family->table, r->hand, key.p, key.len, hash, place, &p->series);
    p->made = rc > 0;
    if (p->made && !p->chained) {
        uint32_t *chain = &r->made[hash % LINE_CHAINS];
        p->next_made = *chain;
        *chain = (uint32_t)(p - r->plan) + 1;
        r->n_made++;
        p->chained = true;
    }
    return rc;
}

static int fold(struct event_reader *r, struct planned *p)
{
    struct table *t = p->family->table;
    buf_clear(&r->scratch);
    if (t->type == METRIC_GAUGE || !fold_key(&r->scratch, p->family->metric, planned_key(r, p))) {
        return -ENOSPC;
    }
    struct slice key = {r->scratch.p, r->scratch.len};
    uint64_t hash = key_hash(key.p, key.len);
    p->series = made_before(r, t, key.p, key.len, hash);
    if (p->series == NULL) {
        p->series = table_find(t, key.p, key.len, hash);
    }
    int rc = p->series != NULL ? 0 : make(r, p, key, hash, TABLE_BEYOND);
    // While planning nobody knew that the value would come here.
    if (rc == 0 && !isfinite(table_magnitude(t, p->series) + r->huge)) {
        return -ERANGE;
    }
    p->folded = rc >= 0;
    return rc;
}

static int make_or_fold(struct event_reader *r, struct planned *p)
{
    struct slice key = {planned_key(r, p), p->key_len};
    p->made = false;
    p->series = made_before(r, p->family->table, key.p, key.len, p->hash);
    if (p->series != NULL) {
        return 0;
    }
    int rc = make(r, p, key, p->hash, TABLE_WITHIN);
    return rc == -ENOSPC ? fold(r, p) : rc;
}

/*
 * The series was found while planning, or is made here; either way it may be removed before it is claimed. Then it is
 * made once more, so that no update goes to a series that nobody shows.
 */
enum reject place_planned(struct event_reader *r, struct planned *p, struct event_verdict *v)
{
    struct table *t = p->family->table;
    int rc = 0;
    do {
        if (p->series == NULL || rc == -ESTALE) {
            rc = make_or_fold(r, p);
        }
        if (rc == -ERANGE) {
            return line_refuse(v, REJECT_bad_value, "the sum would not be finite");
        }
        if (rc == -EDQUOT) {
            return line_refuse(v, REJECT_rate_limited, "%s has its %u series",
                               r->origin->permit->name, r->origin->permit->series);
        }
        if (rc == -ENOSPC) {
            return line_refuse(v, REJECT_series_limit, "%s is at its limit of series",
                               p->family->metric->name);
        }
        if (rc >= 0) {
            rc = claim_series(t, r->hand, p->series, &r->origin->claimant);
        }
    } while (rc == -ESTALE);
    if (rc >= 0 && t->cell_size > 0) {
        p->cell = table_cell(t, r->hand, p->series);
        rc = p->cell == NULL ? -ENOMEM : 0;
    }
    return rc < 0 ? line_refuse(v, REJECT_series_limit, "out of memory") : REJECT_NONE;
}
