// SPDX-License-Identifier: Apache-2.0
#include "series/native.c"

#include "breaks.h"
#include "unit.h"

#include <float.h>
#include <math.h>

START_TEST(a_factor_has_the_schema_that_client_golang_gives_it)
{
    static const struct {
        double factor;
        int schema;
    } cases[] = {{65536, -4}, {1e300, -4}, {256, -3}, {16, -2},   {4, -1},
                 {2, 0},      {1.5, 1},    {1.2, 2},  {1.1, 3},   {1.05, 4},
                 {1.03, 5},   {1.02, 6},   {1.01, 7}, {1.005, 8}, {1.001, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(native_schema(cases[i].factor), cases[i].schema);
    }
}
END_TEST

START_TEST(a_value_is_in_the_bucket_that_ends_at_or_above_it)
{
    static const struct {
        int schema;
        double v;
        int32_t index;
    } cases[] = {{3, 0.1, -26},
                 {3, 0.3, -13},
                 {3, 1, 0},
                 {3, 4, 16},
                 {3, 300, 66},
                 {3, 1e-9, -239},
                 {0, 0.3, -1},
                 {0, 0.5, -1},
                 {0, 1, 0},
                 {0, 1.5, 1},
                 {0, 2, 1},
                 {0, 4, 2},
                 {-1, 0.25, -1},
                 {-1, 0.26, 0},
                 {-4, 0x1p-128, -8},
                 {-4, DBL_MAX, 64},
                 {8, DBL_MAX, 262144},
                 {8, 0x1p-1074, -274944}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(native_index(cases[i].schema, cases[i].v), cases[i].index);
    }
}
END_TEST

START_TEST(every_bucket_has_its_bounds)
{
    uint64_t random = unit_seed() | 1;
    for (int round = 0; round < 20000; round++) {
        double v = ldexp((double)(unit_random(&random) % 1000003 + 1),
                         (int)(unit_random(&random) % 400) - 200);
        for (int schema = NATIVE_SCHEMA_LEAST; schema <= NATIVE_SCHEMA_MOST; schema++) {
            int32_t index = native_index(schema, v);
            ck_assert(native_bound(schema, index) >= v);
            ck_assert(native_bound(schema, index - 1) < v);
            if (schema > NATIVE_SCHEMA_LEAST) {
                ck_assert_int_eq(native_index(schema - 1, v), native_halve(index));
            }
        }
        // A bound is in the bucket that it ends.
        int32_t index = (int32_t)(unit_random(&random) % 4000) - 2000;
        ck_assert_int_eq(native_index(3, native_bound(3, index)), index);
    }
}
END_TEST

static struct native_block *block_new(struct plan p)
{
    struct native_block *b = calloc(1, native_block_size(p.slots));
    init_block(b, p.slots, p.schema, p.zero_threshold);
    return b;
}

static const struct native_form FORM = {3, 20, NATIVE_ZERO_THRESHOLD};

static void observe_of(struct native_block **b, uint32_t max_buckets, double v)
{
    _Atomic uint64_t *count = native_reserve(*b, max_buckets, v);
    if (count == NULL) {
        struct native_block *larger = block_new(plan_block(*b, max_buckets, v));
        rebuild_block(larger, *b);
        free(*b);
        *b = larger;
        count = native_reserve(*b, max_buckets, v);
    }
    ck_assert_ptr_nonnull(count);
    uint16_t slot;
    ck_assert_uint_eq(native_find_list(*b, &v, 1, &slot), 1);
    ck_assert_ptr_eq(count, &(*b)->slot[slot].count);
    atomic_store(count, atomic_load(count) + 1);
    ck_assert(native_block_is_good(*b, native_block_size((*b)->slots)));
}

static void observe(struct native_block **b, double v)
{
    observe_of(b, FORM.max_buckets, v);
}

static const struct plan FIRST = {NATIVE_SLOTS_FIRST, 3, NATIVE_ZERO_THRESHOLD};

START_TEST(what_was_observed_is_in_its_bucket_whatever_was_rebuilt)
{
    uint64_t random = unit_seed() | 1;
    for (int round = 0; round < 60; round++) {
        static double values[2][300];
        struct native_sum sum = {.n = 0};
        struct native_block *lanes[2] = {block_new(FIRST), block_new(FIRST)};
        int powers = 1 + (int)(unit_random(&random) % 1000);
        for (int lane = 0; lane < 2; lane++) {
            for (int i = 0; i < 300; i++) {
                double v = ldexp(1 + (double)(unit_random(&random) % 1000) / 1000,
                                 (int)(unit_random(&random) % (unsigned)(2 * powers)) - powers);
                values[lane][i] = unit_random(&random) % 10 == 0  ? 0
                                  : round % 2 == 0                ? v
                                  : unit_random(&random) % 2 == 0 ? v
                                                                  : -v;
                observe(&lanes[lane], values[lane][i]);
            }
        }
        native_sum_begin(&sum, &FORM);
        native_sum_add(&sum, lanes[0]);
        native_sum_add(&sum, lanes[1]);
        ck_assert_uint_eq(native_sum_end(&sum, FORM.max_buckets), 600);
        ck_assert_uint_le(sum.n, FORM.max_buckets);
        uint64_t found = 0;
        for (size_t b = 0; b < sum.n; b++) {
            uint64_t count = 0;
            for (int i = 0; i < 600; i++) {
                double v = values[i / 300][i % 300];
                count += fabs(v) > sum.zero_threshold && (v < 0) == sum.buckets[b].negative &&
                         native_index(sum.schema, fabs(v)) == sum.buckets[b].index;
            }
            ck_assert_uint_eq(sum.buckets[b].count, count);
            found += count;
            ck_assert(b == 0 || sum.buckets[b - 1].negative > sum.buckets[b].negative ||
                      sum.buckets[b - 1].index < sum.buckets[b].index);
        }
        ck_assert_uint_eq(found + sum.zero_count, 600);
        native_sum_free(&sum);
        free(lanes[0]);
        free(lanes[1]);
    }
}
END_TEST

// To Prometheus a histogram begins anew when its schema rises or its zero bucket becomes narrower.
START_TEST(what_all_lanes_have_never_seems_to_begin_anew)
{
    uint64_t random = unit_seed() | 1;
    for (int round = 0; round < 60; round++) {
        const struct native_form form = {3, 1 + (uint32_t)(unit_random(&random) % FORM.max_buckets),
                                         NATIVE_ZERO_THRESHOLD};
        struct native_block *lanes[2] = {block_new(FIRST), block_new(FIRST)};
        struct native_sum sum = {.n = 0};
        int schema = form.schema;
        double zero_threshold = form.zero_threshold;
        for (uint64_t i = 1; i <= 300; i++) {
            double v = ldexp(unit_random(&random) % 2 == 0 ? 1 : -1,
                             (int)(unit_random(&random) % 1100) - 100);
            observe_of(&lanes[unit_random(&random) % 2], form.max_buckets, v);
            native_sum_begin(&sum, &form);
            native_sum_add(&sum, lanes[0]);
            native_sum_add(&sum, lanes[1]);
            ck_assert_uint_eq(native_sum_end(&sum, form.max_buckets), i);
            ck_assert_uint_le(sum.n, form.max_buckets);
            ck_assert_int_le(sum.schema, schema);
            ck_assert_double_ge(sum.zero_threshold, zero_threshold);
            schema = sum.schema;
            zero_threshold = sum.zero_threshold;
        }
        native_sum_free(&sum);
        free(lanes[0]);
        free(lanes[1]);
    }
}
END_TEST

// The magnitude that ends a bucket of FORM's schema.
static double at_bucket(int32_t index)
{
    return native_bound(FORM.schema, index);
}

START_TEST(buckets_that_want_the_same_slot_are_all_counted)
{
    struct native_block *b = block_new(FIRST);
    double values[12];
    for (int i = 0; i < 12; i++) {
        values[i] = at_bucket((i / 2 - 3) * NATIVE_SLOTS_FIRST +
                              (i % 2 == 0 ? 0 : NATIVE_SLOTS_FIRST / 2)) *
                    (i % 2 == 0 ? 1 : -1);
        atomic_fetch_add(native_reserve(b, FORM.max_buckets, values[i]), (unsigned)i + 1);
    }
    ck_assert_ptr_null(
        native_reserve(b, FORM.max_buckets, at_bucket(1))); // three quarters are full
    uint16_t slots[12];
    ck_assert_uint_eq(native_reserve_list(b, FORM.max_buckets, values, 12, slots), 12);
    for (int i = 0; i < 12; i++) {
        ck_assert_uint_eq(atomic_load(&b->slot[slots[i]].count), (unsigned)i + 1);
    }
    ck_assert(native_block_is_good(b, native_block_size(b->slots)));
    free(b);
}
END_TEST

// As in a file of an earlier version, which had other places for them.
START_TEST(a_bucket_in_another_slot_counts_with_the_one_in_its_own)
{
    struct native_block *b = block_new(FIRST);
    for (int32_t i = 0; i < 5; i++) {
        struct native_slot *slot =
            &b->slot[1 + (native_place(i, false, b->slots - 1) + 7) % b->slots];
        atomic_store(&slot->key, native_key(false, i));
        atomic_store(&slot->count, 10);
        atomic_store(&b->used, atomic_load(&b->used) + 1);
    }
    for (int32_t i = 0; i < 5; i++) {
        observe(&b, at_bucket(i));
    }
    observe(&b, at_bucket(40));
    observe(&b, at_bucket(60));
    observe(&b, at_bucket(80)); // now it is rebuilt
    ck_assert_uint_eq(atomic_load(&b->used), 8);
    struct native_sum sum = {.n = 0};
    native_sum_begin(&sum, &FORM);
    native_sum_add(&sum, b);
    ck_assert_uint_eq(native_sum_end(&sum, FORM.max_buckets), 58);
    ck_assert_uint_eq(sum.n, 8);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(sum.buckets[i].index, (int32_t)i);
        ck_assert_uint_eq(sum.buckets[i].count, 11);
    }
    native_sum_free(&sum);
    free(b);
}
END_TEST

