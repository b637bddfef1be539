// SPDX-License-Identifier: Apache-2.0
/*
 * cache_store: where the cache keeps its entries.
 *
 * Shape:   an index of buckets, and a ring of entries in memory that is reserved once and used as it is needed. A new entry
 *          goes to the ring's head. Where the ring may not grow any more room comes from its tail: an entry that was used
 *          since it was written is written again at the head, any other one is dropped, so that what is in use stays. The
 *          index is replaced by a larger one as entries come.
 * Threads: one owner.
 * Memory:  bounded by the argument of cache_store_init; an entry stays where it is until `changes` is raised.
 */
#ifndef VE_EVENT_CACHE_STORE_H
#define VE_EVENT_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { CACHE_WAYS = 12, CACHE_TAGS = 16, CACHE_GRANULE = 4, CACHE_SLACK = 64 };

// The beginning of every entry, in the ring.
struct cache_head {
    uint32_t hash;
    uint16_t size; // in the ring, granules
    bool used;     // since it was written
    bool gone;     // the index does not know it any more
};

// One cache line: the entries whose hashes fall together.
struct cache_bucket {
    // cache_store_tag of the entry in each place, or 0; the last ones have no place.
    uint8_t tags[CACHE_TAGS];
    uint32_t entries[CACHE_WAYS];
} __attribute__((aligned(64)));

struct cache_store {
    struct cache_bucket *buckets;
    uint32_t n_buckets;
    char *ring;
    size_t reserved;  // bytes of the ring that may ever be used
    uint32_t end;     // of the ring, granules; it begins at 1, so that 0 is no entry
    uint32_t head;    // where the next entry goes
    uint32_t tail;    // the oldest entry
    uint32_t wrap;    // 0, or the end of the entries above `tail`, since the head has begun again
    size_t n;         // entries in the ring, gone ones too
    uint64_t denials; // for room that was not there
    uint64_t changes; // entries that were moved, dropped or added
};

static inline void *cache_store_at(const struct cache_store *m, uint32_t entry)
{
    return m->ring + (size_t)entry * CACHE_GRANULE;
}

static inline struct cache_bucket *cache_store_bucket(const struct cache_store *m, uint32_t hash)
{
    return &m->buckets[((uint64_t)hash * m->n_buckets) >> 32];
}

// Other bits than those that choose the bucket.
static inline uint8_t cache_store_tag(uint32_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return (uint8_t)(tag + (tag == 0));
}

// The places of the bucket that may hold an entry of this hash, as bits; all of them have one.
static inline uint32_t cache_store_places(const struct cache_bucket *b, uint32_t hash)
{
    uint32_t same = 0;
#ifdef __SSE2__
    __m128i tags = _mm_load_si128((const void *)b->tags);
    same = (uint32_t)_mm_movemask_epi8(
        _mm_cmpeq_epi8(tags, _mm_set1_epi8((char)cache_store_tag(hash))));
#else
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        same |= (uint32_t)(b->tags[i] == cache_store_tag(hash)) << i;
    }
#endif
    return same & ((1U << CACHE_WAYS) - 1);
}

// Takes the next place out of the bits.
static inline unsigned cache_store_next_place(uint32_t *places)
{
    unsigned place = (unsigned)__builtin_ctz(*places);
    *places &= *places - 1;
    return place;
}

// The entry that most likely is the one of a line of this hash; 0: there is none.
static inline uint32_t cache_store_likely(const struct cache_bucket *b, uint32_t hash)
{
    uint32_t places = cache_store_places(b, hash);
    return places != 0 ? b->entries[cache_store_next_place(&places)] : 0;
}

// Room for `bytes` at most, index included. Returns 0, -ENOMEM.
int cache_store_init(struct cache_store *m, uint64_t bytes);
void cache_store_close(struct cache_store *m);
// Forgets everything.
void cache_store_clear(struct cache_store *m);
// Makes room for an entry of that many bytes, for which the ring may grow up to `most` bytes, or others may have to go.
// Returns whether there is room.
bool cache_store_reserve(struct cache_store *m, size_t bytes, uint64_t most);
// Writes the head of an entry of that many bytes, for which there is room, and returns the entry: the rest is the caller's to
// fill in. NULL when too many entries in use have this hash.
void *cache_store_add(struct cache_store *m, uint32_t hash, size_t bytes);
// Takes an entry out of the index.
void cache_store_drop(struct cache_store *m, struct cache_head *entry);
// Bytes in use.
uint64_t cache_store_bytes(const struct cache_store *m);

#endif
