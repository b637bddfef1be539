// SPDX-License-Identifier: Apache-2.0
/*
 * marks: which sources have to do with a series, as a set of small numbers.
 *
 * Shape:   one word holds up to three marks of 21 bits; a fourth turns it (bit 63) into a handle of a piece of
 *          the arena with handles of leaves, each a bitmap of MARKS_LEAF marks that is made when it is needed.
 *          Word and pieces share a number of their own, so that a piece that is older than its word is seen.
 *          Marks run from 1 to the `most` that a set was made for.
 * Threads: any number of adders, removers and readers at once. A mark that is being added is either seen
 *          by a remover's later look or the adder sees what the remover did before (seq_cst on both sides).
 * Memory:  the word owns its pieces; marks_drop gives them back, when no other thread can reach the word.
 */
#ifndef VE_SERIES_MARKS_H
#define VE_SERIES_MARKS_H

#include "series/record.h"

enum {
    MARKS_BITS = 21,
    MARKS_MOST = (1 << MARKS_BITS) - 1,
    MARKS_LEAF = 63 * 64, // marks of a leaf
};

// Where a set may grow, and how large.
struct marks_room {
    struct arena *arena;
    struct arena_hand *hand;
    uint32_t most;
};

// Whether the mark is in the set.
bool marks_has(char *base, const _Atomic uint64_t *word, uint32_t mark);
// Adds a mark. Returns 0 when it was there, 1 when it is new, -ENOMEM.
int marks_add(_Atomic uint64_t *word, uint32_t mark, const struct marks_room *room);
// Takes a mark out; no-op when it is not there.
void marks_clear(char *base, _Atomic uint64_t *word, uint32_t mark);
// The least mark of the set in [from, to], or 0.
uint32_t marks_next(char *base, const _Atomic uint64_t *word, uint32_t from, uint32_t to);
// Empties a set whose pieces were lost with their pages (arena_torn); they are not used again.
void marks_mend(char *base, _Atomic uint64_t *word);
// Gives back what the word owns, and empties it.
void marks_drop(struct arena *a, _Atomic uint64_t *word);

// The least mark at or above `from` of a set in a file that somebody left, or 0. What does not check out is
// not in it.
uint32_t marks_read(const struct record_image *image, uint64_t word, uint32_t from);

#endif
