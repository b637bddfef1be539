// SPDX-License-Identifier: Apache-2.0
/*
 * reload_request: makes a running daemon reload, and waits for the outcome.
 *
 * Shape:   SIGHUP with the value SIGNALS_REQUEST, sent again each twelfth of the wait until there is an answer
 *          (daemon/signals), the process has ended, or the time is up. Works without a socket, so whatever the daemon
 *          listens on. When root asks a process of another user, that user becomes its real user ID, without which the
 *          answer would not be permitted.
 * Threads: one, of a process that does nothing else: it sets the mask of signals so that all but the answer have their
 *          effect.
 * Source:  sigqueue(3), kill(2), pidfd_open(2).
 */
#ifndef VE_DAEMON_RELOAD_REQUEST_H
#define VE_DAEMON_RELOAD_REQUEST_H

#include "base/buf.h"

#include <sys/types.h>

enum { RELOAD_REQUEST_WAIT_MS = 60000 };

// Returns 0 when the process has reloaded; or -errno and a sentence in `problem`: -EINVAL when it has refused,
// -ESRCH when there is no such process, or no longer, -ETIMEDOUT when there is no answer within wait_ms, or another.
int reload_request(pid_t pid, unsigned wait_ms, struct buf *problem);

#endif
