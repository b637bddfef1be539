// SPDX-License-Identifier: Apache-2.0
/*
 * hello: who a connection or a datagram speaks for. Shared by both.
 *
 * Memory:  defaults own copies of their strings; hello_drop gives them back.
 */
#ifndef VE_INGEST_HELLO_H
#define VE_INGEST_HELLO_H

#include "ingest/connection.h"

// Copies the hello's labels. Returns 0, -ENOMEM.
int hello_defaults(struct event_defaults *ret, const struct control_hello *h);
// Whether the hello names just these labels.
bool hello_same_labels(const struct event_defaults *d, const struct control_hello *h);
void hello_drop(struct event_defaults *d);

// Whether the line may be a hello: then it is not yet known who speaks.
bool hello_is_likely(const char *line, size_t len);

// The origin of lines that this source sends from now on.
struct event_origin hello_origin(const struct protocol *p, const struct source *src, uint32_t life,
                                 const struct event_defaults *defaults,
                                 const struct permit *permit);

#endif
