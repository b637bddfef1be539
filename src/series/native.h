// SPDX-License-Identifier: Apache-2.0
/*
 * native: the buckets of native histograms (series/native_index): where a series has them, one lane's, and those of all lanes
 * together.
 *
 * Shape:   values whose magnitude is at most the zero threshold are counted in one bucket of their own.
 *          A lane's block is an open-addressed table of the buckets that have a count, at most three quarters full. It never
 *          moves: a block that has no room for a bucket is rebuilt as another one, larger or with a lower schema, which then
 *          becomes the lane's in one store, so that neither a reader nor a kill finds half of it.
 *          Where a series has more buckets than it may, its schema is lowered until it has not, down to -4, and then the
 *          zero bucket is widened, smallest buckets first.
 * Record:  behind struct series_saved the payload of a histogram's record has a handle for each lane; 0: the lane has no block.
 *          A block that was rebuilt stays, chained to the one that took its place, until the series is freed: a reader may be
 *          in it. All blocks of a lane take at most four times the bytes of the largest (rebuilt blocks are as large, or twice
 *          as large), as long as its schema is not lowered; each lower schema adds one.
 * Threads: a block is its lane's: one writer, plain relaxed stores, and any number of readers, inside an RCU section. A sum has
 *          one owner.
 * Memory:  blocks are in the arena, beside the record; native_lane_free gives them back. A sum owns its list.
 * Source:  OpenMetrics' and Prometheus' "Native histograms".
 */
#ifndef VE_SERIES_NATIVE_H
#define VE_SERIES_NATIVE_H

#include "series/native_index.h"
#include "series/record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NATIVE_SLOTS_FIRST = 16, // of a lane's first block
    NATIVE_BUCKETS_MOST = 1000,
    NATIVE_SLOTS_MOST = 2048, // of so many buckets
    NATIVE_NO_SLOT = NATIVE_SLOTS_MOST + 1,
};

#define NATIVE_REPLACED UINT32_MAX // of a block that counts no more: its lane has another one

#define NATIVE_ZERO_THRESHOLD 0x1p-128

// What a metric's series have.
struct native_form {
    int schema;            // where they begin
    uint32_t max_buckets;  // 1 to NATIVE_BUCKETS_MOST, the zero bucket aside
    double zero_threshold; // where they begin
};

struct native_slot {
    _Atomic uint64_t key; // 0: empty
    _Atomic uint64_t count;
};

struct native_block {
    uint64_t tag; // record_tag of RECORD_MAX_LANES + lane
    double zero_threshold;
    int32_t schema;
    _Atomic uint32_t slots; // a power of two; 0 in a page that was lost
    _Atomic uint32_t used;  // of these; NATIVE_REPLACED
    uint32_t previous;      // handle of the one that this one was rebuilt from
    struct native_slot
        slot[]; // `slots` and one: the first one counts the zero bucket, and has no key
};

static inline size_t native_block_size(uint32_t slots)
{
    return sizeof(struct native_block) + (slots + (size_t)1) * sizeof(struct native_slot);
}

// How many slots the block has; 0: it is none, its page was lost.
static inline uint32_t native_slots(const struct native_block *b)
{
    uint32_t slots = atomic_load_explicit(&b->slots, memory_order_relaxed);
    return slots >= NATIVE_SLOTS_FIRST && slots <= NATIVE_SLOTS_MOST ? slots : 0;
}

// Whether its lane counts in this block.
static inline bool native_block_is_current(const struct native_block *b)
{
    return native_slots(b) != 0 &&
           atomic_load_explicit(&b->used, memory_order_relaxed) != NATIVE_REPLACED;
}

// Slots that a block with so many buckets needs.
uint32_t native_slots_for(uint32_t buckets);

// Whether what was found in a file can be a block of so many bytes.
bool native_block_is_good(const struct native_block *b, size_t bytes);

// The numbers of the slots of the values' buckets, but for values whose bucket the block does not have. Returns how many there
// are.
size_t native_find_list(struct native_block *b, const double *values, size_t n, uint16_t *ret);
// What the places of values' buckets in a block are found with.
struct native_search {
    uint64_t plain; // bits of the least magnitude that is neither in the zero bucket nor subnormal
    int schema;
    uint32_t last; // slots - 1
};

// Returns false if the block has no slots.
static inline bool native_search_begin(struct native_search *s, const struct native_block *b)
{
    uint32_t slots = native_slots(b);
    uint64_t zero;
    memcpy(&zero, &b->zero_threshold, sizeof zero);
    s->plain = zero >= NATIVE_NORMAL_LEAST ? zero + 1 : NATIVE_NORMAL_LEAST;
    s->schema = b->schema;
    s->last = slots - 1;
    return slots != 0;
}

static inline uint64_t native_key(bool negative, int32_t index)
{
    return (uint64_t)(uint32_t)index << 2 | (uint64_t)negative << 1 | 1;
}

// Where a bucket goes whose place is not taken, among the slots behind the first one. Buckets side by side are in slots side by
// side, so that as many as there are slots are not in the way of each other.
static inline uint32_t native_place(int32_t index, bool negative, uint32_t last)
{
    return ((uint32_t)index + (negative ? last / 2 + 1 : 0)) & last;
}

