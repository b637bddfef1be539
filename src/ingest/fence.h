// SPDX-License-Identifier: Apache-2.0
/*
 * fence: a connection's hold of its session. A later connection of the session makes the earlier one stop, also
 * when that belongs to another worker; and it waits until that one was closed, before it is answered and read.
 *
 *   1. fence_claim: the later one raises the session's claim. From then on the earlier one reads nothing more
 *      (fence_is_lost).
 *   2. fence_is_ours: somebody else holds the session: his worker is woken, and this connection waits.
 *   3. That worker closes the earlier connection. fence_leave then lets go of the session and wakes the worker of
 *      the latest claim.
 *   4. connection_go_on: it holds the session now, and is answered.
 *
 * Threads: a connection's worker.
 */
#ifndef VE_INGEST_FENCE_H
#define VE_INGEST_FENCE_H

#include "ingest/connection.h"

// Looks whether the session that a first hello names is known; makes the connection a user of it if so.
void fence_find(struct connection *c, struct protocol *p, const struct control_hello *h);
// Makes it where it is not, and claims it. Returns NULL, or what is wrong. Does nothing without a session.
const char *fence_claim(struct connection *c, struct protocol *p, const struct control_hello *h);
// Whether the connection may speak: without a session it always may. Else it waits, or closes when another one
// has claimed the session since.
bool fence_is_ours(struct connection *c, struct protocol *p);
// Whether another connection has claimed the session.
bool fence_is_lost(const struct connection *c);
// Raises what the session has lost, and the account with it, to what the client told. Only while it is ours.
void fence_count_lost(struct connection *c, struct account *account);
// At the end of the connection, once its socket was closed.
void fence_leave(struct connection *c, struct protocol *p);

#endif
