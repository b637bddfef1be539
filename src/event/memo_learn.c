// SPDX-License-Identifier: Apache-2.0
// How the memo comes to remember a line.
#include "event/line.h"
#include "event/memo_split.h"
#include "event/memo_store.h"
#include "event/number.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Whether this update may be remembered: its series is the very one that the line names.
static bool is_plain(const struct event_reader *r, const struct planned *p)
{
    size_t len;
    const char *text = series_text(p->series, &len);
    return len == p->key_len && memcmp(text, planned_key(r, p), len) == 0;
}

// The line with another number, in the reader's probe.
static bool other_line(struct event_reader *r, const struct event_line *line, double other)
{
    buf_clear(&r->probe);
    buf_add(&r->probe, line->at, line->number_from);
    buf_addf(&r->probe, "%.5f", other);
    buf_add(&r->probe, line->at + line->number_to, memo_behind(line));
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
    json_t *root = json_line(&r->memory, r->probe.p, r->probe.len, &r->scratch, &refusal);
    bool same = json_is_object(root) && sample_plan(r, root, -1, &verdict) == REJECT_NONE &&
                r->n_plan == 2 * n;
    for (size_t i = 0; same && i < n; i++) {
        const struct planned *a = &r->plan[i];
        const struct planned *b = &r->plan[n + i];
        takes_number[i] = b->value == other;
        same = same_update(r, a, b) && a->value == (takes_number[i] ? here : b->value);
    }
    r->n_plan = n;
    return same;
}

static struct memo_update update_of(const struct event_reader *r, const struct planned *p,
                                    bool takes_number)
{
    const char *target = p->cell != NULL ? p->cell : (const void *)series_gauge(p->series);
    size_t at = (size_t)(target - r->store->share.base);
    return (struct memo_update){
        .constant = p->value,
        .cell = (uint32_t)(at / ARENA_GRANULE),
        .behind = at % ARENA_GRANULE != 0,
        .slot = p->series->record->slot,
        .uses = atomic_load_explicit(&p->series->uses, memory_order_relaxed),
        .family = (uint16_t)(p->family - r->schema->families),
        .step = (uint8_t)line_step(p->family->metric, p->op),
        .takes_number = takes_number,
        .whole =
            !takes_number && p->family->metric->type == METRIC_COUNTER && cell_is_whole(p->value),
    };
}

static void fill(struct memo_entry *e, const struct event_reader *r, const struct event_line *line,
                 const bool *takes_number)
{
    e->context = r->origin->context;
    e->shape = line->shape;
    e->removals = MEMO_UNKNOWN;
    e->n = (uint8_t)r->n_plan;
    for (size_t i = 0; i < r->n_plan; i++) {
        e->updates[i] = update_of(r, &r->plan[i], takes_number[i]);
        e->claims |= table_claims(r->plan[i].family->table);
    }
    memcpy(memo_bytes(e), line->at, line->number_from);
    memcpy(memo_bytes(e) + line->number_from, line->at + line->number_to, memo_behind(line));
}

static bool may_learn(const struct event_reader *r, const struct event_line *line)
{
    if (line->shape == 0 || r->n_plan > MEMO_MAX_UPDATES || !json_is_object(r->root)) {
        return false;
    }
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        if (p->exemplar != NULL || !is_plain(r, p) || fabs(p->value) > MEMO_MAX_NUMBER) {
            return false;
        }
    }
    return true;
}

void memo_learn(struct memo *m, struct event_reader *r, const struct event_line *line)
{
    bool takes_number[MEMO_MAX_UPDATES] = {false};
    if (!may_learn(r, line)) {
        return;
    }
    size_t bytes = sizeof(struct memo_entry) + r->n_plan * sizeof(struct memo_update) + line->len -
                   (line->number_to - line->number_from);
    if (!memo_seen(m, line->hash) || !memo_room(m, bytes) ||
        (memo_has_number(line) && !learn_numbers(r, line, takes_number))) {
        return;
    }
    struct memo_entry *e = memo_add(m, line->hash, bytes);
    if (e != NULL) {
        fill(e, r, line, takes_number);
    }
}
