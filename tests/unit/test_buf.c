// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

static int reallocs_left = -1; // how many more succeed; negative: all

static void *counted_realloc(void *p, size_t size)
{
    if (reallocs_left == 0) {
        return NULL;
    }
    reallocs_left--;
    return realloc(p, size);
}

#define realloc counted_realloc
#include "base/buf.c"
#undef realloc

START_TEST(pieces_are_joined_in_order)
{
    struct buf b = BUF_INIT;
    buf_str(&b, "one");
    buf_char(&b, ' ');
    buf_add(&b, "two!", 3);
    buf_add(&b, NULL, 0);
    buf_addf(&b, " %d%s", 3, "");
    ck_assert_uint_eq(b.len, 9);
    ck_assert_str_eq(buf_string(&b), "one two 3");
    ck_assert_uint_eq(b.len, 9);
    buf_free(&b);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.cap, 0);
}
END_TEST

START_TEST(an_empty_buffer_is_an_empty_string)
{
    struct buf b = BUF_INIT;
    ck_assert_str_eq(buf_string(&b), "");
    buf_free(&b);
}
END_TEST

START_TEST(bytes_survive_growth)
{
    struct buf b = BUF_INIT;
    for (unsigned i = 0; i < 100000; i++) {
        buf_char(&b, (char)(i % 251));
    }
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        ck_assert_int_eq(b.p[i], (char)(i % 251));
    }
    buf_free(&b);
}
END_TEST

START_TEST(formatted_text_may_be_longer_than_any_room)
{
    for (int width = 1; width < 1000; width++) {
        struct buf b = BUF_INIT;
        buf_str(&b, "x");
        buf_addf(&b, "%0*d", width, 5);
        ck_assert_uint_eq(b.len, (size_t)width + 1);
        ck_assert_int_eq(b.p[width], '5');
        buf_free(&b);
    }
}
END_TEST

START_TEST(nothing_grows_beyond_the_bound)
{
    struct buf b = {.max = 10};
    buf_str(&b, "1234567890");
    ck_assert(!b.failed);
    ck_assert_uint_le(b.cap, 10);
    buf_char(&b, 'x');
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 10);
    buf_free(&b);
    ck_assert_uint_eq(b.max, 10);
}
END_TEST

START_TEST(a_failure_stays_until_the_buffer_is_cleared)
{
    struct buf b = {.max = 10};
    buf_str(&b, "12345");
    buf_str(&b, "too long for it");
    buf_char(&b, 'x');
    buf_addf(&b, "%d", 1);
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 5);
    ck_assert(memcmp(b.p, "12345", 5) == 0);
    ck_assert_ptr_null(buf_string(&b));
    buf_clear(&b);
    buf_str(&b, "again");
    ck_assert_str_eq(buf_string(&b), "again");
    buf_free(&b);
}
END_TEST

START_TEST(a_size_that_overflows_is_a_failure)
{
    struct buf b = BUF_INIT;
    buf_char(&b, 'x');
    ck_assert(!buf_reserve(&b, SIZE_MAX));
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 1);
    buf_free(&b);
}
END_TEST

START_TEST(no_memory_is_a_failure_that_keeps_the_bytes)
{
    struct buf b = BUF_INIT;
    buf_str(&b, "kept");
    reallocs_left = 0;
    ck_assert(!buf_reserve(&b, 100000));
    ck_assert(b.failed);
    reallocs_left = -1;
    ck_assert(!buf_reserve(&b, 1));
    ck_assert_uint_eq(b.len, 4);
    ck_assert(memcmp(b.p, "kept", 4) == 0);
    buf_free(&b);
}
END_TEST

START_TEST(no_memory_for_formatted_text_is_a_failure)
{
    struct buf b = BUF_INIT;
    reallocs_left = 0;
    buf_addf(&b, "%d", 7);
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_ptr_null(b.p);
}
END_TEST

START_TEST(shrinking_gives_back_what_is_above_the_rest)
{
    struct buf b = BUF_INIT;
    ck_assert(buf_reserve(&b, 10000));
    buf_str(&b, "text");
    buf_shrink(&b, 20000);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_uint_ge(b.cap, 10000);
    buf_shrink(&b, 100);
    ck_assert_uint_eq(b.cap, 100);
    buf_str(&b, "more");
    ck_assert_str_eq(buf_string(&b), "more");
    buf_shrink(&b, 0);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.cap, 0);
    buf_str(&b, "anew");
    ck_assert_str_eq(buf_string(&b), "anew");
    buf_free(&b);
}
END_TEST

START_TEST(lent_bytes_are_used_and_never_exchanged)
{
    char bytes[8];
    struct buf b = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
    reallocs_left = 0;
    buf_addf(&b, "%s", "1234567");
    buf_char(&b, '8');
    ck_assert(!b.failed);
    ck_assert_ptr_eq(b.p, bytes);
    ck_assert(memcmp(bytes, "12345678", 8) == 0);
    buf_char(&b, '9');
    ck_assert(b.failed);
    ck_assert_ptr_eq(b.p, bytes);
    ck_assert_int_eq(reallocs_left, 0);
}
END_TEST

UNIT_MAIN("buf", pieces_are_joined_in_order, an_empty_buffer_is_an_empty_string,
          bytes_survive_growth, formatted_text_may_be_longer_than_any_room,
          nothing_grows_beyond_the_bound, a_failure_stays_until_the_buffer_is_cleared,
          a_size_that_overflows_is_a_failure, no_memory_is_a_failure_that_keeps_the_bytes,
          no_memory_for_formatted_text_is_a_failure, shrinking_gives_back_what_is_above_the_rest,
          lent_bytes_are_used_and_never_exchanged)
