// SPDX-License-Identifier: Apache-2.0
/*
 * hole: what is in a hole of a line template: plain text, a number, or a list of numbers.
 *
 * Shape:   the short ones, which most are, are read in the header, the others in hole.c. Whatever is read says what the parser
 *          would say of it; what is not read is for the parser to say.
 * Reads:   as event/bytes, and up to NUMBER_TAIL bytes before a number's end.
 * Threads: pure functions. Memory: lists are in memory of the caller.
 */
#ifndef VE_EVENT_HOLE_H
#define VE_EVENT_HOLE_H

#include "event/bytes.h"
#include "event/line.h"
#include "event/number.h"
#include "event/sample.h"

// Where lists go, one behind the other.
struct hole_lists {
    double *next;
    const double *end;
};

// A string that goes on behind a block, or is not ASCII. Returns whether it is plain and ends before `end`.
bool hole_read_long_string(const char *at, const char *end, size_t *ret_len);
// A number that is not short. Behind it stands what belongs to no number. Returns whether it is finite, too.
bool hole_read_long_number(const char *at, size_t len, double *ret);

static inline bool hole_read_number(const char *at, size_t len, double *ret)
{
    return len - 1 < BYTES_BLOCK - 1 &&
           (number_tail(at + len, ret) == len || hole_read_long_number(at, len, ret));
}

// The numbers between the brackets of a list, which become the line's, as does the last one by itself. The list stays where it
// is once `next` is raised. Returns how many bytes they take; 0: they are none, or too many.
BYTES_INLINED size_t hole_read_list(const struct hole_lists *lists, const char *at, const char *end,
                                    struct line *line, const struct bytes_ops *ops)
{
    double *list = lists->next;
    size_t room = (size_t)(lists->end - list);
    size_t most = room < SAMPLE_MAX_VALUES ? room : SAMPLE_MAX_VALUES;
    size_t n = 0;
    line->list = list;
    for (const char *p = at; p < end && n < most; p++) {
        size_t len = ops->element(p, end);
        double *number = &list[n++];
        if (!ops->number(p, len, number) && !hole_read_number(p, len, number)) {
            return 0;
        }
        p += len;
        if (*p == ']') {
            line->number = *number;
            line->n = (uint32_t)n;
            return (size_t)(p - at);
        }
    }
    return 0;
}

#endif
