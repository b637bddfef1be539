// SPDX-License-Identifier: Apache-2.0
#include "event/plan.h"

#include "base/clock.h"
#include "series/key.h"

#include <math.h>
#include <stdlib.h>

enum {
    KEYS_MAX = 64 << 20,
    KEYS_KEEP = 64 << 10,
    UPDATES_KEEP = 4096,
    EXEMPLAR_FROM_S = 946684800, // 2000-01-01
    EXEMPLAR_AHEAD_S = 60,       // of this machine's clock
};

// A sample on its way to a plan.
struct planning {
    struct sample *s;
    bool by_default[CATALOG_MAX_LABELS]; // from the hello
    bool wanted[CATALOG_MAX_LABELS];     // needed by this element
    bool matched[CATALOG_MAX_UPDATES];   // the event's updates whose conditions hold
};

// ---- Labels: the hello's; then the checks, one after the other over all labels

static void take_defaults(struct planning *g, const struct origin_defaults *defaults)
{
    struct sample_labels *l = &g->s->labels;
    for (size_t d = 0; defaults != NULL && d < defaults->n; d++) {
        int at = sample_find_label(l, defaults->names[d], strlen(defaults->names[d]));
        if (at >= 0 && l->state[at] == SAMPLE_ABSENT) {
            l->values[at] = (struct slice){defaults->values[d], strlen(defaults->values[d])};
            l->state[at] = SAMPLE_TEXT;
            g->by_default[at] = true;
        }
    }
}

static enum reject_reason check_labels(const struct planning *g, struct rejection *why)
{
    const struct sample_labels *l = &g->s->labels;
    for (size_t i = 0; i < l->n; i++) {
        if (!g->wanted[i] && l->state[i] != SAMPLE_ABSENT && !g->by_default[i]) {
            return reject_set(why, REJECT_unknown_label, "label \"%s\" has no meaning here",
                              l->declared[i].name);
        }
    }
    for (size_t i = 0; i < l->n; i++) {
        if (g->wanted[i] &&
            (l->state[i] == SAMPLE_ABSENT || (l->state[i] == SAMPLE_TEXT && l->values[i].len == 0 &&
                                              l->declared[i].def->empty == NULL))) {
            return reject_set(why, REJECT_missing_label, "label \"%s\" is absent or empty",
                              l->declared[i].name);
        }
    }
    for (size_t i = 0; i < l->n; i++) {
        if (g->wanted[i] &&
            (l->state[i] == SAMPLE_NO_STRING || l->values[i].len > CATALOG_MAX_LABEL_VALUE ||
             memchr(l->values[i].p, 0, l->values[i].len) != NULL)) {
            return reject_set(why, REJECT_bad_label_value,
                              "label \"%s\" is no string of 1 to %d bytes without NUL",
                              l->declared[i].name, CATALOG_MAX_LABEL_VALUE);
        }
    }
    return REJECT_NONE;
}

// The value after the definition's aliases. Only for labels that check_labels accepted.
static struct slice labels_value(const struct label_def *def, struct slice value)
{
    struct slice to = {0};
    to.p = catalog_resolve_label(def, value.p, value.len, &to.len);
    return to;
}

// ---- Exemplars

/*
 * In seconds. Prometheus keeps exemplars in the order of their times, so one that is far ahead keeps out the later ones.
 * The most likely mistakes are milliseconds, and a number that is no time at all.
 */
static bool is_good_timestamp(double seconds)
{
    uint64_t now_ms = clock_real_ms();
    if (seconds >= EXEMPLAR_FROM_S && seconds < UINT32_MAX) {
        clock_evidence_add_exemplar((uint64_t)(seconds * 1000), now_ms, clock_coarse_ms());
    }
    return seconds >= EXEMPLAR_FROM_S && seconds <= (double)now_ms / 1000 + EXEMPLAR_AHEAD_S;
}

