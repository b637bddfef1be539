// SPDX-License-Identifier: Apache-2.0
#include "base/invariant.h"

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// How a child ends for which this holds or not; what it writes to stderr.
static int end_of(bool holds, char *said, size_t size)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        invariant(holds, "one and one is two");
        _exit(0);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    close(fds[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(what_does_not_hold_ends_the_process_with_a_word)
{
    char said[512];
    int status = end_of(false, said, sizeof said);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_ptr_nonnull(strstr(said, "invariant=\"one and one is two\" where="));
    ck_assert_ptr_nonnull(strstr(said, "test_invariant.c:"));
}
END_TEST

START_TEST(what_holds_is_not_mentioned)
{
    char said[512];
    int status = end_of(true, said, sizeof said);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_str_eq(said, "");
}
END_TEST

UNIT_MAIN("invariant", what_does_not_hold_ends_the_process_with_a_word, what_holds_is_not_mentioned)
