// SPDX-License-Identifier: Apache-2.0
/*
 * account: what became of the lines of each component. Of what a client sends each line is applied, rejected or,
 * by its own word, lost.
 *
 * Shape:   in the arena, so that an account outlives the process: for each lane and component a cell.
 * Threads: a cell is changed by its lane's worker, directly or, for a line of a session, by way of its redo
 *          record; any reader adds the lanes up.
 * Units:   lines.
 */
#ifndef VE_INGEST_ACCOUNT_H
#define VE_INGEST_ACCOUNT_H

#include "base/count.h"
#include "catalog/catalog.h"
#include "event/reject.h"
#include "series/arena.h"

struct account {
    _Atomic uint64_t applied;
    _Atomic uint64_t lost; // what clients say that they had to drop
    _Atomic uint64_t rejected[REJECT_COUNT];
};

// Of one lane, by component.
struct accounts {
    struct account *of[CATALOG_MAX_COMPONENTS];
};

// Makes a lane's cells. Returns 0, -ENOMEM.
int accounts_open(struct accounts *ret, struct arena *arena, struct arena_hand *hand);

#endif
