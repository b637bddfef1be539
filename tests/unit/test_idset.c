// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <stdbool.h>
#include <string.h>

static bool no_memory;
static int allocs_left = -1; // how many more succeed; negative: all

#include "series/arena.h"
static uint32_t some_alloc(struct arena *a, struct arena_writer *writer, size_t bytes)
{
    return no_memory || allocs_left-- == 0 ? 0 : arena_alloc(a, writer, bytes);
}

#define arena_alloc some_alloc
#include "series/idset.c"
#undef arena_alloc

static struct arena *arena;
static struct arena_writer writer;

static struct idset_memory room_of(uint32_t most)
{
    if (arena == NULL) {
        ck_assert_int_eq(arena_new(&arena, ARENA_STEP), 0);
        writer = (struct arena_writer){0};
    }
    return (struct idset_memory){arena, &writer, most};
}

static int add(_Atomic uint64_t *set, uint32_t id, uint32_t most)
{
    struct idset_memory room = room_of(most);
    return idset_add(set, id, &room);
}

static bool has(const _Atomic uint64_t *set, uint32_t id)
{
    room_of(0);
    return idset_has(arena_base(arena), set, id);
}

static void take_out(_Atomic uint64_t *set, uint32_t id)
{
    room_of(0);
    idset_remove(arena_base(arena), set, id);
}

static uint32_t next(const _Atomic uint64_t *set, uint32_t from, uint32_t to)
{
    room_of(0);
    return idset_next(arena_base(arena), set, from, to);
}

static void drop(_Atomic uint64_t *set)
{
    room_of(0);
    idset_free(arena, set);
}

START_TEST(an_empty_set_has_nothing)
{
    _Atomic uint64_t set = 0;
    for (uint32_t id = 1; id < 200; id++) {
        ck_assert(!has(&set, id));
    }
    ck_assert_uint_eq(next(&set, 1, IDSET_MAX), 0);
    take_out(&set, 5);
    drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(three_ids_stand_in_the_word)
{
    _Atomic uint64_t set = 0;
    no_memory = true; // none is asked for
    static const uint32_t ids[] = {IDSET_MAX, 1, 70};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(add(&set, ids[i], IDSET_MAX), 1);
        ck_assert_int_eq(add(&set, ids[i], IDSET_MAX), 0);
    }
    ck_assert_uint_eq(set & TAG, 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(has(&set, ids[i]));
    }
    ck_assert(!has(&set, 2));
    ck_assert_uint_eq(next(&set, 1, IDSET_MAX), 1);
    ck_assert_uint_eq(next(&set, 2, IDSET_MAX), 70);
    ck_assert_uint_eq(next(&set, 2, 69), 0);
    ck_assert_uint_eq(next(&set, 71, IDSET_MAX), IDSET_MAX);
    ck_assert_uint_eq(next(&set, 71, IDSET_MAX - 1), 0);
    take_out(&set, 1);
    ck_assert(!has(&set, 1));
    ck_assert_int_eq(add(&set, 3, IDSET_MAX), 1);
    ck_assert_uint_eq(next(&set, 1, IDSET_MAX), 3);
    drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(a_fourth_id_widens_the_set)
{
    _Atomic uint64_t set = 0;
    for (uint32_t id = 62; id <= 65; id++) {
        ck_assert_int_eq(add(&set, id, 130), 1);
    }
    ck_assert_uint_eq(set & TAG, TAG);
    for (uint32_t id = 1; id <= 130; id++) {
        ck_assert_int_eq(has(&set, id), id >= 62 && id <= 65);
    }
    ck_assert_int_eq(add(&set, 62, 130), 0);
    ck_assert_int_eq(add(&set, 130, 130), 1);
    ck_assert_int_eq(add(&set, 130, 130), 0);
    take_out(&set, 63);
    take_out(&set, 63);
    ck_assert(!has(&set, 63));
    ck_assert_int_eq(add(&set, 63, 130), 1);
    drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(the_next_id_is_found_over_the_borders_of_words)
{
    static const struct {
        uint32_t from;
        uint32_t to;
        uint32_t next;
    } cases[] = {
        {1, 199, 63},        {1, 62, 0},     {63, 63, 63},       {64, 64, 64},
        {65, 126, 0},        {65, 127, 127}, {65, 199, 127},     {128, 199, 128},
        {129, 199, 199},     {129, 198, 0},  {1, IDSET_MAX, 63}, {129, IDSET_MAX, 199},
        {200, IDSET_MAX, 0}, {64, 63, 0},    {192, 198, 0},      {1000, IDSET_MAX, 0},
    };
    _Atomic uint64_t set = 0;
    static const uint32_t ids[] = {63, 64, 127, 128, 199};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        ck_assert_int_eq(add(&set, ids[i], 199), 1);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(next(&set, cases[i].from, cases[i].to) == cases[i].next, "from %u to %u",
                      cases[i].from, cases[i].to);
    }
    drop(&set);
}
END_TEST

START_TEST(without_memory_the_fourth_id_is_refused_and_the_three_stay)
{
    _Atomic uint64_t set = 0;
    for (uint32_t id = 1; id <= 3; id++) {
        add(&set, id, 100);
    }
    no_memory = true;
    ck_assert_int_eq(add(&set, 4, 100), -ENOMEM);
    ck_assert(has(&set, 1) && has(&set, 2) && has(&set, 3));
    ck_assert(!has(&set, 4));
    no_memory = false;
    ck_assert_int_eq(add(&set, 4, 100), 1);
    // Of a set over several leaves what was made before memory ran out goes back.
    _Atomic uint64_t wide = 0;
    for (uint32_t i = 0; i < 3; i++) {
        add(&wide, 5 + i * IDSET_LEAF, IDSET_MAX);
    }
    for (int some = 0; some < 4; some++) {
        uint64_t before = wide;
        allocs_left = some;
        ck_assert_int_eq(add(&wide, 9, IDSET_MAX), -ENOMEM);
        ck_assert_uint_eq(wide, before);
    }
    allocs_left = -1;
    ck_assert_int_eq(add(&wide, 9, IDSET_MAX), 1);
    allocs_left = 0;
    ck_assert_int_eq(add(&wide, 100 * IDSET_LEAF, IDSET_MAX), -ENOMEM);
    allocs_left = -1;
    drop(&wide);
    drop(&set);
}
END_TEST

static uint32_t read_back(const struct record_image *image, const _Atomic uint64_t *set,
                          uint32_t from)
{
    return idset_read(image, atomic_load(set), from);
}

START_TEST(a_set_is_read_from_a_file_and_what_does_not_check_out_is_not_in_it)
{
    struct idset_memory room = room_of(IDSET_MAX);
    struct record_image image = {.base = arena_base(arena), .size = ARENA_STEP};
    static const uint32_t ids[] = {3, 70, IDSET_LEAF + 1, 2 * IDSET_LEAF};
    _Atomic uint64_t set = 0;
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(idset_add(&set, ids[i], &room), 1);
        uint32_t at = 0;
        for (size_t k = 0; k <= i; k++) {
            ck_assert_uint_eq(at = read_back(&image, &set, at + 1), ids[k]);
        }
        ck_assert_uint_eq(read_back(&image, &set, at + 1), 0);
    }
    struct wide *wide = wide_of(arena_base(arena), set);
    struct leaf *leaf = arena_at(arena_base(arena), atomic_load(&wide->leaves[1]));
    leaf->own ^= 1; // older than the word
    ck_assert_uint_eq(read_back(&image, &set, 71), 2 * IDSET_LEAF);
    leaf->own ^= 1;
    uint32_t kept = atomic_exchange(&wide->leaves[1], UINT32_MAX);
    ck_assert_uint_eq(read_back(&image, &set, 71), 2 * IDSET_LEAF);
    atomic_store(&wide->leaves[1], kept);
    uint32_t n = wide->n;
    wide->n = UINT32_MAX;
    ck_assert_uint_eq(read_back(&image, &set, 1), 0);
    wide->n = n;
    image.size = (uint64_t)(uint32_t)set * ARENA_GRANULE + sizeof *wide;
    ck_assert_uint_eq(read_back(&image, &set, 1), 0);
    for (int i = 0; i < 64; i++) {
        _Atomic uint64_t flipped;
        atomic_init(&flipped, set ^ (uint64_t)1 << i);
        read_back(&image, &flipped, 1);
    }
    image.size = ARENA_STEP;
    drop(&set);
}
END_TEST

