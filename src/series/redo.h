// SPDX-License-Identifier: Apache-2.0
/*
 * redo: several words of the arena changed as one, also when the process is killed between two stores.
 *
 * Shape:   an area for each lane holds the words that a line is about to change, with what they become. First
 *          the list is written, then its mark, then the words themselves, then the mark is cleared. Whoever
 *          opens what a killed process left replays a marked list: what is written twice is the same.
 * Threads: an area belongs to its lane's thread. Words that others write too have no place in it, but for a
 *          gauge that is set. A killed process loses no store that was executed, so the order of the
 *          instructions is all that matters: fences are for the compiler. The stores themselves are released,
 *          as those of series/cell are for whoever reads beside.
 * Memory:  a redo borrows its area. Nothing is allocated.
 */
#ifndef VE_SERIES_REDO_H
#define VE_SERIES_REDO_H

#include "series/cell.h"

// What the 16 updates of a line change at most, and its position and its account.
enum { REDO_WORDS = 36 };

struct redo_word {
    _Atomic uint64_t at; // bytes from the arena's beginning, a multiple of 8
    _Atomic uint64_t value;
};

// In the arena; zeroed before its first use.
struct redo_area {
    _Atomic uint64_t marked; // words to be replayed; 0: none
    struct redo_word words[REDO_WORDS];
};

struct redo {
    struct redo_area *area;
    char *base; // of the arena
    unsigned n; // words noted so far
};

// Notes what a word becomes. At most REDO_WORDS of them between two redo_commit.
void redo_note(struct redo *r, _Atomic uint64_t *word, uint64_t value);
// What a word is going to be, or is.
uint64_t redo_look(const struct redo *r, const _Atomic uint64_t *word);
// Adds to a word.
void redo_count(struct redo *r, _Atomic uint64_t *word, uint64_t n);

// The updates of series/cell. An addition to a gauge, which is shared, is done at once: it comes before the
// mark, so a kill may count it twice and never loses it.
void redo_counter(struct redo *r, struct cell_counter *c, double v);
void redo_histogram(struct redo *r, struct cell_histogram *c, size_t bucket, double v);
void redo_set(struct redo *r, _Atomic double *gauge, double v);
void redo_add(struct redo *r, _Atomic double *gauge, double v);

// Makes all that was noted true, and forgets it.
void redo_commit(struct redo *r);

// Replays what an area holds onto the bytes [from, size) of an arena at `base`, whole or, where a word lies
// outside, not at all. Returns the number of words.
unsigned redo_replay(const struct redo_area *area, char *base, uint64_t from, uint64_t size);

#endif
