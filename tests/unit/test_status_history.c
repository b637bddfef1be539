// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.h"

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

static struct history history;
static struct history_view view;

static void add(uint64_t at_ms, uint64_t applied)
{
    status_history_add(&history, &(struct history_sample){.at_ms = at_ms, .applied = applied});
}

static void read_at(uint64_t at_ms)
{
    status_history_read(&history, &(struct history_sample){.at_ms = at_ms, .applied = at_ms},
                        &view);
}

START_TEST(a_reading_is_due_every_ten_seconds)
{
    ck_assert_int_eq(status_history_open(&history), 0);
    ck_assert(status_history_is_due(&history, 5));
    add(1000, 1);
    ck_assert(!status_history_is_due(&history, 10999));
    ck_assert(status_history_is_due(&history, 11000));
    status_history_close(&history);
}
END_TEST

START_TEST(the_present_is_the_last_reading)
{
    ck_assert_int_eq(status_history_open(&history), 0);
    read_at(1);
    ck_assert_uint_eq(view.n, 1);
    add(1000, 7);
    add(11000, 8);
    // One that was taken at the same time or later is left out.
    read_at(11000);
    ck_assert_uint_eq(view.n, 2);
    ck_assert_uint_eq(view.samples[0].applied, 7);
    ck_assert_uint_eq(view.samples[1].applied, 11000);
    status_history_close(&history);
}
END_TEST

START_TEST(an_hour_is_kept_and_no_more)
{
    ck_assert_int_eq(status_history_open(&history), 0);
    for (uint64_t i = 0; i < 3 * HISTORY_SAMPLES; i++) {
        add(i * HISTORY_STEP_MS, i);
    }
    uint64_t now = (3 * HISTORY_SAMPLES - 1) * (uint64_t)HISTORY_STEP_MS + 5000;
    read_at(now);
    ck_assert_uint_eq(view.n, HISTORY_SAMPLES);
    ck_assert_uint_eq(view.samples[0].at_ms, now - HISTORY_MS + 5000);
    for (size_t i = 1; i < view.n; i++) {
        ck_assert_uint_lt(view.samples[i - 1].at_ms, view.samples[i].at_ms);
    }
    read_at(now - 5000 + 1);
    ck_assert_uint_eq(view.n, HISTORY_SAMPLES);
    read_at(now + 2 * HISTORY_MS);
    ck_assert_uint_eq(view.n, 1);
    status_history_close(&history);
}
END_TEST

START_TEST(what_was_lately_begins_with_the_oldest_reading_of_that_time)
{
    view = (struct history_view){
        .n = 4, .samples = {{.at_ms = 0}, {.at_ms = 10}, {.at_ms = 20}, {.at_ms = 30}}};
    ck_assert_uint_eq(status_history_since(&view, 19)->at_ms, 20);
    ck_assert_uint_eq(status_history_since(&view, 20)->at_ms, 10);
    ck_assert_uint_eq(status_history_since(&view, 100)->at_ms, 0);
    ck_assert_uint_eq(status_history_since(&view, 0)->at_ms, 30);
}
END_TEST

static atomic_bool over;

static void *add_hours(void *arg)
{
    (void)arg;
    for (uint64_t i = 1; i <= 20 * HISTORY_SAMPLES; i++) {
        add(i, i);
    }
    atomic_store(&over, true);
    return NULL;
}

START_TEST(readings_are_whole_while_others_are_added)
{
    pthread_t thread;
    ck_assert_int_eq(status_history_open(&history), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, add_hours, NULL), 0);
    for (bool last = false; !last;) {
        last = atomic_load(&over);
        read_at(20 * HISTORY_SAMPLES + 1);
        for (size_t i = 0; i < view.n; i++) {
            ck_assert_uint_eq(view.samples[i].at_ms, view.samples[i].applied);
            ck_assert(i == 0 || i == view.n - 1 ||
                      view.samples[i].at_ms == view.samples[i - 1].at_ms + 1);
        }
    }
    ck_assert_uint_eq(view.n, HISTORY_SAMPLES + 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    status_history_close(&history);
}
END_TEST

UNIT_MAIN("status_history", a_reading_is_due_every_ten_seconds, the_present_is_the_last_reading,
          an_hour_is_kept_and_no_more, what_was_lately_begins_with_the_oldest_reading_of_that_time,
          readings_are_whole_while_others_are_added)
