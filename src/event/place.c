// SPDX-License-Identifier: Apache-2.0
#include "event/place.h"

#include "base/text.h"
#include "series/idset.h"
#include "series/key.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#ifdef VE_TEST_STUCK_LINE
enum {
    STUCK = true
}; // a line tries the same dead series for ever: what tests of the watchdog need
#else
enum { STUCK = false };
#endif

enum {
    PLACE_TRIES = 64, // to find or make a series that lives
    PLACE_DROPS = 16, // of them those that drop the source's other info series
};

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

// Finds the series or makes it. Of this line's own ones none is shown here: then it could not be taken back any more.
static int make(struct placer *placer, struct plan *p, struct plan_update *u, struct slice key,
                uint64_t hash, enum table_place place)
{
    struct table *t = u->family->table;
    u->made = false;
    u->series = p->n_made > 0 ? table_peek(t, key.p, key.len, hash) : NULL;
    if (u->series != NULL) {
        return 0;
    }
    int rc = table_make(t, placer->writer, key.p, key.len, hash, place, &u->series);
    u->made = rc > 0;
    p->n_made += u->made;
    return rc;
}

// While planning nobody knew that the value would come to this series. Of the line's other updates those count that go
// there, too.
static bool is_still_finite(const struct plan *p, const struct plan_update *u)
{
    double own;
    double sum = table_magnitude(u->family->table, u->series, p->lane, &own) + fabs(own);
    if (isfinite(sum + p->huge)) {
        return true;
    }
    for (size_t i = 0; i < p->n; i++) {
        sum += p->updates[i].series == u->series ? fabs(p->updates[i].value) : 0;
    }
    return isfinite(sum);
}

static int fold(struct placer *placer, struct plan *p, struct plan_update *u)
{
    struct table *t = u->family->table;
    buf_clear(&placer->key);
    if (t->type == METRIC_GAUGE || !fold_key(&placer->key, u->family->metric, plan_key(p, u))) {
        return -ENOSPC;
    }
    struct slice key = {placer->key.p, placer->key.len};
    uint64_t hash = key_hash(key.p, key.len);
    u->series = table_peek(t, key.p, key.len, hash);
    int rc = u->series != NULL ? 0 : make(placer, p, u, key, hash, TABLE_FOLDED);
    if (rc >= 0 && !is_still_finite(p, u)) {
        return -ERANGE;
    }
    u->folded = rc >= 0;
    return rc;
}

static int find_cell(struct placer *placer, struct plan_update *u)
{
    struct table *t = u->family->table;
    u->cell = t->cell_size > 0 ? table_cell(t, placer->writer, u->series) : NULL;
    return t->cell_size > 0 && u->cell == NULL ? -ENOMEM : 0;
}

static int place_update(struct placer *placer, struct plan *p, struct plan_update *u)
{
    int rc = 0;
    if (u->series == NULL) {
        struct slice key = {plan_key(p, u), u->key_len};
        rc = make(placer, p, u, key, u->hash, TABLE_WITHIN);
        rc = rc == -ENOSPC ? fold(placer, p, u) : rc;
    }
    return rc >= 0 ? find_cell(placer, u) : rc;
}

// Another line's series must not be taken back any more once this one has added its owner.
static int try_owner(struct placer *placer, const struct plan *p, struct plan_update *u,
                     enum owner_others others)
{
    struct table *t = u->family->table;
    if (u->series->maker != placer->writer->lane) {
        table_publish(t, u->series);
        if (!table_is_still_alive(u->series)) {
            return -ESTALE; // it was, though the owner may be in its set already
        }
    }
    return owner_add(t, placer->writer, u->series, &p->origin->owner, others);
}

/*
 * The series may have been removed since it was placed. Then it is looked up and made once more, so that no update goes to
 * a series that nobody shows.
 *
 * Each further try needs another line, or the tick, to have removed the series since: the index never gives what is dead
 * (table_peek). Two lines could do that to each other for ever, so the tries are counted. After PLACE_DROPS of them the
 * line leaves its source's other info series alone, which ends what two lines of one source do to each other
 * (owner_add); who comes to the end of PLACE_TRIES is rejected.
 */
