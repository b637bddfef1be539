// SPDX-License-Identifier: Apache-2.0
// A killed process is stood in for by a child that is stopped after each of its instructions: what its shared
// memory holds then is what a kill at that place leaves.
#include "state/redo.h"

#include "breaks.h"
#include "stepped.h"

#include <float.h>
#include <string.h>
#include <sys/mman.h>

enum { WORDS = 64, BUCKETS = 4 };

// An arena in small. The histogram's counts stand behind it, as in an arena.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif
struct shelf {
    struct redo_area area;
    _Atomic uint64_t words[WORDS];
    struct cell_counter counter;
    struct cell_counter fraction;
    struct cell_histogram histogram;
    _Atomic uint64_t counts[BUCKETS]; // of the histogram
    _Atomic double gauge;
    _Atomic double shared;
};

static struct shelf *shelf;
static struct redo redo;

static void open_shelf(void)
{
    shelf = mmap(NULL, sizeof *shelf, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shelf, MAP_FAILED);
    redo = (struct redo){.area = &shelf->area, .base = (char *)shelf};
}

static void close_shelf(void)
{
    munmap(shelf, sizeof *shelf);
}

static uint64_t word(unsigned i)
{
    return atomic_load(&shelf->words[i]);
}

// Both bytes and meaning: no padding in it.
static bool same(const struct shelf *a, const struct shelf *b)
{
    size_t at = offsetof(struct shelf, words);
    return memcmp((const char *)a + at, (const char *)b + at, sizeof *a - at) == 0;
}

START_TEST(native_buckets_of_a_lost_block_are_none)
{
    open_shelf();
    redo_put_native(&redo, NULL, NULL, 0);
    redo_native(&redo, NULL, NULL, 0);
    ck_assert_uint_eq(redo.n, 0);
    close_shelf();
}
END_TEST

START_TEST(what_is_written_comes_true_at_the_commit)
{
    open_shelf();
    redo_write(&redo, &shelf->words[3], 7);
    redo_write(&redo, &shelf->words[5], 9);
    redo_write(&redo, &shelf->words[3], 8);
    redo_count(&redo, &shelf->words[5], 2);
    redo_count(&redo, &shelf->words[6], 2);
    ck_assert_uint_eq(word(3) + word(5) + word(6), 0);
    ck_assert_uint_eq(redo_read(&redo, &shelf->words[3]), 8);
    ck_assert_uint_eq(redo_read(&redo, &shelf->words[4]), 0);
    redo_commit(&redo);
    ck_assert_uint_eq(word(3), 8);
    ck_assert_uint_eq(word(5), 11);
    ck_assert_uint_eq(word(6), 2);
    ck_assert_uint_eq(atomic_load(&shelf->area.committed), 0);
    redo_commit(&redo); // of nothing
    ck_assert_uint_eq(word(3), 8);
    close_shelf();
}
END_TEST

// The same updates by way of the redo record and directly must leave the same cells.
static void update_both(struct shelf *plain, uint64_t random)
{
    static const double values[] = {0,    1,   2.5,    0.1,  4294967296.0, 4294967297.0,
                                    1e15, 1e9, -0.375, 1e300};
    double v = values[random % 10];
    unsigned what = (unsigned)(random >> 8) % 6;
    size_t bucket = (random >> 16) % BUCKETS;
    if (what == 0) {
        cell_count(&plain->counter, fabs(v));
        redo_counter(&redo, &shelf->counter, fabs(v));
    } else if (what == 1) {
        cell_count(&plain->fraction, fabs(v));
        redo_counter(&redo, &shelf->fraction, fabs(v));
    } else if (what == 2) {
        cell_observe(&plain->histogram, bucket, v);
        redo_histogram(&redo, &shelf->histogram, bucket, v);
    } else if (what == 3) {
        cell_set(&plain->gauge, v);
        redo_set(&redo, &shelf->gauge, v);
    } else {
        _Atomic double *gauge = what == 4 ? &plain->gauge : &plain->shared;
        cell_add(gauge, v);
        redo_add(&redo, what == 4 ? &shelf->gauge : &shelf->shared, v);
    }
}

