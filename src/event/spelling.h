// SPDX-License-Identifier: Apache-2.0
/*
 * spelling: the one way in which a sample or event is written for the memo when its line was never seen, but may say
 * what others said. For event/ only.
 *
 * Shape:   no blanks, the value last: {"event":"e","labels":{"a":"b"},"op":"add","value":1}, labels in the order of the
 *          line. It means what the line means, and is a line itself: what applied this text applies the line.
 *          A line with an exemplar, a key that is none of these, an escape, a value that is no string where a string
 *          is wanted, or a number that the memo leaves to the parser has none.
 * Threads: the reader's. Memory: the text is the reader's, until the next call.
 */
#ifndef VE_EVENT_SPELLING_H
#define VE_EVENT_SPELLING_H

#include "event/line.h"

// Spells the reader's present tree, which is that of `line`, into `ret` but for its hash and entry; of a number, what
// stands in the text says nothing yet. Returns false when there is no spelling.
bool spelling_of(struct event_reader *r, const struct event_line *line, struct event_line *ret);
// Writes the number into the text. Returns false when memory is short.
bool spelling_add_number(struct event_reader *r, struct event_line *spelling);

#endif
