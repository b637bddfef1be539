// SPDX-License-Identifier: Apache-2.0
/*
 * session_table: the insides of the table of sessions, shared by session.c, session_hold.c and session_mend.c.
 */
#ifndef VE_INGEST_SESSION_TABLE_H
#define VE_INGEST_SESSION_TABLE_H

#include "ingest/session.h"

enum session_state {
    SESSION_FREE,
    SESSION_CLAIMED, // being made
    SESSION_ABORTED, // its maker has to look again
    SESSION_KNOWN,
    SESSION_GOING, // being taken away, perhaps
};

enum { WORKER_BITS = 8 }; // of a claim; above them its number

struct sessions {
    uint32_t n;
    _Atomic uint32_t known;
    struct arena *arena;
    char *base;
    void (*wake)(void *ctx, unsigned worker);
    void *ctx;
    struct session *at;
    _Atomic uint64_t *hashes; // of each entry; 0: none. Side by side, since all are looked through
};

// Wakes the worker that made the claim.
void session_wake(struct sessions *s, uint64_t claim);

#endif
