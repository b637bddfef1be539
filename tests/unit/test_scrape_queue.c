// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.c"

#include "unit.h"

#include <stdlib.h>

static struct fair_queue queue;

START_TEST(a_newcomer_goes_before_the_second_of_another)
{
    memset(&queue, 0, sizeof queue);
    for (uint64_t i = 0; i < 40; i++) {
        ck_assert_uint_eq(fair_queue_add(&queue, 7), i);
    }
    fair_queue_serve(&queue, 0);
    ck_assert_uint_eq(fair_queue_add(&queue, 8), 0);
    fair_queue_serve(&queue, 5);
    ck_assert_uint_eq(fair_queue_add(&queue, 8), 5);
    ck_assert_uint_eq(fair_queue_add(&queue, 8), 6);
    ck_assert_uint_eq(fair_queue_add(&queue, 7), 40);
}
END_TEST

START_TEST(who_comes_back_at_once_does_not_overtake)
{
    memset(&queue, 0, sizeof queue);
    // One with a long queue, and one who asks again whenever he was served.
    uint64_t waiting[10];
    size_t head = 0;
    for (size_t i = 0; i < 10; i++) {
        waiting[i] = fair_queue_add(&queue, 1);
    }
    uint64_t other = fair_queue_add(&queue, 2);
    for (int i = 0; i < 20 && head < 10; i++) {
        if (waiting[head] <= other) {
            fair_queue_serve(&queue, waiting[head++]);
        } else {
            fair_queue_serve(&queue, other);
            other = fair_queue_add(&queue, 2);
        }
    }
    ck_assert_uint_eq(head, 10);
}
END_TEST

START_TEST(who_leaves_gives_back_the_turn)
{
    memset(&queue, 0, sizeof queue);
    fair_queue_add(&queue, 1);
    fair_queue_serve(&queue, 0);
    for (int i = 0; i < 1000; i++) {
        fair_queue_add(&queue, 1);
        fair_queue_cancel(&queue, 1);
    }
    ck_assert_uint_eq(fair_queue_add(&queue, 1), 1);
    fair_queue_serve(&queue, 100);
    fair_queue_cancel(&queue, 1);
    ck_assert_uint_eq(fair_queue_add(&queue, 1), 100);
}
END_TEST

UNIT_MAIN("scrape_queue", a_newcomer_goes_before_the_second_of_another,
          who_comes_back_at_once_does_not_overtake, who_leaves_gives_back_the_turn)
