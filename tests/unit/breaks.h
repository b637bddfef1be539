// SPDX-License-Identifier: Apache-2.0
/*
 * breaks: which invariant (base/invariant) ends a child that does what must never be done.
 */
#ifndef VE_TESTS_BREAKS_H
#define VE_TESTS_BREAKS_H

#include "unit.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// How a child ends that does this; what it writes to stderr.
static inline int breaks_end(void (*act)(void), char *said, size_t size)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    close(fds[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(fds[0], said + len, size - 1 - len)) > 0;) {
        len += (size_t)n;
    }
    said[len] = '\0';
    close(fds[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

// The invariant's words.
static inline void breaks(const char *what, void (*act)(void))
{
    char said[4096];
    char wanted[256];
    int status = breaks_end(act, said, sizeof said);
    snprintf(wanted, sizeof wanted, "invariant=\"%s\" where=", what);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, wanted),
                  "status %d and \"%s\", not \"%s\"", status, said, what);
}

#endif
