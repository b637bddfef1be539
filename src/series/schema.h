// SPDX-License-Identifier: Apache-2.0
/*
 * schema: a catalogue and the tables that belong to it, swapped as one.
 *
 * Shape:   family i is the catalogue's metric i and its table. A reload makes a new schema that shares the
 *          tables of the metrics which stay the same: those of the same type, labels and bounds, less the series that
 *          a narrowed closed label no longer allows.
 * Threads: readers take schema_current inside an RCU section and may use it until the section ends.
 *          schema_reload by one thread, while no other one finds, makes or removes series.
 * Memory:  the schema owns its catalogue and, with those before and after it, its tables.
 */
#ifndef VE_SERIES_SCHEMA_H
#define VE_SERIES_SCHEMA_H

#include "catalog/catalog.h"
#include "series/table.h"

struct family {
    const struct metric *metric;
    struct table *table;
    bool has_native; // a histogram with a native form, which is
    struct native_form native;
    uint32_t native_words; // counts of a series' native buckets that one line changes at most
};

struct schema {
    struct catalog *catalog;
    uint64_t generation;      // 1 for the first, one more for each reload
    struct family families[]; // catalog->n_metrics of them
};

struct schema_settings {
    uint64_t limit;            // of all series
    uint64_t limit_per_metric; // of a metric that sets none itself
};

// All series of the process.
struct series_store {
    struct table_share share;
    _Atomic(struct schema *) current;
};

// Makes the store and its first schema. Takes the catalogue when it returns 0. -ENOMEM.
int schema_open(struct series_store **ret, struct catalog *c,
                const struct schema_settings *settings, unsigned lanes, uint32_t lease_from,
                uint32_t max_id);
void schema_close(struct series_store *store);

static inline struct schema *schema_current(struct series_store *store)
{
    return atomic_load_explicit(&store->current, memory_order_acquire);
}

// Whether a series' values, still escaped, are what the metric's closed labels allow.
bool schema_is_allowed(const struct metric *m, const struct slice *values);

// What a reload did to series that existed.
struct schema_change {
    size_t reset; // metrics whose type, labels or bounds changed: their series start over
    size_t gone;  // metrics that are no more
    uint64_t
        series; // series that were removed, for either reason or since a closed set was narrowed
};

// table_widen and table_swap for all tables.
bool schema_widen(struct series_store *store);
void schema_swap_indexes(struct series_store *store);

// Replaces the schema. Takes the catalogue when it returns 0; on -ENOMEM all is as before.
int schema_reload(struct series_store *store, struct catalog *c,
                  const struct schema_settings *settings, struct schema_change *ret);

// table_repair for all tables; by the thread that replaces the schema. Scrapes go on. Returns how many series were removed.
uint64_t schema_repair(struct series_store *store);

// Gives the memory of removed series back, after a grace period. The thread that frees series, outside an RCU section.
void schema_reclaim(struct series_store *store);

#endif
