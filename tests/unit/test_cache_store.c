// SPDX-License-Identifier: Apache-2.0
#include "event/cache_store.c"

#include "breaks.h"
#include "unit.h"

struct cache_entry {
    struct cache_head head;
    uint64_t hash;
    uint32_t filled;
    uint32_t unused;
} __attribute__((packed, aligned(CACHE_GRANULE)));

// An entry is filled with its hash, so that whatever overwrites it is seen.
static void fill(struct cache_entry *e, size_t bytes)
{
    unsigned char *at = (unsigned char *)(e + 1);
    for (size_t i = 0; i < bytes - sizeof *e; i++) {
        at[i] = (unsigned char)(e->hash >> (i % 8 * 8));
    }
    e->filled = bytes - sizeof *e;
}

static bool is_whole(const struct cache_entry *e)
{
    const unsigned char *at = (const unsigned char *)(e + 1);
    for (size_t i = 0; i < e->filled; i++) {
        if (at[i] != (unsigned char)(e->hash >> (i % 8 * 8))) {
            return false;
        }
    }
    return true;
}

static uint32_t short_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static struct cache_entry *find(const struct cache_store *m, uint64_t hash)
{
    const struct cache_bucket *b = cache_store_bucket(m, short_of(hash));
    for (uint32_t places = cache_store_places(b, short_of(hash)); places != 0;) {
        unsigned i = cache_store_next_place(&places);
        struct cache_entry *e = cache_store_at(m, b->entries[i]);
        if (e->hash == hash) {
            return e;
        }
    }
    return NULL;
}

static bool add(struct cache_store *m, uint64_t hash, size_t bytes)
{
    struct cache_entry *e = cache_store_reserve(m, bytes, UINT64_MAX)
                                ? cache_store_add(m, short_of(hash), bytes)
                                : NULL;
    if (e != NULL) {
        e->hash = hash;
        fill(e, bytes);
    }
    return e != NULL;
}

// All entries of the index are whole, stand in the ring and there apart, and the ring holds what it says.
static void check_all(const struct cache_store *m)
{
    size_t known = 0;
    for (uint64_t b = 0; b < m->n_buckets; b++) {
        for (unsigned i = 0; i < CACHE_WAYS; i++) {
            uint32_t at = m->buckets[b].entries[i];
            if (at != 0) {
                const struct cache_entry *e = cache_store_at(m, at);
                ck_assert(at + e->head.size <= m->end && !e->head.gone && is_whole(e));
                ck_assert_ptr_eq(find(m, e->hash), e);
                known++;
            }
        }
    }
    size_t n = 0;
    size_t live = 0;
    for (uint32_t at = m->tail; n < m->n; n++) {
        const struct cache_entry *e = cache_store_at(m, at);
        live += !e->head.gone;
        at += e->head.size;
        at = at == m->wrap ? 1 : at;
    }
    ck_assert_uint_eq(live, known);
}

START_TEST(what_is_added_is_found_whole_until_it_goes)
{
    uint64_t random = unit_seed() | 1;
    for (int run = 0; run < 20; run++) {
        struct cache_store memory;
        struct cache_store *m = &memory;
        uint64_t bytes = 2000 + unit_random(&random) % 60000;
        ck_assert_int_eq(cache_store_init(m, bytes), 0);
        for (int i = 0; i < 4000; i++) {
            uint64_t hash = unit_random(&random);
            size_t size = sizeof(struct cache_entry) + unit_random(&random) % 1400;
            ck_assert(!add(m, hash, size) || find(m, hash) != NULL);
            struct cache_entry *some = find(m, hash);
            if (some != NULL) {
                some->head.used = unit_random(&random) % 3 == 0;
            }
            if (i % 500 == 0) {
                check_all(m);
            }
        }
        check_all(m);
        ck_assert_uint_le(cache_store_bytes(m), bytes + 4096);
        cache_store_close(m);
    }
}
END_TEST

START_TEST(what_is_in_use_stays_whatever_else_comes)
{
    struct cache_store memory;
    struct cache_store *m = &memory;
    uint64_t random = unit_seed() | 1;
    uint64_t hot[100];
    ck_assert_int_eq(cache_store_init(m, 100000), 0);
    for (unsigned i = 0; i < 100; i++) {
        hot[i] = unit_random(&random);
        ck_assert(add(m, hot[i], 200));
    }
    unsigned added = 0;
    unsigned lost = 0;
    for (unsigned i = 0; i < 200000; i++) {
        struct cache_entry *e = find(m, hot[i % 100]);
        if (e != NULL) {
            e->head.used = true;
        } else {
            lost++;
            add(m, hot[i % 100], 200);
        }
        added += add(m, unit_random(&random), 150 + i % 300);
    }
    ck_assert_uint_gt(added, 10000);
    // One may go that was just written anew and not used since, for another one of a full bucket.
    ck_assert_uint_lt(lost, 1000);
    check_all(m);
    cache_store_close(m);
}
END_TEST

