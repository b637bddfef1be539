// SPDX-License-Identifier: Apache-2.0
/*
 * args: the command line of virtrigaud-emit.
 *
 * Threads: one. Memory: borrows argv, which it may cut at '=' signs; args_free gives the list of labels back.
 * Errors:  0, or -EINVAL after one line on `err` that says what is wrong; -ENOMEM.
 * Source:  virtrigaud-emit(1).
 */
#ifndef VE_EMIT_ARGS_H
#define VE_EMIT_ARGS_H

#include "client/wire.h"

#include <stdio.h>

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

#endif
