// SPDX-License-Identifier: Apache-2.0
/*
 * split: bytes to lines.
 *
 * Threads: a pure function.
 */
#ifndef VE_INGEST_SPLIT_H
#define VE_INGEST_SPLIT_H

#include "event/event.h"

// The first complete lines of the bytes, EVENT_LINES at most: sets their `bytes` and `len`. Returns how many.
size_t split_lines(const char *at, const char *end, struct line *ret);

#endif
