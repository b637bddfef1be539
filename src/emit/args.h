// SPDX-License-Identifier: Apache-2.0
/*
 * args: the command line of virtrigaud-emit, its exit status, and what it says on standard error about the daemon.
 *
 * Threads: one. Memory: borrows argv, which it may cut at '=' signs; args_free gives the list of labels back.
 * Errors:  args_parse: 0, or -EINVAL after one line on `err` that says what is wrong; -ENOMEM.
 * Source:  virtrigaud-emit(1).
 */
#ifndef VE_EMIT_ARGS_H
#define VE_EMIT_ARGS_H

#include "client/wire.h"

#include <stdio.h>

// What virtrigaud-emit exits with.
enum { EMIT_APPLIED = 0, EMIT_REJECTED = 1, EMIT_USAGE = 2, EMIT_UNREACHED = 3 };

enum args_action { ARGS_SEND, ARGS_HELP, ARGS_VERSION };
enum args_kind { ARGS_EITHER, ARGS_METRIC, ARGS_EVENT };

struct args {
    enum args_action action;
    enum args_kind kind;       // what NAME is; ARGS_EITHER: the daemon decides
    const char *socket;        // NULL: environment or default
    unsigned timeout_ms;       // longest wait for the daemon without progress
    bool session;              // standard input in a session
    bool has_interval;         // the hello's interval was given
    bool keep_gauges;          // in it: what gauges were set to is sent again over a new connection
    unsigned pid;              // in it: the process with whose end the input ends; 0: none
    bool dry_run;              // print instead of sending
    struct wire_hello hello;   // component NULL: none
    struct wire_sample sample; // name NULL: lines come from standard input
    struct wire_label *labels; // what sample.labels points to
    struct wire_label
        *others;     // of the hello from its beginning, of the exemplar from the middle on
    int n_arguments; // at most so many of either
};

int args_parse(struct args *ret, int argc, char **argv, FILE *err);

void args_free(struct args *a);

// What --help prints.
extern const char args_help[];

// Prints one rejection: "virtrigaud-emit: WHERE: reason: detail".
void args_report_rejection(FILE *err, const char *where, const struct wire_reply *rejection);

// Prints that the socket of the arguments cannot be connected to, why (-errno), and what to do.
void args_report_unreached(FILE *err, const struct args *a, int error);

// Why nothing was begun: what the command line gives for the hello is too long, or else as args_report_unreached. Returns the exit
// status.
int args_report_unopened(FILE *err, const struct args *a, int error);

// Prints a message of client/notice; `arg` is a FILE.
void args_report_message(void *arg, int level, const char *text);

#endif
