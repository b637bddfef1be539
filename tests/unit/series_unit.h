// SPDX-License-Identifier: Apache-2.0
/*
 * series_unit: what tests of tables share. Series are named by their key's text.
 */
#ifndef VE_TESTS_SERIES_UNIT_H
#define VE_TESTS_SERIES_UNIT_H

#include <string.h>

#include "base/rcu.h"
#include "catalog_unit.h"
#include "series/idset.h"
#include "series/key.h"
#include "series/schema.h"
#include "source/owner.h"
#include "source/ttl.h"
#include "unit.h"

enum { UNIT_LANES = 2, UNIT_LEASE_FROM = 100, UNIT_MAX_ID = 199 };

static struct series_writer unit_writer; // of the latest store
static struct arena *unit_arena;         // its

// A store of the catalogue's metrics, whose limits are the given ones.
static inline struct series_store *unit_store(const char *catalog, uint64_t limit,
                                              uint64_t limit_per_metric)
{
    struct schema_settings settings = {.limit = limit, .limit_per_metric = limit_per_metric};
    struct series_store *store = NULL;
    unit_writer = (struct series_writer){0};
    ck_assert_int_eq(schema_open(&store, load_text(catalog), &settings, UNIT_LANES, UNIT_LEASE_FROM,
                                 UNIT_MAX_ID),
                     0);
    unit_arena = store->share.arena;
    return store;
}

static inline bool unit_ids_has(const struct series *s, uint32_t id)
{
    return idset_has(arena_base(unit_arena), series_ids(s), id);
}

static inline int unit_ids_add(const struct series *s, uint32_t id)
{
    struct idset_memory room = {unit_arena, &unit_writer.arena, UNIT_MAX_ID};
    return idset_add(series_ids(s), id, &room);
}

static inline void unit_ids_remove(const struct series *s, uint32_t id)
{
    idset_remove(arena_base(unit_arena), series_ids(s), id);
}

static inline struct family *unit_family(struct series_store *store, const char *name)
{
    struct schema *schema = schema_current(store);
    int at = catalog_find_metric(schema->catalog, name, strlen(name));
    ck_assert_int_ge(at, 0);
    return &schema->families[at];
}

static inline struct table *unit_table(struct series_store *store, const char *name)
{
    return unit_family(store, name)->table;
}

static inline struct series *unit_find(struct table *t, const char *key)
{
    return table_find(t, key, strlen(key), key_hash(key, strlen(key)));
}

static inline int unit_make(struct table *t, struct series_writer *writer, const char *key,
                            struct series **ret)
{
    return table_make(t, writer, key, strlen(key), key_hash(key, strlen(key)), TABLE_WITHIN, ret);
}

// A series that is new, and shown.
static inline struct series *unit_add(struct table *t, const char *key)
{
    struct series *s = NULL;
    ck_assert_int_eq(unit_make(t, &unit_writer, key, &s), 1);
    table_publish(t, s);
    return s;
}

// The keys of the exposed series in their order, each followed by a blank.
static inline const char *unit_keys(const struct table *t)
{
    static char text[4096];
    size_t at = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = table_at(t, i);
        size_t len;
        if (s != NULL) {
            const char *key = series_text(s, &len);
            ck_assert_uint_lt(at + len + 1, sizeof text);
            memcpy(text + at, key, len);
            at += len;
            text[at++] = ' ';
        }
    }
    text[at] = '\0';
    return text;
}

// Gives back what was removed. Outside of a section.
static inline size_t unit_reclaim(struct table *t)
{
    size_t n = table_retire(t);
    rcu_wait();
    table_reclaim(t);
    return n;
}

#endif
