// SPDX-License-Identifier: Apache-2.0
/*
 * source_record: what of a source outlives the process: a record with its name, its latest leases, and what was last
 * heard of it. The record's word is what the source last reported as lost.
 *
 * Threads: made, freed and changed under the lock of the registry of sources.
 * Memory:  a record is in the arena; source_record_free gives it back.
 */
#ifndef VE_SOURCE_SOURCE_RECORD_H
#define VE_SOURCE_SOURCE_RECORD_H

#include "series/schema.h"

enum {
    SOURCE_MAX_NAME = 256, // bytes of an instance, and of what else a hello names
    SOURCE_SAVED_LEASES = 4,
};

// A source as its record has it.
struct source_past {
    unsigned component;
    struct slice instance; // borrowed from the record; len 0: the anonymous source
    uint32_t entry;        // its place among the sources of that process
    uint64_t heard_real;   // CLOCK_REALTIME ms
    uint64_t heard_mono;   // CLOCK_MONOTONIC ms of that process
    uint64_t lost;
    bool forgotten;
    bool lived;                           // it had a lease
    uint32_t leases[SOURCE_SAVED_LEASES]; // ids of its latest leases; 0: none
};

// A new record, without a lease. NULL: no memory.
struct record *source_record_new(struct series_store *store, struct arena_writer *writer,
                                 unsigned component, struct slice instance, uint32_t entry);
// Gives a record back; NULL is none.
void source_record_free(struct series_store *store, struct record *r);
// Writes down that a lease begins; without a record nothing.
void source_record_lease(struct record *r, uint32_t id);
// Writes down what changes with every line.
void source_record_heard(struct record *r, uint64_t heard_real, uint64_t heard_mono,
                         bool forgotten);

// Reads a record of an image. False: it is none of a source of this catalogue.
bool source_record_read(const struct record *r, const struct catalog *c, struct source_past *ret);

#endif
