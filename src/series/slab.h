// SPDX-License-Identifier: Apache-2.0
/*
 * slab: the series of a table, slot after slot, and how free slots are used again.
 *
 * Shape:   a slab grows by parts, each as large as all before it, so that a series never moves.
 * Threads: any. Free slots form a stack whose head carries a tag that every change raises, so that a slot which left and
 *          came back is not taken for the same. Whoever sees `slots` finds the parts of all slots below it.
 * Memory:  a slab owns its parts. What a series refers to is the table's.
 */
#ifndef VE_SERIES_SLAB_H
#define VE_SERIES_SLAB_H

#include "series/exemplar.h"
#include "series/record.h"

enum {
    SLAB_PARTS = 27, // 2^32 slots
    SLAB_FIRST = 64, // slots of the first part
};

enum series_state {
    SERIES_FREE,     // nobody's
    SERIES_READY,    // in the index (or about to be), not yet exposed
    SERIES_LIVE,     // exposed
    SERIES_DYING,    // exposed; its remover looks once more
    SERIES_DEAD,     // removed, to be unlinked
    SERIES_UNLINKED, // out of the index
    SERIES_RETIRED,  // waits for the end of a grace period
};

// Whether a series of this state is found and updated.
static inline bool series_is_alive(uint8_t state)
{
    return state == SERIES_READY || state == SERIES_LIVE || state == SERIES_DYING;
}

// Whether a scrape shows it.
static inline bool series_is_exposed(uint8_t state)
{
    return state == SERIES_LIVE || state == SERIES_DYING;
}

struct series {
    unsigned char node[16]; // of the index
    struct record *record;
    _Atomic uint32_t handle; // of the record; in a free slot: the next free one + 1
    _Atomic uint32_t uses;   // how often its slot was given back
    _Atomic uint8_t state;   // enum series_state
    uint8_t maker : 6;       // lane that made it: READY it is of that lane's present line
    bool folded : 1;         // outside the limits
    bool lost : 1;           // what its record owns is not known any more, and is not used again
    uint16_t quota_id;       // whose quota its place is of; 0: none
    _Atomic uint32_t since;  // number of the first scrape that shows it; 0: not yet LIVE
    _Atomic(struct exemplars *) exemplars; // NULL: none
};

// A series' payload in its record.
struct series_saved {
    _Atomic uint64_t ids; // a set (series/idset) that means nothing to this layer
};

static inline const char *series_text(const struct series *s, size_t *ret_len)
{
    *ret_len = s->record->text_len;
    return record_text(s->record);
}

static inline _Atomic double *series_gauge(const struct series *s)
{
    return &s->record->number;
}

static inline _Atomic uint64_t *series_ids(const struct series *s)
{
    return &((struct series_saved *)record_payload(s->record))->ids;
}

static inline _Atomic uint32_t *series_touched(const struct series *s)
{
    return &s->record->touched;
}

static inline const struct exemplars *series_exemplars(const struct series *s)
{
    return atomic_load_explicit(&s->exemplars, memory_order_acquire);
}

struct slab {
    // The first holds SLAB_FIRST slots, and each further one as many as all before it.
    _Atomic(struct series *) parts[SLAB_PARTS];
    _Atomic uint32_t slots; // ever used
    _Atomic uint64_t free;  // head of the free slots: tag << 32 | slot + 1
};

// A slot's series; the slot must be below `slots`.
struct series *slab_at(const struct slab *slab, uint32_t slot);
// A slot that no other thread knows. NULL: no memory.
struct series *slab_take(struct slab *slab, uint32_t *ret_slot);
// Gives a slot back, which no other thread may reach.
void slab_give(struct slab *slab, struct series *s, uint32_t slot);
// The slot of a series. Not the one that its record names: the record's page may be lost.
uint32_t slab_slot(const struct slab *slab, const struct series *s);
void slab_close(struct slab *slab);

#endif
