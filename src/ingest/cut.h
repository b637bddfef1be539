// SPDX-License-Identifier: Apache-2.0
/*
 * cut: bytes to lines.
 *
 * Threads: a pure function.
 */
#ifndef VE_INGEST_CUT_H
#define VE_INGEST_CUT_H

#include "event/event.h"

// The first complete lines of the bytes, EVENT_LINES at most: sets their `at` and `len`. Returns how many.
size_t cut_lines(const char *at, const char *end, struct event_line *ret);

#endif
