// SPDX-License-Identifier: Apache-2.0
/*
 * scan: what a line holds, found without the parser: what is in the holes of its template (plain text, a number, a list of
 * numbers), and where the elements of a batch most likely begin and end.
 *
 * Shape:   holes that are short, as most are, are read in the header, the others in scan.c. Whatever is read says what the parser
 *          would say of it; what is not read is for the parser to say. Elements are found by a brace, comma and brace, which
 *          may be in a string as well. So whoever asks checks each element; when all are whole, so is the batch.
 * Reads:   as event/bytes, up to NUMBER_TAIL bytes before a number's end, and up to 66 bytes beyond the end of a batch.
 * Threads: pure functions. Memory: lists are in memory of the caller.
 */
#ifndef VE_EVENT_SCAN_H
#define VE_EVENT_SCAN_H

#include "event/bytes.h"
#include "event/line.h"
#include "event/number.h"
#include "event/sample.h"

// Where lists go, one behind the other.
struct scan_lists {
    double *next;
    const double *end;
};

// A string that goes on behind a block, or is not ASCII. Returns whether it is plain and ends before `end`.
bool scan_long_string(const char *at, const char *end, size_t *ret_len);
// A number that is not short. Behind it stands what belongs to no number. Returns whether it is finite, too.
bool scan_long_number(const char *at, size_t len, double *ret);

static inline bool scan_number(const char *at, size_t len, double *ret)
{
    return len - 1 < BYTES_BLOCK - 1 &&
           (number_tail(at + len, ret) == len || scan_long_number(at, len, ret));
}

// The numbers between the brackets of a list, which become the line's, as does the last one by itself. The list stays where it
// is once `next` is raised. Returns how many bytes they take; 0: they are none, or too many.
BYTES_INLINED size_t scan_list(const struct scan_lists *lists, const char *at, const char *end,
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
        if (!ops->number(p, len, number) && !scan_number(p, len, number)) {
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

// Sets `bytes` and `len` of the elements between the brackets. Returns how many there are; 0: there are more than `most`, or it
// is no array of objects.
size_t scan_elements(const char *at, const char *end, struct line *ret, size_t most);

#endif
