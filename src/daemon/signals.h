// SPDX-License-Identifier: Apache-2.0
/*
 * signals: SIGHUP, SIGTERM and SIGINT, taken by a thread that does nothing else.
 *
 * Shape:   the main thread may be waiting for another one (a grace period, a pause of the workers), and then sees no
 *          signal. So this thread takes them and passes them on. When the workers have not ended SIGNALS_END_MS after a
 *          SIGTERM or SIGINT, it ends the process with status 1, as a kill would: a state file keeps what was applied.
 *          A SIGHUP that was queued with the value SIGNALS_REQUEST is a request: its sender waits for the outcome,
 *          which is queued to it as the value of SIGNALS_ANSWER. That signal has no effect on a process that does not
 *          expect it, so a number that another process has got meanwhile, or that was forged, does no harm.
 * Bounds:  SIGNALS_REQUESTS senders wait at a time; those of further requests get no answer. Of several SIGHUPs that
 *          wait in the kernel it keeps one: who gets no answer sends again (daemon/reload).
 * Threads: all functions: the main thread. The three signals are blocked in every thread.
 * Source:  sigqueue(3), signal(7).
 */
#ifndef VE_DAEMON_SIGNALS_H
#define VE_DAEMON_SIGNALS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SIGNALS_END_MS = 5000, SIGNALS_REQUESTS = 16 };

enum { SIGNALS_REQUEST = 0x72656c64, SIGNALS_ANSWER = SIGURG };

// What became of a reload, as the value of an answer.
enum signals_outcome { SIGNALS_RELOADED = 1, SIGNALS_REFUSED = 2 };

struct signals {
    int fd;     // signalfd
    int passed; // eventfd: a signal was passed on
    int over;   // eventfd: the thread is to end
    pthread_t thread;
    bool started;
    _Atomic int stop; // SIGTERM or SIGINT, once one came; else 0
    atomic_bool reload;
    _Atomic pid_t requests[SIGNALS_REQUESTS]; // senders, set before `reload`; 0: a free place
    pid_t waiting[SIGNALS_REQUESTS];          // senders whose reload was taken; 0: none
};

#define SIGNALS_NONE ((struct signals){.fd = -1, .passed = -1, .over = -1})

// Makes the descriptors; signals wait until the start. Returns 0 or -errno.
int signals_open(struct signals *s);
int signals_start(struct signals *s);

// After `passed` became readable: the signal that asks for the end, or 0. When a reload is wanted, signals_answer
// follows it.
int signals_take(struct signals *s, bool *ret_reload);

// Answers all who requested the reload that was taken; a sender that is gone is ignored.
void signals_answer(struct signals *s, enum signals_outcome outcome);

// The workers have ended, and so does the thread. No-op when it is closed.
void signals_close(struct signals *s);

#endif
