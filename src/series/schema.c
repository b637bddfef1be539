// SPDX-License-Identifier: Apache-2.0
#include "series/schema.h"

#include "base/clock.h"
#include "base/rcu.h"
#include "series/key.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static_assert((int)CATALOG_MAX_NATIVE_BUCKETS == (int)NATIVE_BUCKETS_MOST, "blocks have room");

static const uint64_t ARENA_MOST = (uint64_t)64 << 30; // addresses, not memory

static uint64_t limit_of(const struct metric *m, const struct schema_settings *settings)
{
    return m->series_limit > 0 ? m->series_limit : settings->limit_per_metric;
}

static struct schema *schema_alloc(struct catalog *c)
{
    struct schema *schema = calloc(1, sizeof *schema + c->n_metrics * sizeof schema->families[0]);
    if (schema != NULL) {
        schema->catalog = c;
        for (size_t i = 0; i < c->n_metrics; i++) {
            schema->families[i].metric = &c->metrics[i];
        }
    }
    return schema;
}

static bool has_info_suffix(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, "_info") == 0;
}

// Blocks of an earlier time lack what was observed since. Nobody has read them since the native form was turned off.
static void forget_native(struct table *t)
{
    for (uint32_t i = 0; i < table_slots(t); i++) {
        const struct series *s = table_at(t, i);
        if (s != NULL) {
            native_lane_free(t->share->arena, s->record);
        }
    }
}

// What a reload, after `before` (NULL: there was none), may have changed without touching the series.
static void adapt(struct family *f, const struct family *before)
{
    const struct metric *m = f->metric;
    struct table *t = f->table;
    bool timed = m->ttl_ms > 0;
    if (timed && !atomic_load(&t->timed)) {
        // Ages count from now: none were kept before.
        uint32_t now_s = (uint32_t)(clock_mono_ms() / 1000);
        for (uint32_t i = 0; i < table_slots(t); i++) {
            struct series *s = table_at(t, i);
            if (s != NULL) {
                atomic_store(series_touched(s), now_s);
            }
        }
    }
    atomic_store(&t->timed, timed);
    f->has_native = m->native.enabled;
    if (f->has_native) {
        f->native = (struct native_form){native_schema(m->native.factor),
                                         (uint32_t)m->native.max_buckets, NATIVE_ZERO_THRESHOLD};
        f->native_words = f->native.max_buckets + 1;
        bool kept = before != NULL && before->table == t;
        if (kept && !before->has_native) {
            forget_native(t);
        } else if (kept && before->native_words > f->native_words) {
            f->native_words = before->native_words; // its blocks may have as many
        }
    }
    t->owned = m->owned;
    t->single = m->owned && has_info_suffix(m->name);
}

int schema_open(struct series_store **ret, struct catalog *c,
                const struct schema_settings *settings, unsigned lanes, uint32_t lease_from,
                uint32_t max_id)
{
    struct series_store *store = calloc(1, sizeof *store);
    struct schema *schema = schema_alloc(c);
    if (store == NULL || schema == NULL || arena_new(&store->share.arena, ARENA_MOST) < 0) {
        free(store);
        free(schema);
        return -ENOMEM;
    }
    store->share.base = arena_base(store->share.arena);
    layout_init(store->share.base, lease_from);
    store->share.lanes = lanes;
    store->share.crowded = -1;
    store->share.lease_from = lease_from;
    store->share.max_id = max_id;
    atomic_store(&store->share.quota.limit, settings->limit);
    schema->generation = 1;
    for (size_t i = 0; i < c->n_metrics; i++) {
        struct family *f = &schema->families[i];
        int rc = table_new(&f->table, &store->share, f->metric, limit_of(f->metric, settings));
        if (rc < 0) {
            schema->catalog = NULL; // still the caller's
            for (size_t j = 0; j < i; j++) {
                table_free(schema->families[j].table);
            }
            free(schema);
            arena_free(store->share.arena);
            free(store);
            return rc;
        }
        adapt(f, NULL);
    }
    atomic_store_explicit(&store->current, schema, memory_order_release);
    *ret = store;
    return 0;
}

void schema_close(struct series_store *store)
{
    if (store == NULL) {
        return;
    }
    struct schema *schema = schema_current(store);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        table_close(schema->families[i].table);
    }
    catalog_free(schema->catalog);
    free(schema);
    arena_free(store->share.arena);
    free(store);
}

static bool has_same_series(const struct metric *a, const struct metric *b)
{
    if (a->type != b->type || a->n_labels != b->n_labels || a->n_bounds != b->n_bounds) {
        return false;
    }
    for (size_t i = 0; i < a->n_labels; i++) {
        if (strcmp(a->labels[i].name, b->labels[i].name) != 0) {
            return false;
        }
    }
    return a->n_bounds == 0 || memcmp(a->bounds, b->bounds, a->n_bounds * sizeof a->bounds[0]) == 0;
}

// Whether a closed label has this value, still escaped.
static bool has_value(const struct label_def *def, struct slice value)
{
    char room[CATALOG_MAX_LABEL_VALUE];
    struct buf scratch = {.p = room, .cap = sizeof room, .max = sizeof room};
    if (memchr(value.p, '\\', value.len) != NULL) {
        key_unescape(&scratch, value);
        value = (struct slice){scratch.p, scratch.len};
    }
    size_t len;
    const char *to = catalog_resolve_label(def, value.p, value.len, &len);
    return to != NULL && len == value.len && memcmp(to, value.p, len) == 0;
}

