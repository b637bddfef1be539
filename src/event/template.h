// SPDX-License-Identifier: Apache-2.0
/*
 * template: the fixed bytes of lines that the parser accepted, with holes for what differs from line to line.
 *
 * Shape:   a template is made from a line that was parsed and planned: its compact bytes (event/bytes), with holes for the
 *          values of labels, the value, count or list of values, and the exemplar's label values and timestamp. A line that has
 *          the same bytes outside of the holes, plain text in those for strings (UTF-8 without quote, backslash or control
 *          character) and JSON numbers in those for numbers says what the parser would say, so it need not be asked:
 *          line_template_fill gives the same sample that sample_read would. Nothing of a template depends on who sends the
 *          line. Templates of an older catalogue are dropped.
 * Bounds:  TEMPLATE_MOST templates. A line is compared with TEMPLATE_TRIES of them at most. A template is made when its fixed
 *          bytes come a second time while they are among the TEMPLATE_WINDOW last ones that were new, and takes the place of
 *          one that was not used lately; of lines that are matched together at most one becomes a template, for those that are
 *          matched next. Where new bytes keep coming and no template that is made of them is used, only one line in so many is
 *          looked at for that, and of the templates that were not used the last one stays. Where lines of an origin were
 *          compared in vain for too long, only few of them still are (event/budget). So lines that all look different, or nearly
 *          match, do not push out templates in use, and take little longer than parsing them.
 * Reads:   lines are read in blocks, up to TEMPLATE_SLACK bytes before and behind them, but never beyond the pages that they,
 *          and those that are matched with them, are in; where a page ends, a copy is read.
 * Threads: one owner, inside an RCU section from template_match to the last use of what it found.
 * Memory:  templates_new returns new. All of it is allocated there.
 * Source:  the wide version hashes by rounds of AES: J. Daemen and V. Rijmen, "A New MAC Construction ALRED", 2005; the other
 *          one by the folded multiplication of Wang Yi, wyhash, 2019.
 */
#ifndef VE_EVENT_TEMPLATE_H
#define VE_EVENT_TEMPLATE_H

#include "event/line_template.h"

enum {
    TEMPLATE_LINES = 32,  // lines that are matched together
    TEMPLATE_BATCH = 256, // elements of a batch; one that has more is parsed
};

struct templates;

// NULL: no memory.
struct templates *templates_new(void);
void templates_free(struct templates *all);

// Finds templates of 1 to TEMPLATE_LINES lines, which stand one behind the other in one piece of memory: sets their
// `template`, and with it all but `entry`. Any bytes will do. Where too many lines of this context (origin_number) were
// compared in vain, most are left to the parser. Returns whether any was compared.
bool template_match(struct templates *all, uint64_t generation, uint64_t context,
                    struct line *lines, size_t n);
// The elements of a batch, if all of them have templates. Returns how many these are; 0: not all have, or it is no batch.
// Sets `bytes` and `len` of each, too. It is of the context of the last template_match.
size_t template_match_batch(struct templates *all, uint64_t generation, const struct line *line,
                            struct line ret[static TEMPLATE_BATCH]);

// After a line, no batch and no control line, was parsed and says this, before plan_sample: may make a template.
void template_learn(struct templates *all, const struct catalog *c, const struct line *line,
                    const struct sample *s);

#endif
