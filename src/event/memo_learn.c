// SPDX-License-Identifier: Apache-2.0
// How the memo comes to remember a line.
#include "event/line.h"
#include "event/memo_entry.h"
#include "event/number.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

// Whether the line was seen before; if not, it is now.
static bool seen_before(struct memo *m, uint64_t hash)
{
    uint32_t *sight = &m->sights[hash & m->sight_mask];
    uint32_t mark = (uint32_t)(hash >> 32) | 1;
    bool seen = *sight == mark;
    *sight = mark;
    return seen;
}

// Whether this update may be remembered: its series is the very one that the line names.
static bool is_plain(const struct event_reader *r, const struct planned *p)
{
    size_t len;
    const char *text = series_text(p->family->table, p->series, &len);
    return len == p->key_len && memcmp(text, planned_key(r, p), len) == 0;
}

// The line with another number, in the reader's probe.
static bool other_line(struct event_reader *r, const struct event_line *line, double other)
{
    buf_clear(&r->probe);
    buf_add(&r->probe, line->at, line->number_from);
    buf_addf(&r->probe, "%.5f", other);
    buf_add(&r->probe, line->at + line->number_to, line->len - line->number_to);
    return !r->probe.failed;
}

static bool same_update(const struct event_reader *r, const struct planned *a,
                        const struct planned *b)
{
    return a->family == b->family && a->op == b->op && a->key_len == b->key_len &&
           memcmp(planned_key(r, a), planned_key(r, b), a->key_len) == 0;
}

/*
 * Plans the line with another number behind the plan that was applied, and compares. Sets for each update
 * whether its value is the number. Returns whether the two differ in nothing else.
 */
static bool learn_numbers(struct event_reader *r, const struct event_line *line, bool *takes_number)
{
    size_t n = r->n_plan;
    double here;
    if (!number_read(line->at + line->number_from, line->number_to - line->number_from, &here)) {
        return false;
    }
    double other = here == 0.59375 ? 0.40625 : 0.59375;
    struct json_refusal refusal;
    struct event_verdict verdict;
    if (!other_line(r, line, other)) {
        return false;
    }
    json_t *root = json_line(r->probe.p, r->probe.len, &r->scratch, &refusal);
    bool same = json_is_object(root) && sample_plan(r, root, -1, &verdict) == REJECT_NONE &&
                r->n_plan == 2 * n;
    for (size_t i = 0; same && i < n; i++) {
        const struct planned *a = &r->plan[i];
        const struct planned *b = &r->plan[n + i];
        takes_number[i] = b->value == other;
        same = same_update(r, a, b) && a->value == (takes_number[i] ? here : b->value);
    }
    json_decref(root);
    r->n_plan = n;
    return same;
}

static void drop(struct memo *m, struct memo_entry **at)
{
    m->used -= malloc_usable_size(*at);
    free(*at);
    *at = NULL;
}

// Makes room by the clock: what was used since the last time stays for another round.
static bool make_room(struct memo *m, size_t bytes)
{
    for (size_t steps = 0; m->used + bytes > m->most && steps <= 2 * (m->mask + 1); steps++) {
        struct memo_bucket *b = &m->buckets[m->hand++ & m->mask];
        for (unsigned i = 0; i < MEMO_WAYS; i++) {
            if (b->entries[i] != NULL && !b->entries[i]->used) {
                drop(m, &b->entries[i]);
            } else if (b->entries[i] != NULL) {
                b->entries[i]->used = false;
            }
        }
    }
    return m->used + bytes <= m->most;
}

// A free place of the bucket, or that of an entry that was not used lately; NULL when all were.
static struct memo_entry **place_in(struct memo *m, struct memo_bucket *b)
{
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        if (b->entries[i] == NULL) {
            return &b->entries[i];
        }
    }
    struct memo_entry **place = NULL;
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        if (!b->entries[i]->used) {
            place = &b->entries[i];
        }
        b->entries[i]->used = false;
    }
    if (place != NULL) {
        drop(m, place);
    }
    return place;
}

static struct memo_entry *make_entry(const struct event_reader *r, const struct event_line *line,
                                     const bool *takes_number)
{
    struct memo_entry *e = malloc(sizeof *e + r->n_plan * sizeof *e->updates + line->len);
    if (e == NULL) {
        return NULL;
    }
    *e = (struct memo_entry){
        .context = r->origin->context,
        .generation = r->schema->generation,
        .updates = (struct memo_update *)(e + 1),
        .bytes = (char *)(e + 1) + r->n_plan * sizeof *e->updates,
        .prefix = line->number_from,
        .suffix = line->len - line->number_to,
        .n = (uint8_t)r->n_plan,
        .has_number = memo_has_number(line),
    };
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        e->updates[i] = (struct memo_update){
            .table = p->family->table,
            .series = p->series,
            .removals = UINT64_MAX, // so that the first hit looks whether the series lives
            .target = p->cell != NULL ? p->cell : (void *)series_gauge(p->series),
            .bounds = p->family->metric->bounds,
            .constant = p->value,
            .uses = atomic_load_explicit(&p->series->uses, memory_order_relaxed),
            .op = (uint8_t)p->op,
            .takes_number = takes_number[i],
        };
    }
    memcpy(e->bytes, line->at, e->prefix);
    memcpy(e->bytes + e->prefix, line->at + line->number_to, e->suffix);
    return e;
}

static bool may_learn(const struct event_reader *r, size_t len)
{
    if (len > MEMO_MAX_LINE || r->n_plan > MEMO_MAX_UPDATES || !json_is_object(r->root) ||
        json_object_get(r->root, "exemplar") != NULL) {
        return false;
    }
    for (size_t i = 0; i < r->n_plan; i++) {
        if (!is_plain(r, &r->plan[i])) {
            return false;
        }
    }
    return true;
}

void memo_learn(struct memo *m, struct event_reader *r, const struct event_line *line)
{
    bool takes_number[MEMO_MAX_UPDATES] = {false};
    if (!may_learn(r, line->len)) {
        return;
    }
    uint64_t hash = memo_hash(r, r->origin, line);
    if (!seen_before(m, hash) || (memo_has_number(line) && !learn_numbers(r, line, takes_number))) {
        return;
    }
    struct memo_entry *e = make_entry(r, line, takes_number);
    struct memo_bucket *b = &m->buckets[hash & m->mask];
    struct memo_entry **place = NULL;
    if (e != NULL && make_room(m, malloc_usable_size(e))) {
        place = place_in(m, b);
    }
    if (place == NULL) {
        free(e);
        return;
    }
    *place = e;
    b->tags[place - b->entries] = (uint32_t)(hash >> 32);
    m->used += malloc_usable_size(e);
}
