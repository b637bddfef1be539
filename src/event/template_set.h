// SPDX-License-Identifier: Apache-2.0
/*
 * template_set: the templates that there are, by the openings of their lines; which lines are worth one, and which make room for
 * others.
 *
 * Shape:   the fixed bytes of a line are worth a template when they come a second time while they are among the
 *          TEMPLATE_WINDOW last ones. Where many lines were looked at and templates of them were of no use, only one line in so
 *          many, by chance, is looked at. A template that is used makes up for several looks.
 * Bounds:  TEMPLATE_MOST templates, TEMPLATE_TRIES with the same opening. A new one takes the place of one that was not used
 *          lately; one that was used often is replaced only where all of its opening were.
 * Reads:   an opening as event/bytes, and up to 8 bytes before its end.
 * Threads: one owner. Memory: a plain struct; all zeros at first.
 */
#ifndef VE_EVENT_TEMPLATE_SET_H
#define VE_EVENT_TEMPLATE_SET_H

#include "event/bytes.h"
#include "event/line_template.h"

#include <string.h>

enum { TEMPLATE_MOST = 128, TEMPLATE_TRIES = 8, TEMPLATE_BUCKETS = 256, TEMPLATE_WINDOW = 1024 };

struct template_set {
    uint16_t
        first[TEMPLATE_BUCKETS]; // the first template of each bucket; 0: none, else its place + 1
    uint32_t victim;
    struct line_template *last; // that was added; NULL: it was used since, or there is none
    uint32_t n_new;             // added since unused ones were dropped
    uint32_t
        fruitless; // lines that were looked at, up to a limit, less what templates in use made up for
    uint32_t random;
    uint32_t window[TEMPLATE_WINDOW]; // fixed bytes that came lately
    struct line_template slots[TEMPLATE_MOST];
};

/*
 * What lines of a template have in common with each other, and with few others: the bytes up to the fourth quote, which are
 * the end of the name where the name comes first. Where the value comes first they would differ: there it is the sixth.
 */
BYTES_INLINED size_t template_set_opening(const char *at, const char *end,
                                          const struct bytes_ops *ops)
{
    return ops->quote(at, end, at[2] == 'v' || at[2] == 'c' ? 6 : 4);
}

BYTES_INLINED uint8_t template_set_bucket(const char *at, size_t last)
{
    uint64_t words[2] = {0, 0};
    memcpy(&words[0], at + last - 7, sizeof words[0]);
    if (at[2] == 'e' || at[2] == 'm') {
        memcpy(&words[1], at + (last > 15 ? last - 15 : 0), sizeof words[1]);
        words[1] += last;
    }
    uint64_t mixed = (words[0] ^ words[1] * 0x9FB21C651E98DF25u) * 0x9E3779B97F4A7C15u;
    return (uint8_t)(mixed >> 56);
}

// The template whose place + 1 this is.
static inline struct line_template *template_set_at(struct template_set *s, unsigned place)
{
    return &s->slots[place - 1];
}

// Whether the next line is looked at.
bool template_set_takes_line(struct template_set *s);
// Whether the same fixed bytes came lately; if not, they have now. Two that share a place by chance may take turns.
bool template_set_came_lately(struct template_set *s, uint64_t id);
// Whether few new templates are of use.
bool template_set_is_doubtful(const struct template_set *s);
// Whether a bucket has a template of these fixed bytes.
bool template_set_has(struct template_set *s, uint8_t bucket, uint64_t id);
// Adds a copy of a template, if one that is not in use can make room for it.
void template_set_add(struct template_set *s, const struct line_template *t);
// Drops all that were hardly ever used. The last one is spared if asked for.
void template_set_drop_unused(struct template_set *s, bool spare_last);
// Drops all. What is known of lines stays.
void template_set_clear(struct template_set *s);

#endif
