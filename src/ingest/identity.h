// SPDX-License-Identifier: Apache-2.0
/*
 * identity: as whom a connection speaks: its peer's rights, and the source that its lines are of.
 *
 * Threads: the worker that the connection belongs to, inside an RCU section.
 */
#ifndef VE_INGEST_IDENTITY_H
#define VE_INGEST_IDENTITY_H

#include "ingest/connection.h"

// Begins with what the kernel says. Returns REJECT_NONE, or why the connection must end, with `detail`.
enum reject identity_begin(struct connection *c, struct protocol *p, char *detail);
void identity_end(struct connection *c, struct protocol *p);

// The lines that follow are those of this source. Returns 0; -ENOSPC when there is no room for another one;
// -EPERM when another user is connected as it.
int identity_enter(struct connection *c, struct protocol *p, unsigned component,
                   struct slice instance);
// The same for lines without a hello; there is always room.
void identity_enter_unnamed(struct connection *c, struct protocol *p);

// Does what a first hello asks for, if the client may be who it says it is. If not, returns why, with
// `detail`; then it is refused as one of that component.
enum reject identity_claim(struct connection *c, struct protocol *p, const struct control_hello *h,
                           char *detail);

// Heeds rights that were put in force since the last call.
void identity_renew(struct connection *c, struct protocol *p);

#endif
