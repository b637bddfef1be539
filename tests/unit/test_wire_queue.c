// SPDX-License-Identifier: Apache-2.0
#include "client/wire.h"

#include "unit.h"

#include <string.h>

static void put(struct wire_queue *q, const char *line)
{
    ck_assert(wire_queue_has_room(q, strlen(line)));
    wire_queue_put(q, line, strlen(line));
}

static void expect_next(const struct wire_queue *q, const char *text)
{
    const char *p;
    size_t n = wire_queue_next(q, &p);
    ck_assert_uint_eq(n, strlen(text));
    ck_assert_mem_eq(p, text, n);
}

START_TEST(what_was_written_is_kept_until_it_is_dropped)
{
    struct wire_queue q;
    const char *p;
    ck_assert_int_eq(wire_queue_init(&q, 16), 0);
    put(&q, "a");
    put(&q, "bcd");
    put(&q, "e");
    expect_next(&q, "a\nbcd\ne\n");
    ck_assert_uint_eq(wire_queue_wrote(&q, 4), 1);
    ck_assert(wire_queue_is_partial(&q));
    ck_assert_uint_eq(wire_queue_line_rest(&q, &p), 2);
    ck_assert_uint_eq(wire_queue_wrote(&q, 2), 1);
    ck_assert(!wire_queue_is_partial(&q));
    wire_queue_drop(&q, 1);
    ck_assert_uint_eq(q.lines, 2);
    ck_assert_uint_eq(q.first, 1);
    expect_next(&q, "e\n");
    wire_queue_rewind(&q);
    ck_assert(!wire_queue_is_partial(&q));
    expect_next(&q, "bcd\ne\n");
    wire_queue_drop(&q, 2);
    expect_next(&q, "");
    ck_assert_uint_eq(wire_queue_line_rest(&q, &p), 0);
    wire_queue_free(&q);
}
END_TEST

START_TEST(room_is_what_is_neither_kept_nor_waiting)
{
    struct wire_queue q;
    ck_assert_int_eq(wire_queue_init(&q, 8), 0);
    ck_assert(wire_queue_has_room(&q, 7));
    ck_assert(!wire_queue_has_room(&q, 8));
    put(&q, "abc");
    ck_assert(wire_queue_has_room(&q, 3));
    ck_assert(!wire_queue_has_room(&q, 4));
    put(&q, "def");
    ck_assert(!wire_queue_has_room(&q, 0));
    ck_assert_uint_eq(wire_queue_wrote(&q, 8), 2);
    ck_assert(!wire_queue_has_room(&q, 0));
    wire_queue_drop(&q, 1);
    put(&q, "ghi"); // moves what is kept to the front
    expect_next(&q, "ghi\n");
    wire_queue_rewind(&q);
    expect_next(&q, "def\nghi\n");
    wire_queue_free(&q);
}
END_TEST

START_TEST(lines_come_out_in_their_order_whatever_is_written_dropped_and_rewound)
{
    uint64_t seed = unit_seed();
    struct wire_queue q;
    unsigned next = 0; // to be put
    uint64_t dropped = 0;
    uint64_t written = 0; // since the last rewind, from `dropped` on
    ck_assert_int_eq(wire_queue_init(&q, 64), 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t r = unit_random(&seed);
        char line[16];
        const char *p;
        int len = snprintf(line, sizeof line, "%u", next);
        if (r % 4 == 0 && wire_queue_has_room(&q, (size_t)len)) {
            wire_queue_put(&q, line, (size_t)len);
            next++;
        } else if (r % 4 == 1) {
            size_t n = wire_queue_next(&q, &p);
            written += wire_queue_wrote(&q, n == 0 ? 0 : (size_t)(r / 4) % (n + 1));
        } else if (r % 4 == 2 && written > 0) {
            uint64_t n = r / 4 % (written + 1);
            wire_queue_drop(&q, n);
            dropped += n;
            written -= n;
        } else if (r % 64 == 3) {
            wire_queue_rewind(&q);
            written = 0;
        }
        ck_assert_uint_eq(q.first, dropped);
        ck_assert_uint_eq(q.lines, next - dropped);
        if (!wire_queue_is_partial(&q) && wire_queue_next(&q, &p) > 0) {
            ck_assert_uint_eq(strtoull(p, NULL, 10), dropped + written);
        }
    }
    ck_assert_uint_gt(next, 1000);
    wire_queue_free(&q);
}
END_TEST

UNIT_MAIN("wire_queue", what_was_written_is_kept_until_it_is_dropped,
          room_is_what_is_neither_kept_nor_waiting,
          lines_come_out_in_their_order_whatever_is_written_dropped_and_rewound)
