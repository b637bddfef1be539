// SPDX-License-Identifier: Apache-2.0
/*
 * account: what became of the lines of each component. Of what a client sends each line is applied, rejected or,
 * by its own word, lost.
 *
 * Shape:   a record for each component, with a cell for each lane, so that an account outlives the process.
 * Threads: a cell is changed by its lane's worker, directly or, for a line of a session, by way of its redo
 *          record; any reader adds the lanes up. accounts_open, accounts_restore: one thread, while no worker runs
 *          or all stand still.
 * Units:   lines.
 */
#ifndef VE_INGEST_ACCOUNT_H
#define VE_INGEST_ACCOUNT_H

#include "base/count.h"
#include "catalog/catalog.h"
#include "event/reject.h"
#include "series/record.h"

// A cell. The order of the reasons is part of the layout of the file.
struct account {
    uint64_t tag; // record_cell's
    _Atomic uint64_t applied;
    _Atomic uint64_t lost; // what clients say that they had to drop
    _Atomic uint64_t rejected[REJECT_COUNT];
};

// All records, by component. Zero it before its first use.
struct account_records {
    uint32_t of[CATALOG_MAX_COMPONENTS];
};

// The cells of one lane, by component; NULL where the catalogue has none.
struct accounts {
    struct account *of[CATALOG_MAX_COMPONENTS];
};

// Makes what is missing for the catalogue's components: the records, for that many lanes, and the lane's cells.
// Returns 0, -ENOMEM.
int accounts_open(struct accounts *ret, struct account_records *records, const struct catalog *c,
                  struct arena *arena, struct arena_hand *hand, unsigned lanes, unsigned lane);
// Adds what an earlier process left.
void accounts_restore(struct accounts *to, const struct catalog *c, struct record_image *image);

#endif
