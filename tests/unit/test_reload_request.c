// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "daemon/reload.h"
#include "daemon/signals.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// A process that takes this many requests without an answer, and answers the next one.
static pid_t start_daemon(int silent, enum signals_outcome outcome)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct signals s = SIGNALS_NONE;
        signals_open(&s);
        signals_start(&s);
        for (struct pollfd passed = {.fd = s.passed, .events = POLLIN};
             poll(&passed, 1, -1) == 1;) {
            bool reload;
            signals_take(&s, &reload);
            if (reload && silent-- <= 0) {
                signals_answer(&s, outcome);
            }
        }
        _exit(1);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void expect(pid_t pid, unsigned wait_ms, int wanted, const char *words)
{
    struct buf problem = BUF_INIT;
    ck_assert_int_eq(reload_request(pid, wait_ms, &problem), wanted);
    const char *text = buf_string(&problem);
    ck_assert_msg(strstr(text, words) != NULL && (words[0] != '\0' || text[0] == '\0'), "%s", text);
    buf_free(&problem);
}

START_TEST(the_outcome_comes_back)
{
    pid_t good = start_daemon(0, SIGNALS_RELOADED);
    pid_t bad = start_daemon(0, SIGNALS_REFUSED);
    expect(good, 60000, 0, "");
    expect(good, 60000, 0, "");
    expect(bad, 60000, -EINVAL, "its log says why: journalctl -p err _PID=");
    end(good);
    end(bad);
}
END_TEST

START_TEST(a_request_that_gets_no_answer_is_sent_again)
{
    pid_t pid = start_daemon(3, SIGNALS_RELOADED);
    uint64_t begin_ms = clock_mono_ms();
    expect(pid, 12000, 0, "");
    ck_assert_uint_ge(clock_mono_ms() - begin_ms, 3000);
    end(pid);
}
END_TEST

START_TEST(one_that_never_answers_is_waited_for_in_bounds)
{
    pid_t pid = start_daemon(1000, SIGNALS_RELOADED);
    uint64_t begin_ms = clock_mono_ms();
    expect(pid, 1000, -ETIMEDOUT, "did not answer within 1 s");
    ck_assert_uint_ge(clock_mono_ms() - begin_ms, 1000);
    ck_assert_uint_lt(clock_mono_ms() - begin_ms, 15000);
    end(pid);
}
END_TEST

START_TEST(the_answer_of_another_process_is_not_taken)
{
    pid_t pid = start_daemon(1000, SIGNALS_RELOADED);
    pid_t asker = getpid();
    pid_t other = fork();
    if (other == 0) {
        for (int i = 0; i < 20; i++) {
            sigqueue(asker, SIGNALS_ANSWER, (union sigval){.sival_int = SIGNALS_RELOADED});
            poll(NULL, 0, 50);
        }
        _exit(0);
    }
    expect(pid, 500, -ETIMEDOUT, "did not answer");
    waitpid(other, NULL, 0);
    end(pid);
}
END_TEST

START_TEST(one_that_ends_is_not_waited_for)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGHUP, SIG_DFL); // whoever runs the tests may ignore it
        pause();
        _exit(1);
    }
    expect(pid, 60000, -ESRCH, "ended before it answered");
    waitpid(pid, NULL, 0);
    expect(pid, 60000, -ESRCH, "does not exist");
}
END_TEST

UNIT_MAIN("reload_request", the_outcome_comes_back, a_request_that_gets_no_answer_is_sent_again,
          one_that_never_answers_is_waited_for_in_bounds,
          the_answer_of_another_process_is_not_taken, one_that_ends_is_not_waited_for)
