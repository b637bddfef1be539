// SPDX-License-Identifier: Apache-2.0
/*
 * relay: copies lines from a descriptor to the daemon in a session, so that each counts once, whoever restarts.
 *
 * Shape:   the client does the work; here is what it leaves to its caller: lines cut from the input, those that no
 *          session takes, and the way from the client's numbers of lines back to the input's.
 * Bounds:  128 KiB of input, RELAY_BUFFER of lines that are not acknowledged. When that is full the input waits.
 * Threads: one. Memory: nothing outlives the call. Errors: reported on `err`, as an exit status.
 */
#ifndef VE_EMIT_RELAY_H
#define VE_EMIT_RELAY_H

#include "emit/pump.h"

enum { RELAY_BUFFER = 1048576 };

// Copies all of `in`; refusals go to err. Returns the exit status.
int relay_run(const struct args *a, int in, FILE *err);

#endif
