// SPDX-License-Identifier: Apache-2.0
/*
 * arena: the memory that series' identities and cells live in.
 *
 * Shape:   one range of addresses, reserved whole at the start and made usable in steps of ARENA_STEP. A
 *          place in it is a 32-bit handle in granules of 16 bytes, so that the bytes mean the same wherever
 *          the range is mapped. Handle 0 is none. The first ARENA_RESERVED bytes are series/layout's. Pieces
 *          come in size classes; a released piece goes to the shared list of its class and from there, whole
 *          lists at a time, to a hand. A piece of at most a page lies in one page, and a larger one begins
 *          with a page: what is written back to a disk is written page by page.
 * File:    a step is anonymous memory or, once arena_attach gave a file, the file's bytes at the same place.
 *          Where the file cannot grow, a new step is anonymous, and the arena is adrift until arena_attach
 *          is called again.
 * Threads: each thread that allocates has its own hand. arena_release may be called by any thread, for
 *          pieces that no other thread can reach any more. Nothing waits but the threads that need the very
 *          step which another one is just making usable. arena_attach and arena_detach: one thread, while
 *          no other one writes to the arena; others may read.
 * Errors:  handle 0 when the range is full or the system gives no memory; asked again, it tries again.
 */
#ifndef VE_SERIES_ARENA_H
#define VE_SERIES_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ARENA_GRANULE = 16,
    ARENA_CLASSES = 48,
    ARENA_PAGE = 4096,
    ARENA_MAX_PIECE = 64 << 10, // bytes of the largest piece
    ARENA_CHUNK = 64 << 10,     // what a hand takes at a time
    ARENA_RESERVED = 5 * ARENA_CHUNK,
    ARENA_STEP = 1 << 20,
};

// Bytes of the largest arena: what a handle reaches.
#define ARENA_REACH ((uint64_t)UINT32_MAX * ARENA_GRANULE)

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
static inline uint32_t arena_handle(const char *base, const void *piece)
{
    return (uint32_t)((uint64_t)((const char *)piece - base) / ARENA_GRANULE);
}

// arena_file.c

// Makes sure that the file has room for the steps which are not in it yet. Any thread. Returns 0 or -errno.
int arena_reserve(struct arena *a, int fd);
// Moves the anonymous steps into the file, and lets new ones be made there. Borrows the descriptor until
// arena_detach. Returns 0 or -errno; then some steps may be in the file, and the arena is adrift.
int arena_attach(struct arena *a, int fd);
// Moves all steps into anonymous memory. Returns 0, -ENOMEM; then some are still in the file.
int arena_detach(struct arena *a);
// Why something is not in the file though there is one: 0 when all is, else -errno. Any thread.
int arena_adrift(const struct arena *a);
// Whether pages of the file could not be read: it is of no use any more. Any thread.
bool arena_torn(const struct arena *a);
// Bytes of the arena that are in the file.
uint64_t arena_file_bytes(const struct arena *a);
// Makes a page of the arena's file that cannot be read (SIGBUS) anonymous memory, instead of ending the
// process; the arena is adrift and torn then. For one arena of the process; NULL ends it.
void arena_guard(struct arena *a);

#endif
