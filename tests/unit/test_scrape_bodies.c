// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.c"

#include "unit.h"

#include <string.h>

static struct renderer_body *fill(struct renderer_bodies *all, size_t len)
{
    struct renderer_body *b = renderer_body_new(all);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(b->buf.len, 0);
    ck_assert(buf_reserve(&b->buf, len));
    b->buf.len = len;
    renderer_body_seal(b);
    return b;
}

START_TEST(a_buffer_serves_again_and_two_are_kept)
{
    struct renderer_bodies all = {.n = 0};
    struct renderer_body *b[3];
    for (size_t i = 0; i < 3; i++) {
        b[i] = fill(&all, 1000);
    }
    ck_assert_uint_ge(all.held, 3000);
    char *memory = b[0]->buf.p;
    for (size_t i = 0; i < 3; i++) {
        renderer_body_free(b[i]);
    }
    ck_assert_uint_eq(all.held, 0);
    ck_assert_uint_eq(all.n, RENDERER_BODY_POOL);
    b[0] = fill(&all, 10);
    b[1] = fill(&all, 10);
    ck_assert(b[0]->buf.p == memory || b[1]->buf.p == memory);
    renderer_body_free(b[0]);
    renderer_body_free(b[1]);
    renderer_bodies_free(&all);
}
END_TEST

START_TEST(the_memory_of_a_peak_goes_after_ten_small_renderings)
{
    struct renderer_bodies all = {.n = 0};
    renderer_body_free(fill(&all, 8 * 1024 * 1024));
    for (int i = 0; i < RENDERER_BODY_QUIET_MAX - 1; i++) {
        renderer_body_free(fill(&all, 1000));
        ck_assert_uint_ge(all.pool[0].cap, 8 * 1024 * 1024);
    }
    renderer_body_free(fill(&all, 1000));
    ck_assert_uint_eq(all.n, 0);
    renderer_bodies_free(&all);
}
END_TEST

START_TEST(a_large_rendering_now_and_then_keeps_its_memory)
{
    struct renderer_bodies all = {.n = 0};
    for (int round = 0; round < 3; round++) {
        renderer_body_free(fill(&all, 8 * 1024 * 1024));
        for (int i = 0; i < RENDERER_BODY_QUIET_MAX - 1; i++) {
            renderer_body_free(fill(&all, 1000));
        }
        ck_assert_uint_eq(all.n, 1);
    }
    renderer_bodies_free(&all);
}
END_TEST

START_TEST(a_large_rendering_counts_for_what_it_needs)
{
    struct renderer_bodies all = {.n = 0};
    const size_t len = 9 * 1024 * 1024;
    struct renderer_body *b = renderer_body_new(&all);
    for (size_t i = 0; i < len; i += 1024) {
        char piece[1024] = "";
        memcpy(piece, &i, sizeof i);
        buf_add(&b->buf, piece, sizeof piece);
    }
    ck_assert_uint_ge(b->buf.cap, len + len / 4 + RENDERER_BODY_SPARE);
    renderer_body_seal(b);
    ck_assert_uint_eq(b->buf.len, len);
    ck_assert_uint_le(all.held, len + len / 4 + RENDERER_BODY_SPARE);
    for (size_t i = 0; i < len; i += 1024) {
        ck_assert_int_eq(memcmp(b->buf.p + i, &i, sizeof i), 0);
    }
    // The next ones are a little longer, and find room.
    const char *place = b->buf.p;
    size_t cap = b->buf.cap;
    for (size_t more = 0; more < len / 10; more += len / 30) {
        renderer_body_free(b);
        b = renderer_body_new(&all);
        ck_assert(buf_reserve(&b->buf, len + more));
        b->buf.len = len + more;
        renderer_body_seal(b);
        ck_assert_ptr_eq(b->buf.p, place);
        ck_assert_uint_eq(b->buf.cap, cap);
    }
    renderer_body_free(b);
    renderer_bodies_free(&all);
}
END_TEST

UNIT_MAIN("scrape_bodies", a_buffer_serves_again_and_two_are_kept,
          the_memory_of_a_peak_goes_after_ten_small_renderings,
          a_large_rendering_now_and_then_keeps_its_memory,
          a_large_rendering_counts_for_what_it_needs)
