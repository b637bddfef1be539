// SPDX-License-Identifier: Apache-2.0
#include "event/memo_split.h"

// What may stand at a line's end: in a number, and behind it.
enum { IN_NUMBER = 1, BEHIND = 2 };
static const uint8_t AT_END[256] = {
    ['0'] = IN_NUMBER, ['1'] = IN_NUMBER, ['2'] = IN_NUMBER, ['3'] = IN_NUMBER, ['4'] = IN_NUMBER,
    ['5'] = IN_NUMBER, ['6'] = IN_NUMBER, ['7'] = IN_NUMBER, ['8'] = IN_NUMBER, ['9'] = IN_NUMBER,
    ['.'] = IN_NUMBER, ['-'] = IN_NUMBER, ['+'] = IN_NUMBER, ['e'] = IN_NUMBER, ['E'] = IN_NUMBER,
    ['}'] = BEHIND,    [' '] = BEHIND,    ['\t'] = BEHIND,   ['\r'] = BEHIND,
};

void memo_split_slowly(struct event_line *line)
{
    const unsigned char *at = (const unsigned char *)line->at;
    line->number_known = false;
    line->number = 0;
    line->number_from = line->number_to = 0;
    line->shape = 0;
    if (line->len > MEMO_MAX_LINE) {
        return;
    }
    uint32_t to = line->len;
    while (to > 0 && AT_END[at[to - 1]] == BEHIND) {
        to--;
    }
    uint32_t from = to;
    while (from > 0 && AT_END[at[from - 1]] == IN_NUMBER) {
        from--;
    }
    bool starts = from < to && (at[from] == '-' || (unsigned)(at[from] - '0') < 10);
    bool number = starts && to < line->len; // else what ends here may go on
    line->number_from = (uint16_t)(number ? from : line->len);
    line->number_to = (uint16_t)(number ? to : line->len);
    uint32_t behind = line->len - line->number_to;
    line->shape = memo_shape(line->number_from, behind, behind > 0 ? line->at[line->number_to] : 0);
}