START_TEST(updates_by_way_of_a_record_are_those_of_the_cells)
{
    uint64_t random = unit_seed() | 1;
    open_shelf();
    struct shelf plain = {0};
    atomic_init(&plain.counter.whole, CELL_WHOLE_MAX - 20);
    memcpy(&shelf->counter, &plain.counter, sizeof plain.counter);
    for (int i = 0; i < 20000; i++) {
        for (uint64_t n = unit_random(&random) % 17; n > 0; n--) {
            update_both(&plain, unit_random(&random) >> 8);
        }
        redo_commit(&redo);
        ck_assert(same(&plain, shelf));
    }
    close_shelf();
}
END_TEST

// A line that writes each word once: its updates are those of the cells, too.
static void put_both(struct shelf *plain, uint64_t *random)
{
    static const double bounds[BUCKETS - 1 + CATALOG_BOUNDS_PAD] = {
        0.5, 1, 2.5, [BUCKETS - 1 ... BUCKETS - 2 + CATALOG_BOUNDS_PAD] = INFINITY};
    static const double values[] = {0,    1,   2.5,   0.1, 4294967296.0, 4294967297.0,
                                    1e15, 1e9, 0.375, 2};
    double v = values[unit_random(random) % 10];
    cell_count(&plain->counter, v);
    redo_put_counter(&redo, &shelf->counter, v);
    cell_set(&plain->gauge, -v);
    redo_put_double(&redo, &shelf->gauge, -v);
    if (unit_random(random) % 2 == 0) {
        cell_observe(&plain->histogram, 1, v);
        redo_put_histogram(&redo, &shelf->histogram, 1, v);
        return;
    }
    double list[200];
    size_t n = unit_random(random) % 200;
    for (size_t i = 0; i < n; i++) {
        list[i] = values[unit_random(random) % 10];
        cell_observe(&plain->histogram, cell_bucket(bounds, BUCKETS - 1, list[i]), list[i]);
    }
    redo_put_list(&redo, &shelf->histogram, bounds, BUCKETS - 1, list, n);
}

START_TEST(words_that_are_written_once_come_true_as_well)
{
    uint64_t random = unit_seed() | 1;
    open_shelf();
    struct shelf plain = {0};
    atomic_init(&plain.counter.whole, CELL_WHOLE_MAX - 20);
    memcpy(&shelf->counter, &plain.counter, sizeof plain.counter);
    for (int i = 0; i < 5000; i++) {
        put_both(&plain, &random);
        ck_assert(atomic_load(&shelf->area.committed) == 0);
        redo_commit(&redo);
        ck_assert(same(&plain, shelf));
    }
    close_shelf();
}
END_TEST

// One line: two updates of one counter, another one, a histogram, a gauge that is set and added to.
static void do_line(void)
{
    redo_counter(&redo, &shelf->counter, 2);
    redo_counter(&redo, &shelf->counter, 3);
    redo_counter(&redo, &shelf->fraction, 0.5);
    redo_histogram(&redo, &shelf->histogram, 2, 1.25);
    redo_set(&redo, &shelf->gauge, 4);
    redo_add(&redo, &shelf->gauge, 1);
    redo_count(&redo, &shelf->words[0], 1);
    redo_count(&redo, &shelf->words[1], 1);
    redo_commit(&redo);
}

static void do_two_lines(void)
{
    do_line();
    do_line();
}

