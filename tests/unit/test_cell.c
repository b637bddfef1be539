// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include "series/cell.h"

static const double TWO_32 = 4294967296.0;

static void expect_counter(const struct cell_counter *c, uint64_t whole, double rest)
{
    ck_assert_uint_eq(atomic_load(&c->whole), whole);
    ck_assert(atomic_load(&c->rest) == rest);
}

START_TEST(whole_additions_go_to_the_whole_part_and_others_to_the_rest)
{
    const struct {
        double add;
        uint64_t whole;
        double rest;
    } cases[] = {
        {0, 0, 0},
        {1, 1, 0},
        {4294967295.0, 4294967295, 0},
        {TWO_32, 4294967296, 0},
        {TWO_32 + 1, 0, TWO_32 + 1},
        {9007199254740992.0, 0, 9007199254740992.0},
        {1e300, 0, 1e300},
        {DBL_MAX, 0, DBL_MAX},
        {0.5, 0, 0.5},
        {TWO_32 - 0.5, 0, TWO_32 - 0.5},
        {DBL_MIN, 0, DBL_MIN},
        {DBL_TRUE_MIN, 0, DBL_TRUE_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cell_counter c = {0};
        cell_count(&c, cases[i].add);
        expect_counter(&c, cases[i].whole, cases[i].rest);
    }
}
END_TEST

START_TEST(the_whole_part_ends_where_a_double_stops_being_exact)
{
    struct cell_counter c = {.whole = CELL_WHOLE_MAX - 1};
    cell_count(&c, 2);
    expect_counter(&c, CELL_WHOLE_MAX - 1, 2);
    cell_count(&c, 1);
    expect_counter(&c, CELL_WHOLE_MAX, 2);
    cell_count(&c, 0);
    expect_counter(&c, CELL_WHOLE_MAX, 2);
    cell_count(&c, 1);
    expect_counter(&c, CELL_WHOLE_MAX, 3);
}
END_TEST

START_TEST(sums_are_exact)
{
    struct cell_counter c = {0};
    for (int i = 0; i < 1000; i++) {
        cell_count(&c, 3);
        cell_count(&c, 0.25);
        cell_count(&c, TWO_32);
    }
    expect_counter(&c, 3000 + 1000 * ((uint64_t)1 << 32), 250);
}
END_TEST

enum { MOST_BOUNDS = 128 };

// Bounds with what stands behind them in a catalogue.
struct padded {
    double bounds[MOST_BOUNDS + CATALOG_BOUNDS_PAD];
};

static struct padded pad(const double *bounds, size_t n)
{
    struct padded p;
    memcpy(p.bounds, bounds, n * sizeof *bounds);
    for (size_t i = 0; i < CATALOG_BOUNDS_PAD; i++) {
        p.bounds[n + i] = INFINITY;
    }
    return p;
}

// What cell_bucket must find, by looking at one bound after the other.
static size_t bucket_by_looking(const double *bounds, size_t n, double v)
{
    size_t i = 0;
    while (i < n && !(v <= bounds[i])) {
        i++;
    }
    return i;
}

#ifdef __x86_64__
static __attribute__((target("avx2"))) size_t bucket_wide(const double *bounds, size_t n, double v)
{
    return cell_bucket_wide(bounds, n, v);
}
#endif

static void expect_buckets(const double *bounds, size_t n, double v)
{
    struct padded p = pad(bounds, n);
    const double near[] = {v, nextafter(v, -DBL_MAX), nextafter(v, DBL_MAX), -v};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        ck_assert_msg(cell_bucket(p.bounds, n, near[i]) == bucket_by_looking(bounds, n, near[i]),
                      "%.17g among %zu bounds", near[i], n);
#ifdef __x86_64__
        ck_assert_msg(!__builtin_cpu_supports("avx2") || bucket_wide(p.bounds, n, near[i]) ==
                                                             bucket_by_looking(bounds, n, near[i]),
                      "%.17g among %zu bounds, by wide instructions", near[i], n);
#endif
    }
}

START_TEST(a_value_falls_into_the_first_bucket_that_is_not_below_it)
{
    static const double bounds[] = {-2, -0.5, 0, 0.25, 1, 10};
    static const struct {
        double v;
        size_t bucket;
    } cases[] = {
        {-DBL_MAX, 0}, {-2.5, 0}, {-2, 0},     {-1.9, 1},   {-0.5, 1},
        {-0.0, 2},     {0.0, 2},  {1e-300, 3}, {0.25, 3},   {0.2500001, 4},
        {1, 4},        {9.99, 5}, {10, 5},     {10.001, 6}, {DBL_MAX, 6},
    };
    struct padded p = pad(bounds, 6);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_uint_eq(cell_bucket(p.bounds, 6, cases[i].v), cases[i].bucket);
    }
}
END_TEST

START_TEST(the_search_finds_what_looking_finds_for_any_number_of_bounds)
{
    uint64_t seed = unit_seed() | 1;
    for (size_t n = 1; n <= MOST_BOUNDS; n++) {
        double bounds[MOST_BOUNDS];
        double at = -(double)(unit_random(&seed) % 50);
        for (size_t i = 0; i < n; i++) {
            at += (double)(1 + unit_random(&seed) % 1000) / 64;
            bounds[i] = at;
        }
        for (size_t i = 0; i < n; i++) {
            expect_buckets(bounds, n, bounds[i]);
        }
        for (int i = 0; i < 50; i++) {
            expect_buckets(bounds, n, (double)(unit_random(&seed) % 200000) / 64 - 100);
        }
        expect_buckets(bounds, n, DBL_MAX);
        expect_buckets(bounds, n, 0);
    }
}
END_TEST

START_TEST(an_observation_counts_in_one_bucket_and_in_the_sum)
{
    static const double bounds[] = {1, 2, 4};
    struct padded p = pad(bounds, 3);
    static const double observed[] = {0.5, 1, 1.5, 3, 4, 4.5, 100, -7};
    struct cell_histogram *c = calloc(1, cell_histogram_size(3));
    ck_assert_uint_eq(cell_histogram_size(3), 8 + 8 + 4 * 8);
    for (size_t i = 0; i < sizeof observed / sizeof observed[0]; i++) {
        cell_observe(c, cell_bucket(p.bounds, 3, observed[i]), observed[i]);
    }
    static const uint64_t want[] = {3, 1, 2, 2};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(atomic_load(&c->counts[i]), want[i]);
    }
    ck_assert(atomic_load(&c->sum) == 107.5);
    free(c);
}
END_TEST

START_TEST(a_gauge_is_set_and_added_to_and_stays_finite)
{
    _Atomic double g = 0;
    cell_set(&g, 12.5);
    cell_add(&g, -20);
    ck_assert(atomic_load(&g) == -7.5);
    cell_set(&g, DBL_MAX);
    cell_add(&g, DBL_MAX);
    ck_assert(atomic_load(&g) == DBL_MAX);
    cell_set(&g, -DBL_MAX);
    cell_add(&g, -DBL_MAX);
    ck_assert(atomic_load(&g) == -DBL_MAX);
    cell_add(&g, DBL_MAX);
    ck_assert(atomic_load(&g) == 0);
}
END_TEST

UNIT_MAIN("cell", whole_additions_go_to_the_whole_part_and_others_to_the_rest,
          the_whole_part_ends_where_a_double_stops_being_exact, sums_are_exact,
          a_value_falls_into_the_first_bucket_that_is_not_below_it,
          the_search_finds_what_looking_finds_for_any_number_of_bounds,
          an_observation_counts_in_one_bucket_and_in_the_sum,
          a_gauge_is_set_and_added_to_and_stays_finite)
