// SPDX-License-Identifier: Apache-2.0
/*
 * command: the command line of virtrigaud-ctl.
 *
 * Threads: one. Memory: borrows argv, which it may cut at '=' signs.
 * Errors:  0, or -EINVAL after one line on `err` that says what is wrong.
 * Source:  virtrigaud-ctl(1).
 */
#ifndef VE_CTL_COMMAND_H
#define VE_CTL_COMMAND_H

#include "base/buf.h"

#include <stdio.h>

enum { COMMAND_MAX_LABELS = 16 };

enum command_kind {
    COMMAND_STATUS,
    COMMAND_SOURCES,
    COMMAND_SERIES,
    COMMAND_REJECTS,
    COMMAND_TOP,
    COMMAND_FORGET,
    COMMAND_DELETE,
    COMMAND_RELOAD,
    COMMAND_HELP,
    COMMAND_VERSION
};

struct command_label {
    const char *name;
    const char *value;
};

struct command {
    enum command_kind kind;
    const char *socket;    // NULL: environment or default
    unsigned timeout_ms;   // longest wait for the daemon
    unsigned interval_ms;  // of top
    uint64_t count;        // views of top; 0: no end
    bool json;             // lines of JSON instead of text
    bool follow;           // rejects: also those to come
    bool with_series;      // forget: its series too
    const char *metric;    // series, delete
    const char *component; // forget
    const char *instance;  // forget
    size_t n_labels;       // series, delete
    struct command_label labels[COMMAND_MAX_LABELS];
};

int command_parse(struct command *ret, int argc, char **argv, FILE *err);

// Writes the request that they make, without LF; of top that of the status.
void command_write(const struct command *o, struct buf *out);

// What --help prints.
extern const char command_help[];

#endif