START_TEST(a_kill_between_any_two_instructions_leaves_a_line_whole)
{
    static struct shelf wanted[3];
    open_shelf();
    memset(wanted, 0, sizeof wanted);
    for (int lines = 1; lines < 3; lines++) {
        do_line();
        memcpy(&wanted[lines], shelf, sizeof *shelf);
    }
    memset(shelf, 0, sizeof *shelf);
    pid_t child = stepped_start(do_two_lines);
    unsigned marked = 0; // moments at which only the record knew the whole of a line
    unsigned moments = 0;
    int lines = 0;
    static struct shelf before;
    memcpy(&before, shelf, sizeof before);
    while (stepped_step(child)) {
        if (memcmp(&before, shelf, sizeof before) == 0) {
            continue;
        }
        memcpy(&before, shelf, sizeof before);
        static struct shelf left;
        memcpy(&left, shelf, sizeof left);
        redo_replay(&left.area, (char *)&left, sizeof left.area, sizeof left);
        lines += lines < 2 && same(&left, &wanted[lines + 1]);
        ck_assert(same(&left, &wanted[lines]));
        marked += !same(shelf, &wanted[lines]);
        moments++;
        redo_replay(&left.area, (char *)&left, sizeof left.area, sizeof left);
        ck_assert(same(&left, &wanted[lines]));
    }
    ck_assert_int_eq(lines, 2);
    ck_assert_uint_ge(moments, 40);
    ck_assert_uint_ge(marked, 2 * 6);
    ck_assert(same(shelf, &wanted[2]));
    close_shelf();
}
END_TEST

START_TEST(an_addition_to_a_gauge_comes_before_the_mark)
{
    open_shelf();
    redo_add(&redo, &shelf->shared, 2);
    ck_assert_double_eq(atomic_load(&shelf->shared), 2);
    ck_assert_uint_eq(redo.n, 0);
    redo_add(&redo, &shelf->shared, DBL_MAX);
    redo_add(&redo, &shelf->shared, DBL_MAX);
    ck_assert_double_eq(atomic_load(&shelf->shared), DBL_MAX);
    // Where the line has set it, it is added to what the record has.
    redo_set(&redo, &shelf->shared, 5);
    redo_add(&redo, &shelf->shared, 1);
    ck_assert_double_eq(atomic_load(&shelf->shared), DBL_MAX);
    redo_commit(&redo);
    ck_assert_double_eq(atomic_load(&shelf->shared), 6);
    close_shelf();
}
END_TEST

enum { MANY = REDO_MOST, FROM = 4096 };

// In an arena of its own: a line that changes as many words as there is room for, of which the area has few.
START_TEST(a_line_of_many_values_is_replayed_whole)
{
    struct arena *arena;
    struct arena_writer writer = {0};
    ck_assert_int_eq(arena_new(&arena, 64 << 20), 0);
    char *base = arena_base(arena);
    struct redo r = {.area = layout_redo(base, 0), .base = base};
    static _Atomic uint64_t *words[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        words[i] = arena_at(base, arena_alloc(arena, &writer, sizeof **words));
    }
    ck_assert_int_eq(redo_reserve(&r, arena, &writer, REDO_WORDS), 0);
    ck_assert_uint_eq(atomic_load(&r.area->more[0]), 0);
    ck_assert_int_eq(redo_reserve(&r, arena, &writer, REDO_WORDS + REDO_PIECE_WORDS), 0);
    ck_assert_uint_ne(atomic_load(&r.area->more[0]), 0);
    ck_assert_uint_eq(atomic_load(&r.area->more[1]), 0);
    ck_assert_int_eq(redo_reserve(&r, arena, &writer, MANY), 0);
    ck_assert(redo_has_room(&r, MANY) && !redo_has_room(&r, MANY + 1));
    uint64_t used = arena_used(arena);
    ck_assert_int_eq(redo_reserve(&r, arena, &writer, MANY), 0);
    ck_assert_uint_eq(arena_used(arena), used);
    for (unsigned i = 0; i < MANY; i++) {
        redo_put_count(&r, words[i], i + 1);
    }
    for (unsigned i = 0; i < MANY / 2; i += 97) {
        redo_count(&r, words[i], 2); // one that the record has
    }
    // A kill just after the mark: none of the words is written yet.
    atomic_store(&r.area->committed, r.n);
    uint64_t size = arena_used(arena);
    ck_assert_uint_eq(redo_replay(r.area, base, ARENA_RESERVED, size), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(atomic_load(words[i]), i + 1 + (i < MANY / 2 && i % 97 == 0 ? 2 : 0));
    }
    atomic_store(&r.area->committed, 0); // without a kill the line goes on
    redo_commit(&r);
    ck_assert_uint_eq(atomic_load(&r.area->committed), 0);
    ck_assert_uint_eq(atomic_load(words[MANY - 1]), MANY);
    arena_free(arena);
}
END_TEST

