// SPDX-License-Identifier: Apache-2.0
/*
 * emit: the program virtrigaud-emit without the process around it.
 *
 * Threads: one. Memory: nothing outlives the call. Errors: one line on `err`, and the exit status.
 * Source:  virtrigaud-emit(1).
 */
#ifndef VE_EMIT_EMIT_H
#define VE_EMIT_EMIT_H

#include "emit/args.h"

#include <stdio.h>

// Does what the command line says; reads lines from the descriptor `in` (-1: there is none) when it names no metric or
// event.
// May cut argv at '=' signs. Returns the exit status.
int emit_run(int argc, char **argv, int in, FILE *out, FILE *err);

#endif
