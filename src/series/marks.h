// SPDX-License-Identifier: Apache-2.0
/*
 * marks: which sources have to do with a series, as a set of small numbers.
 *
 * Shape:   one word holds up to three marks of 21 bits; a fourth turns it into a pointer to a bitmap of
 *          all marks (tag: bit 63). Marks run from 1 to the `most` that a set was made for.
 * Threads: any number of adders, removers and readers at once. A mark that is being added is either seen
 *          by a remover's later look or the adder sees what the remover did before (seq_cst on both sides).
 * Memory:  the word owns its bitmap; marks_drop gives it back, when no other thread can reach the word.
 */
#ifndef VE_SERIES_MARKS_H
#define VE_SERIES_MARKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MARKS_BITS = 21, MARKS_MOST = (1 << MARKS_BITS) - 1 };

// Whether the mark is in the set.
bool marks_has(const _Atomic uint64_t *word, uint32_t mark);
// Adds a mark. Returns 0 when it was there, 1 when it is new, -ENOMEM.
int marks_add(_Atomic uint64_t *word, uint32_t mark, uint32_t most);
// Takes a mark out; no-op when it is not there.
void marks_clear(_Atomic uint64_t *word, uint32_t mark);
// The least mark of the set in [from, to], or 0.
uint32_t marks_next(const _Atomic uint64_t *word, uint32_t from, uint32_t to);
// Gives back what the word owns, and empties it.
void marks_drop(_Atomic uint64_t *word);

#endif
