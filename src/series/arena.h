// SPDX-License-Identifier: Apache-2.0
/*
 * arena: the memory that series' identities and cells live in.
 *
 * Shape:   one range of addresses, reserved whole at the start and made usable in steps of ARENA_STEP. A place in it is a
 *          32-bit handle in granules of 16 bytes, so that the bytes mean the same wherever the range is mapped. Handle 0
 *          is none. The first ARENA_RESERVED bytes are series/layout's. Pieces come in size classes; a released piece is
 *          put on the shared list of its class, and a writer takes whole lists. A piece of at most a page lies in one
 *          page, and a larger one begins with a page, since the kernel writes a file page by page.
 * File:    a step is anonymous memory or, once arena_attach gave a file, the file's bytes at the same place.
 *          Where the file cannot grow, a new step is anonymous, and the arena is incomplete until arena_attach
 *          is called again.
 * Threads: each thread that allocates has its own writer. arena_release may be called by any thread, for
 *          pieces that no other thread can reach any more. arena_attach and arena_detach: one thread, while no
 *          other one writes to the arena; others may read.
 * Locks:   a mutex for making a step usable, taken once for each ARENA_STEP bytes. The handler of SIGBUS and
 *          arena_detach wait for each other by a flag, since no mutex may be taken in a handler of signals.
 * Errors:  handle 0 when the range is full or the system gives no memory; asked again, it tries again.
 */
#ifndef VE_SERIES_ARENA_H
#define VE_SERIES_ARENA_H

#include "series/layout.h"
#include <assert.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static_assert(
    sizeof(void *) == 8,
    "virtrigaud-exporter needs a 64-bit processor: it reserves more addresses than 32 bits have");

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "virtrigaud-exporter needs a little-endian processor: nobody has tried another one");

enum {
    ARENA_GRANULE = 16,
    ARENA_CLASSES = 48,
    ARENA_PAGE = LAYOUT_PAGE,
    ARENA_MAX_PIECE = 64 << 10, // bytes of the largest piece
    ARENA_CHUNK = 64 << 10,     // what a writer takes at a time
    ARENA_RESERVED = 5 * ARENA_CHUNK,
    ARENA_STEP = 1 << 20,
};

// Bytes of the largest arena: what a handle reaches.
#define ARENA_REACH ((uint64_t)UINT32_MAX * ARENA_GRANULE)

struct arena;

// One thread's way into the arena. Zero it before its first use.
struct arena_writer {
    uint32_t next;                // next free granule of the chunk
    uint32_t end;                 // first granule behind it
    uint32_t free[ARENA_CLASSES]; // private lists of released pieces
};

// Reserves up to `max_bytes` (less where the system allows less). Returns 0, -ENOMEM.
int arena_new(struct arena **ret, uint64_t max_bytes);
void arena_free(struct arena *a);

// A piece of at least `bytes`, zeroed, aligned to 16. Returns its handle, or 0.
uint32_t arena_alloc(struct arena *a, struct arena_writer *writer, size_t bytes);
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

// Makes sure that the file has room for the steps which are not in it yet. Any thread. Returns 0 or -errno.
int arena_reserve(struct arena *a, int fd);
// Moves the anonymous steps into the file, and lets new ones be made there. Borrows the descriptor until
// arena_detach. Returns 0 or -errno; then some steps may be in the file, and arena_file_error says why.
int arena_attach(struct arena *a, int fd);
// Moves all steps into anonymous memory. Returns 0, -ENOMEM; then some are still in the file.
int arena_detach(struct arena *a);
// Why something is not in the file though there is one: 0 when all is, else -errno. Any thread.
int arena_file_error(const struct arena *a);
// Whether pages of the file could not be read: it is of no use any more. Any thread.
bool arena_is_corrupt(const struct arena *a);
// Bytes of the arena that are in the file.
uint64_t arena_file_bytes(const struct arena *a);
// Makes a page of the arena's file that cannot be read (SIGBUS) anonymous memory, instead of ending the
// process; the arena is incomplete and corrupt then. For one arena of the process; NULL ends it.
void arena_guard(struct arena *a);

#endif