// A line that needs further words, with the beginning of a second piece where no sanitiser makes that slow.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { LONG = REDO_WORDS + 4 };
#else
enum { LONG = REDO_WORDS + REDO_PIECE_WORDS + 4 };
#endif

static struct long_shelf {
    _Alignas(ARENA_GRANULE) struct redo_area area;
    _Atomic uint64_t words[LONG];
    _Alignas(ARENA_GRANULE) struct redo_word more[2][REDO_PIECE_WORDS];
} * long_shelf, left;

static struct redo long_redo;

static void write_long_line(unsigned upto)
{
    for (unsigned i = long_redo.n; i < upto; i++) {
        redo_put_count(&long_redo, &long_shelf->words[i], i + 1);
    }
}

static void end_long_line(void)
{
    write_long_line(LONG);
    redo_commit(&long_redo);
}

// The bytes that the next process finds, with what the record has replayed.
static bool is_whole_after_a_kill(void)
{
    memcpy(&left, long_shelf, sizeof left);
    redo_replay(&left.area, (char *)&left, sizeof left.area, sizeof left);
    unsigned i = 0;
    while (i < LONG && atomic_load(&left.words[i]) == i + 1) {
        i++;
    }
    return i == LONG;
}

START_TEST(a_kill_between_any_two_instructions_leaves_a_long_line_whole)
{
    size_t size = sizeof *long_shelf;
    unsigned stored = 0; // words
    bool was_committed = false;
    long_shelf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(long_shelf, MAP_FAILED);
    for (unsigned i = 0; i < 2; i++) {
        atomic_init(&long_shelf->area.more[i],
                    offsetof(struct long_shelf, more) + i * sizeof long_shelf->more[i]);
    }
    long_redo = (struct redo){.area = &long_shelf->area, .base = (char *)long_shelf};
    write_long_line(LONG - 8);
    pid_t child = stepped_start(end_long_line);
    while (stepped_step(child)) {
        // They are stored in their order, so the next one shows whether anything was.
        bool committed = atomic_load(&long_shelf->area.committed) != 0;
        bool next = stored < LONG && atomic_load(&long_shelf->words[stored]) != 0;
        ck_assert(!next || committed);
        stored += next;
        if (next || committed != was_committed) {
            was_committed = committed;
            ck_assert(is_whole_after_a_kill());
        }
    }
    ck_assert_uint_eq(stored, LONG);
    ck_assert(!was_committed && is_whole_after_a_kill());
    munmap(long_shelf, size);
}
END_TEST

START_TEST(further_words_that_make_no_sense_are_not_replayed)
{
    enum { SIZE = FROM + 2 * ARENA_MAX_PIECE };
    static const struct {
        uint64_t n;
        uint64_t more;
        uint64_t offset; // of the last word
        unsigned replayed;
    } cases[] = {
        {REDO_WORDS + 1, FROM, SIZE - 8, REDO_WORDS + 1},
        {REDO_WORDS + 1, SIZE - ARENA_MAX_PIECE, FROM, REDO_WORDS + 1},
        {REDO_WORDS + 1, 0, SIZE - 8, 0},
        {REDO_WORDS + 1, FROM - 16, SIZE - 8, 0},
        {REDO_WORDS + 1, FROM + 8, SIZE - 8, 0},
        {REDO_WORDS + 1, SIZE - ARENA_MAX_PIECE + 16, FROM, 0},
        {REDO_WORDS + 1, UINT64_MAX - 15, FROM, 0},
        {REDO_WORDS + REDO_PIECE_WORDS + 1, FROM, SIZE - 8, 0}, // there is no second piece
        {REDO_MOST + 1, FROM, SIZE - 8, 0},
        {REDO_WORDS + 1, FROM, FROM, 0}, // a word of the list itself
        {REDO_WORDS + 1, FROM, FROM + ARENA_MAX_PIECE - 8, 0},
        {REDO_WORDS + 1, FROM, SIZE, 0},
    };
    static _Alignas(16) char bytes[SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(bytes, 0, sizeof bytes);
        struct redo_area area = {0};
        atomic_init(&area.committed, cases[i].n);
        atomic_init(&area.more[0], cases[i].more);
        for (unsigned w = 0; w < REDO_WORDS; w++) {
            uint64_t free_word = cases[i].more == FROM ? SIZE - 16 : FROM + 8;
            atomic_init(&area.words[w].offset, free_word);
        }
        if (cases[i].more >= FROM && cases[i].more <= SIZE - ARENA_MAX_PIECE) {
            memcpy(bytes + cases[i].more, &cases[i].offset, sizeof cases[i].offset);
        }
        ck_assert_uint_eq(redo_replay(&area, bytes, FROM, SIZE), cases[i].replayed);
    }
}
END_TEST

