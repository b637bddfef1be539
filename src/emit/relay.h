// SPDX-License-Identifier: Apache-2.0
/*
 * relay: standard input in a session.
 *
 * Threads: one. Memory: nothing outlives the call. Errors: one line on `err`, and the exit status.
 * Bounds:  RELAY_BUFFER bytes of lines that are not acknowledged; RELAY_GAUGES gauges that are kept.
 */
#ifndef VE_EMIT_RELAY_H
#define VE_EMIT_RELAY_H

#include "emit/args.h"

// Sends the lines from the descriptor `in` until it ends. Returns the exit status.
int relay_run(const struct args *a, int in, FILE *err);

#endif
