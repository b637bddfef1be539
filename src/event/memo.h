// SPDX-License-Identifier: Apache-2.0
/*
 * memo: lines that were seen before need not be parsed again. For event/ only.
 *
 * The same call site of a component sends the same bytes but for the number at the end. So a line is split into
 * what stands before the number and what stands behind it; the two are the key, and what parsing them gave, a
 * short list of updates, is the value. A line without a number at its end is a key as a whole.
 *
 * What makes it right:
 *   - an entry is made on the second sight of the bytes, from a line that the parser accepted and applied, and
 *     only if the parser plans the same for another number in that place;
 *   - a hit compares all bytes; what is no JSON number in the number's place is a miss, and so is what the
 *     parser might refuse for its value: a negative number for a counter, or one so large that a sum could
 *     cease to be finite;
 *   - the key holds what else the meaning hangs on, the origin's context (its default labels, its source and what
 *     that may push); the permit's rate is asked for at every hit; another catalogue empties the memo;
 *   - an entry does not outlive its series: each removal raises a count, and an entry
 *     that has not seen the present count looks at its series first. What must be claimed (owned series, and
 *     those with a ttl) is claimed at every hit;
 *   - folded updates are not remembered, since they end when there is room again;
 *   - a line whose bytes are new may say what others said: then its spelling (spelling.h), which means the same,
 *     is looked for too, and remembered at its second sight;
 *   - memory is bounded; what was not used lately is replaced (memo_store).
 *
 * Threads: one owner, inside an RCU section.
 */
#ifndef VE_EVENT_MEMO_H
#define VE_EVENT_MEMO_H

#include "event/event.h"

struct memo;
struct event_reader;

enum { MEMO_MAX_LINE = 1024 };

// Above this a number goes the slow way, wherever in the line it stands: that keeps sums finite. Below it no sum can
// overflow.
#define MEMO_MAX_NUMBER 1e15

// Room for `bytes`, all included. Returns 0, -ENOMEM.
int memo_new(struct memo **ret, uint64_t bytes);
void memo_free(struct memo *m);

// Takes the lines apart, and fetches the memory that applying them needs. For lines that memo_apply gets next.
void memo_look(struct memo *m, const struct event_reader *r, const struct event_origin *origin,
               struct event_line *lines, size_t n);
// Applies the lines of the beginning that are remembered. Returns how many.
size_t memo_apply(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                  struct event_line *lines, size_t n);

// Whether the bytes of a line that memo_look saw were seen before, or could not be remembered anyhow.
bool memo_is_seen(const struct memo *m, const struct event_line *line);
// Notes that they were.
void memo_note(struct memo *m, const struct event_line *line);
// Applies a spelling, which memo_look has not seen, if it is remembered; after memo_apply for the same origin.
bool memo_apply_spelling(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                         struct event_line *spelling);

// After the line was parsed and applied as the reader's plan says: remembers it if it was seen before.
void memo_learn(struct memo *m, struct event_reader *r, const struct event_line *line);

#endif
