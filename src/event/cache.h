// SPDX-License-Identifier: Apache-2.0
/*
 * cache: which series the lines of a template update, by the values of their labels.
 *
 * What makes it right:
 *   - an entry is made from the plan of a line with a template that was applied, and says for one set of label values which
 *     series are updated and how;
 *   - a hit has the same values: the entry has them, or they are compared with the key of a series that shows all of them;
 *   - the entry is of the origin's context (its default labels, its source and what that may push), and of what the template
 *     names (metric or event, op, which labels are given, whether there is a value); the permission's rate is asked for at
 *     every hit; another catalogue empties the cache;
 *   - what the plan might reject for its number is a miss: a negative one for a counter, or one so large that a sum could
 *     cease to be finite;
 *   - an entry does not outlive its series: each removal raises a count, and an entry that has not seen the present count
 *     looks at its series first. Owned series, and those with a ttl, get their owner or time at every hit;
 *   - an observation in a native histogram is a miss where its bucket does not fit the lane's block (series/native), which a plan
 *     then rebuilds; who finds a block that was replaced asks the series for the present one;
 *   - folded updates are not cached, since they end when there is room again.
 *
 * Shape:   entries of 36 bytes for a counter whose key shows its labels, and four more for a native histogram (cache_store).
 *          The cache grows with the series that there are, up to its limit; then what was not used lately is replaced.
 * Threads: one owner, inside an RCU section.
 */
#ifndef VE_EVENT_CACHE_H
#define VE_EVENT_CACHE_H

#include "event/line.h"
#include "event/plan.h"

struct cache;

// Room for `bytes` at most, all included. Borrows store and writer. Returns 0, -ENOMEM.
int cache_new(struct cache **ret, struct series_store *store, struct series_writer *writer,
              uint64_t bytes);
void cache_free(struct cache *m);

// Fetches the memory that applying the lines needs, of those that have templates. For lines that come next.
void cache_prefetch(struct cache *m, const struct origin *origin, struct line *lines, size_t n);
// Applies the lines of the beginning that are cached. Lines with exemplars end them. Returns how many.
size_t cache_apply(struct cache *m, const struct origin *origin, struct line *lines, size_t n);
// Applies all lines, if all are cached, or none.
bool cache_apply_batch(struct cache *m, const struct origin *origin, struct line *lines, size_t n);
// Plans one line with an exemplar as its entry says, all series placed, but for the exemplar itself, and takes it out of the
// permission's events. Returns whether it did.
bool cache_plan_exemplar(struct cache *m, struct line *line, struct plan *p);
// Whether the line or batch at which one of these stopped is cached, but the permission's events are spent.
bool cache_is_limited(const struct cache *m);

// After a line with a template, or an element of a batch, was applied by a plan, n of whose updates are the line's.
void cache_learn(struct cache *m, const struct plan *p, size_t from, size_t n,
                 const struct line *line);

#endif
