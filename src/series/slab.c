// SPDX-License-Identifier: Apache-2.0
#include "series/slab.h"

#include "series/exemplar.h"
#include "series/walk.h"

#include <errno.h>
#include <stdlib.h>

// Slab 0 holds the first TABLE_FIRST_SLAB slots, and each further one as many as all before it.
static unsigned slab_of(uint32_t slot, uint32_t *ret_first)
{
    if (slot < TABLE_FIRST_SLAB) {
        *ret_first = 0;
        return 0;
    }
    unsigned top = 31 - (unsigned)__builtin_clz(slot);
    *ret_first = 1u << top;
    return top - 5;
}

struct series *slab_at(const struct table *t, uint32_t slot)
{
    uint32_t first;
    unsigned slab = slab_of(slot, &first);
    return atomic_load_explicit(&t->slabs[slab], memory_order_acquire) + (slot - first);
}

const struct series *table_run(const struct table *t, uint32_t slot, uint32_t *ret_first,
                               uint32_t *ret_end)
{
    unsigned slab = slab_of(slot, ret_first);
    *ret_end = slab == 0 ? TABLE_FIRST_SLAB : *ret_first * 2;
    return atomic_load_explicit(&t->slabs[slab], memory_order_acquire);
}

static int ensure(struct table *t, uint32_t slot)
{
    uint32_t first;
    unsigned slab = slab_of(slot, &first);
    if (slab >= TABLE_SLABS) {
        return -ENOMEM;
    }
    if (atomic_load_explicit(&t->slabs[slab], memory_order_acquire) != NULL) {
        return 0;
    }
    struct series *fresh = calloc(slab == 0 ? TABLE_FIRST_SLAB : first, sizeof *fresh);
    struct series *none = NULL;
    if (fresh == NULL) {
        return -ENOMEM;
    }
    if (!atomic_compare_exchange_strong(&t->slabs[slab], &none, fresh)) {
        free(fresh);
    }
    return 0;
}

static struct series *pop(struct table *t, uint32_t *ret_slot)
{
    uint64_t head = atomic_load_explicit(&t->free, memory_order_acquire);
    while ((uint32_t)head != 0) {
        struct series *s = slab_at(t, (uint32_t)head - 1);
        uint64_t next =
            ((head >> 32) + 1) << 32 | atomic_load_explicit(&s->handle, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&t->free, &head, next, memory_order_acquire,
                                                  memory_order_acquire)) {
            *ret_slot = (uint32_t)head - 1;
            return s;
        }
    }
    return NULL;
}

void slab_give(struct table *t, struct series *s, uint32_t slot)
{
    uint64_t head = atomic_load_explicit(&t->free, memory_order_relaxed);
    uint64_t next;
    do {
        atomic_store_explicit(&s->handle, (uint32_t)head, memory_order_relaxed);
        next = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!atomic_compare_exchange_weak_explicit(&t->free, &head, next, memory_order_release,
                                                    memory_order_relaxed));
}

struct series *slab_take(struct table *t, uint32_t *ret_slot)
{
    struct series *s = pop(t, ret_slot);
    if (s != NULL) {
        return s;
    }
    uint32_t slot = atomic_load_explicit(&t->slots, memory_order_acquire);
    do {
        if (ensure(t, slot) < 0) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&t->slots, &slot, slot + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    *ret_slot = slot;
    return slab_at(t, slot);
}

// Not the record's word for it: its page may have been lost.
static uint32_t slot_of(const struct table *t, const struct series *s)
{
    for (unsigned slab = 0;; slab++) {
        const struct series *first = atomic_load_explicit(&t->slabs[slab], memory_order_acquire);
        uint32_t before = slab == 0 ? 0 : (uint32_t)TABLE_FIRST_SLAB << (slab - 1);
        uint32_t n = slab == 0 ? TABLE_FIRST_SLAB : before;
        if (s >= first && s < first + n) {
            return before + (uint32_t)(s - first);
        }
    }
}

void slab_release(struct table *t, struct series *s)
{
    uint32_t slot = slot_of(t, s);
    struct arena *arena = t->share->arena;
    marks_drop(arena, series_marks(s));
    record_free(arena, atomic_load_explicit(&s->handle, memory_order_relaxed), t->cell_size);
    exemplars_drop(t->share, s);
    s->record = NULL;
    atomic_fetch_add_explicit(&s->uses, 1, memory_order_relaxed);
    atomic_store_explicit(&s->state, SERIES_FREE, memory_order_release);
    slab_give(t, s, slot);
}

void slab_free_all(struct table *t)
{
    for (uint32_t i = 0; i < table_slots(t); i++) {
        exemplars_drop(t->share, slab_at(t, i)); // records may stay in a file, these do not
    }
    for (unsigned i = 0; i < TABLE_SLABS; i++) {
        free(atomic_load(&t->slabs[i]));
    }
}
