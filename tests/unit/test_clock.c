// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "unit.h"

START_TEST(the_monotonic_clock_never_goes_back)
{
    uint64_t last = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_ns();
        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

START_TEST(both_readings_of_the_monotonic_clock_are_one_clock)
{
    uint64_t before = clock_mono_ns() / 1000000;
    uint64_t between = clock_mono_ms();
    uint64_t after = clock_mono_ns() / 1000000;
    ck_assert_uint_le(before, between);
    ck_assert_uint_le(between, after);
}
END_TEST

START_TEST(the_monotonic_clock_counts_nanoseconds)
{
    uint64_t before = clock_mono_ns();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    uint64_t spent = clock_mono_ns() - before;
    ck_assert_uint_ge(spent, 20000000);
    ck_assert_uint_lt(spent, 20000000000);
}
END_TEST

START_TEST(the_real_clock_is_that_of_time)
{
    uint64_t before = (uint64_t)time(NULL) - 1; // time() may lag by a tick
    uint64_t between = clock_real_ms() / 1000;
    uint64_t after = (uint64_t)time(NULL) + 1;
    ck_assert_uint_le(before, between);
    ck_assert_uint_le(between, after);
}
END_TEST

UNIT_MAIN("clock", the_monotonic_clock_never_goes_back,
          both_readings_of_the_monotonic_clock_are_one_clock,
          the_monotonic_clock_counts_nanoseconds, the_real_clock_is_that_of_time)
