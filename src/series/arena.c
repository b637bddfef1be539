// SPDX-License-Identifier: Apache-2.0
#include "series/arena.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum step { STEP_ABSENT, STEP_BUSY, STEP_READY };

struct arena {
    char *base;
    uint64_t size;                            // bytes reserved
    _Atomic uint64_t used;                    // bytes given to hands
    _Atomic uint32_t released[ARENA_CLASSES]; // heads of the shared lists
    _Atomic uint8_t *steps;                   // enum step, one per ARENA_STEP
};

/*
 * Classes: every granule up to 8, then four per doubling, so that rounding up wastes at most a fifth.
 */
static unsigned class_of(size_t bytes, uint32_t *ret_granules)
{
    uint32_t want = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE);
    if (want <= 8) {
        want = want == 0 ? 1 : want;
        *ret_granules = want;
        return want - 1;
    }
    unsigned shift = 31 - (unsigned)__builtin_clz(want - 1) - 2;
    uint32_t granules = (want + (1u << shift) - 1) >> shift << shift;
    *ret_granules = granules;
    unsigned top = 31 - (unsigned)__builtin_clz(granules);
    unsigned quarter = (granules >> (top - 2)) & 3;
    return 8 + (top - 3) * 4 + quarter - 1;
}

int arena_new(struct arena **ret, uint64_t max_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return -ENOMEM;
    }
    const uint64_t most = (uint64_t)UINT32_MAX * ARENA_GRANULE / ARENA_STEP * ARENA_STEP;
    a->size = (max_bytes + ARENA_STEP - 1) / ARENA_STEP * ARENA_STEP;
    a->size = a->size > most ? most : a->size < ARENA_STEP ? ARENA_STEP : a->size;
    for (;;) {
        void *p =
            mmap(NULL, a->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED) {
            a->base = p;
            break;
        }
        if (a->size <= ARENA_STEP) {
            free(a);
            return -ENOMEM;
        }
        a->size = a->size / 2 / ARENA_STEP * ARENA_STEP;
    }
    a->steps = calloc(a->size / ARENA_STEP, sizeof *a->steps);
    if (a->steps == NULL) {
        munmap(a->base, a->size);
        free(a);
        return -ENOMEM;
    }
    atomic_init(&a->used, ARENA_CHUNK); // so that handle 0 is nobody's
    *ret = a;
    return 0;
}

void arena_free(struct arena *a)
{
    if (a != NULL) {
        munmap(a->base, a->size);
        free(a->steps);
        free(a);
    }
}

// Makes the step usable, by whoever comes first; the others wait for it.
static int make_usable(struct arena *a, uint64_t step)
{
    for (;;) {
        uint8_t seen = atomic_load_explicit(&a->steps[step], memory_order_acquire);
        if (seen == STEP_READY) {
            return 0;
        }
        if (seen == STEP_BUSY) {
            sched_yield();
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&a->steps[step], &seen, STEP_BUSY,
                                                   memory_order_acquire, memory_order_relaxed)) {
            continue;
        }
        int rc = mprotect(a->base + step * ARENA_STEP, ARENA_STEP, PROT_READ | PROT_WRITE);
        atomic_store_explicit(&a->steps[step], rc == 0 ? STEP_READY : STEP_ABSENT,
                              memory_order_release);
        return rc == 0 ? 0 : -ENOMEM;
    }
}

/*
 * The step is made usable before the chunk is taken, so that a refusal by the system leaves nothing lost.
 * A chunk never crosses a step, since the one is a multiple of the other.
 */
static int take_chunk(struct arena *a, struct arena_hand *hand)
{
    static_assert(ARENA_STEP % ARENA_CHUNK == 0, "a chunk lies in one step");
    uint64_t at = atomic_load_explicit(&a->used, memory_order_relaxed);
    do {
        if (at + ARENA_CHUNK > a->size) {
            return -ENOMEM;
        }
        int rc = make_usable(a, at / ARENA_STEP);
        if (rc < 0) {
            return rc;
        }
    } while (!atomic_compare_exchange_weak_explicit(&a->used, &at, at + ARENA_CHUNK,
                                                    memory_order_relaxed, memory_order_relaxed));
    hand->next = (uint32_t)(at / ARENA_GRANULE);
    hand->end = (uint32_t)((at + ARENA_CHUNK) / ARENA_GRANULE);
    return 0;
}

// A released piece's first four bytes hold the handle of the next one.
static uint32_t next_of(const struct arena *a, uint32_t handle)
{
    uint32_t next;
    memcpy(&next, arena_at(a->base, handle), sizeof next);
    return next;
}

static void push(struct arena *a, unsigned class, uint32_t handle)
{
    uint32_t head = atomic_load_explicit(&a->released[class], memory_order_relaxed);
    do {
        memcpy(arena_at(a->base, handle), &head, sizeof head);
    } while (!atomic_compare_exchange_weak_explicit(&a->released[class], &head, handle,
                                                    memory_order_release, memory_order_relaxed));
}

/*
 * A hand takes the whole shared list at once, so that nobody else reads what it then changes and no
 * handle can come back between a look and a swap.
 */
static uint32_t take_released(struct arena *a, struct arena_hand *hand, unsigned class)
{
    if (hand->free[class] == 0 &&
        atomic_load_explicit(&a->released[class], memory_order_relaxed) != 0) {
        hand->free[class] = atomic_exchange_explicit(&a->released[class], 0, memory_order_acquire);
    }
    uint32_t handle = hand->free[class];
    if (handle != 0) {
        hand->free[class] = next_of(a, handle);
    }
    return handle;
}

uint32_t arena_alloc(struct arena *a, struct arena_hand *hand, size_t bytes)
{
    assert(bytes <= ARENA_MAX_PIECE);
    uint32_t granules;
    unsigned class = class_of(bytes, &granules);
    uint32_t handle = take_released(a, hand, class);
    if (handle != 0) {
        memset(arena_at(a->base, handle), 0, (size_t)granules * ARENA_GRANULE);
        return handle;
    }
    if (hand->end - hand->next < granules && take_chunk(a, hand) < 0) {
        return 0;
    }
    handle = hand->next;
    hand->next += granules;
    return handle;
}

void arena_release(struct arena *a, uint32_t handle, size_t bytes)
{
    uint32_t granules;
    unsigned class = class_of(bytes, &granules);
    push(a, class, handle);
}

uint64_t arena_used(const struct arena *a)
{
    return atomic_load_explicit(&a->used, memory_order_relaxed);
}

char *arena_base(const struct arena *a)
{
    return a->base;
}
