// SPDX-License-Identifier: Apache-2.0
// The workers, the web thread and systemd are played here.
#define ingest_poke played_ingest_poke
#define ingest_has_answered played_ingest_answered
#define web_poke played_web_poke
#define web_beats played_web_beats
#define service_watchdog_us played_watchdog_us
#define service_feed_watchdog played_feed
#include "daemon/watchdog.c"

#include "unit.h"

static bool answered;
static uint64_t beats;
static uint64_t period_us;
static unsigned asked;
static unsigned fed;

void played_ingest_poke(struct ingest *in)
{
    (void)in;
    asked++;
    answered = false;
}

bool played_ingest_answered(const struct ingest *in)
{
    (void)in;
    return answered;
}

void played_web_poke(struct web *w)
{
    (void)w;
}

uint64_t played_web_beats(const struct web *w)
{
    (void)w;
    return beats;
}

uint64_t played_watchdog_us(void)
{
    return period_us;
}

void played_feed(void)
{
    fed++;
}

static struct watchdog watchdog;

static void tick(uint64_t now_ms)
{
    watchdog_tick(&watchdog, NULL, NULL, now_ms);
}

static void open_with(uint64_t us)
{
    period_us = us;
    watchdog_open(&watchdog);
}

START_TEST(without_a_watchdog_nobody_is_asked)
{
    open_with(0);
    ck_assert_uint_eq(watchdog_tick_ms(&watchdog), 1000);
    for (uint64_t ms = 0; ms < 100000; ms += 1000) {
        tick(ms);
    }
    ck_assert_uint_eq(asked, 0);
    ck_assert_uint_eq(fed, 0);
}
END_TEST

START_TEST(it_is_fed_four_times_in_its_period_while_all_answer)
{
    open_with(40 * 1000000);
    for (uint64_t s = 1; s <= 400; s++) {
        tick(s * 1000);
        answered = true;
        beats++;
    }
    ck_assert_uint_eq(asked, 40);
    ck_assert_uint_eq(fed, 40);
}
END_TEST

START_TEST(one_that_does_not_answer_keeps_the_food_back_until_it_does)
{
    open_with(4 * 1000000);
    tick(1000);
    ck_assert_uint_eq(asked, 1);
    beats++; // the web thread alone
    tick(2000);
    tick(100000);
    ck_assert_uint_eq(fed, 0);
    ck_assert_uint_eq(asked, 1);
    answered = true;
    tick(101000);
    ck_assert_uint_eq(fed, 1);
    ck_assert_uint_eq(asked, 2);
    answered = true; // the workers alone
    tick(200000);
    ck_assert_uint_eq(fed, 1);
    beats++;
    tick(201000);
    ck_assert_uint_eq(fed, 2);
}
END_TEST

START_TEST(a_short_period_makes_short_ticks)
{
    static const struct {
        uint64_t us;
        uint64_t ms;
    } table[] = {{1, 10},         {40000, 10},      {44000, 11},       {2000000, 500},
                 {4000000, 1000}, {30000000, 1000}, {UINT64_MAX, 1000}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        open_with(table[i].us);
        ck_assert_uint_eq(watchdog_tick_ms(&watchdog), table[i].ms);
    }
}
END_TEST

UNIT_MAIN("watchdog", without_a_watchdog_nobody_is_asked,
          it_is_fed_four_times_in_its_period_while_all_answer,
          one_that_does_not_answer_keeps_the_food_back_until_it_does,
          a_short_period_makes_short_ticks)