START_TEST(a_record_that_makes_no_sense_is_not_replayed)
{
    static const struct {
        uint64_t marked;
        uint64_t at;
        uint64_t size;
    } cases[] = {
        {0, 8, 4096},
        {REDO_WORDS + 1, 8, 4096},
        {UINT64_MAX, 8, 4096},
        {1, 4, 4096},
        {1, 4096, 4096},
        {1, UINT64_MAX - 7, 4096},
        {1, UINT64_MAX, 4096},
        {1, (uint64_t)1 << 63, 4096},
        {1, 4096, 4097},
        {1, 0, 4096},
        {1, 8, 15},
        {1, 8, 7},
        {1, 8, 0},
        {2, 8, 4096}, // its second word lies outside
    };
    char bytes[4096] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redo_area area = {0};
        atomic_init(&area.committed, cases[i].marked);
        for (unsigned w = 0; w < REDO_WORDS; w++) {
            atomic_init(&area.words[w].offset, w == 0 ? cases[i].at : 1);
            atomic_init(&area.words[w].value, UINT64_MAX);
        }
        ck_assert_uint_eq(redo_replay(&area, bytes, 8, cases[i].size), 0);
        for (size_t b = 0; b < sizeof bytes; b++) {
            ck_assert_int_eq(bytes[b], 0);
        }
    }
    struct redo_area last = {.committed = 1, .words = {{4088, 5}}};
    ck_assert_uint_eq(redo_replay(&last, bytes, 4088, sizeof bytes), 1);
    ck_assert_int_eq(bytes[4088], 5);
}
END_TEST

static void reserve_more_than_there_may_be(void)
{
    open_shelf();
    redo_reserve(&redo, NULL, NULL, REDO_MOST + 1);
}

static void change_more_words_than_were_reserved(void)
{
    open_shelf();
    for (unsigned i = 0; i <= REDO_WORDS; i++) {
        redo_write(&redo, &shelf->words[i], 1);
    }
}

static void commit_within_a_commit(void)
{
    open_shelf();
    redo_write(&redo, &shelf->words[0], 1);
    atomic_store(&shelf->area.committed, 1);
    redo_commit(&redo);
}

// Where a store there does no harm, and no sanitizer looks at it first.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void change_what_is_no_word(void)
{
    open_shelf();
    redo_write(&redo, &shelf->words[0], 1);
    atomic_fetch_add(&shelf->area.words[0].offset, 4);
    redo_commit(&redo);
}
#endif

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a redo record has room for the largest line", reserve_more_than_there_may_be);
    breaks("a line changes at most the words that were reserved",
           change_more_words_than_were_reserved);
    breaks("a redo record is committed once", commit_within_a_commit);
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    breaks("the words of a redo record are aligned", change_what_is_no_word);
#endif
}
END_TEST

UNIT_MAIN("redo", native_buckets_of_a_lost_block_are_none, what_is_written_comes_true_at_the_commit,
          updates_by_way_of_a_record_are_those_of_the_cells,
          words_that_are_written_once_come_true_as_well,
          a_kill_between_any_two_instructions_leaves_a_line_whole,
          a_kill_between_any_two_instructions_leaves_a_long_line_whole,
          an_addition_to_a_gauge_comes_before_the_mark, a_line_of_many_values_is_replayed_whole,
          further_words_that_make_no_sense_are_not_replayed,
          a_record_that_makes_no_sense_is_not_replayed, a_broken_invariant_ends_the_process)
