// SPDX-License-Identifier: Apache-2.0
/*
 * line: a line, and what is found out about it before it is applied.
 *
 * Shape:   whoever reads the socket sets `bytes` and `len`; all else belongs to event/template, which finds the line's template
 *          and what its holes hold, and to event/cache. An element of a batch is a line, too.
 * Memory:  borrows the bytes, or a copy of them, and the list, which the templates keep until the next lines come.
 */
#ifndef VE_EVENT_LINE_H
#define VE_EVENT_LINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    LINE_MAX_BYTES = 65536, // without the LF
    LINE_MAX_HOLES = 24,
    // Bytes of a line, or of an element, that may have a template: the longest lists are as long.
    LINE_MAX_MATCH = 32768,
    LINE_VALUES =
        256, // bytes of the values of its labels, with a quote behind each, if it may be cached
    LINE_BLOCK = 64, // zero bytes behind these
};

// The content of a hole of a template, in bytes from the beginning of `text`.
struct line_hole {
    uint16_t start;
    uint16_t len;
};

struct line_template;

// A line without its LF.
struct line {
    const char *bytes;
    uint32_t len;

    uint32_t entry;                 // of the cache, most likely the line's; 0: it has none
    uint32_t looked;                // `changes` of the cache's store when this was found
    struct line_template *template; // NULL: none, and nothing below is set
    const char *text;               // the line without blanks
    uint64_t hash;    // of the values of its labels, and of what else says which series it updates
    double number;    // its value, or the last one of its list; 0: it has none
    double timestamp; // of its exemplar, if it has one
    const double *list;  // its values, if it has a list
    uint32_t n;          // how many these are, or its count, if it has one
    uint32_t values_len; // above LINE_VALUES: it must not be cached
    char values[LINE_VALUES + LINE_BLOCK];
    struct line_hole
        holes[LINE_MAX_HOLES]; // those of labels only if there are more values than LINE_VALUES
};

#endif
