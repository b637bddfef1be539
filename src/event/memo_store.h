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

#include <assert.h>

enum { MEMO_MAX_UPDATES = 16, MEMO_WAYS = 10, MEMO_GRANULE = 16 };

// One update of a remembered line.
struct memo_update {
    double constant; // the value, unless it is the line's number
    uint32_t cell;   // of the lane, or the one that holds the gauge: handle in the arena
    uint32_t slot;   // of the series in its table
    uint32_t uses;   // of the slot
    uint16_t family; // of the schema
    uint8_t step;    // enum line_step
    bool takes_number : 1;
    bool behind : 1; // the gauge stands 8 bytes behind the handle's place
};

#define MEMO_UNKNOWN UINT64_MAX

// In the ring. Behind it: the updates, then the bytes before the line's number, then those behind it.
struct memo_entry {
    uint64_t hash; // event_line's
    uint64_t context;
    uint64_t shape;    // memo_shape
    uint64_t removals; // of all tables, when its series were last known to live; or MEMO_UNKNOWN
    uint16_t size;     // in the ring, granules
    uint8_t n;         // updates
    bool has_number : 1;
    bool claims : 1; // a series of it must be claimed whenever it is updated
    bool used : 1;   // since it was written
    bool gone : 1;   // the index does not know it any more
    struct memo_update updates[];
};

// Half a cache line, so that they are compared at once.
typedef uint16_t memo_tags __attribute__((vector_size(16)));

// One cache line: the entries whose hashes fall together.
struct memo_bucket {
    memo_tags tags; // the lowest bits of the first ones' hashes
    uint16_t more_tags[MEMO_WAYS - 8];
    uint32_t entries[MEMO_WAYS];
} __attribute__((aligned(64)));

enum { MEMO_SIGHTS = 16 };

// One cache line: of what was seen and falls together, a part of the hash each. What comes new takes any place, for
// lines that come in turn and are too many for one would else never be found.
struct memo_sights {
    uint32_t marks[MEMO_SIGHTS];
} __attribute__((aligned(64)));

struct memo {
    struct memo_bucket *buckets;
    uint64_t n_buckets;
    struct memo_sights *sights;
    uint64_t n_sights;
    char *ring;
    size_t bytes;     // of all three
    uint32_t end;     // of the ring, granules; it begins at 1, so that 0 is no entry
    uint32_t head;    // where the next entry goes
    uint32_t tail;    // the oldest entry
    uint32_t wrap;    // 0, or the end of the entries above `tail`, since the head has begun anew
    size_t n;         // entries in the ring, gone ones too
    uint64_t wishes;  // for room that was not there
    uint64_t sighted; // lines that were not seen before
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

// The places of the bucket that may hold an entry of this hash, as bits: place i has bit (i % 4) * 16 + i / 4.
static inline uint64_t memo_places(const struct memo_bucket *b, uint64_t hash)
{
    static_assert(MEMO_WAYS == 10, "two more tags");
    uint16_t tag = (uint16_t)hash;
    memo_tags same = (memo_tags)(b->tags == tag);
    uint64_t fours[2];
    memcpy(fours, &same, sizeof fours);
    return (fours[0] & 0x0001000100010001) | (fours[1] & 0x0002000200020002) |
           (uint64_t)(b->more_tags[0] == tag) << 2 | (uint64_t)(b->more_tags[1] == tag) << 18;
}

// Takes the next place out of the bits.
static inline unsigned memo_next_place(uint64_t *places)
{
    unsigned bit = (unsigned)__builtin_ctzll(*places);
    *places &= *places - 1;
    return bit % 16 * 4 + bit / 16;
}

// The entry that most likely is the one of a line of this hash; 0: none.
static inline uint32_t memo_likely(const struct memo *m, uint64_t hash)
{
    const struct memo_bucket *b = memo_bucket_of(m, hash);
    uint64_t places = memo_places(b, hash);
    return places != 0 ? b->entries[memo_next_place(&places)] : 0;
}

static inline struct memo_sights *memo_sights_of(const struct memo *m, uint64_t hash)
{
    return &m->sights[((uint32_t)hash * m->n_sights) >> 32];
}

// Finds the line's number.
void memo_split(struct event_line *line);

static inline bool memo_has_number(const struct event_line *line)
{
    return line->number_from < line->number_to;
}

// The catalogue's generation, and how long the line is before its number and behind it. Only a line that has a number
// has something behind it.
static inline uint64_t memo_shape(const struct schema *s, const struct event_line *line)
{
    return s->generation << 32 | line->number_from << 16 | (line->len - line->number_to);
}

// Whether a line of this hash was seen before; if not, it is now.
bool memo_seen(struct memo *m, uint64_t hash);
// Makes room for an entry of that many bytes, for which others may have to go. Returns whether there is room.
bool memo_room(struct memo *m, size_t bytes);
// Writes an entry of that many bytes, for which there is room, and returns it: all but `hash` and `size` is the
// caller's to fill in. NULL when too many lines in use have this hash.
struct memo_entry *memo_add(struct memo *m, uint64_t hash, size_t bytes);

#endif
