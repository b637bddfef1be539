// SPDX-License-Identifier: Apache-2.0
/*
 * session_table: the insides of the table of sessions, shared by session.c and session_hold.c.
 */
#ifndef VE_INGEST_SESSION_TABLE_H
#define VE_INGEST_SESSION_TABLE_H

#include "ingest/session.h"

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

#endif
