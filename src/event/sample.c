// SPDX-License-Identifier: Apache-2.0
#include "event/line.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

// One element taken apart.
struct sample {
    json_t *labels;
    json_t *value;
    json_t *op;
    json_t *exemplar;
    const struct metric *metric; // one of these two
    const struct event *event;
    enum update_op metric_op;
    struct labels set;
    bool matched[CATALOG_MAX_UPDATES]; // the event's updates whose conditions hold
    double number;                     // the value
    bool has_number;
    int index; // of the batch's element, or -1
};

static enum reject read_fields(json_t *element, json_t **metric, json_t **event, struct sample *s,
                               struct event_verdict *v)
{
    for (void *i = json_object_iter(element); i != NULL; i = json_object_iter_next(element, i)) {
        const char *key = json_object_iter_key(i);
        size_t len = json_object_iter_key_len(i);
        json_t **at = json_key_is(key, len, "metric")     ? metric
                      : json_key_is(key, len, "event")    ? event
                      : json_key_is(key, len, "labels")   ? &s->labels
                      : json_key_is(key, len, "value")    ? &s->value
                      : json_key_is(key, len, "op")       ? &s->op
                      : json_key_is(key, len, "exemplar") ? &s->exemplar
                                                          : NULL;
        if (at == NULL) {
            return line_refuse(v, REJECT_unknown_field, "unknown key \"%.64s\"", key);
        }
        *at = json_object_iter_value(i);
    }
    if ((*metric == NULL) == (*event == NULL)) {
        return line_refuse(v, REJECT_unknown_field, "exactly one of metric and event is wanted");
    }
    return REJECT_NONE;
}

static enum reject find_target(const struct catalog *c, json_t *metric, json_t *event,
                               struct sample *s, struct event_verdict *v)
{
    json_t *name = metric != NULL ? metric : event;
    enum reject reason = metric != NULL ? REJECT_unknown_metric : REJECT_unknown_event;
    if (!json_is_string(name)) {
        return line_refuse(v, reason, "the name is no string");
    }
    const char *text = json_string_value(name);
    size_t len = json_string_length(name);
    int at = metric != NULL ? catalog_find_metric(c, text, len) : catalog_find_event(c, text, len);
    if (at < 0) {
        return line_refuse(v, reason, "the catalogue has no %s \"%.80s\"",
                           metric != NULL ? "metric" : "event", text);
    }
    if (metric != NULL) {
        s->metric = &c->metrics[at];
        labels_begin(&s->set, s->metric->labels, s->metric->n_labels);
    } else {
        s->event = &c->events[at];
        labels_begin(&s->set, s->event->labels, s->event->n_labels);
    }
    len = len < sizeof v->name ? len : sizeof v->name - 1;
    memcpy(v->name, text, len);
    v->name[len] = '\0';
    return REJECT_NONE;
}

static enum reject check_op(struct sample *s, struct event_verdict *v)
{
    static const enum update_op usual[] = {[METRIC_COUNTER] = UPDATE_ADD,
                                           [METRIC_GAUGE] = UPDATE_SET,
                                           [METRIC_HISTOGRAM] = UPDATE_OBSERVE};
    static const char *const names[] = {
        [UPDATE_ADD] = "add", [UPDATE_SET] = "set", [UPDATE_OBSERVE] = "observe"};
    if (s->op == NULL) {
        s->metric_op = s->metric != NULL ? usual[s->metric->type] : UPDATE_ADD;
        return REJECT_NONE;
    }
    if (s->event != NULL) {
        return line_refuse(v, REJECT_bad_op, "an event has no op");
    }
    const char *text = json_string_value(s->op);
    size_t len = json_string_length(s->op);
    for (int op = UPDATE_ADD; text != NULL && op <= UPDATE_OBSERVE; op++) {
        if (len == strlen(names[op]) && memcmp(text, names[op], len) == 0 &&
            (usual[s->metric->type] == (enum update_op)op ||
             (s->metric->type == METRIC_GAUGE && op == UPDATE_ADD))) {
            s->metric_op = (enum update_op)op;
            return REJECT_NONE;
        }
    }
    return line_refuse(v, REJECT_bad_op, "op \"%.16s\" does not fit a %s", text != NULL ? text : "",
                       metric_type_name(s->metric->type));
}

