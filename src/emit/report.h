// SPDX-License-Identifier: Apache-2.0
/*
 * report: what virtrigaud-emit says on standard error about the daemon, and its exit status.
 *
 * Threads: one. Memory: none.
 */
#ifndef VE_EMIT_REPORT_H
#define VE_EMIT_REPORT_H

#include "emit/args.h"

// What virtrigaud-emit exits with.
enum { EMIT_APPLIED = 0, EMIT_REJECTED = 1, EMIT_USAGE = 2, EMIT_UNREACHED = 3 };

// Prints one rejection: "virtrigaud-emit: WHERE: reason: detail".
void report_rejection(FILE *err, const char *where, const struct wire_reply *rejection);

// Prints that the socket of the arguments cannot be connected to, why (-errno), and what to do.
void report_unreached(FILE *err, const struct args *a, int error);

// Why nothing was begun: what the command line gives for the hello is too long, or else as report_unreached. Returns the exit
// status.
int report_unopened(FILE *err, const struct args *a, int error);

// Prints a message of client/notice; `arg` is a FILE.
void report_message(void *arg, int level, const char *text);

#endif