START_TEST(lines_that_collide_replace_each_other_and_no_one_in_use)
{
    struct cache_store memory;
    struct cache_store *m = &memory;
    ck_assert_int_eq(cache_store_init(m, 1 << 20), 0);
    for (uint64_t i = 0; i < 100; i++) {
        // The same bucket and the same tag.
        add(m, (uint64_t)77 << 32 | i, 100);
        struct cache_entry *first = find(m, (uint64_t)77 << 32);
        ck_assert_ptr_nonnull(first);
        first->head.used = true;
    }
    check_all(m);
    // When all of a bucket are in use, a new one waits.
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        ((struct cache_head *)cache_store_at(m, m->buckets[0].entries[i]))->used = true;
    }
    ck_assert(!add(m, (uint64_t)77 << 32 | 1000, 100));
    ck_assert(add(m, (uint64_t)77 << 32 | 1000, 100));
    check_all(m);
    cache_store_close(m);
}
END_TEST

START_TEST(what_is_larger_than_all_memory_finds_no_room)
{
    static const uint64_t bytes[] = {1, 64, 200, 1000};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        struct cache_store memory;
        struct cache_store *m = &memory;
        ck_assert_int_eq(cache_store_init(m, bytes[i]), 0);
        for (int k = 0; k < 100; k++) {
            ck_assert(!add(m, (uint64_t)k * 0x9E3779B97F4A7C15u, 1400));
        }
        cache_store_close(m);
    }
}
END_TEST

START_TEST(it_grows_up_to_what_it_may)
{
    struct cache_store memory;
    struct cache_store *m = &memory;
    uint64_t random = unit_seed() | 1;
    uint64_t most = 1 << 20;
    for (; most <= 16 << 20; most *= 4) {
        size_t kept = 0;
        ck_assert_int_eq(cache_store_init(m, 64 << 20), 0);
        ck_assert_uint_le(cache_store_bytes(m), 4096);
        for (int i = 0; i < 200000; i++) {
            uint64_t hash = unit_random(&random);
            if (cache_store_reserve(m, 48, most)) {
                struct cache_entry *e = cache_store_add(m, short_of(hash), 48);
                if (e != NULL) {
                    e->hash = hash;
                    fill(e, 48);
                }
            }
        }
        check_all(m);
        for (uint64_t b = 0; b < m->n_buckets; b++) {
            for (unsigned i = 0; i < CACHE_WAYS; i++) {
                kept += m->buckets[b].entries[i] != 0;
            }
        }
        ck_assert_uint_le(cache_store_bytes(m), most + most / 4);
        ck_assert_uint_gt(kept, most >= 16 << 20 ? 190000 : most / 80);
        cache_store_close(m);
    }
}
END_TEST

START_TEST(when_cleared_it_begins_with_nothing)
{
    struct cache_store memory;
    struct cache_store *m = &memory;
    ck_assert_int_eq(cache_store_init(m, 100000), 0);
    size_t held[2] = {0};
    for (uint64_t generation = 0; generation < 2; generation++) {
        cache_store_clear(m);
        uint64_t random = 5;
        for (int i = 0; i < 1000; i++) {
            uint64_t hash = unit_random(&random) * 0x9E3779B97F4A7C15;
            ck_assert_ptr_null(find(m, hash));
            held[generation] += add(m, hash, 200);
        }
        check_all(m);
    }
    ck_assert(held[0] > 100 && held[0] == held[1]);
    cache_store_close(m);
}
END_TEST

static void add_where_nothing_was_reserved(void)
{
    struct cache_store m;
    cache_store_init(&m, 1 << 20);
    cache_store_add(&m, 1, sizeof(struct cache_entry));
}

static void drop_what_its_bucket_does_not_have(void)
{
    struct cache_store m;
    cache_store_init(&m, 1 << 20);
    ck_assert(add(&m, 1, sizeof(struct cache_entry)));
    memset(m.buckets, 0, m.n_buckets * sizeof *m.buckets);
    cache_store_drop(&m, cache_store_at(&m, 1));
}

START_TEST(a_broken_invariant_ends_the_process)
{
    breaks("the ring has room for what is written", add_where_nothing_was_reserved);
    breaks("an entry of the ring is in its bucket", drop_what_its_bucket_does_not_have);
}
END_TEST

UNIT_MAIN("cache_store", what_is_added_is_found_whole_until_it_goes,
          what_is_in_use_stays_whatever_else_comes,
          lines_that_collide_replace_each_other_and_no_one_in_use,
          what_is_larger_than_all_memory_finds_no_room, it_grows_up_to_what_it_may,
          when_cleared_it_begins_with_nothing, a_broken_invariant_ends_the_process)