static bool condition_holds(const struct condition *c, const struct labels *set)
{
    if (set->is[c->label] != LABEL_TEXT) {
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
static void mark_wanted(const struct catalog *c, struct sample *s)
{
    if (s->metric != NULL) {
        for (size_t i = 0; i < s->set.n; i++) {
            s->set.wanted[i] = true;
        }
        return;
    }
    for (size_t u = 0; u < s->event->n_updates; u++) {
        const struct update *up = &s->event->updates[u];
        s->matched[u] = true;
        for (size_t k = 0; k < up->n_conditions; k++) {
            s->set.wanted[up->conditions[k].label] = true;
            s->matched[u] &= condition_holds(&up->conditions[k], &s->set);
        }
        for (size_t i = 0; s->matched[u] && i < c->metrics[up->metric].n_labels; i++) {
            s->set.wanted[up->map[i]] = true;
        }
    }
}

static enum reject not_allowed(const struct label *l, struct slice value, struct event_verdict *v)
{
    return line_refuse(v, REJECT_label_value_not_allowed, "label \"%s\" does not know \"%.*s\"",
                       l->name, (int)(value.len > 64 ? 64 : value.len), value.p);
}

// The value of a label of the update's metric. What the event's label has let through is not looked up once more in the
// same definition.
static struct slice value_for(const struct sample *s, const struct update *up,
                              const struct metric *m, size_t label)
{
    struct slice value = s->set.values[up->map[label]];
    const struct label_def *def = m->labels[label].def;
    return def == s->set.declared[up->map[label]].def ? value : labels_value(def, value);
}

static enum reject check_allowed(const struct catalog *c, struct sample *s, struct event_verdict *v)
{
    for (size_t i = 0; i < s->set.n; i++) {
        if (s->set.wanted[i]) {
            struct slice value = labels_value(s->set.declared[i].def, s->set.values[i]);
            if (value.p == NULL) {
                return not_allowed(&s->set.declared[i], s->set.values[i], v);
            }
            s->set.values[i] = value;
        }
    }
    for (size_t u = 0; s->event != NULL && u < s->event->n_updates; u++) {
        const struct update *up = &s->event->updates[u];
        const struct metric *m = &c->metrics[up->metric];
        for (size_t i = 0; s->matched[u] && i < m->n_labels; i++) {
            if (value_for(s, up, m, i).p == NULL) {
                return not_allowed(&m->labels[i], s->set.values[up->map[i]], v);
            }
        }
    }
    return REJECT_NONE;
}

static enum reject check_value(struct sample *s, struct event_verdict *v)
{
    const struct event *event = s->event; // NULL: a metric's sample
    bool required =
        event == NULL ? s->metric->type != METRIC_COUNTER : event->value == EVENT_VALUE_REQUIRED;
    if (s->value == NULL) {
        return required ? line_refuse(v, REJECT_missing_value, "a value is wanted") : REJECT_NONE;
    }
    if (event != NULL && event->value == EVENT_VALUE_NONE) {
        return line_refuse(v, REJECT_bad_value, "this event takes no value");
    }
    if (!json_is_number(s->value)) {
        return line_refuse(v, REJECT_bad_value, "the value is no finite number");
    }
    s->number = json_number_value(s->value);
    s->has_number = true;
    if (event == NULL && s->metric->type == METRIC_COUNTER && s->number < 0) {
        return line_refuse(v, REJECT_negative_counter, "a counter cannot go down");
    }
    return REJECT_NONE;
}

static enum reject plan_metric(struct event_reader *r, const struct sample *s,
                               struct event_verdict *v)
{
    const struct family *f = &r->schema->families[s->metric - r->schema->catalog->metrics];
    struct plan_update update = {f, s->metric_op, s->has_number ? s->number : 1, s->index,
                                 s->exemplar};
    return plan_add(r, &update, s->set.values, v);
}

static enum reject plan_event(struct event_reader *r, const struct sample *s,
                              struct event_verdict *v)
{
    for (size_t u = 0; u < s->event->n_updates; u++) {
        const struct update *up = &s->event->updates[u];
        if (!s->matched[u] || (up->op == UPDATE_OBSERVE && !s->has_number)) {
            continue;
        }
        const struct family *f = &r->schema->families[up->metric];
        struct slice values[CATALOG_MAX_LABELS];
        for (size_t i = 0; i < f->metric->n_labels; i++) {
            values[i] = value_for(s, up, f->metric, i);
        }
        double value = up->op == UPDATE_ADD ? up->by : s->number;
        struct plan_update update = {f, up->op, value, s->index, s->exemplar};
        enum reject reason = plan_add(r, &update, values, v);
        if (reason != REJECT_NONE) {
            return reason;
        }
    }
    return REJECT_NONE;
}

// An exemplar has its place on counters and histograms.
static bool takes_exemplar(const struct event_reader *r, const struct sample *s,
                           size_t planned_from)
{
    if (s->metric != NULL) {
        return s->metric->type != METRIC_GAUGE;
    }
    for (size_t i = planned_from; i < r->n_plan; i++) {
        if (r->plan[i].family->metric->type != METRIC_GAUGE) {
            return true;
        }
    }
    return false;
}

static enum reject check_exemplar(const struct event_reader *r, const struct sample *s,
                                  size_t planned_from, struct event_verdict *v)
{
    if (s->exemplar == NULL) {
        return REJECT_NONE;
    }
    return takes_exemplar(r, s, planned_from)
               ? exemplar_check(s->exemplar, v)
               : line_refuse(v, REJECT_bad_exemplar, "a gauge has no exemplar");
}

// Whether the origin may push every update of the element.
static enum reject check_permit(const struct event_reader *r, size_t planned_from,
                                struct event_verdict *v)
{
    const struct permit *permit = r->origin->permit;
    for (size_t i = planned_from; permit != NULL && i < r->n_plan; i++) {
        const struct metric *m = r->plan[i].family->metric;
        const struct permit_label *label;
        if (permit->nothing != NULL) {
            return line_refuse(v, REJECT_not_permitted, "%s", permit->nothing);
        }
        if (!permit_metric(permit, (size_t)(m - r->schema->catalog->metrics))) {
            return line_refuse(v, REJECT_not_permitted, "%s may not push %s", permit->name,
                               m->name);
        }
        if ((label = permit_misfit(permit, m, planned_key(r, &r->plan[i]))) != NULL) {
            return line_refuse(v, REJECT_not_permitted, "%s may push %s with %s=\"%.64s\" only",
                               permit->name, m->name, label->name, label->value);
        }
    }
    return REJECT_NONE;
}

enum reject sample_plan(struct event_reader *r, json_t *element, int index, struct event_verdict *v)
{
    struct sample s; // most of it is set once it is known how much there is
    s.labels = s.value = s.op = s.exemplar = NULL;
    s.metric = NULL;
    s.event = NULL;
    s.number = 0;
    s.has_number = false;
    s.index = index;
    json_t *metric = NULL;
    json_t *event = NULL;
    const struct catalog *c = r->schema->catalog;
    size_t planned_from = r->n_plan;
    enum reject reason;
    v->name[0] = '\0'; // that of the element before
    if ((reason = read_fields(element, &metric, &event, &s, v)) != REJECT_NONE ||
        (reason = find_target(c, metric, event, &s, v)) != REJECT_NONE ||
        (reason = check_op(&s, v)) != REJECT_NONE) {
        return reason;
    }
    if (s.labels != NULL && !json_is_object(s.labels)) {
        return line_refuse(v, REJECT_bad_label_value, "labels is no object");
    }
    if ((reason = labels_gather(&s.set, s.labels, r->origin->defaults, v)) != REJECT_NONE) {
        return reason;
    }
    mark_wanted(c, &s);
    if ((reason = labels_check(&s.set, v)) != REJECT_NONE ||
        (reason = check_allowed(c, &s, v)) != REJECT_NONE ||
        (reason = check_value(&s, v)) != REJECT_NONE) {
        return reason;
    }
    reason = s.metric != NULL ? plan_metric(r, &s, v) : plan_event(r, &s, v);
    if (reason != REJECT_NONE || (reason = check_exemplar(r, &s, planned_from, v)) != REJECT_NONE) {
        return reason;
    }
    return check_permit(r, planned_from, v);
}
