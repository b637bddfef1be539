// SPDX-License-Identifier: Apache-2.0
/*
 * memo_entry: what the memo keeps, shared by memo.c (using it) and memo_learn.c (making it).
 */
#ifndef VE_EVENT_MEMO_ENTRY_H
#define VE_EVENT_MEMO_ENTRY_H

#include "event/memo.h"

enum { MEMO_MAX_UPDATES = 16 };

// One update of a remembered line.
struct memo_update {
    struct table *table;
    struct series *series;
    uint64_t removals;    // of the table, when the series was last known to live
    void *target;         // the lane's cell, or the gauge
    const double *bounds; // of a histogram
    double constant;
    uint32_t uses; // of the series' slot
    uint8_t op;    // enum update_op
    bool takes_number;
};

struct memo_entry {
    uint64_t context;
    uint64_t generation;
    struct memo_update *updates; // behind this struct
    char *bytes;                 // behind those: prefix, then suffix
    uint32_t prefix;
    uint32_t suffix;
    uint8_t n;
    bool has_number;
    bool used; // since the hand came by last
};

// One cache line: the entries that share their low bits of hash.
struct memo_bucket {
    struct memo_entry *entries[MEMO_WAYS];
    uint32_t tags[MEMO_WAYS];
} __attribute__((aligned(64)));

struct memo {
    size_t mask; // of buckets
    struct memo_bucket *buckets;
    uint64_t most;    // bytes
    uint64_t used;    // bytes
    size_t hand;      // the bucket that is looked at next when room is wanted
    uint32_t *sights; // what was seen once: the upper half of the hash
    size_t sight_mask;
};

// Finds the line's number.
void memo_split(struct event_line *line);
// Where the index has the line: its hash, mixed with what else the meaning hangs on.
uint64_t memo_hash(const struct event_reader *r, const struct event_origin *origin,
                   const struct event_line *line);

static inline bool memo_has_number(const struct event_line *line)
{
    return line->number_from < line->number_to;
}

#endif
