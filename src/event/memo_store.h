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
#include "event/line_hash.h"
#include "event/memo.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { MEMO_MAX_UPDATES = 16, MEMO_WAYS = 12, MEMO_TAGS = 16, MEMO_GRANULE = 16 };

// One update of a remembered line.
struct memo_update {
    double constant; // the value, unless it is the line's number
    uint32_t cell;   // of the lane, or the one that holds the gauge: handle in the arena
    uint32_t slot;   // of the series in its table
    uint32_t uses;   // of the slot
    uint16_t family; // of the schema
    uint8_t step;    // enum line_step
    bool takes_number : 1;
    bool whole : 1;  // the constant, which is added to a counter
    bool behind : 1; // the gauge stands 8 bytes behind the handle's place
};

#define MEMO_UNKNOWN UINT64_MAX

// In the ring. Behind it: the updates, then the bytes before the line's number, then those behind it.
struct memo_entry {
    uint64_t hash; // event_line's
    uint64_t context;
    uint64_t removals; // of all tables, when its series were last known to live; or MEMO_UNKNOWN
    uint32_t shape;    // event_line's
    uint16_t size;     // in the ring, granules
    uint8_t n;         // updates
    bool claims : 1;   // a series of it must be claimed whenever it is updated
    bool used : 1;     // since it was written
    bool gone : 1;     // the index does not know it any more
    struct memo_update updates[];
};

// One cache line: the entries whose hashes fall together.
struct memo_bucket {
    // memo_tag of the entry in each place, or 0; the last ones have no place.
    uint8_t tags[MEMO_TAGS];
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
    size_t bytes;        // of all three
    uint64_t generation; // of the catalogue that all entries are of
    uint64_t seeds[LINE_SEEDS];
    bool wide;        // lines are hashed and compared by the wide versions
    uint32_t end;     // of the ring, granules; it begins at 1, so that 0 is no entry
    uint32_t head;    // where the next entry goes
    uint32_t tail;    // the oldest entry
    uint32_t wrap;    // 0, or the end of the entries above `tail`, since the head has begun anew
    size_t n;         // entries in the ring, gone ones too
    uint64_t wishes;  // for room that was not there
    uint64_t sighted; // lines that were not seen before
    uint64_t changes; // entries that were moved, dropped or added
    uint64_t looked;  // `changes` when lines were looked at last
    uint64_t context; // for which they were
};

static inline struct memo_entry *memo_at(const struct memo *m, uint32_t entry)
{
    return (struct memo_entry *)(void *)(m->ring + (size_t)entry * MEMO_GRANULE);
}

static inline char *memo_bytes(struct memo_entry *e)
{
    return (char *)&e->updates[e->n];
}

static inline uint32_t memo_bucket_at(const struct memo *m, uint64_t hash)
{
    return (uint32_t)(((hash >> 32) * m->n_buckets) >> 32);
}

static inline struct memo_bucket *memo_bucket_of(const struct memo *m, uint64_t hash)
{
    return &m->buckets[memo_bucket_at(m, hash)];
}

static inline uint8_t memo_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return (uint8_t)(tag + (tag == 0));
}

// The places of the bucket that may hold an entry of this hash, as bits; all of them have one.
static inline uint32_t memo_places(const struct memo_bucket *b, uint64_t hash)
{
    uint32_t same = 0;
#ifdef __SSE2__
    __m128i tags = _mm_load_si128((const void *)b->tags);
    same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)memo_tag(hash))));
#else
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        same |= (uint32_t)(b->tags[i] == memo_tag(hash)) << i;
    }
#endif
    return same & ((1U << MEMO_WAYS) - 1);
}

// Takes the next place out of the bits.
static inline unsigned memo_next_place(uint32_t *places)
{
    unsigned place = (unsigned)__builtin_ctz(*places);
    *places &= *places - 1;
    return place;
}

// The entry that most likely is the one of a line of this hash; 0: there is none.
static inline uint32_t memo_likely(const struct memo_bucket *b, uint64_t hash)
{
    uint32_t places = memo_places(b, hash);
    return places != 0 ? b->entries[memo_next_place(&places)] : 0;
}

static inline struct memo_sights *memo_sights_of(const struct memo *m, uint64_t hash)
{
    return &m->sights[((uint32_t)hash * m->n_sights) >> 32];
}

// Forgets everything that is not of this generation of the catalogue, which is a later one if it is not the same.
void memo_renew(struct memo *m, uint64_t generation);
// Whether a line of this hash was seen before.
bool memo_sighted(const struct memo *m, uint64_t hash);
// The same; if not, it is now.
bool memo_seen(struct memo *m, uint64_t hash);
// Makes room for an entry of that many bytes, for which others may have to go. Returns whether there is room.
bool memo_room(struct memo *m, size_t bytes);
// Writes an entry of that many bytes, for which there is room, and returns it: all but `hash` and `size` is the
// caller's to fill in. NULL when too many lines in use have this hash.
struct memo_entry *memo_add(struct memo *m, uint64_t hash, size_t bytes);

#endif
