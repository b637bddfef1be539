// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "event/json.h"
#include "event/line.h"
#include "event/memo.h"
#include "event/spelling.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS_MAX = 64 << 20, KEYS_KEEP = 64 << 10, PLAN_KEEP = 4096 };

enum reject line_refuse(struct event_verdict *v, enum reject reason, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->detail, sizeof v->detail, fmt, ap);
    va_end(ap);
    v->kind = EVENT_REFUSED;
    v->reason = reason;
    return reason;
}

int event_reader_new(struct event_reader **ret, struct series_store *store,
                     struct series_hand *hand)
{
    struct event_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return -ENOMEM;
    }
    r->store = store;
    r->hand = hand;
    r->keys.max = KEYS_MAX;
    *ret = r;
    return 0;
}

void event_reader_free(struct event_reader *r)
{
    if (r != NULL) {
        json_memory_free(&r->memory);
        buf_free(&r->scratch);
        buf_free(&r->keys);
        buf_free(&r->probe);
        buf_free(&r->spelling);
        free(r->plan);
        memo_free(r->memo);
        context_free(r);
        free(r);
    }
}

static void *target_of(const struct planned *p)
{
    return p->cell != NULL ? p->cell : (void *)series_gauge(p->series);
}

void event_settle(struct event_ledger *ledger, _Atomic uint64_t *account)
{
    redo_count(ledger->redo, ledger->position, 1);
    redo_count(ledger->redo, account, 1);
    redo_commit(ledger->redo);
}

static void count_folds(const struct event_reader *r)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        if (p->folded) {
            atomic_fetch_add_explicit(&p->family->table->account->folded, 1, memory_order_relaxed);
        }
    }
}

static void show_made(struct event_reader *r)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        if (!p->made) {
            continue;
        }
        table_show(p->family->table, p->series);
        if (p->family->metric->precreate && (p->series->record->flags & SERIES_BEYOND) == 0) {
            precreate_siblings(r, p->family, planned_key(r, p));
        }
    }
}

static void apply_plan(struct event_reader *r)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        line_apply(p->family, line_step(p->family->metric, p->op), target_of(p), p->value);
    }
    count_folds(r);
    show_made(r);
}

/*
 * In a session the line counts from the mark of its record on. What it made must be there by then, since replaying
 * publishes nothing: counters and histograms with 0, gauges with their value.
 */
static void apply_in_session(struct event_reader *r, struct event_ledger *ledger)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        const struct planned *p = &r->plan[i];
        enum line_step step = line_step(p->family->metric, p->op);
        line_note(ledger->redo, p->family, step, target_of(p), p->value);
        if (p->made && p->op == UPDATE_SET) {
            cell_set(series_gauge(p->series), p->value);
        }
    }
    count_folds(r);
    for (size_t i = 0; i < r->n_plan; i++) {
        if (r->plan[i].made) {
            table_publish(r->plan[i].family->table, r->plan[i].series);
        }
    }
    event_settle(ledger, ledger->applied);
    show_made(r);
}

static void undo_plan(struct event_reader *r)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        if (r->plan[i].made) {
            table_undo(r->plan[i].family->table, r->plan[i].series);
        }
    }
}

static enum reject plan_batch(struct event_reader *r, struct event_verdict *v)
{
    size_t i;
    json_t *element;
    json_array_foreach(r->root, i, element)
    {
        enum reject reason = sample_plan(r, element, (int)i, v);
        if (reason != REJECT_NONE) {
            v->index = (int)i;
            return reason;
        }
    }
    return REJECT_NONE;
}

// Places the updates of info metrics, or all others.
static enum reject place_all(struct event_reader *r, bool single, struct event_verdict *v)
{
    for (size_t i = 0; i < r->n_plan; i++) {
        struct planned *p = &r->plan[i];
        if (p->family->table->single == single) {
            enum reject reason = place_planned(r, p, v);
            if (reason != REJECT_NONE) {
                v->index = p->element;
                snprintf(v->name, sizeof v->name, "%s", p->family->metric->name);
                return reason;
            }
        }
    }
    return REJECT_NONE;
}

enum reject line_limited(const struct event_reader *r, struct event_verdict *v)
{
    return line_refuse(v, REJECT_rate_limited, "%s has pushed its events of this second",
                       r->origin->permit->name);
}

// What a whole line needs besides what its elements were judged for.
static enum reject check_permit(struct event_reader *r, struct event_verdict *v)
{
    const struct permit *permit = r->origin->permit;
    if (permit != NULL && permit->nothing != NULL) {
        return line_refuse(v, REJECT_not_permitted, "%s", permit->nothing);
    }
    size_t events = json_is_array(r->root) ? json_array_size(r->root) : 1;
    return permit_spend(permit, r->origin->now_ms, events) ? REJECT_NONE : line_limited(r, v);
}

