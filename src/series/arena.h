// SPDX-License-Identifier: Apache-2.0
/*
 * arena: the memory that series' identities and cells live in.
 *
 * Shape:   one range of addresses, reserved whole at the start and made usable in steps of ARENA_STEP. A
 *          place in it is a 32-bit handle in granules of 16 bytes, so that the bytes mean the same wherever
 *          the range is mapped. Handle 0 is none. Pieces come in size classes; a released piece goes to the
 *          shared list of its class and from there, whole lists at a time, to a hand.
 * Threads: each thread that allocates has its own hand. arena_release may be called by any thread, for
 *          pieces that no other thread can reach any more. Nothing waits but the threads that need the very
 *          step which another one is just making usable.
 * Errors:  handle 0 when the range is full or the system gives no memory; asked again, it tries again.
 */
#ifndef VE_SERIES_ARENA_H
#define VE_SERIES_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum {
    ARENA_GRANULE = 16,
    ARENA_CLASSES = 48,
    ARENA_MAX_PIECE = 64 << 10, // bytes of the largest piece
    ARENA_CHUNK = 64 << 10,     // what a hand takes at a time
    ARENA_STEP = 16 << 20,
};

struct arena;

// One thread's way into the arena. Zero it before its first use.
struct arena_hand {
    uint32_t next;                // next free granule of the chunk
    uint32_t end;                 // first granule behind it
    uint32_t free[ARENA_CLASSES]; // private lists of released pieces
};

// Reserves up to `max_bytes` (less where the system allows less). Returns 0, -ENOMEM.
int arena_new(struct arena **ret, uint64_t max_bytes);
void arena_free(struct arena *a);

// A piece of at least `bytes`, zeroed, aligned to 16. Returns its handle, or 0.
uint32_t arena_alloc(struct arena *a, struct arena_hand *hand, size_t bytes);
// Gives a piece back, with the size that it was asked for.
void arena_release(struct arena *a, uint32_t handle, size_t bytes);

// Bytes handed out in chunks so far.
uint64_t arena_used(const struct arena *a);

// The address of a handle; the handle must be one that arena_alloc gave.
char *arena_base(const struct arena *a);
static inline void *arena_at(char *base, uint32_t handle)
{
    return base + (uint64_t)handle * ARENA_GRANULE;
}

#endif
