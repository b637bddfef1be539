// SPDX-License-Identifier: Apache-2.0
/*
 * statistics: what became of the lines of each component. Of what a client sends each line is applied, rejected or,
 * by its own word, lost.
 *
 * Shape:   a record for each component, with a cell for each lane, so that statistics outlive the process.
 * Threads: a cell is changed by its lane's worker, directly or, for a line of a session, by way of its redo
 *          record; any reader adds the lanes up. statistics_open, statistics_restore: one thread, while no worker runs
 *          or all are paused; readers go on meanwhile, so a cell is published by its pointer.
 * Units:   lines.
 */
#ifndef VE_SOURCE_STATISTICS_H
#define VE_SOURCE_STATISTICS_H

#include "base/count.h"
#include "catalog/catalog.h"
#include "series/record.h"
#include "source/reject.h"

// A cell. The order of the reasons is part of the layout of the file.
struct statistics {
    uint64_t tag; // record_cell's
    _Atomic uint64_t applied;
    _Atomic uint64_t lost; // what clients say that they had to drop
    _Atomic uint64_t rejected[REJECT_COUNT];
};

// What a worker counts of its own work: written by it alone, read by any (relaxed: a count needs no order).
struct statistics_worker {
    _Atomic uint64_t bytes;       // read from sockets
    _Atomic uint64_t connections; // accepted, ever
    _Atomic uint64_t replies_dropped;
    _Atomic uint64_t cache_hits;
    _Atomic uint64_t cache_misses;
    _Atomic uint64_t accept_errors;
    _Atomic uint64_t busy_ns;       // wall time not spent waiting
    _Atomic uint64_t turns;         // of its loop
    _Atomic uint64_t busy_since_ms; // CLOCK_MONOTONIC, when its present turn began; 0: it waits
};

// All records, by component. Zero it before its first use.
struct statistics_records {
    uint32_t handles[CATALOG_MAX_COMPONENTS];
};

// The cells of one lane, by component; NULL where the catalogue has none.
struct statistics_lane {
    _Atomic(struct statistics *) cells[CATALOG_MAX_COMPONENTS];
};

// Makes what is missing for the catalogue's components: the records, for that many lanes, and the lane's cells.
// Returns 0, -ENOMEM.
int statistics_open(struct statistics_lane *ret, struct statistics_records *records,
                    const struct catalog *c, struct arena *arena, struct arena_writer *writer,
                    unsigned lanes, unsigned lane);
// Adds what an earlier process left.
void statistics_restore(struct statistics_lane *to, const struct catalog *c,
                        struct record_image *image);

#endif