bool schema_is_allowed(const struct metric *m, const struct slice *values)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (m->labels[i].def->closed && !has_value(m->labels[i].def, values[i])) {
            return false;
        }
    }
    return true;
}

static uint64_t drop_outside(struct family *f)
{
    struct slice values[CATALOG_MAX_LABELS];
    uint64_t dropped = 0;
    rcu_enter();
    for (uint32_t i = 0; i < table_slots(f->table); i++) {
        struct series *s = table_at(f->table, i);
        size_t len;
        if (s != NULL) {
            key_split(f->metric, series_text(s, &len), values);
            dropped += !schema_is_allowed(f->metric, values) && table_remove(f->table, s);
        }
    }
    rcu_leave();
    atomic_fetch_add(&f->table->stats->expired, dropped);
    return dropped;
}

static struct family *family_named(struct schema *schema, const char *name)
{
    int at = catalog_find_metric(schema->catalog, name, strlen(name));
    return at < 0 ? NULL : &schema->families[at];
}

// Gives every family of the new schema a table: the old one, or a new one that continues its account.
static int fill(struct series_store *store, struct schema *old, struct schema *schema,
                const struct schema_settings *settings, struct schema_change *change)
{
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct family *f = &schema->families[i];
        struct family *before = family_named(old, f->metric->name);
        uint64_t limit = limit_of(f->metric, settings);
        if (before != NULL && has_same_series(before->metric, f->metric)) {
            f->table = before->table;
            continue;
        }
        int rc = table_new(&f->table, &store->share, f->metric, limit);
        if (rc < 0) {
            return rc;
        }
        if (before != NULL) {
            uint64_t lost = atomic_load(&before->table->quota.used);
            atomic_store(&f->table->stats->folded, atomic_load(&before->table->stats->folded));
            atomic_store(&f->table->stats->precreate_skipped,
                         atomic_load(&before->table->stats->precreate_skipped));
            atomic_store(&f->table->stats->expired,
                         atomic_load(&before->table->stats->expired) + lost);
            change->reset++;
            change->series += lost;
        }
    }
    return 0;
}

static bool has_table(const struct schema *schema, const struct table *t)
{
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        if (schema->families[i].table == t) {
            return true;
        }
    }
    return false;
}

// Frees the tables of `of` that `kept` does not share.
static void free_unshared(struct schema *of, const struct schema *kept)
{
    for (size_t i = 0; i < of->catalog->n_metrics; i++) {
        struct table *t = of->families[i].table;
        if (t != NULL && !has_table(kept, t)) {
            table_free(t);
        }
    }
}

static void count_gone(struct schema *old, struct schema *schema, struct schema_change *change)
{
    for (size_t i = 0; i < old->catalog->n_metrics; i++) {
        if (family_named(schema, old->families[i].metric->name) == NULL) {
            change->gone++;
            change->series += atomic_load(&old->families[i].table->quota.used);
        }
    }
}

int schema_reload(struct series_store *store, struct catalog *c,
                  const struct schema_settings *settings, struct schema_change *ret)
{
    struct schema *old = schema_current(store);
    struct schema *schema = schema_alloc(c);
    if (schema == NULL) {
        return -ENOMEM;
    }
    struct schema_change change = {0};
    int rc = fill(store, old, schema, settings, &change);
    if (rc < 0) {
        free_unshared(schema, old);
        free(schema);
        return rc;
    }
    count_gone(old, schema, &change);
    schema->generation = old->generation + 1;
    atomic_store(&store->share.quota.limit, settings->limit);
    for (size_t i = 0; i < c->n_metrics; i++) {
        struct family *f = &schema->families[i];
        adapt(f, family_named(old, f->metric->name));
        atomic_store(&f->table->quota.limit, limit_of(f->metric, settings));
        change.series += drop_outside(f);
    }
    atomic_store_explicit(&store->current, schema, memory_order_release);
    rcu_wait();
    free_unshared(old, schema);
    catalog_free(old->catalog);
    free(old);
    *ret = change;
    return 0;
}

bool schema_widen(struct series_store *store)
{
    struct schema *schema = schema_current(store);
    bool any = false;
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        any |= table_widen(schema->families[i].table);
    }
    return any;
}

void schema_swap_indexes(struct series_store *store)
{
    struct schema *schema = schema_current(store);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        table_swap(schema->families[i].table);
    }
}

void schema_reclaim(struct series_store *store)
{
    rcu_enter();
    struct schema *schema = schema_current(store);
    rcu_leave(); // only this thread replaces the schema
    size_t n = 0;
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        n += table_retire(schema->families[i].table);
    }
    if (n == 0) {
        return;
    }
    rcu_wait();
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        table_reclaim(schema->families[i].table);
    }
}

uint64_t schema_repair(struct series_store *store)
{
    struct schema *schema = schema_current(store);
    uint64_t gone = 0;
    rcu_enter();
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        gone += table_repair(schema->families[i].table, schema->families[i].metric);
    }
    rcu_leave();
    return gone;
}
