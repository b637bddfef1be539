// SPDX-License-Identifier: Apache-2.0
/*
 * top: the live view: sources by lines a second, metrics by series and rate, the last rejected lines.
 *
 * Shape:   a terminal is filled and written again each interval, until q or a signal; all else gets the same as text.
 *          Rates are the differences of two answers.
 * Threads: one; it takes SIGINT, SIGTERM, SIGHUP and SIGWINCH for the time of the call.
 * Memory:  nothing outlives the call.
 */
#ifndef VE_CTL_TOP_H
#define VE_CTL_TOP_H

#include "ctl/answer.h"
#include "ctl/command.h"

// Returns 0 at its end, or -errno as answer_ask and answer_read; -EPROTO: its answers lack what is to be shown; 1: the daemon
// answered with an error, which is the row. After -errno with ferror(out) what could not be done was to write.
int top_run(struct answer *a, const struct command *o, FILE *out);

#endif