START_TEST(a_zero_bucket_over_the_largest_numbers_ends_at_a_number)
{
    static const double values[] = {1, -1, 1e308, -1e308, DBL_MAX, -DBL_MAX};
    for (uint32_t max_buckets = 1; max_buckets <= 3; max_buckets++) {
        struct native_block *b =
            block_new((struct plan){NATIVE_SLOTS_FIRST, 3, NATIVE_ZERO_THRESHOLD});
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            while (native_reserve(b, max_buckets, values[i]) == NULL) {
                struct native_block *next = block_new(plan_block(b, max_buckets, values[i]));
                rebuild_block(next, b);
                free(b);
                b = next;
            }
            atomic_fetch_add(native_reserve(b, max_buckets, values[i]), 1);
        }
        ck_assert_double_le(b->zero_threshold, DBL_MAX);
        ck_assert(native_block_is_good(b, native_block_size(b->slots)));
        struct native_sum sum = {.n = 0};
        native_sum_begin(&sum, &FORM);
        native_sum_add(&sum, b);
        ck_assert_uint_eq(native_sum_end(&sum, max_buckets), 6);
        ck_assert_double_le(sum.zero_threshold, DBL_MAX);
        native_sum_free(&sum);
        free(b);
    }
}
END_TEST

START_TEST(a_block_of_somebody_else_is_not_taken)
{
    struct native_block *b = block_new(FIRST);
    size_t bytes = native_block_size(b->slots);
    observe(&b, 1);
    ck_assert(native_block_is_good(b, bytes));
    ck_assert(!native_block_is_good(b, bytes - 1));
    for (uint32_t i = 1; i <= b->slots; i++) {
        uint64_t key = atomic_load(&b->slot[i].key);
        if (key != 0) {
            atomic_store(&b->slot[i].key, (uint64_t)INT32_MAX << 2 | 1);
            ck_assert(!native_block_is_good(b, bytes));
            atomic_store(&b->slot[i].key, (uint64_t)0x80000000u << 2 | 1);
            ck_assert(!native_block_is_good(b, bytes));
            atomic_store(&b->slot[i].key, key);
        }
    }
    for (uint32_t i = 0; i <= b->slots; i++) {
        uint64_t count = atomic_exchange(&b->slot[i].count, UINT64_MAX);
        ck_assert(!native_block_is_good(b, bytes));
        atomic_store(&b->slot[i].count, count);
    }
    ck_assert(native_block_is_good(b, bytes));
    b->schema = 9;
    ck_assert(!native_block_is_good(b, bytes));
    b->schema = 3;
    b->slots = 17;
    ck_assert(!native_block_is_good(b, SIZE_MAX));
    b->slots = 1u << 30;
    ck_assert(!native_block_is_good(b, SIZE_MAX));
    b->slots = NATIVE_SLOTS_FIRST;
    b->zero_threshold = NAN;
    ck_assert(!native_block_is_good(b, bytes));
    b->zero_threshold = 0;
    atomic_store(&b->used, 2);
    ck_assert(!native_block_is_good(b, bytes));
    atomic_store(&b->slot[1].key, 2);
    ck_assert(!native_block_is_good(b, bytes));
    free(b);
}
END_TEST
START_TEST(a_new_block_whose_page_is_lost_stays_empty)
{
    struct native_block *b = block_new((struct plan){NATIVE_SLOTS_FIRST, 3, 0});
    observe(&b, 1.5);
    struct native_block *lost = calloc(1, native_block_size(NATIVE_SLOTS_FIRST));
    rebuild_block(lost, b);
    struct native_sum sum = {.n = 0};
    native_sum_begin(&sum, &FORM);
    native_sum_add(&sum, b);
    native_sum_end(&sum, FORM.max_buckets);
    ck_assert_uint_eq(sum.n, 1);
    fill_block(lost, &sum);
    ck_assert_uint_eq(native_slots(lost), 0);
    native_sum_free(&sum);
    free(lost);
    free(b);
}
END_TEST

