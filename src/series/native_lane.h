// SPDX-License-Identifier: Apache-2.0
/*
 * native_lane: where a histogram series has the blocks of series/native.
 *
 * Shape:   behind struct series_saved the payload of a histogram's record has a handle for each lane; 0: the lane has no block.
 *          A block that was rebuilt stays, chained to the one that took its place, until the series is freed: a reader may be
 *          in it. All blocks of a lane take at most four times the bytes of the largest (rebuilt blocks are as large, or twice
 *          as large), as long as its schema is not lowered; each lower schema adds one.
 * Threads: reserve: the lane's worker. Reading: any, inside an RCU section.
 * Memory:  in the arena, beside the record; native_lane_free gives it back.
 */
#ifndef VE_SERIES_NATIVE_LANE_H
#define VE_SERIES_NATIVE_LANE_H

#include "series/native.h"
#include "series/record.h"

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
