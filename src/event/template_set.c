// SPDX-License-Identifier: Apache-2.0
#include "event/template_set.h"

enum {
    FEW = 4,        // times that a template is used if it may go where new ones hardly are of use
    MANY = 16,      // times after which it stays there
    VICTIMS = 8,    // templates that are looked at for one that may go
    FRUITLESS = 64, // lines from which on one in SELDOM is looked at
    SELDOM = 32,
    EARNED = 8, // what parsing a line takes is about as much as so many looks
    DOUBTFUL = FRUITLESS / 2,
};

// ---- Lines

// One line in SELDOM, by a linear congruential generator: lines that come in turn would else be chosen each time.
static bool is_chosen(struct template_set *s)
{
    s->random = s->random * 1664525 + 1013904223;
    return (s->random >> 16) % SELDOM == 0;
}

// Lets the template that was added last make up for looks, once it was used a second time.
static void settle_last(struct template_set *s)
{
    if (s->last != NULL && s->last->uses > 1) {
        s->last = NULL;
        s->fruitless -= s->fruitless < EARNED ? s->fruitless : EARNED;
    }
}

bool template_set_takes_line(struct template_set *s)
{
    settle_last(s);
    if (s->fruitless >= FRUITLESS) {
        return is_chosen(s);
    }
    s->fruitless++;
    return true;
}

bool template_set_came_lately(struct template_set *s, uint64_t id)
{
    uint32_t *pair = &s->window[id % (TEMPLATE_WINDOW / 2) * 2];
    uint32_t mark = (uint32_t)(id >> 32) | 1;
    for (unsigned i = 0; i < 2; i++) {
        if (pair[i] == mark) {
            pair[i] = 0;
            return true;
        }
    }
    pair[1] = pair[0];
    pair[0] = mark;
    return false;
}

bool template_set_is_doubtful(const struct template_set *s)
{
    return s->fruitless >= DOUBTFUL;
}

// ---- Templates

bool template_set_has(struct template_set *s, uint8_t bucket, uint64_t id)
{
    for (unsigned place = s->first[bucket]; place != 0; place = template_set_at(s, place)->next) {
        if (template_set_at(s, place)->id == id) {
            return true;
        }
    }
    return false;
}

// Takes a template out of its bucket.
static void drop(struct template_set *s, struct line_template *t)
{
    unsigned place = (unsigned)(t - s->slots) + 1;
    uint16_t *link = &s->first[t->bucket];
    while (*link != place) {
        link = &template_set_at(s, *link)->next;
    }
    *link = t->next;
    t->target.what = 0;
    s->last = t == s->last ? NULL : s->last;
}

static void see_uses(struct line_template *t)
{
    t->is_proven |= t->uses >= MANY;
}

static bool is_unused(struct line_template *t)
{
    bool unused = t->target.what == 0 || t->uses == 0;
    see_uses(t);
    t->uses -= t->is_proven ? t->uses > 0 : (t->uses + 1) / 2;
    return unused;
}

// One that was used often goes only where all are such.
static struct line_template *victim_of_bucket(struct template_set *s, uint8_t bucket)
{
    bool proven = true; // all of them
    struct line_template *t = NULL;
    for (unsigned place = s->first[bucket]; place != 0; place = t->next) {
        t = template_set_at(s, place);
        if (!t->is_proven && is_unused(t)) {
            return t;
        }
        proven &= t->is_proven;
    }
    return t != NULL && proven && is_unused(t) ? t : NULL;
}

static struct line_template *victim_of_all(struct template_set *s)
{
    for (unsigned i = 0; i < VICTIMS; i++) {
        struct line_template *t = &s->slots[s->victim++ % TEMPLATE_MOST];
        if (is_unused(t)) {
            return t;
        }
    }
    return NULL;
}

static unsigned count(struct template_set *s, uint8_t bucket)
{
    unsigned n = 0;
    for (unsigned place = s->first[bucket]; place != 0; place = template_set_at(s, place)->next) {
        n++;
    }
    return n;
}

// A place that is free, or of a template that was not used lately. NULL: those that were looked at were used.
static struct line_template *free_place(struct template_set *s, uint8_t bucket)
{
    struct line_template *t =
        count(s, bucket) >= TEMPLATE_TRIES ? victim_of_bucket(s, bucket) : victim_of_all(s);
    if (t != NULL && t->target.what != 0) {
        drop(s, t);
    }
    return t;
}

void template_set_add(struct template_set *s, const struct line_template *added)
{
    struct line_template *t = free_place(s, added->bucket);
    if (t == NULL) {
        return;
    }
    line_template_move(t, added);
    t->uses = 1;
    t->is_proven = false;
    t->next = 0;
    uint16_t *link = &s->first[t->bucket];
    while (*link != 0) {
        link = &template_set_at(s, *link)->next;
    }
    *link = (uint16_t)(t - s->slots + 1);
    s->last = t;
    s->n_new++;
}

void template_set_drop_unused(struct template_set *s, bool spare_last)
{
    const struct line_template *spared = spare_last ? s->last : NULL;
    for (size_t i = 0; i < TEMPLATE_MOST; i++) {
        struct line_template *t = &s->slots[i];
        see_uses(t);
        if (t->target.what != 0 && t->uses <= FEW && !t->is_proven && t != spared) {
            drop(s, t);
        }
    }
    s->n_new = spared != NULL;
}

void template_set_clear(struct template_set *s)
{
    s->last = NULL;
    memset(s->first, 0, sizeof s->first);
    for (size_t i = 0; i < TEMPLATE_MOST; i++) {
        s->slots[i].target.what = 0;
    }
}
