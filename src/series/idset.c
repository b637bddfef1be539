// SPDX-License-Identifier: Apache-2.0
#include "series/idset.h"

#include "base/clock.h"

#include <errno.h>

#define TAG ((uint64_t)1 << 63)

enum { SLOTS = 3, OWN_BITS = 31 };

// What a tagged word refers to.
struct wide {
    uint64_t own;              // the number in the word
    uint32_t n;                // leaves
    _Atomic uint32_t leaves[]; // handles; 0: none of its ids is in the set
};

struct leaf {
    uint64_t own;
    _Atomic uint64_t words[IDSET_LEAF / 64];
};

static uint64_t own_of(uint64_t word)
{
    return word >> 32 & (((uint64_t)1 << OWN_BITS) - 1);
}

static struct wide *wide_of(char *base, uint64_t word)
{
    return arena_at(base, (uint32_t)word);
}

static uint32_t slot(uint64_t word, unsigned i)
{
    return word >> (i * IDSET_BITS) & IDSET_MAX;
}

static uint64_t with_slot(uint64_t word, unsigned i, uint32_t id)
{
    unsigned shift = i * IDSET_BITS;
    return (word & ~((uint64_t)IDSET_MAX << shift)) | (uint64_t)id << shift;
}

static int slot_of(uint64_t word, uint32_t id)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slot(word, i) == id) {
            return (int)i;
        }
    }
    return -1;
}

// The word of bits that holds the id, or NULL.
static _Atomic uint64_t *bits_of(char *base, uint64_t word, uint32_t id)
{
    struct wide *wide = wide_of(base, word);
    uint32_t at = id / IDSET_LEAF;
    uint32_t handle = at < wide->n ? atomic_load(&wide->leaves[at]) : 0;
    struct leaf *leaf = arena_at(base, handle);
    return handle == 0 ? NULL : &leaf->words[id % IDSET_LEAF / 64];
}

// In the single order of all changes: two lines may each take the other's id out and then look for their own.
bool idset_has(char *base, const _Atomic uint64_t *word, uint32_t id)
{
    uint64_t w = atomic_load(word);
    if ((w & TAG) == 0) {
        return slot_of(w, id) >= 0;
    }
    const _Atomic uint64_t *bits = bits_of(base, w, id);
    return bits != NULL && (atomic_load(bits) >> (id % 64) & 1);
}

// Sets an id's bit, and makes its leaf where there is none. Returns as idset_add.
static int set_bit(const struct idset_memory *memory, uint64_t word, uint32_t id)
{
    char *base = arena_base(memory->arena);
    struct wide *wide = wide_of(base, word);
    uint32_t none = 0;
    if (id / IDSET_LEAF >= wide->n) {
        return -ENOMEM; // its page was lost
    }
    if (bits_of(base, word, id) == NULL) {
        uint32_t handle = arena_alloc(memory->arena, memory->writer, sizeof(struct leaf));
        if (handle == 0) {
            return -ENOMEM;
        }
        ((struct leaf *)arena_at(base, handle))->own = wide->own;
        if (!atomic_compare_exchange_strong(&wide->leaves[id / IDSET_LEAF], &none, handle)) {
            arena_release(memory->arena, handle, sizeof(struct leaf));
        }
    }
    uint64_t bit = (uint64_t)1 << id % 64;
    return (atomic_fetch_or(bits_of(base, word, id), bit) & bit) == 0;
}

static size_t wide_size(uint32_t n)
{
    return sizeof(struct wide) + n * sizeof(uint32_t);
}

// Replaces a full word by a tagged one with the same ids. -EAGAIN: it is not the one that was seen.
static int widen(_Atomic uint64_t *word, uint64_t seen, const struct idset_memory *memory)
{
    uint32_t n = memory->max_id / IDSET_LEAF + 1;
    uint32_t handle = arena_alloc(memory->arena, memory->writer, wide_size(n));
    if (handle == 0) {
        return -ENOMEM;
    }
    struct wide *wide = arena_at(arena_base(memory->arena), handle);
    uint64_t own = clock_mono_ns() >> 4;
    _Atomic uint64_t fresh = TAG | (own << 32 & ~TAG) | handle;
    wide->own = own_of(fresh);
    wide->n = n;
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && i < SLOTS; i++) {
        rc = set_bit(memory, fresh, slot(seen, i));
    }
    if (rc >= 0 && !atomic_compare_exchange_strong(word, &seen, fresh)) {
        rc = -EAGAIN;
    }
    if (rc < 0) {
        idset_free(memory->arena, &fresh);
    }
    return rc;
}

// Another round, here and in idset_remove: another thread has changed the word and gone on. Once tagged it stays so, and
// bits are changed without rounds.
int idset_add(_Atomic uint64_t *word, uint32_t id, const struct idset_memory *memory)
{
    for (;;) {
        uint64_t w = atomic_load(word);
        if ((w & TAG) != 0) {
            return set_bit(memory, w, id);
        }
        if (slot_of(w, id) >= 0) {
            return 0;
        }
        int empty = slot_of(w, 0);
        if (empty < 0) {
            int rc = widen(word, w, memory);
            if (rc < 0 && rc != -EAGAIN) {
                return rc;
            }
        } else if (atomic_compare_exchange_strong(word, &w, with_slot(w, (unsigned)empty, id))) {
            return 1;
        }
    }
}

