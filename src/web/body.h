// SPDX-License-Identifier: Apache-2.0
/*
 * body: the memory of renderings. A rendering lives until the last connection that sends it is
 * through; its buffer then serves the next one.
 *
 * Bounds:  BODY_POOL buffers are kept; one whose size was a peak is given back after
 *          BODY_PATIENCE renderings that needed less than a quarter of it.
 * Threads: the web thread only.
 * Memory:  body_take returns a body, body_release takes it back.
 */
#ifndef VE_WEB_BODY_H
#define VE_WEB_BODY_H

#include "base/buf.h"

enum { BODY_POOL = 2, BODY_PATIENCE = 10, BODY_SMALL = 64 * 1024 };

// All renderings, and the buffers that wait for one.
struct bodies {
    struct buf pool[BODY_POOL];
    size_t n;       // in the pool
    size_t held;    // bytes of memory of the bodies that were sealed and not released
    unsigned quiet; // renderings in a row that were much smaller than their buffer
};

struct body {
    struct bodies *owner;
    struct buf buf;
    size_t held; // its share of owner->held
};

// Returns a body with an empty buffer, or NULL.
struct body *body_take(struct bodies *all);

// Says that it is complete: its memory counts from now on.
void body_seal(struct body *b);

// Gives it back; `body` is a struct body.
void body_release(void *body);

void bodies_free(struct bodies *all);

#endif
