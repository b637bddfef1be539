// SPDX-License-Identifier: Apache-2.0
#include "native_text.h"
#include "series/native.h"
#include "series_unit.h"

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: a, type: histogram, help: h, component: any, labels: [l], buckets: [1, 2],\n"
    "     native: {max_buckets: 160}}\n";

static struct series_store *store;
static struct family *f;

static void begin(void)
{
    rcu_join();
    store = unit_store(CATALOG, 100, 100);
    f = unit_family(store, "a");
}

static void end(void)
{
    schema_close(store);
    rcu_part();
}

static void observe(struct series *s, double v)
{
    rcu_enter();
    struct cell_histogram *c = table_cell(f->table, &unit_writer, s);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(
        table_reserve_native(f->table, &unit_writer, s, f->metric->bounds, &f->native, v), 0);
    struct native_block *b = native_lane_block(store->share.base, s->record, unit_writer.lane);
    _Atomic uint64_t *count = native_reserve(b, f->native.max_buckets, v);
    ck_assert_ptr_nonnull(count);
    atomic_store(count, atomic_load(count) + 1);
    cell_observe(c, cell_bucket(f->metric->bounds, f->metric->n_bounds, v), v);
    rcu_leave();
}

// What they have, of which native_text knows that it is as much as the classic buckets have.
static const char *text(void)
{
    static struct buf out;
    buf_clear(&out);
    native_text(store, &out);
    return buf_string(&out);
}

static size_t bytes_of(const struct series *s)
{
    size_t bytes = 0;
    for (uint32_t handle = native_lane_piece(s->record, 0); handle != 0;) {
        const struct native_block *b = arena_at(store->share.base, handle);
        bytes += native_block_size(native_slots(b));
        handle = b->previous;
    }
    return bytes;
}

START_TEST(a_series_has_a_few_kilobytes_whatever_is_observed)
{
    uint64_t random = unit_seed() | 1;
    for (int round = 0; round < 10; round++) {
        begin();
        struct series *s = unit_add(f->table, "l=\"1\"");
        for (int i = 0; i < 3000; i++) {
            observe(s, ldexp(1 + (double)(unit_random(&random) % 1000) / 1000,
                             (int)(unit_random(&random) % (1u << (round + 1))) - (1 << round)));
        }
        // Blocks of 16 to 256 slots, and one more for each of at most 7 lower schemas.
        size_t largest = native_block_size(256);
        ck_assert_uint_le(bytes_of(s), 2 * largest + 7 * largest);
        ck_assert_ptr_nonnull(strstr(text(), "a{l=\"1\"} schema"));
        // All is given back with the series: another one needs no more.
        uint64_t used = arena_used(unit_arena);
        for (int i = 0; i < 20; i++) {
            rcu_enter();
            ck_assert(table_remove(f->table, s));
            rcu_leave();
            schema_reclaim(store);
            s = unit_add(f->table, "l=\"1\"");
            for (int k = 0; k < 100; k++) {
                observe(s, ldexp(1, k));
            }
        }
        ck_assert_uint_le(arena_used(unit_arena), used + 4 * (uint64_t)ARENA_CHUNK);
        end();
    }
}
END_TEST

// A series with 40 observations from 0 to 4.875.
static struct series *observed(void)
{
    struct series *s = unit_add(f->table, "l=\"1\"");
    for (int k = 0; k < 40; k++) {
        observe(s, k / 8.0);
    }
    return s;
}

START_TEST(lost_buckets_are_made_of_the_classic_ones)
{
    static const int bytes[] = {0, 0xEE, 0xFF};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        for (int what = 0; what < 2; what++) {
            begin();
            struct series *s = observed();
            struct native_block *b = native_lane_block(store->share.base, s->record, 0);
            if (what == 0) {
                memset(b, bytes[i], native_block_size(native_slots(b)));
            } else { // not the page with its beginning
                memset(&b->slot[1], bytes[i], native_slots(b) * sizeof b->slot[0]);
            }
            ck_assert_uint_eq(schema_repair(store), 0);
            ck_assert(!native_block_is_current(b));
            ck_assert_str_eq(text(), "a{l=\"1\"} schema 3, 0 up to 0x1p-128: +0=9 +8=8 +9=23\n");
            observe(s, 0);
            observe(s, 1);
            ck_assert_str_eq(text(), "a{l=\"1\"} schema 3, 1 up to 0x1p-128: +0=10 +8=8 +9=23\n");
            ck_assert_uint_eq(schema_repair(store), 0);
            ck_assert_str_eq(text(), "a{l=\"1\"} schema 3, 1 up to 0x1p-128: +0=10 +8=8 +9=23\n");
            end();
        }
    }
}
END_TEST

