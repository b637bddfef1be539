// SPDX-License-Identifier: Apache-2.0
/*
 * ctl: the program virtrigaud-ctl without the process around it.
 *
 * Threads: one. Memory: nothing outlives the call. Errors: one line on `err`, and the exit status.
 * Source:  virtrigaud-ctl(1).
 */
#ifndef VE_CTL_CTL_H
#define VE_CTL_CTL_H

#include <stdio.h>

// What virtrigaud-ctl exits with.
enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHED = 3 };

// Does what the command line says. May cut argv at '=' signs. Returns the exit status.
int ctl_run(int argc, char **argv, FILE *out, FILE *err);

#endif
