// SPDX-License-Identifier: Apache-2.0
#include "series/native_lane.h"

#include "series/cell.h"
#include "series/slab.h"

#include <errno.h>
#include <string.h>

static _Atomic uint32_t *handles(const struct record *r)
{
    bool has_place = r->payload >= sizeof(struct series_saved) + native_lane_payload(r->lanes);
    return has_place ? (_Atomic uint32_t *)(void *)((char *)record_payload(r) +
                                                    sizeof(struct series_saved))
                     : NULL;
}

uint32_t native_lane_piece(const struct record *r, unsigned lane)
{
    const _Atomic uint32_t *all = handles(r);
    return all != NULL ? atomic_load_explicit(&all[lane], memory_order_acquire) : 0;
}

struct native_block *native_lane_block(char *base, const struct record *r, unsigned lane)
{
    uint32_t handle = native_lane_piece(r, lane);
    struct native_block *b = handle != 0 ? arena_at(base, handle) : NULL;
    return b != NULL && native_slots(b) != 0 ? b : NULL;
}

// A new block of the lane, which nobody sees yet; 0: no memory.
static uint32_t make(struct arena *a, struct arena_writer *writer, uint32_t record, unsigned lane,
                     struct native_plan plan)
{
    uint32_t handle = arena_alloc(a, writer, native_block_size(plan.slots));
    if (handle != 0) {
        struct native_block *b = arena_at(arena_base(a), handle);
        memset(b, 0, native_block_size(plan.slots));
        native_block_init(b, plan.slots, plan.schema, plan.zero_threshold);
        b->tag = record_tag(arena_base(a), record, RECORD_MAX_LANES + lane);
    }
    return handle;
}

static int publish(_Atomic uint32_t *all, unsigned lane, uint32_t made)
{
    if (made == 0) {
        return -ENOMEM;
    }
    atomic_store_explicit(&all[lane], made, memory_order_release);
    return 0;
}

int native_lane_restore(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_sum *sum)
{
    char *base = arena_base(a);
    _Atomic uint32_t *all = handles(record_at(base, handle));
    struct native_plan plan = {native_slots_for((uint32_t)sum->n), sum->schema,
                               sum->zero_threshold};
    uint32_t made = all != NULL ? make(a, writer, handle, lane, plan) : 0;
    if (made != 0) {
        native_block_fill(arena_at(base, made), sum);
    }
    return publish(all, lane, made);
}

static int begin(struct arena *a, struct arena_writer *writer, uint32_t handle, unsigned lane,
                 const struct native_form *form, const struct native_classic *classic)
{
    struct native_sum sum = {.n = 0};
    native_sum_begin(&sum, form);
    native_sum_add_classic(&sum, classic->bounds, classic->n_bounds, classic->counts);
    native_sum_end(&sum, form->max_buckets);
    int rc = sum.failed ? -ENOMEM : native_lane_restore(a, writer, handle, lane, &sum);
    native_sum_free(&sum);
    return rc;
}

int native_lane_reserve(struct arena *a, struct arena_writer *writer, uint32_t handle,
                        unsigned lane, const struct native_form *form,
                        const struct native_classic *classic, double v)
{
    char *base = arena_base(a);
    const struct record *r = record_at(base, handle);
    _Atomic uint32_t *all = handles(r);
    if (all == NULL) {
        return -ENOMEM;
    }
    struct native_block *b = native_lane_block(base, r, lane);
    if (b == NULL) {
        int rc = begin(a, writer, handle, lane, form, classic);
        if (rc < 0) {
            return rc;
        }
        b = native_lane_block(base, r, lane);
    }
    if (native_reserve(b, form->max_buckets, v) != NULL) {
        return 0;
    }
    uint32_t made = make(a, writer, handle, lane, native_plan(b, form->max_buckets, v));
    if (made != 0) {
        struct native_block *next = arena_at(base, made);
        native_rebuild(next, b);
        next->previous = arena_handle(base, b);
        native_reserve(next, form->max_buckets, v);
    }
    int rc = publish(all, lane, made);
    if (rc == 0) {
        native_block_replace(b);
    }
    return rc;
}

bool native_lane_has_as_many(const struct native_block *b, size_t n_bounds,
                             const _Atomic uint64_t *counts)
{
    uint64_t more = 0; // than the classic ones
    for (uint32_t i = 0, slots = native_slots(b); i <= slots; i++) {
        more += atomic_load_explicit(&b->slot[i].count, memory_order_relaxed);
    }
    for (size_t i = 0; i <= n_bounds; i++) {
        more -= atomic_load_explicit(&counts[i], memory_order_relaxed);
    }
    return more == 0;
}

static bool is_whole(char *base, const struct record *r, unsigned lane, size_t n_bounds,
                     const struct native_block *b)
{
    const struct cell_histogram *c = record_cell_made(base, r, lane);
    return c != NULL && native_block_is_good(b, native_block_size(b->slots)) &&
           native_lane_has_as_many(b, n_bounds, c->counts);
}

void native_lane_repair(char *base, uint32_t handle, size_t n_bounds)
{
    const struct record *r = record_at(base, handle);
    _Atomic uint32_t *all = handles(r);
    for (unsigned i = 0; all != NULL && i < r->lanes; i++) {
        struct native_block *b = native_lane_block(base, r, i);
        if (b != NULL && is_whole(base, r, i, n_bounds, b)) {
            b->tag = record_tag(base, handle, RECORD_MAX_LANES + i);
        } else {
            atomic_store_explicit(&all[i], 0, memory_order_release);
            if (b != NULL) {
                native_block_replace(b);
            }
        }
    }
}

void native_lane_free(struct arena *a, const struct record *r)
{
    char *base = arena_base(a);
    _Atomic uint32_t *all = handles(r);
    for (unsigned i = 0; all != NULL && i < r->lanes; i++) {
        uint32_t handle = atomic_exchange(&all[i], 0);
        while (handle != 0) {
            const struct native_block *b = arena_at(base, handle);
            uint32_t slots = native_slots(b); // 0: its page is lost, and not used again
            uint32_t previous = b->previous;
            if (slots != 0) {
                arena_release(a, handle, native_block_size(slots));
            }
            handle = previous;
        }
    }
}