enum { MOST = 3 * IDSET_LEAF + 7 };

static uint32_t model_next(const bool *model, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id <= to && id <= MOST; id++) {
        if (model[id]) {
            return id;
        }
    }
    return 0;
}

START_TEST(a_set_behaves_as_an_array_of_flags)
{
    uint64_t seed = unit_seed() | 1;
    static bool model[MOST + 1];
    for (int set_nr = 0; set_nr < 400; set_nr++) {
        _Atomic uint64_t set = 0;
        memset(model, 0, sizeof model);
        // Small sets stay in the word, large ones do not; some reach over leaves.
        uint32_t range = set_nr % 2 == 0 ? 3 : set_nr % 4 == 1 ? MOST : 300;
        uint32_t base = set_nr % 2 == 0 ? (uint32_t)(unit_random(&seed) % (MOST - 3)) : 0;
        for (int step = 0; step < 200; step++) {
            uint64_t r = unit_random(&seed);
            uint32_t id = base + 1 + (uint32_t)(r >> 32) % range;
            if (r % 3 == 0) {
                take_out(&set, id);
                model[id] = false;
            } else if (r % 3 == 1) {
                ck_assert_int_eq(add(&set, id, MOST), model[id] ? 0 : 1);
                model[id] = true;
            }
            ck_assert_int_eq(has(&set, id), model[id]);
            uint32_t from = 1 + (uint32_t)(r >> 8) % MOST;
            uint32_t to = from + (uint32_t)(r >> 20) % MOST;
            ck_assert_uint_eq(next(&set, from, to), model_next(model, from, to));
        }
        ck_assert(set_nr % 2 == 1 || (set & TAG) == 0);
        drop(&set);
    }
}
END_TEST

UNIT_MAIN("ids", an_empty_set_has_nothing, three_ids_stand_in_the_word, a_fourth_id_widens_the_set,
          the_next_id_is_found_over_the_borders_of_words,
          without_memory_the_fourth_id_is_refused_and_the_three_stay,
          a_set_is_read_from_a_file_and_what_does_not_check_out_is_not_in_it,
          a_set_behaves_as_an_array_of_flags)
