// SPDX-License-Identifier: Apache-2.0
/*
 * stepped: a child that does one instruction at a time, so that a test can look at what it would leave behind if it
 * were killed there. Both share a CPU, since they take turns all the time, and come before other processes where that is
 * allowed: else each turn waits for all those that are busy, 10 minutes in all on a machine with a load of 10.
 */
#ifndef VE_TESTS_STEPPED_H
#define VE_TESTS_STEPPED_H

#include "unit.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

// A child that is stopped before it does the work.
static inline pid_t stepped_start(void (*work)(void))
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        work();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSTOPPED(status));
    return child;
}

// Lets the child do one instruction. Returns whether it lives.
static inline bool stepped_step(pid_t child)
{
    int status;
    ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSTOPPED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return WIFSTOPPED(status);
}

#endif