static int add_owner(struct placer *placer, struct plan *p, struct plan_update *u)
{
    int rc = u->series != NULL ? 0 : -ESTALE;
    for (unsigned tries = 0; STUCK || tries < PLACE_TRIES; tries++) {
        if (rc == -ESTALE) {
            u->series = STUCK ? u->series : NULL;
            rc = place_update(placer, p, u);
        }
        if (rc >= 0) {
            rc = try_owner(placer, p, u,
                           tries < PLACE_DROPS ? OWNER_DROPS_OTHERS : OWNER_KEEPS_OTHERS);
        }
        if (rc != -ESTALE) {
            break;
        }
    }
    return rc;
}

static void reject(const struct plan *p, const struct plan_update *u, int rc, struct rejection *why)
{
    const struct metric *m = u->family->metric;
    why->element = u->element;
    snprintf(why->name, sizeof why->name, "%s", m->name);
    why->names_event = false;
    switch (rc) {
    case -ERANGE:
        reject_set(why, REJECT_bad_value, "the sum would not be finite");
        break;
    case -EDQUOT:
        reject_set(why, REJECT_rate_limited, "%s has its %u series", p->origin->permission->name,
                   p->origin->permission->series);
        break;
    case -ENOSPC:
        reject_set(why, REJECT_series_limit, "%s is at its limit of series", m->name);
        break;
    case -ESTALE:
        reject_set(why, REJECT_series_limit,
                   "each time that a series of %s was made another client removed it", m->name);
        break;
    default:
        reject_set(why, REJECT_series_limit, "out of memory");
    }
}

static bool place_all(struct placer *placer, struct plan *p, struct rejection *why)
{
    for (size_t i = 0; i < p->n; i++) {
        int rc = place_update(placer, p, &p->updates[i]);
        if (rc < 0 && rc != -ESTALE) {
            reject(p, &p->updates[i], rc, why);
            return false;
        }
    }
    return true;
}

// Adds the owner to the series of info metrics, or of all others.
static bool add_owners(struct placer *placer, struct plan *p, bool single, struct rejection *why)
{
    for (size_t i = 0; i < p->n; i++) {
        struct plan_update *u = &p->updates[i];
        int rc = u->family->table->single == single ? add_owner(placer, p, u) : 0;
        if (rc < 0) {
            reject(p, u, rc, why);
            return false;
        }
    }
    return true;
}

// Makes the native bucket of each value, so that to apply the update only changes words.
static int make_buckets(struct placer *placer, const struct plan *p, const struct plan_update *u)
{
    const double *values = u->n_values > 0 ? plan_values(p, u) : &u->value;
    size_t n = u->n_values > 0 ? u->n_values : 1;
    const struct family *f = u->family;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = table_reserve_native(f->table, placer->writer, u->series, f->metric->bounds,
                                  &f->native, values[i]);
    }
    return rc;
}

// They stay when the line is rejected after all, and lower the resolution where there are too many. So they come late.
static bool make_all_buckets(struct placer *placer, const struct plan *p, struct rejection *why)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *u = &p->updates[i];
        int rc = u->family->has_native ? make_buckets(placer, p, u) : 0;
        if (rc < 0) {
            reject(p, u, rc, why);
            return false;
        }
    }
    return true;
}

static void undo(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->updates[i].made) {
            table_undo(p->updates[i].family->table, p->updates[i].series);
        }
    }
}

bool place_plan(struct placer *placer, struct plan *p, struct rejection *why)
{
    permission_set_quota(p->origin->permission, placer->writer);
    // No owner is added before all has its place, since it cannot be taken out again: another line of the source may rely on
    // it already. To own an info series removes the older one, so these come last.
    bool placed = place_all(placer, p, why) && add_owners(placer, p, false, why) &&
                  make_all_buckets(placer, p, why) && add_owners(placer, p, true, why);
    if (!placed) {
        undo(p);
    }
    return placed;
}

