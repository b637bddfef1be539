// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

// Clocks that go on by themselves whenever one is read, as where the reader is interrupted.
static int read_fake_clock(clockid_t clock, struct timespec *ret);
#define clock_gettime read_fake_clock
#include "base/process.c"
#undef clock_gettime

enum { BOOT_S = 1700000000 };

static bool fake;
static int64_t boot_ns; // CLOCK_REALTIME of the boot
static int64_t up_ns;   // CLOCK_BOOTTIME
static uint64_t seed;

static int read_fake_clock(clockid_t clock, struct timespec *ret)
{
    if (!fake || (clock != CLOCK_BOOTTIME && clock != CLOCK_REALTIME)) {
        return clock_gettime(clock, ret);
    }
    // Every eighth time another process has its turn.
    uint64_t n = unit_random(&seed);
    up_ns += (int64_t)(n >> 8) % (n % 8 == 0 ? 30000000 : 100);
    int64_t ns = up_ns + (clock == CLOCK_REALTIME ? boot_ns : 0);
    *ret = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

START_TEST(a_start_is_the_same_whenever_it_is_asked_for)
{
    seed = unit_seed() | 1;
    fake = true;
    for (int i = 0; i < 2000; i++) {
        boot_ns = (int64_t)BOOT_S * 1000000000 + (int64_t)(unit_random(&seed) % 999990000);
        up_ns = (int64_t)(unit_random(&seed) % 100000000000000);
        ck_assert_uint_eq(process_start_real_ms(250), (uint64_t)BOOT_S * 1000 + 2500);
    }
    // The clock is set: by an hour, by less than a second, to before the boot.
    boot_ns += (int64_t)3600 * 1000000000;
    ck_assert_uint_eq(process_start_real_ms(250), ((uint64_t)BOOT_S + 3600) * 1000 + 2500);
    boot_ns = (int64_t)BOOT_S * 1000000000;
    ck_assert_uint_eq(process_start_real_ms(0), (uint64_t)BOOT_S * 1000);
    boot_ns += 500000000;
    ck_assert_uint_eq(process_start_real_ms(0), (uint64_t)BOOT_S * 1000);
    boot_ns = -5;
    ck_assert_uint_eq(process_start_real_ms(100), 1000);
}
END_TEST

START_TEST(two_processes_tell_the_same_start)
{
    UNIT_NOT_EMULATED("qemu makes up /proc/self/stat, with another start than its own process has");
    struct process_other self;
    ck_assert_int_eq(process_read_other(getpid(), &self), 0);
    uint64_t start = process_start_real_ms(self.start_ticks);
    ck_assert_uint_eq(process_start_ms(), start);
    pid_t parent = getpid();
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            struct process_other seen;
            _exit(process_read_other(parent, &seen) < 0 ||
                  process_start_real_ms(seen.start_ticks) != start);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    uint64_t now = (uint64_t)time(NULL) * 1000;
    ck_assert_uint_le(start, now + 1000);
    ck_assert_uint_ge(start, now - 600000);
}
END_TEST

START_TEST(a_process_that_is_not_there_has_no_start)
{
    struct process_other other;
    ck_assert_int_eq(process_read_other(0, &other), -ESRCH);
    ck_assert_int_eq(process_read_other(-1, &other), -ESRCH);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(process_read_other(child, &other), -ESRCH);
}
END_TEST

UNIT_MAIN("process", a_start_is_the_same_whenever_it_is_asked_for,
          two_processes_tell_the_same_start, a_process_that_is_not_there_has_no_start)
