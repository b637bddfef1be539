// SPDX-License-Identifier: Apache-2.0
#include "breaks.h"
#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

static bool refuse_protect;
static size_t mmap_most = SIZE_MAX;
static int callocs_left = -1; // how many more succeed; negative: all

static int some_mprotect(void *p, size_t len, int prot)
{
    return refuse_protect ? -1 : mprotect(p, len, prot);
}

static void *some_mmap(void *p, size_t len, int prot, int flags, int fd, off_t at)
{
    return len > mmap_most ? MAP_FAILED : mmap(p, len, prot, flags, fd, at);
}

static void *some_calloc(size_t n, size_t size)
{
    return callocs_left-- == 0 ? NULL : calloc(n, size);
}

#define mprotect some_mprotect
#define mmap some_mmap
#define calloc some_calloc
#include "series/arena.c"
#undef mprotect
#undef mmap
#undef calloc

enum { CHUNKS = (ARENA_STEP - ARENA_RESERVED) / ARENA_CHUNK }; // of the smallest arena

static struct arena *arena_of(uint64_t bytes)
{
    struct arena *a = NULL;
    ck_assert_int_eq(arena_new(&a, bytes), 0);
    return a;
}

static bool all_are(const unsigned char *p, size_t n, unsigned char c)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != c) {
            return false;
        }
    }
    return true;
}

START_TEST(a_class_holds_every_size_of_it_and_wastes_little)
{
    uint32_t of_class[ARENA_CLASSES] = {0};
    unsigned before = 0;
    for (size_t bytes = 0; bytes <= ARENA_MAX_PIECE; bytes++) {
        uint32_t granules;
        unsigned class = class_of(bytes, &granules);
        ck_assert_uint_lt(class, ARENA_CLASSES);
        ck_assert_uint_ge((size_t)granules * ARENA_GRANULE, bytes);
        ck_assert_uint_ge(granules, 1);
        ck_assert_uint_le(granules, ARENA_CHUNK / ARENA_GRANULE);
        ck_assert(of_class[class] == 0 || of_class[class] == granules);
        of_class[class] = granules;
        ck_assert(class == before || class == before + 1);
        before = class;
        uint32_t want = (uint32_t)((bytes + ARENA_GRANULE - 1) / ARENA_GRANULE);
        ck_assert(want == 0 || (granules - want) * 5 <= granules);
    }
    ck_assert_uint_eq(before, ARENA_CLASSES - 1);
}
END_TEST

START_TEST(pieces_are_aligned_zeroed_and_never_handle_zero)
{
    struct arena *a = arena_of(ARENA_STEP);
    struct arena_writer writer = {0};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 129, 1000, 40000, ARENA_MAX_PIECE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t handle = arena_alloc(a, &writer, sizes[i]);
        ck_assert_uint_ne(handle, 0);
        unsigned char *p = arena_at(arena_base(a), handle);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        ck_assert((uintptr_t)p % ARENA_PAGE == 0 ||
                  (uintptr_t)p % ARENA_PAGE + sizes[i] <= ARENA_PAGE);
        ck_assert(all_are(p, sizes[i], 0));
        memset(p, 0xAA, sizes[i]);
    }
    arena_free(a);
}
END_TEST

START_TEST(a_released_piece_comes_back_zeroed_to_its_class_only)
{
    struct arena *a = arena_of(ARENA_STEP);
    struct arena_writer writer = {0};
    uint32_t first = arena_alloc(a, &writer, 100);
    memset(arena_at(arena_base(a), first), 0xFF, 112);
    arena_release(a, first, 100);
    ck_assert_uint_ne(arena_alloc(a, &writer, 96), first);
    uint32_t again = arena_alloc(a, &writer, 112);
    ck_assert_uint_eq(again, first);
    ck_assert(all_are(arena_at(arena_base(a), again), 112, 0));
    arena_free(a);
}
END_TEST

START_TEST(what_one_writer_releases_another_may_have)
{
    struct arena *a = arena_of(ARENA_STEP);
    struct arena_writer one = {0};
    struct arena_writer two = {0};
    uint32_t pieces[3];
    for (size_t i = 0; i < 3; i++) {
        pieces[i] = arena_alloc(a, &one, 64);
    }
    for (size_t i = 0; i < 3; i++) {
        arena_release(a, pieces[i], 64);
    }
    uint64_t used = arena_used(a);
    for (size_t i = 3; i-- > 0;) { // the last released comes first
        ck_assert_uint_eq(arena_alloc(a, &two, 64), pieces[i]);
    }
    ck_assert_uint_eq(arena_used(a), used);
    // The second writer has no chunk yet, and takes one.
    ck_assert_uint_ne(arena_alloc(a, &two, 64), 0);
    ck_assert_uint_eq(arena_used(a), used + ARENA_CHUNK);
    arena_free(a);
}
END_TEST

