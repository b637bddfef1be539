// SPDX-License-Identifier: Apache-2.0
/*
 * compact: a line without the blanks between its tokens, which means the same.
 *
 * Shape:   blanks are dropped where a bracket, brace, colon or comma stands on one side of them; a line that has other ones,
 *          or a backslash, has no compact form. Whether it is JSON at all is not asked: if it is not, neither is the result.
 * Threads: a pure function.
 * Source:  masks of quotes by prefix sums as in G. Langdale and D. Lemire, "Parsing Gigabytes of JSON per Second", 2019.
 */
#ifndef VE_EVENT_COMPACT_H
#define VE_EVENT_COMPACT_H

#include <stddef.h>

enum { COMPACT_SLACK = 80 }; // bytes behind the result that are written to as well

// Writes the compact form to `out`, which has room for len + COMPACT_SLACK bytes. Returns its length; 0: it has none.
size_t compact_write(char *out, const char *line, size_t len);

#endif