// Whether what is planned might pass a limit.
static bool can_exceed_limit(const struct placer *placer, const struct plan *p)
{
    uint64_t fresh = 0;
    for (size_t i = 0; i < p->n; i++) {
        fresh += p->updates[i].series == NULL;
    }
    bool lacks = fresh > 0 && placer->writer->quota_limit > 0;
    for (size_t i = 0; fresh > 0 && !lacks && i < p->n; i++) {
        const struct table *t = p->updates[i].family->table;
        lacks = p->updates[i].series == NULL &&
                (!quota_has_room(&t->quota, fresh) || !quota_has_room(&t->share->quota, fresh));
    }
    return lacks;
}

void place_rejected(struct placer *placer, struct plan *p, struct rejection *why)
{
    while (p->n > 0 && p->updates[p->n - 1].element == why->element) {
        p->n--;
    }
    permission_set_quota(p->origin->permission, placer->writer);
    if (can_exceed_limit(placer, p)) {
        place_all(placer, p, why);
        undo(p);
    }
}

void place_free(struct placer *placer)
{
    buf_free(&placer->key);
}

// ---- Series with the value 0

// The group of one metric: the values that it has one of, as they stand in a key.
struct group {
    const struct family *family;
    const struct origin *origin;
    struct series_writer *writer;
    struct buf *key;
    struct slice own[CATALOG_MAX_LABELS];
    size_t values[CATALOG_MAX_LABELS]; // of a label that the combinations are made of; 0: its own
    size_t size;                       // combinations
};

static void count_combinations(struct group *g)
{
    const struct metric *m = g->family->metric;
    g->size = 1;
    for (size_t i = 0; i < m->n_labels; i++) {
        g->values[i] = m->labels[i].n_precreated;
        g->size *= g->values[i] > 0 ? g->values[i] : 1;
    }
}

static bool is_listed(const struct label *l, struct slice escaped, struct buf *scratch)
{
    for (size_t i = 0; i < l->n_precreated; i++) {
        buf_clear(scratch);
        text_label_value(scratch, l->precreated[i], strlen(l->precreated[i]));
        if (scratch->len == escaped.len && memcmp(scratch->p, escaped.p, escaped.len) == 0) {
            return true;
        }
    }
    return false;
}

// Narrows the group to the combinations with those values of the key that open labels do not list. False: there are none.
static bool narrow(struct group *g)
{
    const struct metric *m = g->family->metric;
    bool narrower = false;
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label *l = &m->labels[i];
        if (g->values[i] > 0 && !l->def->closed && !is_listed(l, g->own[i], g->key)) {
            g->size /= g->values[i];
            g->values[i] = 0;
            narrower = true;
        }
    }
    return narrower;
}

// Builds the key of combination `nth` in the group's buffer.
static bool member_key(const struct group *g, size_t nth)
{
    const struct metric *m = g->family->metric;
    buf_clear(g->key);
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label *l = &m->labels[i];
        buf_addf(g->key, "%s%s=\"", i > 0 ? "," : "", l->name);
        if (g->values[i] > 0) {
            const char *value = l->precreated[nth % g->values[i]];
            nth /= g->values[i];
            text_label_value(g->key, value, strlen(value));
        } else {
            buf_add(g->key, g->own[i].p, g->own[i].len);
        }
        buf_char(g->key, '"');
    }
    return !g->key->failed;
}

static struct series *find_member(const struct group *g, uint64_t *ret_hash)
{
    *ret_hash = key_hash(g->key->p, g->key->len);
    return table_find(g->family->table, g->key->p, g->key->len, *ret_hash);
}

// Whether the origin may push the member whose key was built.
static bool is_permitted(const struct group *g)
{
    const char *key = g->origin->permission != NULL ? buf_string(g->key) : NULL;
    return g->origin->permission == NULL ||
           (key != NULL &&
            permission_find_misfit(g->origin->permission, g->family->metric, key) == NULL);
}

static size_t count_missing(const struct group *g)
{
    size_t missing = 0;
    uint64_t hash;
    for (size_t i = 0; i < g->size; i++) {
        missing += member_key(g, i) && find_member(g, &hash) == NULL && is_permitted(g);
    }
    return missing;
}

