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

// ---- Evidence

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const uint64_t now = (uint64_t)1800000000 * 1000; // of the real clock
static const uint64_t mono = 5 * HOUR;

static void begin(void)
{
    clock_evidence_set(CLOCK_EVIDENCE_state_file, 0, 0);
    clock_evidence_set(CLOCK_EVIDENCE_certificate, 0, 0);
    clock_evidence_add_exemplar(now, now, 0);
}

static int64_t exemplar_after(uint64_t mono_ms)
{
    return clock_evidence_read(CLOCK_EVIDENCE_exemplar, now, mono_ms);
}

START_TEST(each_kind_has_a_name_and_agrees_at_first)
{
    begin();
    const char *const names[] = {"state_file", "certificate", "exemplar"};
    for (enum clock_evidence kind = 0; kind < CLOCK_EVIDENCE_KINDS; kind++) {
        ck_assert_str_eq(clock_evidence_name(kind), names[kind]);
        ck_assert_int_eq(clock_evidence_read(kind, now, mono), 0);
    }
}
END_TEST

START_TEST(a_file_of_the_future_shows_that_the_clock_is_behind)
{
    begin();
    enum clock_evidence file = CLOCK_EVIDENCE_state_file;
    clock_evidence_set(file, now - HOUR, mono);
    ck_assert_int_eq(clock_evidence_read(file, now, mono), 0);
    clock_evidence_set(file, now + 30 * MINUTE - 1, mono);
    ck_assert_int_eq(clock_evidence_read(file, now, mono), 0);
    clock_evidence_set(file, now + 30 * MINUTE, mono);
    ck_assert_int_eq(clock_evidence_read(file, now, mono), -30 * MINUTE);
    // As long as the clock goes on from there, it stays behind by as much.
    ck_assert_int_eq(clock_evidence_read(file, now + 2 * HOUR, mono + 2 * HOUR), -30 * MINUTE);
    // Until somebody sets it.
    ck_assert_int_eq(clock_evidence_read(file, now + 3 * HOUR, mono + 2 * HOUR), 0);
}
END_TEST

START_TEST(a_certificate_is_evidence_until_it_is_valid)
{
    begin();
    enum clock_evidence certificate = CLOCK_EVIDENCE_certificate;
    clock_evidence_set(certificate, now + HOUR, 0);
    ck_assert_int_eq(clock_evidence_read(certificate, now, mono), -HOUR);
    ck_assert_int_eq(clock_evidence_read(certificate, now + HOUR, mono + HOUR), 0);
    clock_evidence_set(certificate, 0, 0);
    ck_assert_int_eq(clock_evidence_read(certificate, now, mono), 0);
}
END_TEST

START_TEST(an_exemplar_of_the_future_is_evidence_for_ten_minutes)
{
    begin();
    clock_evidence_add_exemplar(now + 30 * MINUTE - 1, now, mono);
    ck_assert_int_eq(exemplar_after(mono), 0);
    clock_evidence_add_exemplar(now + 2 * HOUR, now, mono);
    ck_assert_int_eq(exemplar_after(mono), -2 * HOUR);
    ck_assert_int_eq(exemplar_after(mono + 10 * MINUTE), -2 * HOUR);
    ck_assert_int_eq(exemplar_after(mono + 10 * MINUTE + 1), 0);
    // Milliseconds for seconds say nothing, and a time that agrees ends it.
    clock_evidence_add_exemplar(now * 1000, now, mono + 5 * MINUTE);
    ck_assert_int_eq(exemplar_after(mono + 11 * MINUTE), 0);
    clock_evidence_add_exemplar(now, now, mono + MINUTE);
    ck_assert_int_eq(exemplar_after(mono + MINUTE), 0);
}
END_TEST

START_TEST(old_exemplars_are_evidence_only_if_none_is_new_for_ten_minutes)
{
    begin();
    // What waited in a client.
    clock_evidence_add_exemplar(now - 3 * HOUR, now, mono);
    ck_assert_int_eq(exemplar_after(mono), 0);
    clock_evidence_add_exemplar(now - 2 * HOUR, now, mono + 9 * MINUTE);
    ck_assert_int_eq(exemplar_after(mono + 9 * MINUTE), 0);
    clock_evidence_add_exemplar(now, now, mono + 9 * MINUTE + 1);
    clock_evidence_add_exemplar(now - 2 * HOUR, now, mono + 11 * MINUTE);
    ck_assert_int_eq(exemplar_after(mono + 11 * MINUTE), 0);
    // The last one is long ago: it begins anew.
    clock_evidence_add_exemplar(now - 2 * HOUR, now, mono + 22 * MINUTE);
    ck_assert_int_eq(exemplar_after(mono + 22 * MINUTE), 0);
    clock_evidence_add_exemplar(now - 2 * HOUR, now, mono + 27 * MINUTE);
    clock_evidence_add_exemplar(now - 2 * HOUR, now, mono + 32 * MINUTE);
    ck_assert_int_eq(exemplar_after(mono + 32 * MINUTE), 2 * HOUR);
}
END_TEST

UNIT_MAIN("clock", the_monotonic_clock_never_goes_back,
          both_readings_of_the_monotonic_clock_are_one_clock,
          the_monotonic_clock_counts_nanoseconds, the_real_clock_is_that_of_time,
          each_kind_has_a_name_and_agrees_at_first,
          a_file_of_the_future_shows_that_the_clock_is_behind,
          a_certificate_is_evidence_until_it_is_valid,
          an_exemplar_of_the_future_is_evidence_for_ten_minutes,
          old_exemplars_are_evidence_only_if_none_is_new_for_ten_minutes)
