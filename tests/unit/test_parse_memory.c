// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

enum { MOST = 64 << 20 }; // bytes that this system gives

static void *some(size_t size)
{
    return size > MOST ? NULL : malloc(size);
}

#define malloc some
#include "event/parse.c"
#undef malloc

#include "unit.h"

#include <stdbool.h>
#include <string.h>

static size_t chunks(const struct parser *m)
{
    size_t n = 0;
    for (const struct parse_chunk *c = m->chunks; c != NULL; c = c->next) {
        n++;
    }
    return n;
}

START_TEST(pieces_are_aligned_and_do_not_touch)
{
    struct parser m = {0};
    uint64_t random = unit_seed() | 1;
    unsigned char *pieces[500];
    size_t sizes[500];
    use(&m);
    for (unsigned i = 0; i < 500; i++) {
        sizes[i] = unit_random(&random) % 300;
        pieces[i] = take(sizes[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % ALIGN, 0);
        memset(pieces[i], (int)(i % 251), sizes[i]);
        give_back(pieces[i]); // stays
    }
    leave();
    for (unsigned i = 0; i < 500; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            ck_assert_uint_eq(pieces[i][k], i % 251);
        }
    }
    parse_free(&m);
}
END_TEST

START_TEST(of_a_large_line_one_chunk_stays)
{
    struct parser m = {0};
    for (int line = 0; line < 3; line++) {
        use(&m);
        ck_assert_ptr_nonnull(take(1 << 20));
        ck_assert_ptr_nonnull(take(100));
        ck_assert_ptr_nonnull(take(5 << 20));
        leave();
        ck_assert_uint_gt(chunks(&m), 1);
        parse_reset(&m);
        ck_assert_uint_eq(chunks(&m), 1);
    }
    parse_free(&m);
    ck_assert_uint_eq(chunks(&m), 0);
}
END_TEST

START_TEST(small_lines_use_the_same_chunk)
{
    struct parser m = {0};
    use(&m);
    char *first = take(100);
    for (int i = 0; i < 1000; i++) {
        parse_reset(&m);
        ck_assert_ptr_eq(take(100), first);
    }
    ck_assert_uint_eq(chunks(&m), 1);
    leave();
    parse_free(&m);
}
END_TEST

static void *elsewhere(void *ret)
{
    void *piece = take(10);
    *(bool *)ret = present == NULL && piece != NULL;
    give_back(piece);
    return NULL;
}

START_TEST(other_threads_go_on_with_malloc)
{
    struct parser m = {0};
    pthread_t thread;
    bool own = false;
    use(&m);
    ck_assert_int_eq(pthread_create(&thread, NULL, elsewhere, &own), 0);
    pthread_join(thread, NULL);
    leave();
    ck_assert(own && chunks(&m) == 0);
}
END_TEST

START_TEST(a_wish_beyond_all_memory_is_refused)
{
    struct parser m = {0};
    use(&m);
    ck_assert_ptr_null(take(MOST));
    ck_assert_ptr_null(take(MOST));
    ck_assert_ptr_nonnull(take(10));
    leave();
    parse_free(&m);
}
END_TEST

UNIT_MAIN("parse_memory", pieces_are_aligned_and_do_not_touch, of_a_large_line_one_chunk_stays,
          small_lines_use_the_same_chunk, other_threads_go_on_with_malloc,
          a_wish_beyond_all_memory_is_refused)