// Without memory for an id the series is only not found by a later `forget`, or ages.
static void leave(const struct group *g, struct series *s, uint32_t id)
{
    struct idset_memory memory = table_idset_memory(g->family->table, g->writer);
    if (id != 0) {
        idset_add(series_ids(s), id, &memory);
    }
}

// Makes what is missing of the group, or nothing of it where that would pass a limit.
static void make_group(const struct group *g, uint32_t named)
{
    struct table *t = g->family->table;
    size_t places = count_missing(g); // and those that are there are LIVE now
    if (places == 0 && named == 0) {
        return;
    }
    if (table_reserve(t, g->writer, places) < 0) {
        atomic_fetch_add_explicit(&t->stats->precreate_skipped, 1, memory_order_relaxed);
        places = 0;
    }
    for (size_t i = 0; i < g->size; i++) {
        uint64_t hash;
        if (!member_key(g, i)) {
            break;
        }
        if (!is_permitted(g)) {
            continue;
        }
        struct series *s = find_member(g, &hash);
        if (s == NULL && places > 0) {
            places--;
            if (table_make(t, g->writer, g->key->p, g->key->len, hash, TABLE_RESERVED, &s) > 0) {
                leave(g, s, g->origin->owner.precreator_id);
            } else {
                s = find_member(g, &hash); // by another line, which may take it back
            }
        }
        if (s != NULL) {
            table_publish(t, s);
            leave(g, s, named);
        }
    }
    table_release(t, g->writer->quota_id, places);
}

void place_siblings(const struct family *f, const char *key, const struct origin *origin,
                    struct series_writer *writer, struct buf *scratch)
{
    struct group g = {.family = f, .origin = origin, .writer = writer, .key = scratch};
    key_split(f->metric, key, g.own);
    count_combinations(&g);
    make_group(&g, 0);
    if (narrow(&g)) {
        make_group(&g, 0);
    }
}

// The value that a hello gives a label, or NULL.
static const char *value_of(const struct label *l, const struct origin_defaults *labels,
                            const char *component, size_t *ret_len)
{
    if (l->precreated_component) {
        return catalog_find_value(l->def, component, strlen(component), ret_len);
    }
    for (size_t d = 0; d < labels->n; d++) {
        if (strcmp(labels->names[d], l->name) == 0) {
            return catalog_resolve_label(l->def, labels->values[d], strlen(labels->values[d]),
                                         ret_len);
        }
    }
    return NULL;
}

// Fills in the group's own values from the hello's, escaped into `text`. False when one is not named.
static bool name_group(struct group *g, const struct origin_defaults *labels, const char *component,
                       struct buf *text)
{
    const struct metric *m = g->family->metric;
    size_t from[CATALOG_MAX_LABELS];
    for (size_t i = 0; i < m->n_labels; i++) {
        from[i] = text->len;
        if (m->labels[i].n_precreated == 0) {
            size_t len;
            const char *value = value_of(&m->labels[i], labels, component, &len);
            if (value == NULL) {
                return false;
            }
            text_label_value(text, value, len);
        }
        g->own[i].len = text->len - from[i];
    }
    for (size_t i = 0; i < m->n_labels; i++) {
        g->own[i].p = text->p != NULL ? text->p + from[i] : "";
    }
    return !text->failed;
}

void place_named(const struct schema *schema, unsigned component,
                 const struct origin_defaults *labels, uint32_t named, const struct origin *origin,
                 struct series_writer *writer, struct buf *scratch)
{
    struct buf own = BUF_INIT;
    permission_set_quota(origin->permission, writer);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct group g = {
            .family = &schema->families[i], .origin = origin, .writer = writer, .key = scratch};
        buf_clear(&own);
        if (g.family->metric->precreate && permission_can_push_metric(origin->permission, i) &&
            name_group(&g, labels, schema->catalog->components[component], &own)) {
            count_combinations(&g);
            make_group(&g, named);
        }
    }
    buf_free(&own);
}