static void begin_a_block_without_slots(void)
{
    struct native_block b = {0};
    init_block(&b, 0, 3, 0);
}

static void fill_a_block_with_more_than_it_takes(void)
{
    static struct native_bucket buckets[NATIVE_SLOTS_FIRST];
    struct native_block *b = calloc(1, native_block_size(NATIVE_SLOTS_FIRST));
    for (int32_t i = 0; i < NATIVE_SLOTS_FIRST; i++) {
        buckets[i] = (struct native_bucket){.index = i, .count = 1};
    }
    init_block(b, NATIVE_SLOTS_FIRST, 3, 0);
    fill_block(b, &(struct native_sum){.buckets = buckets, .n = NATIVE_SLOTS_FIRST});
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("a native block has as many slots as it may have", begin_a_block_without_slots);
    breaks("a quarter of a native block's slots is empty", fill_a_block_with_more_than_it_takes);
}
END_TEST

UNIT_MAIN("native", a_factor_has_the_schema_that_client_golang_gives_it,
          a_value_is_in_the_bucket_that_ends_at_or_above_it, every_bucket_has_its_bounds,
          what_was_observed_is_in_its_bucket_whatever_was_rebuilt,
          what_all_lanes_have_never_seems_to_begin_anew,
          buckets_that_want_the_same_slot_are_all_counted,
          a_bucket_in_another_slot_counts_with_the_one_in_its_own,
          a_zero_bucket_over_the_largest_numbers_ends_at_a_number,
          a_block_of_somebody_else_is_not_taken, a_new_block_whose_page_is_lost_stays_empty,
          a_broken_invariant_ends_the_process)
