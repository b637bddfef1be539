// SPDX-License-Identifier: Apache-2.0
/*
 * memo_store: where the memo keeps what it remembers. For event/ only.
 *
 * Shape:   one piece of memory: an index of buckets, a table of sights, and a ring of entries. A new entry goes to
 *          the ring's head. Room comes from its tail: an entry that was used since it was written is written anew
 *          at the head, any other one is dropped, so that what is in use stays.
 * Threads: one owner.
 * Memory:  bounded by what memo_new was told; an entry stays where it is until `changes` is raised.
 */
#ifndef VE_EVENT_MEMO_STORE_H
#define VE_EVENT_MEMO_STORE_H

#include "event/line.h"
#include "event/memo.h"

enum { MEMO_MAX_UPDATES = 16, MEMO_WAYS = 10, MEMO_GRANULE = 16 };

// One update of a remembered line.
struct memo_update {
    double constant; // the value, unless it is the line's number
    uint32_t cell;   // of the lane, or the one that holds the gauge: handle in the arena
    uint32_t slot;   // of the series in its table
    uint32_t uses;   // of the slot
    uint16_t family; // of the schema
    uint8_t op;      // enum update_op
    bool takes_number : 1;
    bool behind : 1; // the gauge stands 8 bytes behind the handle's place
};

#define MEMO_UNKNOWN UINT64_MAX

// In the ring. Behind it: the updates, then the bytes before the line's number, then those behind it.
struct memo_entry {
    uint64_t hash; // event_line's
    uint64_t context;
    uint64_t removals; // of all tables, when its series were last known to live; or MEMO_UNKNOWN
    uint32_t generation;
    uint16_t prefix; // bytes before the number
    uint16_t suffix;
    uint16_t size; // in the ring, granules
    uint8_t n;     // updates
    bool has_number : 1;
    bool claims : 1; // a series of it must be claimed whenever it is updated
    bool used : 1;   // since it was written
    bool gone : 1;   // the index does not know it any more
    struct memo_update updates[];
};

// One cache line: the entries whose hashes fall together.
struct memo_bucket {
    uint64_t tags[3]; // four a word, of 16 bits each
    uint32_t entries[MEMO_WAYS];
} __attribute__((aligned(64)));

struct memo {
    struct memo_bucket *buckets;
    uint64_t n_buckets;
    uint16_t *sights; // what was seen once, by a part of its hash
    uint64_t n_sights;
    char *ring;
    size_t bytes;     // of all three
    uint32_t end;     // of the ring, granules; it begins at 1, so that 0 is no entry
    uint32_t head;    // where the next entry goes
    uint32_t tail;    // the oldest entry
    uint32_t wrap;    // 0, or the end of the entries above `tail`, since the head has begun anew
    size_t n;         // entries in the ring, gone ones too
    uint64_t wishes;  // for room that was not there
    uint64_t changes; // entries that were moved, dropped or added
};

static inline struct memo_entry *memo_at(const struct memo *m, uint32_t entry)
{
    return (struct memo_entry *)(void *)(m->ring + (size_t)entry * MEMO_GRANULE);
}

static inline char *memo_bytes(struct memo_entry *e)
{
    return (char *)&e->updates[e->n];
}

static inline struct memo_bucket *memo_bucket_of(const struct memo *m, uint64_t hash)
{
    return &m->buckets[((hash >> 32) * m->n_buckets) >> 32];
}

/*
 * The places of the bucket that may hold an entry of this hash, as bits: place i has bit (i % 4) * 16 + i / 4. In
 * each word the lowest bit that is set is right, a higher one may be wrong.
 */
static inline uint64_t memo_places(const struct memo_bucket *b, uint64_t hash)
{
    const uint64_t ones = 0x0001000100010001;
    const uint64_t tag = (hash & 0xFFFF) * ones;
    uint64_t a = b->tags[0] ^ tag;
    uint64_t c = b->tags[1] ^ tag;
    uint64_t d = b->tags[2] ^ tag;
    return ((a - ones) & ~a & ones << 15) >> 15 | ((c - ones) & ~c & ones << 15) >> 14 |
           ((d - ones) & ~d & ones << 15) >> 13;
}

// Takes the next place out of the bits. It may be MEMO_WAYS or more: then it is none.
static inline unsigned memo_next_place(uint64_t *places)
{
    unsigned bit = (unsigned)__builtin_ctzll(*places);
    *places &= *places - 1;
    return bit % 16 * 4 + bit / 16;
}

// Finds the line's number.
void memo_split(struct event_line *line);

static inline bool memo_has_number(const struct event_line *line)
{
    return line->number_from < line->number_to;
}

// Whether a line of this hash was seen before; if not, it is now.
bool memo_seen(struct memo *m, uint64_t hash);
// Makes room for an entry of that many bytes, for which others may have to go. Returns whether there is room.
bool memo_room(struct memo *m, size_t bytes);
// Writes an entry of that many bytes, for which there is room, and returns it: all but `hash` and `size` is the
// caller's to fill in. NULL when too many lines in use have this hash.
struct memo_entry *memo_add(struct memo *m, uint64_t hash, size_t bytes);

#endif