START_TEST(classic_buckets_and_native_ones_are_as_many_after_a_loss)
{
    for (int what = 0; what < 2; what++) {
        begin();
        struct series *s = observed();
        struct native_block *b = native_lane_block(store->share.base, s->record, 0);
        if (what == 0) { // the page of the classic ones
            void *cell = record_cell_made(store->share.base, s->record, 0);
            memset(cell, 0, cell_histogram_size(f->metric->n_bounds));
        } else { // the last slots, and the block is rebuilt before that is found
            uint32_t half = native_slots(b) / 2;
            memset(&b->slot[1 + half], 0, half * sizeof b->slot[0]);
            for (int k = 10; native_block_is_current(b); k++) {
                observe(s, ldexp(1, k));
            }
        }
        ck_assert_uint_eq(schema_repair(store), 0);
        ck_assert_ptr_nonnull(strstr(text(), "a{l=\"1\"} schema 3"));
        observe(s, 1);
        text();
        end();
    }
}
END_TEST

START_TEST(without_memory_what_is_there_stays)
{
    static const struct native_form form = {3, 160, NATIVE_ZERO_THRESHOLD};
    static const double bounds[1 + CATALOG_BOUNDS_PAD] = {1};
    _Atomic uint64_t counts[2] = {0};
    const struct native_classic classic = {bounds, 1, counts};
    struct arena_writer writer = {0};
    struct arena *a = NULL;
    ck_assert_int_eq(arena_new(&a, 4 << 20), 0);
    layout_init(arena_base(a), 100);
    struct record_spec spec = {.kind = RECORD_SERIES,
                               .lanes = 1,
                               .payload =
                                   (uint16_t)(sizeof(struct series_saved) + native_lane_payload(1)),
                               .text = "x",
                               .text_len = 1};
    uint32_t handle = record_new(a, &writer, &spec);
    ck_assert_uint_ne(handle, 0);
    struct record *r = record_at(arena_base(a), handle);
    ck_assert_int_eq(native_lane_reserve(a, &writer, handle, 0, &form, &classic, 1), 0);
    struct native_block *b = native_lane_block(arena_base(a), r, 0);
    atomic_store(native_reserve(b, form.max_buckets, 1), 7);
    for (size_t size = ARENA_MAX_PIECE; size >= 16; size /= 2) {
        while (arena_alloc(a, &writer, size) != 0) {
        }
    }
    int made = 0;
    int rc = 0;
    for (int k = 1; k < 100 && rc == 0; k++) {
        rc = native_lane_reserve(a, &writer, handle, 0, &form, &classic, ldexp(1, k));
        made += rc == 0;
    }
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_int_eq(made, NATIVE_SLOTS_FIRST / 4 * 3 - 1);
    ck_assert_ptr_eq(native_lane_block(arena_base(a), r, 0), b);
    ck_assert(native_block_is_current(b));
    ck_assert_uint_eq(atomic_load(native_reserve(b, form.max_buckets, 1)), 7);
    ck_assert_int_eq(native_lane_reserve(a, &writer, handle, 0, &form, &classic, 2), 0);
    // A record of an earlier layout has no place for blocks.
    spec.payload = sizeof(struct series_saved);
    native_lane_free(a, r);
    handle = record_new(a, &writer, &spec);
    if (handle != 0) {
        ck_assert_int_eq(native_lane_reserve(a, &writer, handle, 0, &form, &classic, 1), -ENOMEM);
    }
    arena_free(a);
}
END_TEST

UNIT_MAIN("native_lane", a_series_has_a_few_kilobytes_whatever_is_observed,
          lost_buckets_are_made_of_the_classic_ones,
          classic_buckets_and_native_ones_are_as_many_after_a_loss,
          without_memory_what_is_there_stays)