static void run_plan(struct event_reader *r, struct event_verdict *v)
{
    if (check_permit(r, v) != REJECT_NONE) {
        return;
    }
    permit_hold(r->origin->permit, r->hand);
    // Claiming an info series removes the older one, which cannot be taken back: so these come last.
    if (place_all(r, false, v) != REJECT_NONE || place_all(r, true, v) != REJECT_NONE) {
        undo_plan(r);
        return;
    }
    if (r->origin->ledger != NULL) {
        apply_in_session(r, r->origin->ledger);
    } else {
        apply_plan(r);
    }
    for (size_t i = 0; i < r->n_plan; i++) {
        exemplar_note(r, &r->plan[i]);
    }
    v->kind = EVENT_APPLIED;
}

// Empties what the line before left; gives memory back after an unusually large one.
static void begin(struct event_reader *r, const struct event_origin *origin)
{
    json_memory_reset(&r->memory);
    r->root = NULL;
    r->origin = origin;
    r->n_plan = 0;
    r->huge = 0;
    if (r->n_made > 0) {
        memset(r->made, 0, sizeof r->made);
        r->n_made = 0;
    }
    buf_clear(&r->keys);
    buf_shrink(&r->keys, KEYS_KEEP);
    if (r->cap_plan > PLAN_KEEP) {
        free(r->plan);
        r->plan = NULL;
        r->cap_plan = 0;
    }
}

static void clear_verdict(struct event_verdict *v)
{
    v->index = -1;
    v->was_hello = false;
    v->name[0] = '\0';
    v->detail[0] = '\0';
}

// A batch has more updates than a redo record has room for.
static void refuse_batch(struct event_verdict *v)
{
    line_refuse(v, REJECT_not_an_object, "a session takes no batches");
    v->index = -1;
}

// A line whose bytes are new may say what another one said, and then is no more to be planned than that.
static void judge_sample(struct event_reader *r, const struct event_line *line,
                         struct event_verdict *ret)
{
    struct event_line spelling;
    bool spelt = r->memo != NULL && !memo_is_seen(r->memo, line) && spelling_of(r, line, &spelling);
    if (spelt && memo_apply_spelling(r->memo, r, r->origin, &spelling)) {
        memo_note(r->memo, line);
        ret->kind = EVENT_APPLIED;
        return;
    }
    if (sample_plan(r, r->root, -1, ret) == REJECT_NONE) {
        run_plan(r, ret);
    }
    if (r->memo == NULL || ret->kind != EVENT_APPLIED) {
        return;
    }
    memo_learn(r->memo, r, line);
    if (spelt && spelling.hash != line->hash && spelling_add_number(r, &spelling)) {
        memo_learn(r->memo, r, &spelling);
    }
}

static void parse_line(struct event_reader *r, const struct event_origin *origin,
                       const struct event_line *line, struct event_verdict *ret)
{
    clear_verdict(ret);
    begin(r, origin);
    struct json_refusal refusal;
    r->root = json_line(&r->memory, line->at, line->len, &r->scratch, &refusal);
    if (r->root == NULL) {
        line_refuse(ret, refusal.reason, "%s", refusal.text);
        ret->index = refusal.index;
        if (origin->ledger != NULL && refusal.reason == REJECT_duplicate_field &&
            refusal.index >= 0) {
            refuse_batch(ret);
        }
        return;
    }
    if (json_is_array(r->root) && origin->ledger != NULL) {
        refuse_batch(ret);
        return;
    }
    if (json_is_array(r->root)) {
        if (plan_batch(r, ret) == REJECT_NONE) {
            run_plan(r, ret);
        }
        return;
    }
    if (control_is(r->root)) {
        ret->was_hello = json_object_get(r->root, "hello") != NULL;
        if (control_parse(r->schema->catalog, r->root, line->at, line->len, &ret->control, ret) ==
            REJECT_NONE) {
            ret->kind = EVENT_CONTROL;
        }
        return;
    }
    judge_sample(r, line, ret);
}

int event_reader_memo(struct event_reader *r, uint64_t bytes)
{
    return memo_new(&r->memo, bytes);
}

void event_look(struct event_reader *r, const struct event_origin *origin, struct event_line *lines,
                size_t n)
{
    if (r->memo != NULL) {
        r->schema = schema_current(r->store);
        memo_look(r->memo, r, origin, lines, n);
    }
}

size_t event_remembered(struct event_reader *r, const struct event_origin *origin,
                        struct event_line *lines, size_t n)
{
    r->schema = schema_current(r->store);
    r->limited = false;
    return r->memo != NULL ? memo_apply(r->memo, r, origin, lines, n) : 0;
}

void event_judge(struct event_reader *r, const struct event_origin *origin, struct event_line *line,
                 struct event_verdict *ret)
{
    ret->remembered = event_remembered(r, origin, line, 1) == 1;
    if (ret->remembered) {
        ret->kind = EVENT_APPLIED;
    } else if (r->limited) {
        clear_verdict(ret);
        r->origin = origin;
        line_limited(r, ret);
    } else {
        parse_line(r, origin, line, ret);
    }
}

void event_line(struct event_reader *r, const struct event_origin *origin, const char *line,
                size_t len, struct event_verdict *ret)
{
    struct event_line one = {.at = line, .len = (uint32_t)len};
    event_look(r, origin, &one, 1);
    event_judge(r, origin, &one, ret);
}
