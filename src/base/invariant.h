// SPDX-License-Identifier: Apache-2.0
/*
 * invariant: what must hold inside the program whatever peers, files and the network do. On in every build: a process whose
 * tables contradict themselves ends, so that no wrong number is shown, and starts again from its state file.
 *
 * Shape:   `what` is the invariant in words. Never for input, nor for what a system call may answer.
 * Cost:    one comparison, and a branch that is never taken.
 * Threads: any.
 */
#ifndef VE_BASE_INVARIANT_H
#define VE_BASE_INVARIANT_H

#include "base/log.h"

// Logs what does not hold, and ends the process by SIGABRT.
#define invariant(holds, what)                                                                     \
    ((holds) ? (void)0 : log_broken_invariant(what, __FILE__ ":" INVARIANT_TEXT(__LINE__)))
#define INVARIANT_TEXT(line) INVARIANT_TEXT_OF(line)
#define INVARIANT_TEXT_OF(line) #line

#endif