// The number of the slot that likely has the value's bucket: it has if it has the key. 0: the value is in the zero bucket, or
// subnormal.
static inline uint32_t native_likely(const struct native_search *s, double v, uint64_t *key)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bool negative = bits >> 63 != 0;
    bits &= ~((uint64_t)1 << 63);
    if (bits < s->plain) {
        return 0;
    }
    int32_t index = native_index_normal(s->schema, bits);
    *key = native_key(negative, index);
    return 1 + native_place(index, negative, s->last);
}

static inline bool native_has(const struct native_block *b, uint32_t slot, uint64_t key)
{
    return atomic_load_explicit(&b->slot[slot].key, memory_order_relaxed) == key;
}

// native_reserve_slot of a value whose bucket is not in its likely slot.
uint32_t native_reserve_any(struct native_block *b, uint32_t max_buckets, double v);

// native_reserve_slot with a search that has begun.
static inline uint32_t native_search_reserve(const struct native_search *s, struct native_block *b,
                                             uint32_t max_buckets, double v)
{
    uint64_t key;
    uint32_t slot = native_likely(s, v, &key);
    return slot != 0 && native_has(b, slot, key) ? slot : native_reserve_any(b, max_buckets, v);
}

// The number of the slot of a value's bucket, of an empty one that is made where there is none; NATIVE_NO_SLOT: the block has to
// be rebuilt.
static inline uint32_t native_reserve_slot(struct native_block *b, uint32_t max_buckets, double v)
{
    struct native_search s;
    return native_search_begin(&s, b) ? native_search_reserve(&s, b, max_buckets, v)
                                      : NATIVE_NO_SLOT;
}

// The count of the bucket, or NULL, likewise.
_Atomic uint64_t *native_reserve(struct native_block *b, uint32_t max_buckets, double v);
// Makes the buckets of several values likewise, of which it sets the slots' numbers. Returns how many have a bucket: all, or
// those before the first one that has none.
uint32_t native_reserve_list(struct native_block *b, uint32_t max_buckets, const double *values,
                             uint32_t n, uint16_t *ret);

// Asks for the memory that native_reserve is going to look at. The block may be anything.
void native_fetch(const struct native_block *b, double v);
// The same for a list of values.
void native_fetch_all(const struct native_block *b);

// ---- All lanes

struct native_bucket {
    bool negative;
    int32_t index;
    uint64_t count;
};

// The buckets of a series, those below 0 first; each in the order of its magnitude.
struct native_sum {
    int schema;
    double zero_threshold;
    uint64_t zero_count;
    struct native_bucket *buckets;
    size_t n;
    size_t room;
    bool failed; // no memory
};

// Empties a sum for another series, and keeps its memory.
void native_sum_begin(struct native_sum *s, const struct native_form *form);
void native_sum_add(struct native_sum *s, const struct native_block *b);
// Adds classic buckets, which say less: what one of them has counts at its upper bound, and what is above all bounds in the
// bucket above the last one.
void native_sum_add_classic(struct native_sum *s, const double *bounds, size_t n_bounds,
                            const _Atomic uint64_t *counts);
// After the last one: as few buckets as there may be, in order. Returns the count of all observations.
uint64_t native_sum_end(struct native_sum *s, uint32_t max_buckets);
void native_sum_free(struct native_sum *s);

// ---- Of a series

// Bytes of the payload.
static inline size_t native_lane_payload(unsigned lanes)
{
    return (lanes * sizeof(uint32_t) + 7) / 8 * 8;
}

// The block of a lane, or NULL: none, or the record has no place for one.
struct native_block *native_lane_block(char *base, const struct record *r, unsigned lane);

// The handle of a lane's block; 0: none, or the record has no place for one.
uint32_t native_lane_piece(const struct record *r, unsigned lane);

// A lane's classic buckets. A new block begins with what they have, so that it is never behind them.
struct native_classic {
    const double *bounds;
    size_t n_bounds;
    const _Atomic uint64_t *counts;
};

// Makes sure that the lane's block has a bucket for the value. Returns 0 or -ENOMEM, also where the record has no place for
// blocks.
int native_lane_reserve(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_form *form,
                        const struct native_classic *classic, double v);

// The same as a block of an earlier process has: it becomes this lane's, which has none. Returns 0 or -ENOMEM.
int native_lane_restore(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_sum *sum);

// Whether the block has as many observations as the lane's classic buckets: not if their pages are of different ages, or one of
// them was lost, nor if a kill came between the two.
bool native_lane_has_as_many(const struct native_block *b, size_t n_bounds,
                             const _Atomic uint64_t *counts);

// After pages were lost or the record's time has changed: the blocks of all lanes become those of the present record, but for
// those that are not whole, or have not as many observations as the lane's cell; the record forgets these. After
// record_repair_cells, and while no other thread observes.
void native_lane_repair(char *base, uint32_t handle, size_t n_bounds);

// Frees all blocks, which nobody reads any more, and forgets them.
void native_lane_free(struct arena *a, const struct record *r);

#endif
