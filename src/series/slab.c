// SPDX-License-Identifier: Apache-2.0
#include "series/slab.h"

#include "base/invariant.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

// Part 0 holds the first SLAB_FIRST slots, and each further one as many as all before it.
static unsigned part_of(uint32_t slot, uint32_t *ret_first)
{
    if (slot < SLAB_FIRST) {
        *ret_first = 0;
        return 0;
    }
    unsigned top = 31 - (unsigned)__builtin_clz(slot);
    *ret_first = 1u << top;
    return top - 5;
}

struct series *slab_at(const struct slab *slab, uint32_t slot)
{
    uint32_t first;
    unsigned part = part_of(slot, &first);
    return atomic_load_explicit(&slab->parts[part], memory_order_acquire) + (slot - first);
}

/*
 * With many series each line is for another place, and a start writes to all of them: large pages, where the system has
 * them. Not at a part's unaligned ends, nor for smaller parts, where much of one would be unused.
 */
static void ask_for_large_pages(char *part, size_t bytes)
{
    enum { LARGE_PAGE = 2 << 20, LEAST = 4 << 20 };
    size_t before = -(uintptr_t)part % LARGE_PAGE;
    if (bytes >= LEAST) {
        madvise(part + before, (bytes - before) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    }
}

static int ensure(struct slab *slab, uint32_t slot)
{
    uint32_t first;
    unsigned part = part_of(slot, &first);
    if (part >= SLAB_PARTS) {
        return -ENOMEM;
    }
    if (atomic_load_explicit(&slab->parts[part], memory_order_acquire) != NULL) {
        return 0;
    }
    uint32_t n = part == 0 ? SLAB_FIRST : first;
    struct series *fresh = calloc(n, sizeof *fresh);
    struct series *none = NULL;
    if (fresh == NULL) {
        return -ENOMEM;
    }
    ask_for_large_pages((char *)fresh, n * sizeof *fresh);
    if (!atomic_compare_exchange_strong(&slab->parts[part], &none, fresh)) {
        free(fresh);
    }
    return 0;
}

// Another round, in the three loops below: another thread has taken or given a slot, and gone on.
static struct series *pop(struct slab *slab, uint32_t *ret_slot)
{
    uint64_t head = atomic_load_explicit(&slab->free, memory_order_acquire);
    while ((uint32_t)head != 0) {
        struct series *s = slab_at(slab, (uint32_t)head - 1);
        uint64_t next =
            ((head >> 32) + 1) << 32 | atomic_load_explicit(&s->handle, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&slab->free, &head, next, memory_order_acquire,
                                                  memory_order_acquire)) {
            *ret_slot = (uint32_t)head - 1;
            return s;
        }
    }
    return NULL;
}

void slab_give(struct slab *slab, struct series *s, uint32_t slot)
{
    uint64_t head = atomic_load_explicit(&slab->free, memory_order_relaxed);
    uint64_t next;
    do {
        atomic_store_explicit(&s->handle, (uint32_t)head, memory_order_relaxed);
        next = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!atomic_compare_exchange_weak_explicit(&slab->free, &head, next, memory_order_release,
                                                    memory_order_relaxed));
}

struct series *slab_take(struct slab *slab, uint32_t *ret_slot)
{
    struct series *s = pop(slab, ret_slot);
    if (s != NULL) {
        return s;
    }
    uint32_t slot = atomic_load_explicit(&slab->slots, memory_order_acquire);
    do {
        if (ensure(slab, slot) < 0) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slab->slots, &slot, slot + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    *ret_slot = slot;
    return slab_at(slab, slot);
}

uint32_t slab_slot(const struct slab *slab, const struct series *s)
{
    for (unsigned part = 0;; part++) {
        invariant(part < SLAB_PARTS, "a series lies in a slab of its table");
        const struct series *first = atomic_load_explicit(&slab->parts[part], memory_order_acquire);
        uint32_t before = part == 0 ? 0 : (uint32_t)SLAB_FIRST << (part - 1);
        uint32_t n = part == 0 ? SLAB_FIRST : before;
        if (s >= first && s < first + n) {
            return before + (uint32_t)(s - first);
        }
    }
}

void slab_close(struct slab *slab)
{
    for (unsigned i = 0; i < SLAB_PARTS; i++) {
        free(atomic_load(&slab->parts[i]));
    }
}
