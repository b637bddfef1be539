// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "daemon/signals.h"
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct signals s = SIGNALS_NONE;

static void begin(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ck_assert_int_eq(signals_open(&s), 0);
}

static int take(bool *ret_reload)
{
    struct pollfd passed = {.fd = s.passed, .events = POLLIN};
    ck_assert_int_eq(poll(&passed, 1, 20000), 1);
    return signals_take(&s, ret_reload);
}

START_TEST(signals_are_passed_on)
{
    bool reload = false;
    begin();
    kill(getpid(), SIGHUP); // it waits for the start
    ck_assert_int_eq(signals_start(&s), 0);
    ck_assert_int_eq(take(&reload), 0);
    ck_assert(reload);
    kill(getpid(), SIGHUP);
    ck_assert_int_eq(take(&reload), 0);
    ck_assert(reload);
    kill(getpid(), SIGINT);
    ck_assert_int_eq(take(&reload), SIGINT);
    ck_assert(!reload);
    signals_close(&s);
    signals_close(&s);
}
END_TEST

// As if the process with this number had sent it; returns when it is kept, or at once.
static void request_as(pid_t pid, int value, bool kept)
{
    siginfo_t info = {.si_signo = SIGHUP, .si_code = SI_QUEUE};
    info.si_pid = pid;
    info.si_value.sival_int = value;
    ck_assert_int_eq(syscall(SYS_rt_sigqueueinfo, getpid(), SIGHUP, &info), 0);
    for (bool there = !kept; !there;) {
        for (unsigned i = 0; i < SIGNALS_REQUESTS; i++) {
            there = there || atomic_load(&s.requests[i]) == pid;
        }
    }
}

// The value that was queued to this process, or 0.
static int answer(void)
{
    sigset_t set;
    siginfo_t info;
    struct timespec none = {0};
    sigemptyset(&set);
    sigaddset(&set, SIGNALS_ANSWER);
    return sigtimedwait(&set, &info, &none) == SIGNALS_ANSWER ? info.si_value.sival_int : 0;
}

static void take_reload(void)
{
    bool reload = false;
    while (!reload) {
        ck_assert_int_eq(take(&reload), 0);
    }
}

static void begin_answered(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGNALS_ANSWER);
    sigprocmask(SIG_BLOCK, &set, NULL);
    begin();
    ck_assert_int_eq(signals_start(&s), 0);
}

START_TEST(who_requests_a_reload_is_answered_once)
{
    begin_answered();
    request_as(getpid(), SIGNALS_REQUEST, true);
    take_reload();
    ck_assert_int_eq(answer(), 0);
    signals_answer(&s, SIGNALS_REFUSED);
    ck_assert_int_eq(answer(), SIGNALS_REFUSED);
    signals_answer(&s, SIGNALS_RELOADED);
    ck_assert_int_eq(answer(), 0);
    signals_close(&s);
}
END_TEST

START_TEST(a_request_during_a_reload_is_of_the_next_one)
{
    begin_answered();
    kill(getpid(), SIGHUP);
    take_reload();
    request_as(getpid(), SIGNALS_REQUEST, true);
    signals_answer(&s, SIGNALS_REFUSED);
    ck_assert_int_eq(answer(), 0);
    take_reload();
    signals_answer(&s, SIGNALS_RELOADED);
    ck_assert_int_eq(answer(), SIGNALS_RELOADED);
    signals_close(&s);
}
END_TEST

START_TEST(who_does_not_request_is_not_answered)
{
    begin_answered();
    kill(getpid(), SIGHUP);
    take_reload();
    signals_answer(&s, SIGNALS_RELOADED);
    request_as(getpid(), 1, false);
    take_reload();
    signals_answer(&s, SIGNALS_RELOADED);
    ck_assert_int_eq(answer(), 0);
    signals_close(&s);
}
END_TEST

START_TEST(senders_that_are_gone_or_forged_are_ignored)
{
    begin_answered();
    pid_t gone = fork();
    if (gone == 0) {
        _exit(0);
    }
    waitpid(gone, NULL, 0);
    request_as(0, SIGNALS_REQUEST, false);
    take_reload();
    for (int i = 0; i < SIGNALS_REQUESTS - 2; i++) {
        request_as(0x7fffff00 + i, SIGNALS_REQUEST, true);
    }
    request_as(-1, SIGNALS_REQUEST, true);
    request_as(gone, SIGNALS_REQUEST, true);
    request_as(getpid(), SIGNALS_REQUEST, false); // one too many
    take_reload();
    signals_answer(&s, SIGNALS_RELOADED);
    request_as(getpid(), SIGNALS_REQUEST, false);
    take_reload();
    signals_answer(&s, SIGNALS_RELOADED);
    ck_assert_int_eq(answer(), SIGNALS_RELOADED);
    signals_close(&s);
}
END_TEST

START_TEST(one_that_was_never_started_is_closed_too)
{
    signals_close(&s);
    begin();
    signals_close(&s);
    ck_assert_int_eq(s.fd, -1);
}
END_TEST

// What a child ends with after SIGTERM; it says after `ms` that the workers have ended, or never.
static int end_of_child(int ms)
{
    pid_t child = fork();
    if (child == 0) {
        begin();
        signals_start(&s);
        kill(getpid(), SIGTERM);
        if (ms < 0) {
            pause();
        }
        bool reload;
        take(&reload);
        poll(NULL, 0, ms);
        signals_close(&s);
        _exit(7);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_stop_ends_the_process_though_the_main_thread_stands_still)
{
    uint64_t begin_ms = clock_mono_ms();
    ck_assert_int_eq(end_of_child(-1), 1);
    ck_assert_uint_ge(clock_mono_ms() - begin_ms, SIGNALS_END_MS);
}
END_TEST

START_TEST(one_whose_workers_end_in_time_ends_by_itself)
{
    ck_assert_int_eq(end_of_child(100), 7);
}
END_TEST

UNIT_MAIN("signals", signals_are_passed_on, who_requests_a_reload_is_answered_once,
          a_request_during_a_reload_is_of_the_next_one, who_does_not_request_is_not_answered,
          senders_that_are_gone_or_forged_are_ignored, one_that_was_never_started_is_closed_too,
          a_stop_ends_the_process_though_the_main_thread_stands_still,
          one_whose_workers_end_in_time_ends_by_itself)
