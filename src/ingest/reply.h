// SPDX-License-Identifier: Apache-2.0
/*
 * reply: the lines that clients get. Each function appends one.
 *
 * Threads: pure functions.
 * Source:  virtrigaud-events(7).
 */
#ifndef VE_INGEST_REPLY_H
#define VE_INGEST_REPLY_H

#include "base/buf.h"
#include "source/reject.h"

#include <stdint.h>

void reply_error(struct buf *out, const struct rejection *why, uint64_t line);
void reply_hello(struct buf *out, uint64_t applied, bool known);
// `id` is what the client sent, which is JSON.
void reply_sync(struct buf *out, struct slice id, uint64_t applied, uint64_t rejected);
void reply_ping(struct buf *out, struct slice id);
void reply_forget(struct buf *out, uint64_t series);

#endif
