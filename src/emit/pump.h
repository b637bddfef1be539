// SPDX-License-Identifier: Apache-2.0
/*
 * pump: copies lines from a descriptor to the daemon, byte for byte, and its replies back.
 *
 * Shape:   reads and writes at the same time, so that neither side waits for the other's full buffer.
 *          A sync of its own follows every 4096 lines and the last one: what was acknowledged is known
 *          even when the daemon goes away, and line numbers in replies can be taken back to the input's.
 * Bounds:  64 KiB of input and 8 KiB of a reply, whatever the length of lines.
 * Threads: one. Memory: nothing outlives the call. Errors: reported on `err`, as an exit status.
 */
#ifndef VE_EMIT_PUMP_H
#define VE_EMIT_PUMP_H

#include "emit/args.h"

// What virtrigaud-emit exits with.
enum { EMIT_APPLIED = 0, EMIT_REFUSED = 1, EMIT_USAGE = 2, EMIT_UNREACHED = 3 };

// Copies all of `in` over a connection of its own, as the arguments say. Replies to control lines in the
// input go to out, refusals to err. Returns the exit status.
int pump_run(const struct args *a, int in, FILE *out, FILE *err);

// Prints that the socket of the arguments cannot be connected to, and why (-errno).
void pump_report_unreached(FILE *err, const struct args *a, int error);

// Prints one refusal: "virtrigaud-emit: WHERE: reason: detail".
void pump_report(FILE *err, const char *where, const struct wire_reply *refusal);

#endif
