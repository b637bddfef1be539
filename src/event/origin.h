// SPDX-License-Identifier: Apache-2.0
/*
 * origin: what a line means besides its bytes: for whom it is, and what that may push.
 *
 * Shape:   struct origin is what whoever reads the socket says of a line. A number stands for all of it that does
 *          not change from line to line, so that lines of one source are cached together however often it connects. The
 *          last ORIGIN_NUMBERS ones are known again; another one gets a new number, and none is used twice.
 * Threads: a struct origin_numbers belongs to one thread.
 */
#ifndef VE_EVENT_ORIGIN_H
#define VE_EVENT_ORIGIN_H

#include "base/buf.h"
#include "source/owner.h"
#include "source/permission.h"

enum {
    ORIGIN_MAX_DEFAULTS = 16, // labels of a hello
    ORIGIN_NUMBERS = 256,
};

// Labels that a connection's hello named.
struct origin_defaults {
    size_t n;
    char *names[ORIGIN_MAX_DEFAULTS];
    char *values[ORIGIN_MAX_DEFAULTS]; // without NUL inside
};

struct origin {
    const struct origin_defaults *defaults; // NULL: none
    const struct permission *permission;    // NULL: all
    struct owner owner;
    uint64_t now_ms;                 // CLOCK_MONOTONIC, for the permission's rate
    uint64_t context;                // origin_number of the first three
    struct transaction *transaction; // of a session, which takes no batches; NULL: none
};

struct origin_seen;

// Zero it before its first use.
struct origin_numbers {
    struct origin_seen *seen; // in a ring
    size_t next;
    uint64_t last;
    struct buf labels; // of the origin that is looked for
};

// A number for the origin's defaults, permission and ids and for this source (a number of its own, since ids are used
// again): other ones get another number, the same ones usually the same.
uint64_t origin_number(struct origin_numbers *n, const struct origin *origin, uint64_t source);
void origin_free(struct origin_numbers *n);

#endif
