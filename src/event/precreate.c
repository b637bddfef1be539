// SPDX-License-Identifier: Apache-2.0
/*
 * Series that exist with value 0 before anything happened, so that a rate sees the first event: for given
 * values of a metric's open labels, every combination of its closed ones.
 */
#include "base/text.h"
#include "event/line.h"
#include "series/marks.h"

// The group of one metric: its open labels' values, as they stand in a key.
struct group {
    const struct family *family;
    struct slice open[CATALOG_MAX_LABELS];
    size_t size; // combinations
};

static void count_combinations(struct group *g)
{
    const struct metric *m = g->family->metric;
    g->size = 1;
    for (size_t i = 0; i < m->n_labels; i++) {
        g->size *= m->labels[i].def->closed ? m->labels[i].def->n_values : 1;
    }
}

// Builds the key of combination `nth` in the reader's scratch.
static bool member_key(struct event_reader *r, const struct group *g, size_t nth)
{
    const struct metric *m = g->family->metric;
    buf_clear(&r->scratch);
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label_def *def = m->labels[i].def;
        buf_addf(&r->scratch, "%s%s=\"", i > 0 ? "," : "", m->labels[i].name);
        if (def->closed) {
            const char *value = def->values[nth % def->n_values];
            nth /= def->n_values;
            text_label_value(&r->scratch, value, strlen(value));
        } else {
            buf_add(&r->scratch, g->open[i].p, g->open[i].len);
        }
        buf_char(&r->scratch, '"');
    }
    return !r->scratch.failed;
}

static struct series *find_member(struct event_reader *r, const struct group *g, uint64_t *ret_hash)
{
    *ret_hash = key_hash(r->scratch.p, r->scratch.len);
    return table_find(g->family->table, r->scratch.p, r->scratch.len, *ret_hash);
}

// Whether the origin may push the member whose key was built.
static bool is_permitted(struct event_reader *r, const struct group *g,
                         const struct event_origin *origin)
{
    const char *key = origin->permit != NULL ? buf_string(&r->scratch) : NULL;
    return origin->permit == NULL ||
           (key != NULL && permit_misfit(origin->permit, g->family->metric, key) == NULL);
}

static size_t count_missing(struct event_reader *r, const struct group *g,
                            const struct event_origin *origin)
{
    size_t missing = 0;
    uint64_t hash;
    for (size_t i = 0; i < g->size; i++) {
        missing +=
            member_key(r, g, i) && find_member(r, g, &hash) == NULL && is_permitted(r, g, origin);
    }
    return missing;
}

static bool take_places(struct table *t, const struct series_hand *hand, size_t n)
{
    if (!table_charge(t, hand, n)) {
        return false;
    }
    if (!table_take(t, n)) {
        table_refund(t, hand->payer, n);
        return false;
    }
    return true;
}

static void mark(const struct event_reader *r, const struct table *t, struct series *s,
                 const struct claimant *c, uint32_t named)
{
    struct marks_room room = table_room(t, r->hand);
    // Without memory for a mark the series is only not found by a later `forget`.
    marks_add(series_marks(s), c->base, &room);
    if (named != 0) {
        marks_add(series_marks(s), named, &room);
    }
}

// Makes what is missing of the group, or nothing of it where that would pass a limit.
static void make_group(struct event_reader *r, const struct group *g,
                       const struct event_origin *origin, uint32_t named)
{
    struct table *t = g->family->table;
    size_t places = count_missing(r, g, origin);
    if (!take_places(t, r->hand, places)) {
        atomic_fetch_add_explicit(&t->account->precreate_skipped, 1, memory_order_relaxed);
        places = 0;
    }
    for (size_t i = 0; i < g->size; i++) {
        uint64_t hash;
        if (!member_key(r, g, i)) {
            break;
        }
        if (!is_permitted(r, g, origin)) {
            continue;
        }
        struct series *s = find_member(r, g, &hash);
        if (s == NULL && places > 0) {
            places--;
            if (table_make(t, r->hand, r->scratch.p, r->scratch.len, hash, TABLE_RESERVED, &s) >
                0) {
                table_show(t, s);
            }
        }
        if (s != NULL) {
            mark(r, t, s, &origin->claimant, named);
        }
    }
    table_give(t, places);
    table_refund(t, r->hand->payer, places);
}

void precreate_siblings(struct event_reader *r, const struct family *f, const char *key)
{
    struct group g = {.family = f};
    key_split(f->metric, key, g.open);
    count_combinations(&g);
    make_group(r, &g, r->origin, 0);
}

// Fills in the open labels' values from the hello's, escaped into `text`. False when one is not named.
static bool name_open(struct group *g, const struct event_defaults *labels, struct buf *text)
{
    const struct metric *m = g->family->metric;
    size_t at[CATALOG_MAX_LABELS];
    for (size_t i = 0; i < m->n_labels; i++) {
        at[i] = text->len;
        bool named = m->labels[i].def->closed;
        for (size_t d = 0; !named && d < labels->n; d++) {
            if (strcmp(labels->names[d], m->labels[i].name) == 0) {
                struct slice sent = {labels->values[d], strlen(labels->values[d])};
                struct slice value = labels_value(m->labels[i].def, sent);
                text_label_value(text, value.p, value.len);
                named = true;
            }
        }
        if (!named || text->failed) {
            return false;
        }
        g->open[i].len = text->len - at[i];
    }
    for (size_t i = 0; i < m->n_labels; i++) {
        g->open[i].p = text->p + at[i];
    }
    return true;
}

void event_precreate(struct event_reader *r, const struct event_defaults *labels,
                     const struct event_origin *origin, uint32_t named)
{
    const struct schema *schema = schema_current(r->store);
    permit_hold(origin->permit, r->hand);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct group g = {.family = &schema->families[i]};
        buf_clear(&r->keys);
        if (g.family->metric->precreate && permit_metric(origin->permit, i) &&
            name_open(&g, labels, &r->keys)) {
            count_combinations(&g);
            make_group(r, &g, origin, named);
        }
    }
}
