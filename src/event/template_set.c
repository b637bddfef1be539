// SPDX-License-Identifier: Apache-2.0
#include "event/template_set.h"

#include <string.h>

enum {
    FEW = 4,     // times that a template is used if it may go where new ones hardly are of use
    MANY = 16,   // times after which it stays there
    VICTIMS = 8, // templates that are looked at for one that may go
};

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

bool template_set_last_is_used(struct template_set *s)
{
    bool used = s->last != NULL && s->last->uses > 1;
    s->last = used ? NULL : s->last;
    return used;
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
