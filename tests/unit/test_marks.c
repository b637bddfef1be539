// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <stdbool.h>

static bool no_memory;

static void *some_calloc(size_t n, size_t size)
{
    return no_memory ? NULL : calloc(n, size);
}

#define calloc some_calloc
#include "series/marks.c"
#undef calloc

START_TEST(an_empty_set_has_nothing)
{
    _Atomic uint64_t set = 0;
    for (uint32_t mark = 1; mark < 200; mark++) {
        ck_assert(!marks_has(&set, mark));
    }
    ck_assert_uint_eq(marks_next(&set, 1, MARKS_MOST), 0);
    marks_clear(&set, 5);
    marks_drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(three_marks_stand_in_the_word)
{
    _Atomic uint64_t set = 0;
    no_memory = true; // none is asked for
    static const uint32_t marks[] = {MARKS_MOST, 1, 70};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(marks_add(&set, marks[i], MARKS_MOST), 1);
        ck_assert_int_eq(marks_add(&set, marks[i], MARKS_MOST), 0);
    }
    ck_assert_uint_eq(set & TAG, 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(marks_has(&set, marks[i]));
    }
    ck_assert(!marks_has(&set, 2));
    ck_assert_uint_eq(marks_next(&set, 1, MARKS_MOST), 1);
    ck_assert_uint_eq(marks_next(&set, 2, MARKS_MOST), 70);
    ck_assert_uint_eq(marks_next(&set, 2, 69), 0);
    ck_assert_uint_eq(marks_next(&set, 71, MARKS_MOST), MARKS_MOST);
    ck_assert_uint_eq(marks_next(&set, 71, MARKS_MOST - 1), 0);
    marks_clear(&set, 1);
    ck_assert(!marks_has(&set, 1));
    ck_assert_int_eq(marks_add(&set, 3, MARKS_MOST), 1);
    ck_assert_uint_eq(marks_next(&set, 1, MARKS_MOST), 3);
    marks_drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(a_fourth_mark_widens_the_set)
{
    _Atomic uint64_t set = 0;
    for (uint32_t mark = 62; mark <= 65; mark++) {
        ck_assert_int_eq(marks_add(&set, mark, 130), 1);
    }
    ck_assert_uint_eq(set & TAG, TAG);
    for (uint32_t mark = 1; mark <= 130; mark++) {
        ck_assert_int_eq(marks_has(&set, mark), mark >= 62 && mark <= 65);
    }
    ck_assert_int_eq(marks_add(&set, 62, 130), 0);
    ck_assert_int_eq(marks_add(&set, 130, 130), 1);
    ck_assert_int_eq(marks_add(&set, 130, 130), 0);
    marks_clear(&set, 63);
    marks_clear(&set, 63);
    ck_assert(!marks_has(&set, 63));
    ck_assert_int_eq(marks_add(&set, 63, 130), 1);
    marks_drop(&set);
    ck_assert_uint_eq(set, 0);
}
END_TEST

START_TEST(the_next_mark_is_found_over_the_borders_of_words)
{
    static const struct {
        uint32_t from;
        uint32_t to;
        uint32_t next;
    } cases[] = {
        {1, 199, 63},         {1, 62, 0},     {63, 63, 63},        {64, 64, 64},
        {65, 126, 0},         {65, 127, 127}, {65, 199, 127},      {128, 199, 128},
        {129, 199, 199},      {129, 198, 0},  {1, MARKS_MOST, 63}, {129, MARKS_MOST, 199},
        {200, MARKS_MOST, 0}, {64, 63, 0},    {192, 198, 0},       {1000, MARKS_MOST, 0},
    };
    _Atomic uint64_t set = 0;
    static const uint32_t marks[] = {63, 64, 127, 128, 199};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        ck_assert_int_eq(marks_add(&set, marks[i], 199), 1);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(marks_next(&set, cases[i].from, cases[i].to) == cases[i].next,
                      "from %u to %u", cases[i].from, cases[i].to);
    }
    marks_drop(&set);
}
END_TEST

START_TEST(without_memory_the_fourth_mark_is_refused_and_the_three_stay)
{
    _Atomic uint64_t set = 0;
    for (uint32_t mark = 1; mark <= 3; mark++) {
        marks_add(&set, mark, 100);
    }
    no_memory = true;
    ck_assert_int_eq(marks_add(&set, 4, 100), -ENOMEM);
    ck_assert(marks_has(&set, 1) && marks_has(&set, 2) && marks_has(&set, 3));
    ck_assert(!marks_has(&set, 4));
    no_memory = false;
    ck_assert_int_eq(marks_add(&set, 4, 100), 1);
    marks_drop(&set);
}
END_TEST

enum { MOST = 300 };

static uint32_t model_next(const bool *model, uint32_t from, uint32_t to)
{
    for (uint32_t mark = from; mark <= to && mark <= MOST; mark++) {
        if (model[mark]) {
            return mark;
        }
    }
    return 0;
}

START_TEST(a_set_behaves_as_an_array_of_flags)
{
    uint64_t seed = unit_seed() | 1;
    for (int set_nr = 0; set_nr < 400; set_nr++) {
        _Atomic uint64_t set = 0;
        bool model[MOST + 1] = {false};
        // Small sets stay in the word, large ones do not.
        uint32_t range = set_nr % 2 == 0 ? 3 : MOST;
        uint32_t base = set_nr % 2 == 0 ? (uint32_t)(unit_random(&seed) % (MOST - 3)) : 0;
        for (int step = 0; step < 200; step++) {
            uint64_t r = unit_random(&seed);
            uint32_t mark = base + 1 + (uint32_t)(r >> 32) % range;
            if (r % 3 == 0) {
                marks_clear(&set, mark);
                model[mark] = false;
            } else if (r % 3 == 1) {
                ck_assert_int_eq(marks_add(&set, mark, MOST), model[mark] ? 0 : 1);
                model[mark] = true;
            }
            ck_assert_int_eq(marks_has(&set, mark), model[mark]);
            uint32_t from = 1 + (uint32_t)(r >> 8) % MOST;
            uint32_t to = from + (uint32_t)(r >> 20) % MOST;
            ck_assert_uint_eq(marks_next(&set, from, to), model_next(model, from, to));
        }
        ck_assert(set_nr % 2 == 1 || (set & TAG) == 0);
        marks_drop(&set);
    }
}
END_TEST

UNIT_MAIN("marks", an_empty_set_has_nothing, three_marks_stand_in_the_word,
          a_fourth_mark_widens_the_set, the_next_mark_is_found_over_the_borders_of_words,
          without_memory_the_fourth_mark_is_refused_and_the_three_stay,
          a_set_behaves_as_an_array_of_flags)
