// SPDX-License-Identifier: Apache-2.0
/*
 * idset: a set of small numbers in one word. What they mean is for the layers above.
 *
 * Shape:   the word holds up to three ids of 21 bits. A fourth turns it (bit 63) into a handle of a piece of the arena
 *          with handles of leaves, each a bitmap of IDSET_LEAF ids that is made when it is needed. Word and pieces share
 *          a number of their own, so that a piece that is older than its word is recognised. Ids run from 1 to the
 *          `max_id` that a set was made for.
 * Threads: any number of adders, removers and readers at once. If one adds an id while another thread decides by what is
 *          in the set, either that thread sees the id or the adder sees what it did before (seq_cst on both sides).
 * Memory:  the word owns its pieces; idset_free gives them back, when no other thread can reach the word.
 */
#ifndef VE_SERIES_IDSET_H
#define VE_SERIES_IDSET_H

#include "series/record.h"

enum {
    IDSET_BITS = 21,
    IDSET_MAX = (1 << IDSET_BITS) - 1,
    IDSET_LEAF = 63 * 64, // ids of a leaf
};

// Where a set may grow, and how large.
struct idset_memory {
    struct arena *arena;
    struct arena_writer *writer;
    uint32_t max_id;
};

// Whether the id is in the set.
bool idset_has(char *base, const _Atomic uint64_t *word, uint32_t id);
// Adds an id. Returns 0 when it was there, 1 when it is new, -ENOMEM.
int idset_add(_Atomic uint64_t *word, uint32_t id, const struct idset_memory *memory);
// Takes an id out, if it is there.
void idset_remove(char *base, _Atomic uint64_t *word, uint32_t id);
// The least id of the set in [from, to], or 0.
uint32_t idset_next(char *base, const _Atomic uint64_t *word, uint32_t from, uint32_t to);
// Empties a set whose pieces were lost with their pages (arena_is_corrupt); they are not used again.
void idset_repair(char *base, _Atomic uint64_t *word);
// Gives back what the word owns, and empties it.
void idset_free(struct arena *a, _Atomic uint64_t *word);

// The least id at or above `from` of a set in a file that an earlier process left, or 0. What does not check out is not
// in it.
uint32_t idset_read(const struct record_image *image, uint64_t word, uint32_t from);

#endif
