// SPDX-License-Identifier: Apache-2.0
#include "web/body.h"

#include "unit.h"

static struct body *fill(struct bodies *all, size_t len)
{
    struct body *b = body_take(all);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(b->buf.len, 0);
    ck_assert(buf_reserve(&b->buf, len));
    b->buf.len = len;
    body_seal(b);
    return b;
}

START_TEST(a_buffer_serves_again_and_two_are_kept)
{
    struct bodies all = {.n = 0};
    struct body *b[3];
    for (size_t i = 0; i < 3; i++) {
        b[i] = fill(&all, 1000);
    }
    ck_assert_uint_ge(all.held, 3000);
    char *memory = b[0]->buf.p;
    for (size_t i = 0; i < 3; i++) {
        body_release(b[i]);
    }
    ck_assert_uint_eq(all.held, 0);
    ck_assert_uint_eq(all.n, BODY_POOL);
    b[0] = fill(&all, 10);
    b[1] = fill(&all, 10);
    ck_assert(b[0]->buf.p == memory || b[1]->buf.p == memory);
    body_release(b[0]);
    body_release(b[1]);
    bodies_free(&all);
}
END_TEST

START_TEST(the_memory_of_a_peak_goes_after_ten_small_renderings)
{
    struct bodies all = {.n = 0};
    body_release(fill(&all, 8 * 1024 * 1024));
    for (int i = 0; i < BODY_PATIENCE - 1; i++) {
        body_release(fill(&all, 1000));
        ck_assert_uint_ge(all.pool[0].cap, 8 * 1024 * 1024);
    }
    body_release(fill(&all, 1000));
    ck_assert_uint_eq(all.n, 0);
    bodies_free(&all);
}
END_TEST

START_TEST(a_large_rendering_now_and_then_keeps_its_memory)
{
    struct bodies all = {.n = 0};
    for (int round = 0; round < 3; round++) {
        body_release(fill(&all, 8 * 1024 * 1024));
        for (int i = 0; i < BODY_PATIENCE - 1; i++) {
            body_release(fill(&all, 1000));
        }
        ck_assert_uint_eq(all.n, 1);
    }
    bodies_free(&all);
}
END_TEST

UNIT_MAIN("body", a_buffer_serves_again_and_two_are_kept,
          the_memory_of_a_peak_goes_after_ten_small_renderings,
          a_large_rendering_now_and_then_keeps_its_memory)
