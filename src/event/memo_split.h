// SPDX-License-Identifier: Apache-2.0
/*
 * memo_split: where a line's number stands. For event/ only; in a header, since it is asked of every line.
 *
 * Shape:   the number is the last thing before closing braces and blanks; of most lines, before one brace. A letter e
 *          at its beginning belongs to the text before it ("true", "false"): then there is no number. Only a line that
 *          has a number has something behind it.
 * Threads: pure functions.
 */
#ifndef VE_EVENT_MEMO_SPLIT_H
#define VE_EVENT_MEMO_SPLIT_H

#include "event/event.h"
#include "event/memo.h"
#include "event/number_tail.h"

#include <assert.h>

static inline bool memo_has_number(const struct event_line *line)
{
    return line->number_from < line->number_to;
}

// How many bytes stand behind the line's number.
static inline uint32_t memo_behind(const struct event_line *line)
{
    return line->len - line->number_to;
}

// How many bytes stand before the number and behind it, and the first of those behind it (0 if there is none): of most
// lines, that is all of them.
static inline uint32_t memo_shape(uint32_t before, uint32_t behind, char first)
{
    static_assert(MEMO_MAX_LINE < 1 << 12, "room for a length");
    return before << 20 | behind << 8 | (unsigned char)first;
}

static inline uint32_t memo_shape_behind(uint32_t shape)
{
    return shape >> 8 & 0xFFF;
}

// Of any line; leaves the number to be read later.
void memo_split_slowly(struct event_line *line);

// Sets the line's number_* and shape, and its number if that is known then.
static inline __attribute__((always_inline)) void memo_split(struct event_line *line)
{
    uint32_t to = line->len - 1; // of an empty line, beyond all that is taken
    if (to - NUMBER_TAIL < MEMO_MAX_LINE - NUMBER_TAIL && line->at[to] == '}') {
        double number;
        uint32_t from = to - (uint32_t)number_tail(line->at + to, &number);
        if (from < to) {
            line->number = number;
            line->number_known = true;
            line->number_from = (uint16_t)from;
            line->number_to = (uint16_t)to;
            line->shape = memo_shape(from, 1, '}');
            return;
        }
    }
    memo_split_slowly(line);
}

#endif
