// SPDX-License-Identifier: Apache-2.0
#include "series/arena_inside.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_GRANULES = ARENA_PAGE / ARENA_GRANULE };

/*
 * Classes: every granule up to 16, then four per doubling, so that rounding up wastes at most a fifth.
 */
static unsigned class_of(size_t bytes, uint32_t *ret_granules)
{
    uint32_t want = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE);
    if (want <= 16) {
        want = want == 0 ? 1 : want;
        *ret_granules = want;
        return want - 1;
    }
    unsigned shift = 31 - (unsigned)__builtin_clz(want - 1) - 2;
    uint32_t granules = (want + (1u << shift) - 1) >> shift << shift;
    *ret_granules = granules;
    unsigned top = 31 - (unsigned)__builtin_clz(granules);
    unsigned quarter = (granules >> (top - 2)) & 3;
    return 16 + (top - 4) * 4 + quarter - 1;
}

// A file that cannot grow is not asked again by every step: whoever mends it (arena_attach) says when.
static uint8_t open_step(struct arena *a, uint64_t step)
{
    int fd = atomic_load(&a->fd);
    if (fd >= 0 && atomic_load(&a->adrift) == 0) {
        int rc = arena_map_file(a, fd, step);
        if (rc == 0) {
            return STEP_FILE;
        }
        atomic_store(&a->adrift, rc);
    }
    char *at = a->base + step * ARENA_STEP;
    int rc = mprotect(at, ARENA_STEP, PROT_READ | PROT_WRITE);
    if (rc == 0 && step > 0) {
        // With many series each line is for another place: large pages are found sooner, where the system has them.
        madvise(at, ARENA_STEP, MADV_HUGEPAGE);
    }
    return rc == 0 ? STEP_MEMORY : STEP_ABSENT;
}

// Makes the step usable, by whoever comes first; the others wait for it.
static int make_usable(struct arena *a, uint64_t step)
{
    for (;;) {
        uint8_t seen = atomic_load_explicit(&a->steps[step], memory_order_acquire);
        if (seen == STEP_MEMORY || seen == STEP_FILE) {
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
        uint8_t is = open_step(a, step);
        atomic_store_explicit(&a->steps[step], is, memory_order_release);
        return is == STEP_ABSENT ? -ENOMEM : 0;
    }
}

int arena_new(struct arena **ret, uint64_t max_bytes)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return -ENOMEM;
    }
    const uint64_t most = ARENA_REACH / ARENA_STEP * ARENA_STEP;
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
    a->steps = calloc(arena_steps(a), sizeof *a->steps);
    a->rescued = calloc(a->size / ARENA_PAGE / 8, 1);
    atomic_init(&a->fd, -1);
    atomic_init(&a->used, ARENA_RESERVED);
    atomic_flag_clear(&a->rescuing);
    if (a->steps == NULL || a->rescued == NULL || make_usable(a, 0) < 0) {
        arena_free(a);
        return -ENOMEM;
    }
    *ret = a;
    return 0;
}

void arena_free(struct arena *a)
{
    if (a != NULL) {
        munmap(a->base, a->size);
        free(a->steps);
        free(a->rescued);
        free(a);
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

// Where a piece may begin, at or behind `at`.
static uint32_t within_page(uint32_t at, uint32_t granules)
{
    uint32_t in_page = at % PAGE_GRANULES;
    return in_page == 0 || in_page + granules <= PAGE_GRANULES ? at : at - in_page + PAGE_GRANULES;
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
    uint32_t at = within_page(hand->next, granules);
    if (hand->end < at + granules) {
        if (take_chunk(a, hand) < 0) {
            return 0;
        }
        at = hand->next;
    }
    hand->next = at + granules;
    return at;
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
