// SPDX-License-Identifier: Apache-2.0
#include "event/precreate.h"

#include "base/text.h"
#include "series/idset.h"
#include "series/key.h"

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
    size_t places = count_missing(g);
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

void precreate_siblings(const struct family *f, const char *key, const struct origin *origin,
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

void precreate_named(const struct schema *schema, unsigned component,
                     const struct origin_defaults *labels, uint32_t named,
                     const struct origin *origin, struct series_writer *writer, struct buf *scratch)
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