enum reject_reason plan_check_exemplar(const struct sample_exemplar *e, struct rejection *why)
{
    if (!e->well_formed) {
        return reject_set(why, REJECT_bad_exemplar,
                          "an exemplar is {\"labels\":{...},\"timestamp\":N}");
    }
    if (e->bad_label != NULL) {
        return reject_set(why, REJECT_bad_exemplar, "label \"%.64s\" is no label with a string",
                          e->bad_label);
    }
    if (e->characters > PLAN_MAX_EXEMPLAR) {
        return reject_set(why, REJECT_bad_exemplar,
                          "%zu characters of names and values are too many", e->characters);
    }
    if (e->has_timestamp && !is_good_timestamp(e->timestamp)) {
        return reject_set(why, REJECT_bad_exemplar,
                          "the timestamp is before 2000 or more than %d s ahead", EXEMPLAR_AHEAD_S);
    }
    return REJECT_NONE;
}

// Without memory the updates are made and the exemplar is not kept.
void plan_add_exemplar(struct plan *p, const struct sample_exemplar *e, size_t from)
{
    for (size_t i = from; !p->exemplars.failed && i < p->n; i++) {
        p->updates[i].exemplar_at = e->text_at;
        p->updates[i].exemplar_len = e->text_len;
        p->updates[i].exemplar_ms = e->has_timestamp ? (uint64_t)(e->timestamp * 1000 + 0.5) : 0;
    }
}

// ---- Updates

static bool is_same_series(const struct plan *p, const struct plan_update *a,
                           const struct plan_update *b)
{
    return a->family == b->family && a->hash == b->hash && a->key_len == b->key_len &&
           memcmp(plan_key(p, a), plan_key(p, b), a->key_len) == 0;
}

// A sum after an update.
static double add_update_to(const struct plan *p, const struct plan_update *u, double sum)
{
    if (u->n_values == 0) {
        return u->op == UPDATE_SET ? u->value : sum + u->value;
    }
    for (uint32_t i = 0; i < u->n_values; i++) {
        sum += plan_values(p, u)[i];
    }
    return sum;
}

static double magnitude(const struct plan *p, const struct plan_update *u)
{
    double sum = u->n_values == 0 ? fabs(u->value) : 0;
    for (uint32_t i = 0; i < u->n_values; i++) {
        sum += fabs(plan_values(p, u)[i]);
    }
    return sum;
}

// What the line does to the same series before the update, one after the other, beginning with a value.
static double sum_before(const struct plan *p, const struct plan_update *u, double value)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_update *other = &p->updates[i];
        if (is_same_series(p, u, other)) {
            value = add_update_to(p, other, value);
        }
    }
    return value;
}

/*
 * Whether adding the planned value keeps the sum finite. Where it does whatever else the line adds anywhere, as it nearly
 * always does, nothing else is looked at.
 */
static bool is_still_finite(struct plan *p, const struct plan_update *u)
{
    double own = 0; // what this line's additions go to
    double others = 0;
    if (u->series != NULL && u->op != UPDATE_SET) {
        const struct table *t = u->family->table;
        if (t->type == METRIC_GAUGE) {
            own = atomic_load_explicit(series_gauge(u->series), memory_order_relaxed);
        } else {
            others = table_magnitude(t, u->series, p->lane, &own);
        }
    }
    p->huge += magnitude(p, u);
    return u->op == UPDATE_SET || isfinite(fabs(own) + others + p->huge) ||
           isfinite(fabs(add_update_to(p, u, sum_before(p, u, own))) + others);
}

