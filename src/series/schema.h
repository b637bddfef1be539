// SPDX-License-Identifier: Apache-2.0
/*
 * schema: a catalogue and the tables that belong to it, swapped as one.
 *
 * Shape:   family i is the catalogue's metric i and its table. A reload makes a new schema that shares the
 *          tables of the metrics which stay the same.
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
};

struct schema {
    struct catalog *catalog;
    uint64_t generation; // 1 for the first, one more for each reload
    uint64_t default_limit;
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
                const struct schema_settings *settings, unsigned lanes, uint32_t life_from,
                uint32_t most_marks);
void schema_close(struct series_store *store);

static inline struct schema *schema_current(struct series_store *store)
{
    return atomic_load_explicit(&store->current, memory_order_acquire);
}

// Whether a series' values are what the metric's closed labels allow. The key must be a good one.
bool schema_allows(const struct metric *m, const char *text);

// What a reload did to series that existed.
struct schema_change {
    size_t anew;     // metrics whose type, labels or bounds changed: their series start anew
    size_t gone;     // metrics that are no more
    uint64_t series; // series that went, for either reason or since a closed set was narrowed
};

// Replaces the schema. Takes the catalogue when it returns 0; on -ENOMEM all is as before.
int schema_reload(struct series_store *store, struct catalog *c,
                  const struct schema_settings *settings, struct schema_change *ret);

#endif
