// SPDX-License-Identifier: Apache-2.0
#include "series/marks.h"

#include <errno.h>
#include <stdlib.h>

#define TAG ((uint64_t)1 << 63)

enum { SLOTS = 3 };

// The bitmap behind a tagged word.
struct map {
    uint32_t most;            // greatest mark that fits
    _Atomic uint64_t words[]; //
};

static struct map *map_of(uint64_t word)
{
    return (struct map *)(uintptr_t)(word & ~TAG);
}

static uint32_t slot(uint64_t word, unsigned i)
{
    return word >> (i * MARKS_BITS) & MARKS_MOST;
}

static uint64_t with_slot(uint64_t word, unsigned i, uint32_t mark)
{
    unsigned shift = i * MARKS_BITS;
    return (word & ~((uint64_t)MARKS_MOST << shift)) | (uint64_t)mark << shift;
}

static int slot_of(uint64_t word, uint32_t mark)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slot(word, i) == mark) {
            return (int)i;
        }
    }
    return -1;
}

bool marks_has(const _Atomic uint64_t *word, uint32_t mark)
{
    uint64_t w = atomic_load_explicit(word, memory_order_acquire);
    if ((w & TAG) == 0) {
        return slot_of(w, mark) >= 0;
    }
    return atomic_load(&map_of(w)->words[mark / 64]) >> (mark % 64) & 1;
}

// Replaces a full word by a bitmap that holds the same marks and the new one.
static int widen(_Atomic uint64_t *word, uint64_t seen, uint32_t mark, uint32_t most)
{
    struct map *map = calloc(1, sizeof *map + (most / 64 + 1) * sizeof map->words[0]);
    if (map == NULL) {
        return -ENOMEM;
    }
    map->most = most;
    for (unsigned i = 0; i < SLOTS; i++) {
        map->words[slot(seen, i) / 64] |= (uint64_t)1 << slot(seen, i) % 64;
    }
    map->words[mark / 64] |= (uint64_t)1 << mark % 64;
    if (!atomic_compare_exchange_strong(word, &seen, TAG | (uint64_t)(uintptr_t)map)) {
        free(map);
        return -EAGAIN;
    }
    return 1;
}

int marks_add(_Atomic uint64_t *word, uint32_t mark, uint32_t most)
{
    for (;;) {
        uint64_t w = atomic_load_explicit(word, memory_order_acquire);
        if ((w & TAG) != 0) {
            uint64_t bit = (uint64_t)1 << mark % 64;
            return (atomic_fetch_or(&map_of(w)->words[mark / 64], bit) & bit) == 0;
        }
        if (slot_of(w, mark) >= 0) {
            return 0;
        }
        int empty = slot_of(w, 0);
        if (empty < 0) {
            int rc = widen(word, w, mark, most);
            if (rc != -EAGAIN) {
                return rc;
            }
        } else if (atomic_compare_exchange_strong(word, &w, with_slot(w, (unsigned)empty, mark))) {
            return 1;
        }
    }
}

void marks_clear(_Atomic uint64_t *word, uint32_t mark)
{
    for (;;) {
        uint64_t w = atomic_load_explicit(word, memory_order_acquire);
        if ((w & TAG) != 0) {
            atomic_fetch_and(&map_of(w)->words[mark / 64], ~((uint64_t)1 << mark % 64));
            return;
        }
        int at = slot_of(w, mark);
        if (at < 0 || atomic_compare_exchange_strong(word, &w, with_slot(w, (unsigned)at, 0))) {
            return;
        }
    }
}

static uint32_t next_in_word(uint64_t w, uint32_t from, uint32_t to)
{
    uint32_t least = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        uint32_t mark = slot(w, i);
        if (mark != 0 && mark >= from && mark <= to && (least == 0 || mark < least)) {
            least = mark;
        }
    }
    return least;
}

uint32_t marks_next(const _Atomic uint64_t *word, uint32_t from, uint32_t to)
{
    uint64_t w = atomic_load(word);
    if ((w & TAG) == 0) {
        return next_in_word(w, from, to);
    }
    const struct map *map = map_of(w);
    to = to > map->most ? map->most : to;
    for (uint32_t i = from / 64; i <= to / 64; i++) {
        uint64_t bits = atomic_load(&map->words[i]);
        if (i == from / 64) {
            bits &= ~(uint64_t)0 << from % 64;
        }
        if (bits != 0) {
            uint32_t mark = i * 64 + (uint32_t)__builtin_ctzll(bits);
            return mark <= to ? mark : 0;
        }
    }
    return 0;
}

void marks_drop(_Atomic uint64_t *word)
{
    uint64_t w = atomic_exchange(word, 0);
    if ((w & TAG) != 0) {
        free(map_of(w));
    }
}
