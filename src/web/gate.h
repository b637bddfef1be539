// SPDX-License-Identifier: Apache-2.0
/*
 * gate: whether a request is let in, by the web configuration in force.
 *
 * Shape:   first the rate limit (429), then user and password (401). A password that must be tried suspends
 *          the request; gate_serve lets it in, or answers it, when that has ended.
 * Threads: the web thread only.
 * Memory:  borrows the configuration, which lasts until another is set.
 */
#ifndef VE_WEB_GATE_H
#define VE_WEB_GATE_H

#include "web/conn.h"
#include "web/login.h"

struct gate {
    struct conns *conns; // whose `conf` is in force
    struct login *login;
    uint64_t full_ns; // when the bucket of the rate limit is full again
};

enum gate_answer {
    GATE_OPEN,
    GATE_ANSWERED, // or suspended
    GATE_FAILED    // the connection must end
};

enum gate_answer gate_ask(struct gate *g, struct conn *c);

// Goes on with those whose password was tried.
void gate_serve(struct gate *g);

// The connection is closed.
void gate_leave(struct conn *c);

#endif
