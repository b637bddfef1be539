// SPDX-License-Identifier: Apache-2.0
/*
 * redo: several words of the arena changed as one, also when the process is killed between two stores.
 *
 * Shape:   an area for each lane holds the words that a line is about to change, with what they become. First
 *          the list is written, then `committed`, then the words themselves, then `committed` is cleared. The
 *          next process replays a committed list: what is written twice is the same.
 * Threads: an area belongs to its lane's thread. Words that others write too have no place in it, but for a
 *          gauge that is set. A killed process loses no store that was executed, so the order of the
 *          instructions is all that matters: fences are for the compiler. The stores themselves are released,
 *          as those of series/cell are for threads that read meanwhile.
 * Memory:  a redo borrows its area. Each piece for further words is made once, when a line first needs it.
 */
#ifndef VE_STATE_REDO_H
#define VE_STATE_REDO_H

#include "series/arena.h"
#include "series/cell.h"
#include "series/native.h"

enum {
    REDO_WORDS =
        36, // what 16 updates with one value each change at most, with the line's position and its count
    // In pieces of the arena, for a line with many values: its observations go to many buckets.
    REDO_PIECES = 5,
    REDO_PIECE_WORDS = ARENA_MAX_PIECE / 16,
    REDO_MOST = REDO_WORDS + REDO_PIECES * REDO_PIECE_WORDS,
};

struct redo_word {
    _Atomic uint64_t offset; // bytes from the arena's beginning, a multiple of 8
    _Atomic uint64_t value;
};

// In the arena; zeroed before its first use.
struct redo_area {
    _Atomic uint64_t committed; // words to be replayed; 0: none
    struct redo_word words[REDO_WORDS];
    // Offsets of REDO_PIECE_WORDS further words each; 0: none, nor behind it.
    _Atomic uint64_t more[REDO_PIECES];
};

struct redo {
    struct redo_area *area;
    char *base; // of the arena
    unsigned n; // words in it so far
};

// Makes sure that so many words, at most REDO_MOST, have room. Returns 0 or -ENOMEM.
int redo_reserve(struct redo *r, struct arena *arena, struct arena_writer *writer, size_t words);

// Whether so many words have room now.
bool redo_has_room(const struct redo *r, size_t words);

// Writes what a word becomes. At most REDO_WORDS of them between two redo_commit, or what was reserved.
void redo_write(struct redo *r, _Atomic uint64_t *word, uint64_t value);
// What a word is going to be, or is.
uint64_t redo_read(const struct redo *r, const _Atomic uint64_t *word);
// Adds to a word.
void redo_count(struct redo *r, _Atomic uint64_t *word, uint64_t n);

// The updates of series/cell. An addition to a gauge, which is shared, is done at once: it comes before
// the commit, so a kill may count it twice and never loses it.
void redo_counter(struct redo *r, struct cell_counter *c, double v);
void redo_histogram(struct redo *r, struct cell_histogram *c, size_t bucket, double v);
void redo_set(struct redo *r, _Atomic double *gauge, double v);
void redo_add(struct redo *r, _Atomic double *gauge, double v);

// Adds one to the count of each of these slots of a block.
void redo_native(struct redo *r, struct native_block *b, const uint16_t *slots, size_t n);

// The same for words that the record does not have yet, which are not looked for. That is so where each update is of another
// series, as in nearly all lines.

// Where the next word goes.
struct redo_word *redo_next(struct redo *r);

static inline void redo_put(struct redo *r, const _Atomic uint64_t *word, uint64_t value)
{
    struct redo_word *w = r->n < REDO_WORDS ? &r->area->words[r->n++] : redo_next(r);
    atomic_store_explicit(&w->offset, (uint64_t)((const char *)word - r->base),
                          memory_order_relaxed);
    atomic_store_explicit(&w->value, value, memory_order_relaxed);
}

static inline void redo_put_double(struct redo *r, const _Atomic double *word, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    redo_put(r, (const _Atomic uint64_t *)(const void *)word, bits);
}

// Adds to a word.
static inline void redo_put_count(struct redo *r, const _Atomic uint64_t *word, uint64_t n)
{
    redo_put(r, word, atomic_load_explicit(word, memory_order_relaxed) + n);
}

static inline void redo_put_counter(struct redo *r, const struct cell_counter *c, double v)
{
    uint64_t whole = atomic_load_explicit(&c->whole, memory_order_relaxed);
    if (cell_is_whole(v) && whole + (uint64_t)(int64_t)v <= CELL_WHOLE_MAX) {
        redo_put(r, &c->whole, whole + (uint64_t)(int64_t)v);
    } else {
        redo_put_double(r, &c->rest, atomic_load_explicit(&c->rest, memory_order_relaxed) + v);
    }
}

static inline void redo_put_histogram(struct redo *r, const struct cell_histogram *c, size_t bucket,
                                      double v)
{
    redo_put_double(r, &c->sum, atomic_load_explicit(&c->sum, memory_order_relaxed) + v);
    redo_put_count(r, &c->counts[bucket], 1);
}

// Several observations.
void redo_put_list(struct redo *r, const struct cell_histogram *c, const double *bounds,
                   size_t n_bounds, const double *values, size_t n);

// redo_put_native of several.
void redo_put_native_list(struct redo *r, const struct native_block *b, const uint16_t *slots,
                          size_t n);

// The counts of native buckets, none of which the record has yet; a slot may be there several times. Without slots the
// block may be NULL.
static inline void redo_put_native(struct redo *r, struct native_block *b, const uint16_t *slots,
                                   size_t n)
{
    if (n == 1) {
        redo_put_count(r, &b->slot[slots[0]].count, 1);
    } else if (n > 1) {
        redo_put_native_list(r, b, slots, n);
    }
}

// Makes the words what the record says, and empties it.
void redo_commit(struct redo *r);

// Replays what an area holds onto the bytes [from, size) of an arena at `base`, whole or, where a word lies
// outside, not at all. Returns the number of words.
unsigned redo_replay(const struct redo_area *area, char *base, uint64_t from, uint64_t size);

#endif
