// SPDX-License-Identifier: Apache-2.0
/*
 * recent: the last refused lines, for the page.
 *
 * Shape:   a ring of RECENT_RING of them; a new one takes the place of the oldest.
 * Threads: recent_put by the main thread, recent_read by any; a mutex guards the ring while one is copied.
 * Memory:  fixed.
 */
#ifndef VE_DAEMON_RECENT_H
#define VE_DAEMON_RECENT_H

#include "ingest/refusal.h"

#include <pthread.h>

enum { RECENT_RING = 50 };

struct recent_refusal {
    struct refusal refusal;
    uint64_t at_ms; // CLOCK_REALTIME, when it was told
};

struct recent {
    pthread_mutex_t lock;
    uint64_t n; // ever
    struct recent_refusal ring[RECENT_RING];
};

void recent_open(struct recent *r);
void recent_put(struct recent *r, const struct refusal *refusal, uint64_t at_ms);
// The one before *at, which starts at UINT64_MAX for the latest one. Returns whether there still is one.
bool recent_read(struct recent *r, uint64_t *at, struct recent_refusal *ret);

#endif