START_TEST(a_full_arena_gives_nothing_until_something_is_released)
{
    struct arena *a = arena_of(1);
    struct arena_writer writer = {0};
    uint32_t pieces[CHUNKS];
    for (size_t i = 0; i < CHUNKS; i++) {
        pieces[i] = arena_alloc(a, &writer, ARENA_MAX_PIECE);
        ck_assert_uint_ne(pieces[i], 0);
    }
    ck_assert_uint_eq(arena_used(a), ARENA_STEP);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(arena_alloc(a, &writer, ARENA_MAX_PIECE), 0);
        ck_assert_uint_eq(arena_alloc(a, &writer, 1), 0);
    }
    memset(arena_at(arena_base(a), pieces[7]), 1, ARENA_MAX_PIECE);
    arena_release(a, pieces[7], ARENA_MAX_PIECE);
    ck_assert_uint_eq(arena_alloc(a, &writer, 1), 0);
    ck_assert_uint_eq(arena_alloc(a, &writer, ARENA_MAX_PIECE), pieces[7]);
    ck_assert(all_are(arena_at(arena_base(a), pieces[7]), ARENA_MAX_PIECE, 0));
    ck_assert_uint_eq(arena_alloc(a, &writer, ARENA_MAX_PIECE), 0);
    arena_free(a);
}
END_TEST

START_TEST(a_step_that_the_system_refuses_is_asked_for_again)
{
    struct arena *a = arena_of(2 * (uint64_t)ARENA_STEP);
    struct arena_writer writer = {0};
    uint64_t used = arena_used(a);
    for (size_t i = 0; i < CHUNKS; i++) {
        ck_assert_uint_ne(arena_alloc(a, &writer, ARENA_MAX_PIECE), 0);
    }
    used = arena_used(a);
    refuse_protect = true; // the second step
    ck_assert_uint_eq(arena_alloc(a, &writer, ARENA_MAX_PIECE), 0);
    ck_assert_uint_eq(arena_alloc(a, &writer, 16), 0);
    ck_assert_uint_eq(arena_used(a), used);
    refuse_protect = false;
    ck_assert_uint_ne(arena_alloc(a, &writer, ARENA_MAX_PIECE), 0);
    arena_free(a);
}
END_TEST

START_TEST(an_arena_is_as_large_as_the_system_allows)
{
    mmap_most = 5 * (size_t)ARENA_STEP;
    struct arena *a = arena_of((uint64_t)64 << 30);
    ck_assert_uint_ge(a->size, ARENA_STEP);
    ck_assert_uint_le(a->size, mmap_most);
    ck_assert_uint_eq(a->size % ARENA_STEP, 0);
    struct arena_writer writer = {0};
    ck_assert_uint_ne(arena_alloc(a, &writer, 1), 0);
    arena_free(a);
}
END_TEST

START_TEST(handles_reach_the_end_of_the_largest_arena)
{
    struct arena *a = arena_of(UINT64_MAX / 2);
    ck_assert_uint_le(a->size / ARENA_GRANULE, UINT32_MAX);
    atomic_store(&a->used, a->size - ARENA_CHUNK);
    struct arena_writer writer = {0};
    uint32_t handle = arena_alloc(a, &writer, ARENA_MAX_PIECE);
    ck_assert_uint_ne(handle, 0);
    unsigned char *p = arena_at(arena_base(a), handle);
    p[ARENA_MAX_PIECE - 1] = 1;
    ck_assert_ptr_eq(p + ARENA_MAX_PIECE, arena_base(a) + a->size);
    ck_assert_uint_eq(arena_alloc(a, &writer, 1), 0);
    arena_free(a);
}
END_TEST

START_TEST(without_memory_there_is_no_arena)
{
    struct arena *untouched = (struct arena *)(uintptr_t)16;
    struct arena *a = untouched;
    for (int ok = 0; ok < 3; ok++) {
        callocs_left = ok;
        ck_assert_int_eq(arena_new(&a, ARENA_STEP), -ENOMEM);
    }
    callocs_left = -1;
    refuse_protect = true;
    ck_assert_int_eq(arena_new(&a, ARENA_STEP), -ENOMEM);
    refuse_protect = false;
    mmap_most = ARENA_STEP - 1;
    ck_assert_int_eq(arena_new(&a, (uint64_t)1 << 40), -ENOMEM);
    ck_assert_ptr_eq(a, untouched);
    arena_free(NULL);
}
END_TEST

// Who has which granule, and what every piece holds.
struct shadow {
    struct arena *arena;
    bool taken[ARENA_STEP / ARENA_GRANULE];
    struct {
        uint32_t handle;
        size_t bytes;
        unsigned char fill;
    } pieces[3000];
    size_t n;
};

