// SPDX-License-Identifier: Apache-2.0
#include "event/memo_store.c"

#include "unit.h"

// An entry is filled with its hash, so that whatever overwrites it is seen.
static void fill(struct memo_entry *e, size_t bytes)
{
    unsigned char *at = (unsigned char *)(e + 1);
    for (size_t i = 0; i < bytes - sizeof *e; i++) {
        at[i] = (unsigned char)(e->hash >> (i % 8 * 8));
    }
    e->shape = bytes - sizeof *e;
}

static bool is_whole(const struct memo_entry *e)
{
    const unsigned char *at = (const unsigned char *)(e + 1);
    for (size_t i = 0; i < e->shape; i++) {
        if (at[i] != (unsigned char)(e->hash >> (i % 8 * 8))) {
            return false;
        }
    }
    return true;
}

static struct memo_entry *find(const struct memo *m, uint64_t hash)
{
    const struct memo_bucket *b = memo_bucket_of(m, hash);
    for (uint32_t places = memo_places(b, hash); places != 0;) {
        unsigned i = memo_next_place(&places);
        if (memo_at(m, b->entries[i])->hash == hash) {
            return memo_at(m, b->entries[i]);
        }
    }
    return NULL;
}

static bool add(struct memo *m, uint64_t hash, size_t bytes)
{
    struct memo_entry *e = memo_room(m, bytes) ? memo_add(m, hash, bytes) : NULL;
    if (e != NULL) {
        fill(e, bytes);
    }
    return e != NULL;
}

// All entries of the index are whole, stand in the ring and there apart, and the ring holds what it says.
static void check_all(const struct memo *m)
{
    size_t known = 0;
    for (uint64_t b = 0; b < m->n_buckets; b++) {
        for (unsigned i = 0; i < MEMO_WAYS; i++) {
            uint32_t at = m->buckets[b].entries[i];
            if (at != 0) {
                const struct memo_entry *e = memo_at(m, at);
                ck_assert(at + e->size <= m->end && !e->gone && is_whole(e));
                ck_assert_ptr_eq(find(m, e->hash), e);
                known++;
            }
        }
    }
    size_t n = 0;
    size_t live = 0;
    for (uint32_t at = m->tail; n < m->n; n++) {
        const struct memo_entry *e = memo_at(m, at);
        live += !e->gone;
        at += e->size;
        at = at == m->wrap ? 1 : at;
    }
    ck_assert_uint_eq(live, known);
}

START_TEST(what_is_added_is_found_whole_until_it_goes)
{
    uint64_t random = unit_seed() | 1;
    for (int run = 0; run < 20; run++) {
        struct memo *m;
        uint64_t bytes = 2000 + unit_random(&random) % 60000;
        ck_assert_int_eq(memo_new(&m, bytes), 0);
        ck_assert_uint_le(m->bytes, bytes + 512);
        for (int i = 0; i < 4000; i++) {
            uint64_t hash = unit_random(&random);
            size_t size = sizeof(struct memo_entry) + unit_random(&random) % 1400;
            ck_assert(!add(m, hash, size) || find(m, hash) != NULL);
            struct memo_entry *some = find(m, hash);
            if (some != NULL) {
                some->used = unit_random(&random) % 3 == 0;
            }
            if (i % 500 == 0) {
                check_all(m);
            }
        }
        check_all(m);
        memo_free(m);
    }
}
END_TEST

START_TEST(what_is_in_use_stays_whatever_else_comes)
{
    struct memo *m;
    uint64_t random = unit_seed() | 1;
    uint64_t hot[100];
    ck_assert_int_eq(memo_new(&m, 100000), 0);
    for (unsigned i = 0; i < 100; i++) {
        hot[i] = unit_random(&random);
        ck_assert(add(m, hot[i], 200));
    }
    unsigned added = 0;
    unsigned lost = 0;
    for (unsigned i = 0; i < 200000; i++) {
        struct memo_entry *e = find(m, hot[i % 100]);
        if (e != NULL) {
            e->used = true;
        } else {
            lost++;
            add(m, hot[i % 100], 200);
        }
        added += add(m, unit_random(&random), 150 + i % 300);
    }
    ck_assert_uint_gt(added, 10000);
    // One may go that was just written anew and not used since, for another one of a full bucket.
    ck_assert_uint_lt(lost, 200);
    check_all(m);
    memo_free(m);
}
END_TEST