static bool make_room(struct plan *p)
{
    if (p->n < p->cap) {
        return true;
    }
    size_t cap = p->cap == 0 ? 64 : p->cap * 2;
    struct plan_update *grown = realloc(p->updates, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    p->updates = grown;
    p->cap = cap;
    return true;
}

struct plan_update *plan_add_placed(struct plan *p, struct series *series)
{
    if (series == NULL || !make_room(p)) {
        return NULL;
    }
    struct plan_update *u = &p->updates[p->n++];
    *u = (struct plan_update){.element = -1, .series = series};
    return u;
}

// What an update does, but for its series.
struct effect {
    const struct family *family;
    enum update_op op;
    double value;
    double each; // as in plan_update
    bool takes_number;
    const struct sample *list; // whose list is observed; NULL: the value is
};

// Adds an update of the series with these label values.
static enum reject_reason add_update(struct plan *p, const struct effect *e, int element,
                                     const struct slice *values, struct rejection *why)
{
    size_t key_at = p->keys.len;
    key_build(&p->keys, e->family->metric, values);
    if (p->keys.failed || p->values.failed || !make_room(p)) {
        return reject_set(why, REJECT_series_limit, "out of memory");
    }
    struct plan_update *u = &p->updates[p->n];
    // All of it, since clearing it first would take longer than the rest.
    *u = (struct plan_update){
        .family = e->family,
        .op = e->op,
        .element = element,
        .value = e->value,
        .each = e->each,
        .values_at = e->list != NULL ? e->list->values_at : 0,
        .n_values = e->list != NULL ? e->list->n_values : 0,
        .takes_number = e->takes_number,
        .made = false,
        .folded = false,
        .key_at = key_at,
        .key_len = p->keys.len - key_at,
        .hash = 0,
        .series = NULL,
        .cell = NULL,
        .exemplar_at = 0,
        .exemplar_len = 0,
        .exemplar_ms = 0,
    };
    const char *key = plan_key(p, u);
    u->hash = key_hash(key, u->key_len);
    u->series = table_peek(u->family->table, key, u->key_len, u->hash);
    if (!is_still_finite(p, u)) {
        return reject_set(why, REJECT_bad_value, "the sum would not be finite");
    }
    p->n++;
    return REJECT_NONE;
}

// ---- One sample or event

static bool is_condition_met(const struct condition *c, const struct sample_labels *set)
{
    if (set->state[c->label] != SAMPLE_TEXT) {
        return false;
    }
    struct slice value = labels_value(set->declared[c->label].def, set->values[c->label]);
    for (size_t i = 0; value.p != NULL && i < c->n_values; i++) {
        if (strlen(c->values[i]) == value.len && memcmp(c->values[i], value.p, value.len) == 0) {
            return true;
        }
    }
    return false;
}

// Which labels this element needs: of an event, those of its conditions and of the updates that they let through.
static void mark_wanted(const struct catalog *c, struct planning *g)
{
    const struct sample *s = g->s;
    if (s->metric != NULL) {
        for (size_t i = 0; i < s->labels.n; i++) {
            g->wanted[i] = true;
        }
        return;
    }
    for (size_t u = 0; u < s->event->n_updates; u++) {
        const struct update *up = &s->event->updates[u];
        g->matched[u] = true;
        for (size_t k = 0; k < up->n_conditions; k++) {
            g->wanted[up->conditions[k].label] = true;
            g->matched[u] &= is_condition_met(&up->conditions[k], &s->labels);
        }
        for (size_t i = 0; g->matched[u] && i < c->metrics[up->metric].n_labels; i++) {
            g->wanted[up->map[i]] = true;
        }
    }
}

static enum reject_reason not_allowed(const struct label *l, struct slice value,
                                      struct rejection *why)
{
    return reject_set(why, REJECT_label_value_not_allowed, "label \"%s\" does not know \"%.*s\"",
                      l->name, (int)(value.len > 64 ? 64 : value.len), value.p);
}

// The value of a label of the update's metric. What the event's label has let through is not looked up once more in the
// same definition.
static struct slice value_for(const struct sample *s, const struct update *up,
                              const struct metric *m, size_t label)
{
    struct slice value = s->labels.values[up->map[label]];
    const struct label_def *def = m->labels[label].def;
    return def == s->labels.declared[up->map[label]].def ? value : labels_value(def, value);
}

static enum reject_reason check_allowed(const struct catalog *c, const struct planning *g,
                                        struct rejection *why)
{
    struct sample *s = g->s;
    for (size_t i = 0; i < s->labels.n; i++) {
        if (g->wanted[i]) {
            struct slice value = labels_value(s->labels.declared[i].def, s->labels.values[i]);
            if (value.p == NULL) {
                return not_allowed(&s->labels.declared[i], s->labels.values[i], why);
            }
            s->labels.values[i] = value;
        }
    }
    for (size_t u = 0; s->event != NULL && u < s->event->n_updates; u++) {
        const struct update *up = &s->event->updates[u];
        const struct metric *m = &c->metrics[up->metric];
        for (size_t i = 0; g->matched[u] && i < m->n_labels; i++) {
            if (value_for(s, up, m, i).p == NULL) {
                return not_allowed(&m->labels[i], s->labels.values[up->map[i]], why);
            }
        }
    }
    return REJECT_NONE;
}

static enum reject_reason check_value(const struct sample *s, struct rejection *why)
{
    const struct event *event = s->event; // NULL: a metric's sample
    bool required =
        event == NULL ? s->metric->type != METRIC_COUNTER : event->value == EVENT_VALUE_REQUIRED;
    if (s->value == SAMPLE_NO_VALUE) {
        return required ? reject_set(why, REJECT_missing_value, "a value is wanted") : REJECT_NONE;
    }
    if (event != NULL && event->value == EVENT_VALUE_NONE && s->value != SAMPLE_BAD_VALUE) {
        return reject_set(why, REJECT_bad_value, "this event takes no value");
    }
    if (s->value == SAMPLE_BAD_VALUE) {
        return reject_set(why, REJECT_bad_value, "%s", s->bad_value);
    }
    if (s->value == SAMPLE_LIST && event == NULL && s->metric->type != METRIC_HISTOGRAM) {
        return reject_set(why, REJECT_bad_value, "only a histogram takes several values");
    }
    if (event == NULL && s->metric->type == METRIC_COUNTER && s->number < 0) {
        return reject_set(why, REJECT_negative_counter, "a counter cannot go down");
    }
    return REJECT_NONE;
}

static enum reject_reason plan_metric(struct plan *p, const struct sample *s, struct rejection *why)
{
    const struct effect effect = {
        .family = &p->schema->families[s->metric - p->schema->catalog->metrics],
        .op = s->metric_op,
        .value = s->value != SAMPLE_NO_VALUE ? s->number : 1,
        .each = 1,
        .takes_number = s->value == SAMPLE_NUMBER,
        .list = s->value == SAMPLE_LIST ? s : NULL,
    };
    return add_update(p, &effect, s->index, s->labels.values, why);
}

static enum reject_reason plan_event(struct plan *p, const struct planning *g,
                                     struct rejection *why)
{
    const struct sample *s = g->s;
    bool has_number = s->value != SAMPLE_NO_VALUE;
    for (size_t i = 0; i < s->event->n_updates; i++) {
        const struct update *up = &s->event->updates[i];
        if (!g->matched[i] || (up->op == UPDATE_OBSERVE && !has_number)) {
            continue;
        }
        const struct family *f = &p->schema->families[up->metric];
        struct slice values[CATALOG_MAX_LABELS];
        for (size_t k = 0; k < f->metric->n_labels; k++) {
            values[k] = value_for(s, up, f->metric, k);
        }
        bool adds = up->op == UPDATE_ADD;
        const struct effect effect = {
            .family = f,
            .op = up->op,
            .value = adds ? up->by * s->count : s->number,
            .each = up->by,
            .takes_number = !adds && has_number,
            .list = s->value == SAMPLE_LIST && up->op == UPDATE_OBSERVE ? s : NULL,
        };
        enum reject_reason reason = add_update(p, &effect, s->index, values, why);
        if (reason != REJECT_NONE) {
            return reason;
        }
    }
    return REJECT_NONE;
}

// An exemplar has its place on counters and histograms.
static bool can_take_exemplar(const struct plan *p, const struct sample *s, size_t planned_from)
{
    if (s->metric != NULL) {
        return s->metric->type != METRIC_GAUGE;
    }
    for (size_t i = planned_from; i < p->n; i++) {
        if (p->updates[i].family->metric->type != METRIC_GAUGE) {
            return true;
        }
    }
    return false;
}

static enum reject_reason check_exemplar(const struct plan *p, const struct sample *s,
                                         size_t planned_from, struct rejection *why)
{
    if (!s->exemplar.present) {
        return REJECT_NONE;
    }
    return can_take_exemplar(p, s, planned_from)
               ? plan_check_exemplar(&s->exemplar, why)
               : reject_set(why, REJECT_bad_exemplar, "a gauge has no exemplar");
}

static enum reject_reason reject_label(const struct permission *permission, const char *name,
                                       const struct permission_label *label, struct rejection *why)
{
    return reject_set(why, REJECT_not_permitted, "%s may push %s with %s=\"%.64s\" only",
                      permission->name, name, label->name, label->value);
}

// A label that the event carries and none of its updates' metrics declares, since a `when` alone reads it, is bound too.
static enum reject_reason check_event_labels(const struct permission *permission,
                                             const struct planning *g, struct rejection *why)
{
    const struct sample *s = g->s;
    for (size_t i = 0; s->event != NULL && i < s->labels.n; i++) {
        const struct label *l = &s->labels.declared[i];
        for (size_t k = 0; g->wanted[i] && k < permission->n_labels; k++) {
            const struct permission_label *label = &permission->labels[k];
            struct slice want = {0};
            want.p = catalog_find_value(l->def, label->value, strlen(label->value), &want.len);
            if (strcmp(l->name, label->name) == 0 &&
                (want.p == NULL || want.len != s->labels.values[i].len ||
                 memcmp(want.p, s->labels.values[i].p, want.len) != 0)) {
                return reject_label(permission, s->event->name, label, why);
            }
        }
    }
    return REJECT_NONE;
}

// Whether the origin may push every update of the element.
static enum reject_reason check_permission(const struct plan *p, const struct planning *g,
                                           size_t planned_from, struct rejection *why)
{
    const struct permission *permission = p->origin->permission;
    if (permission == NULL) {
        return REJECT_NONE;
    }
    for (size_t i = planned_from; i < p->n; i++) {
        const struct metric *m = p->updates[i].family->metric;
        const struct permission_label *label;
        if (permission->denied != NULL) {
            return reject_set(why, REJECT_not_permitted, "%s", permission->denied);
        }
        if (!permission_can_push_metric(permission, (size_t)(m - p->schema->catalog->metrics))) {
            return reject_set(why, REJECT_not_permitted, "%s may not push %s", permission->name,
                              m->name);
        }
        if ((label = permission_find_misfit(permission, m, plan_key(p, &p->updates[i]))) != NULL) {
            return reject_label(permission, m->name, label, why);
        }
    }
    return check_event_labels(permission, g, why);
}

enum reject_reason plan_sample(struct plan *p, struct sample *s, struct rejection *why)
{
    struct planning g = {.s = s};
    const struct catalog *c = p->schema->catalog;
    size_t planned_from = p->n;
    enum reject_reason reason;
    take_defaults(&g, p->origin->defaults);
    mark_wanted(c, &g);
    if ((reason = check_labels(&g, why)) != REJECT_NONE ||
        (reason = check_allowed(c, &g, why)) != REJECT_NONE ||
        (reason = check_value(s, why)) != REJECT_NONE) {
        return reason;
    }
    reason = s->metric != NULL ? plan_metric(p, s, why) : plan_event(p, &g, why);
    if (reason != REJECT_NONE ||
        (reason = check_exemplar(p, s, planned_from, why)) != REJECT_NONE) {
        return reason;
    }
    if (s->exemplar.present) {
        plan_add_exemplar(p, &s->exemplar, planned_from);
    }
    return check_permission(p, &g, planned_from, why);
}

// ---- The plan

void plan_begin(struct plan *p, const struct schema *schema, const struct origin *origin,
                unsigned lane)
{
    p->schema = schema;
    p->origin = origin;
    p->lane = lane;
    p->n = 0;
    p->n_events = 0;
    p->n_made = 0;
    p->huge = 0;
    p->keys.max = KEYS_MAX;
    buf_clear(&p->keys);
    buf_shrink(&p->keys, KEYS_KEEP);
    buf_clear(&p->exemplars);
    buf_shrink(&p->exemplars, KEYS_KEEP);
    buf_clear(&p->values);
    buf_shrink(&p->values, KEYS_KEEP);
    if (p->cap > UPDATES_KEEP) {
        free(p->updates);
        p->updates = NULL;
        p->cap = 0;
    }
}

void plan_free(struct plan *p)
{
    free(p->updates);
    buf_free(&p->keys);
    buf_free(&p->exemplars);
    buf_free(&p->values);
    *p = (struct plan){0};
}
