// SPDX-License-Identifier: Apache-2.0
/*
 * healthcheck: asks a running daemon whether it is ready, as a client of its HTTP side on the same host.
 *
 * Shape:   one GET of /readyz at each listen address in turn, until one is answered. With the TLS of its configuration,
 *          without a client's certificate or password: a daemon that requires one of them answers by saying so, which
 *          shows that it works, but not whether it is ready.
 * Bounds:  wait_ms for all addresses together, of which each has an equal share of what is left; the first HEALTHCHECK_HEAD
 *          bytes of an answer.
 * Threads: one.
 * Memory:  borrows all that it is given.
 */
#ifndef VE_WEB_HEALTHCHECK_H
#define VE_WEB_HEALTHCHECK_H

#include "base/buf.h"

#include <stddef.h>

struct webconf;

enum { HEALTHCHECK_WAIT_MS = 5000, HEALTHCHECK_HEAD = 64 };

// `conf`: the web configuration, or NULL. Returns 0 when the daemon is ready, or all that can be known is that it works;
// else -errno: -EAGAIN when it answers that it is not ready, -EPROTO when the answer is another one, -ETIMEDOUT. A
// sentence about it is appended to `said`.
int healthcheck_ask(const char *const *addresses, size_t n, const struct webconf *conf,
                    unsigned wait_ms, struct buf *said);

#endif