void idset_remove(char *base, _Atomic uint64_t *word, uint32_t id)
{
    for (;;) {
        uint64_t w = atomic_load_explicit(word, memory_order_acquire);
        if ((w & TAG) != 0) {
            _Atomic uint64_t *bits = bits_of(base, w, id);
            if (bits != NULL) {
                atomic_fetch_and(bits, ~((uint64_t)1 << id % 64));
            }
            return;
        }
        int at = slot_of(w, id);
        if (at < 0 || atomic_compare_exchange_strong(word, &w, with_slot(w, (unsigned)at, 0))) {
            return;
        }
    }
}

static uint32_t next_in_word(uint64_t w, uint32_t from, uint32_t to)
{
    uint32_t least = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        uint32_t id = slot(w, i);
        if (id != 0 && id >= from && id <= to && (least == 0 || id < least)) {
            least = id;
        }
    }
    return least;
}

// The least id of the leaf at or above `from`, both counted within it; IDSET_LEAF: none.
static uint32_t next_in_leaf(const struct leaf *leaf, uint32_t from)
{
    for (uint32_t i = from / 64; i < IDSET_LEAF / 64; i++) {
        uint64_t bits = atomic_load(&leaf->words[i]);
        if (i == from / 64) {
            bits &= ~(uint64_t)0 << from % 64;
        }
        if (bits != 0) {
            return i * 64 + (uint32_t)__builtin_ctzll(bits);
        }
    }
    return IDSET_LEAF;
}

uint32_t idset_next(char *base, const _Atomic uint64_t *word, uint32_t from, uint32_t to)
{
    uint64_t w = atomic_load(word);
    if ((w & TAG) == 0) {
        return next_in_word(w, from, to);
    }
    const struct wide *wide = wide_of(base, w);
    for (uint32_t i = from / IDSET_LEAF; i < wide->n && i <= to / IDSET_LEAF; i++) {
        uint32_t handle = atomic_load(&wide->leaves[i]);
        uint32_t first = i == from / IDSET_LEAF ? from % IDSET_LEAF : 0;
        uint32_t at = handle == 0 ? IDSET_LEAF : next_in_leaf(arena_at(base, handle), first);
        if (at < IDSET_LEAF) {
            return i * IDSET_LEAF + at <= to ? i * IDSET_LEAF + at : 0;
        }
    }
    return 0;
}

void idset_free(struct arena *a, _Atomic uint64_t *word)
{
    uint64_t w = atomic_exchange(word, 0);
    if ((w & TAG) == 0) {
        return;
    }
    struct wide *wide = wide_of(arena_base(a), w);
    for (uint32_t i = 0; i < wide->n; i++) {
        uint32_t handle = atomic_load(&wide->leaves[i]);
        if (handle != 0) {
            arena_release(a, handle, sizeof(struct leaf));
        }
    }
    arena_release(a, (uint32_t)w, wide_size(wide->n));
}

void idset_repair(char *base, _Atomic uint64_t *word)
{
    uint64_t w = atomic_load(word);
    const struct wide *wide = wide_of(base, w);
    bool good = (w & TAG) == 0 || wide->own == own_of(w);
    for (uint32_t i = 0; good && (w & TAG) != 0 && i < wide->n; i++) {
        const struct leaf *leaf = arena_at(base, atomic_load(&wide->leaves[i]));
        good = atomic_load(&wide->leaves[i]) == 0 || leaf->own == own_of(w);
    }
    if (!good) {
        atomic_store(word, 0);
    }
}

// ---- Reading

// The piece of `size` bytes if it is one of a set with this number.
static const void *piece_of(const struct record_image *image, uint32_t handle, size_t size,
                            uint64_t own)
{
    uint64_t at = (uint64_t)handle * ARENA_GRANULE;
    if (handle == 0 || at > image->size || size > image->size - at ||
        *(const uint64_t *)(const void *)(image->base + at) != own ||
        !record_image_is_intact(image, at, size)) {
        return NULL;
    }
    return image->base + at;
}

uint32_t idset_read(const struct record_image *image, uint64_t word, uint32_t from)
{
    if ((word & TAG) == 0) {
        return next_in_word(word, from, IDSET_MAX);
    }
    const struct wide *wide = piece_of(image, (uint32_t)word, sizeof *wide, own_of(word));
    if (wide == NULL || wide->n > IDSET_MAX / IDSET_LEAF + 1 ||
        piece_of(image, (uint32_t)word, wide_size(wide->n), own_of(word)) == NULL) {
        return 0;
    }
    for (uint32_t i = from / IDSET_LEAF; i < wide->n; i++) {
        uint32_t handle = atomic_load(&wide->leaves[i]);
        const struct leaf *leaf = piece_of(image, handle, sizeof *leaf, own_of(word));
        uint32_t first = i == from / IDSET_LEAF ? from % IDSET_LEAF : 0;
        uint32_t at = leaf == NULL ? IDSET_LEAF : next_in_leaf(leaf, first);
        if (at < IDSET_LEAF) {
            return i * IDSET_LEAF + at;
        }
    }
    return 0;
}
