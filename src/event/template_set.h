// SPDX-License-Identifier: Apache-2.0
/*
 * template_set: the templates that there are, by the openings of their lines, and which of them make room for others.
 *
 * Bounds:  TEMPLATE_MOST templates, TEMPLATE_TRIES with the same opening. A new one takes the place of one that was not used
 *          lately; one that was used often is replaced only where all of its opening were.
 * Threads: one owner. Memory: a plain struct; all zeros at first.
 */
#ifndef VE_EVENT_TEMPLATE_SET_H
#define VE_EVENT_TEMPLATE_SET_H

#include "event/line_template.h"

enum { TEMPLATE_MOST = 128, TEMPLATE_TRIES = 8, TEMPLATE_BUCKETS = 256 };

struct template_set {
    uint16_t
        first[TEMPLATE_BUCKETS]; // the first template of each bucket; 0: none, else its place + 1
    uint32_t victim;
    struct line_template *last; // that was added; NULL: it was used since, or there is none
    uint32_t n_new;             // added since unused ones were dropped
    struct line_template slots[TEMPLATE_MOST];
};

// The template whose place + 1 this is.
static inline struct line_template *template_set_at(struct template_set *s, unsigned place)
{
    return &s->slots[place - 1];
}

// Whether a bucket has a template of these fixed bytes.
bool template_set_has(struct template_set *s, uint8_t bucket, uint64_t id);
// Adds a copy of a template, if one that is not in use can make room for it.
void template_set_add(struct template_set *s, const struct line_template *t);
// Whether the template that was added last was used more than once. Says so once.
bool template_set_last_is_used(struct template_set *s);
// Drops all that were hardly ever used. The last one is spared if asked for.
void template_set_drop_unused(struct template_set *s, bool spare_last);
void template_set_clear(struct template_set *s);

#endif
