// SPDX-License-Identifier: Apache-2.0
#include "event/memo.h"

#include "event/line.h"
#include "event/memo_entry.h"
#include "event/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int memo_new(struct memo **ret, uint64_t bytes)
{
    struct memo *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return -ENOMEM;
    }
    // An entry takes about 256 bytes: as many places as fit, and some more. As many lines are watched for a
    // second sight.
    size_t buckets = 16;
    while (buckets * MEMO_WAYS * 256 < bytes + bytes / 4 && buckets < (size_t)1 << 28) {
        buckets *= 2;
    }
    m->mask = buckets - 1;
    m->sight_mask = buckets * MEMO_WAYS - 1;
    m->most = bytes;
    m->buckets = aligned_alloc(sizeof *m->buckets, buckets * sizeof *m->buckets);
    m->sights = calloc(m->sight_mask + 1, sizeof *m->sights);
    if (m->buckets == NULL || m->sights == NULL) {
        free(m->buckets);
        free(m->sights);
        free(m);
        return -ENOMEM;
    }
    memset(m->buckets, 0, buckets * sizeof *m->buckets);
    m->used = sizeof *m + buckets * sizeof *m->buckets + (m->sight_mask + 1) * sizeof *m->sights;
    *ret = m;
    return 0;
}

void memo_free(struct memo *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t b = 0; b <= m->mask; b++) {
        for (unsigned i = 0; i < MEMO_WAYS; i++) {
            free(m->buckets[b].entries[i]);
        }
    }
    free(m->buckets);
    free(m->sights);
    free(m);
}

static bool in_number(char c)
{
    return (unsigned)(c - '0') < 10 || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

/*
 * The number is the last thing before closing braces and blanks. A letter e at its beginning belongs to the
 * text before it ("true", "false"): then there is no number.
 */
void memo_split(const char *line, size_t len, struct memo_cut *ret)
{
    size_t to = len;
    while (to > 0 && (line[to - 1] == '}' || line[to - 1] == ' ' || line[to - 1] == '\r' ||
                      line[to - 1] == '\t')) {
        to--;
    }
    size_t from = to;
    while (from > 0 && in_number(line[from - 1])) {
        from--;
    }
    bool number = from < to && to < len && (line[from] == '-' || (unsigned)(line[from] - '0') < 10);
    *ret = number ? (struct memo_cut){from, to} : (struct memo_cut){len, len};
}

uint64_t memo_hash(const struct event_reader *r, const struct event_origin *origin,
                   const char *line, const struct memo_cut *cut)
{
    return key_hash(line, cut->from) ^ (origin->context * 0x9E3779B97F4A7C15u) ^
           (r->schema->generation << 32);
}

static bool matches(const struct memo_entry *e, const struct event_reader *r,
                    const struct event_origin *origin, const char *line, size_t len,
                    const struct memo_cut *cut)
{
    size_t behind = len - cut->to;
    return e->prefix == cut->from && e->suffix == behind &&
           e->has_number == (cut->from < cut->to) && e->context == origin->context &&
           e->generation == r->schema->generation && memcmp(e->bytes, line, e->prefix) == 0 &&
           memcmp(e->bytes + e->prefix, line + cut->to, behind) == 0;
}

static struct memo_entry *find(struct memo *m, struct event_reader *r,
                               const struct event_origin *origin, const char *line, size_t len,
                               const struct memo_cut *cut, uint64_t hash)
{
    const struct memo_bucket *b = &m->buckets[hash & m->mask];
    for (unsigned i = 0; i < MEMO_WAYS; i++) {
        if (b->tags[i] == (uint32_t)(hash >> 32) && b->entries[i] != NULL &&
            matches(b->entries[i], r, origin, line, len, cut)) {
            return b->entries[i];
        }
    }
    return NULL;
}

// Whether the update's series is the one that was remembered, and, where that is needed, now claimed.
static bool holds(struct memo_update *u, const struct claimant *c)
{
    uint64_t removals = atomic_load_explicit(&u->table->removals, memory_order_acquire);
    if (removals != u->removals) {
        if (atomic_load_explicit(&u->series->state, memory_order_acquire) != SERIES_LIVE ||
            atomic_load_explicit(&u->series->uses, memory_order_relaxed) != u->uses) {
            return false;
        }
        u->removals = removals;
    }
    if (u->table->owned || atomic_load_explicit(&u->table->timed, memory_order_relaxed)) {
        return claim_series(u->table, u->series, c) == 0;
    }
    return true;
}

static bool value_fits(const struct memo_update *u, double v)
{
    return !u->takes_number || u->table->type != METRIC_COUNTER || v >= 0;
}

bool memo_apply(struct memo *m, struct event_reader *r, const struct event_origin *origin,
                const char *line, size_t len)
{
    struct memo_cut cut;
    double number = 0;
    memo_split(line, len, &cut);
    uint64_t hash = memo_hash(r, origin, line, &cut);
    struct memo_entry *e = find(m, r, origin, line, len, &cut, hash);
    if (e == NULL || (e->has_number && (!number_read(line + cut.from, cut.to - cut.from, &number) ||
                                        fabs(number) > MEMO_MAX_NUMBER))) {
        return false;
    }
    for (unsigned i = 0; i < e->n; i++) {
        if (!value_fits(&e->updates[i], number)) {
            return false;
        }
    }
    r->limited = !permit_spend(origin->permit, origin->now_ms, 1);
    if (r->limited) {
        return false;
    }
    for (unsigned i = 0; i < e->n; i++) {
        if (!holds(&e->updates[i], &origin->claimant)) {
            permit_give_back(origin->permit, 1);
            return false;
        }
    }
    for (unsigned i = 0; i < e->n; i++) {
        const struct memo_update *u = &e->updates[i];
        line_apply(u->table, u->op, u->target, u->bounds, u->takes_number ? number : u->constant);
    }
    e->used = true;
    return true;
}