START_TEST(lines_that_collide_replace_each_other_and_no_one_in_use)
{
    struct memo *m;
    ck_assert_int_eq(memo_new(&m, 1 << 20), 0);
    for (uint64_t i = 0; i < 100; i++) {
        // The same bucket and the same tag.
        add(m, i << 16 | 77, 100);
        struct memo_entry *first = find(m, 77);
        ck_assert_ptr_nonnull(first);
        first->used = true;
    }
    check_all(m);
    // When all of a bucket are in use, a new one waits.
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        memo_at(m, m->buckets[0].entries[i])->used = true;
    }
    ck_assert(!add(m, (uint64_t)1000 << 16 | 77, 100));
    ck_assert(add(m, (uint64_t)1000 << 16 | 77, 100));
    check_all(m);
    memo_free(m);
}
END_TEST

START_TEST(what_is_larger_than_all_memory_finds_no_room)
{
    static const uint64_t bytes[] = {1, 64, 200, 1000};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        struct memo *m;
        ck_assert_int_eq(memo_new(&m, bytes[i]), 0);
        for (int k = 0; k < 100; k++) {
            ck_assert(!add(m, (uint64_t)k * 0x9E3779B97F4A7C15u, 1400));
        }
        memo_free(m);
    }
}
END_TEST

START_TEST(a_line_is_seen_before_at_its_second_sight)
{
    struct memo *m;
    uint64_t random = unit_seed() | 1;
    ck_assert_int_eq(memo_new(&m, 1 << 20), 0);
    unsigned wrong = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t hash = unit_random(&random);
        wrong += memo_seen(m, hash);
        ck_assert(memo_seen(m, hash));
    }
    ck_assert_uint_eq(wrong, 0); // but once in a hundred thousand runs
    memo_free(m);
}
END_TEST

// As many lines as fill the memory with entries of a common size come in turn, each until it was seen before.
START_TEST(what_comes_in_turn_is_seen_again_although_much_comes_between)
{
    enum { MEMORY = 1 << 20, LINES = MEMORY / 192, PASSES = 4 };
    static bool seen[LINES];
    struct memo *m;
    uint64_t seed = unit_seed() | 1;
    unsigned n = 0;
    ck_assert_int_eq(memo_new(&m, MEMORY), 0);
    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t random = seed;
        for (int i = 0; i < LINES; i++) {
            uint64_t hash = unit_random(&random);
            seen[i] = seen[i] || memo_seen(m, hash);
            n += pass == PASSES - 1 && seen[i];
            ck_assert(pass > 0 || !seen[i]);
        }
    }
    ck_assert_uint_gt(n, LINES * 99 / 100);
    memo_free(m);
}
END_TEST

START_TEST(another_generation_begins_with_nothing)
{
    struct memo *m;
    ck_assert_int_eq(memo_new(&m, 100000), 0);
    size_t held[2] = {0};
    for (uint64_t generation = 0; generation < 2; generation++) {
        memo_renew(m, generation);
        uint64_t random = 5;
        for (int i = 0; i < 1000; i++) {
            uint64_t hash = unit_random(&random) * 0x9E3779B97F4A7C15;
            ck_assert(find(m, hash) == NULL && !memo_seen(m, hash));
            held[generation] += add(m, hash, 200);
        }
        check_all(m);
    }
    ck_assert(held[0] > 100 && held[0] == held[1]);
    memo_free(m);
}
END_TEST

UNIT_MAIN("memo_store", what_is_added_is_found_whole_until_it_goes,
          what_is_in_use_stays_whatever_else_comes,
          lines_that_collide_replace_each_other_and_no_one_in_use,
          what_is_larger_than_all_memory_finds_no_room, a_line_is_seen_before_at_its_second_sight,
          what_comes_in_turn_is_seen_again_although_much_comes_between,
          another_generation_begins_with_nothing)