static void mark(struct shadow *sh, uint32_t handle, size_t bytes, bool taken)
{
    size_t granules = (bytes + ARENA_GRANULE - 1) / ARENA_GRANULE;
    for (size_t g = handle; g < handle + granules; g++) {
        if (sh->taken[g] == taken) {
            ck_abort_msg("granule %zu of piece %u", g, handle);
        }
        sh->taken[g] = taken;
    }
}

static void take(struct shadow *sh, struct arena_writer *writer, size_t bytes, unsigned char fill)
{
    uint32_t handle = arena_alloc(sh->arena, writer, bytes);
    if (handle == 0) {
        return;
    }
    unsigned char *p = arena_at(arena_base(sh->arena), handle);
    ck_assert(all_are(p, bytes, 0));
    memset(p, fill, bytes);
    mark(sh, handle, bytes, true);
    sh->pieces[sh->n].handle = handle;
    sh->pieces[sh->n].bytes = bytes;
    sh->pieces[sh->n++].fill = fill;
}

static void give(struct shadow *sh, size_t i)
{
    uint32_t handle = sh->pieces[i].handle;
    size_t bytes = sh->pieces[i].bytes;
    ck_assert(all_are(arena_at(arena_base(sh->arena), handle), bytes, sh->pieces[i].fill));
    mark(sh, handle, bytes, false);
    arena_release(sh->arena, handle, bytes);
    sh->pieces[i] = sh->pieces[--sh->n];
}

START_TEST(pieces_never_overlap_whatever_comes_and_goes)
{
    static struct shadow sh;
    uint64_t seed = unit_seed() | 1;
    sh.arena = arena_of(ARENA_STEP);
    struct arena_writer writers[3] = {0};
    for (int round = 0; round < 50000; round++) {
        uint64_t r = unit_random(&seed);
        bool more = sh.n < sizeof sh.pieces / sizeof sh.pieces[0] && (sh.n == 0 || r % 5 < 3);
        if (!more) {
            give(&sh, r / 8 % sh.n);
            continue;
        }
        static const size_t most[] = {64, 64, 600, 600, 5000, ARENA_MAX_PIECE};
        size_t bytes = 1 + (r >> 20) % most[r / 8 % 6];
        take(&sh, &writers[r >> 60 & 1], bytes, (unsigned char)(1 + (r >> 50) % 255));
    }
    while (sh.n > 0) {
        give(&sh, 0);
    }
    arena_free(sh.arena);
}
END_TEST

static struct arena_writer any_writer;

static void allocate_more_than_a_piece(void)
{
    arena_alloc(arena_of(ARENA_STEP), &any_writer, ARENA_MAX_PIECE + 1);
}

static void release_more_than_a_piece(void)
{
    arena_release(arena_of(ARENA_STEP), ARENA_RESERVED / ARENA_GRANULE, ARENA_MAX_PIECE + 1);
}

static void release_what_is_in_no_chunk(void)
{
    struct arena *a = arena_of(ARENA_STEP);
    arena_release(a, (uint32_t)(arena_used(a) / ARENA_GRANULE), 1);
}

static void release_what_is_reserved(void)
{
    arena_release(arena_of(ARENA_STEP), 0, 1);
}

static void allocate_where_no_handle_reaches(void)
{
    struct arena a = {.size = ARENA_REACH + ARENA_GRANULE};
    a.steps = calloc(steps_of(&a), sizeof *a.steps);
    memset((void *)a.steps, STEP_MEMORY, steps_of(&a));
    a.used = a.size - ARENA_CHUNK;
    arena_alloc(&a, &any_writer, 1);
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a piece of the arena has at most ARENA_MAX_PIECE bytes", allocate_more_than_a_piece);
    breaks("a piece of the arena has at most ARENA_MAX_PIECE bytes", release_more_than_a_piece);
    breaks("a released piece was allocated", release_what_is_in_no_chunk);
    breaks("a released piece was allocated", release_what_is_reserved);
    breaks("a piece lies in its writer's chunk", allocate_where_no_handle_reaches);
}
END_TEST

UNIT_MAIN("arena", a_class_holds_every_size_of_it_and_wastes_little,
          pieces_are_aligned_zeroed_and_never_handle_zero,
          a_released_piece_comes_back_zeroed_to_its_class_only,
          what_one_writer_releases_another_may_have,
          a_full_arena_gives_nothing_until_something_is_released,
          a_step_that_the_system_refuses_is_asked_for_again,
          an_arena_is_as_large_as_the_system_allows, handles_reach_the_end_of_the_largest_arena,
          without_memory_there_is_no_arena, pieces_never_overlap_whatever_comes_and_goes,
          a_broken_invariant_ends_the_process)
