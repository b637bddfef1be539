// SPDX-License-Identifier: Apache-2.0
#include "catalog/loader.h"

// What reading the updates of one event needs at hand.
struct scene {
    struct loader *l;
    struct event *ev;
    unsigned used; // bit i: some update or `when` uses the event's label i
};

static int find_label(const struct event *ev, const char *name)
{
    for (size_t i = 0; i < ev->n_labels; i++) {
        if (strcmp(ev->labels[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

// One value of a condition, as it reads after aliases.
static void read_condition_value(struct loader *l, const struct at *at, const struct yaml_node *n,
                                 const struct label_def *def, struct condition *ret)
{
    if (!check_value(l, at, n)) {
        return;
    }
    size_t len;
    const char *value = label_resolve(def, n->text, strlen(n->text), &len);
    if (value == NULL) {
        char near[HINT_MAX];
        problem(l, at, n, "\"%s\" is not among the values of label \"%.64s\"%s", n->text, def->name,
                hint(l, near, n->text, (const char *const *)def->values, def->n_values));
        return;
    }
    ret->values[ret->n_values] = loader_strdup(l, value);
    ret->n_values += ret->values[ret->n_values] != NULL;
}

static void read_condition(struct scene *s, const struct at *at, const struct yaml_node *when,
                           size_t i, struct condition *ret)
{
    struct loader *l = s->l;
    const struct yaml_node *n = when->items[i];
    int label = find_label(s->ev, when->keys[i]->text);
    if (label < 0) {
        problem(l, at, when->keys[i], "the event has no label \"%.64s\"", when->keys[i]->text);
        return;
    }
    s->used |= 1u << label;
    ret->label = (unsigned)label;
    const struct label_def *def = s->ev->labels[label].def;
    bool list = n->kind == YAML_SEQUENCE_KIND;
    if (list && (n->n == 0 || n->n > CATALOG_MAX_VALUES)) {
        problem(l, at, n, "needs from 1 to %d values", CATALOG_MAX_VALUES);
        return;
    }
    ret->values = loader_alloc(l, list ? n->n : 1, sizeof *ret->values);
    if (!list && !l->oom) {
        read_condition_value(l, at, n, def, ret);
    }
    for (size_t k = 0; list && k < n->n && !l->oom; k++) {
        struct at here = at_item(at, k);
        read_condition_value(l, &here, n->items[k], def, ret);
    }
}

static void read_when(struct scene *s, const struct at *at, const struct yaml_node *m,
                      struct update *u)
{
    const struct yaml_node *when = yaml_get(m, "when");
    struct at here = at_key(at, "when");
    if (when == NULL || !want_mapping(s->l, &here, when)) {
        return;
    }
    if (when->n == 0 || when->n > CATALOG_MAX_LABELS) {
        problem(s->l, &here, when, "needs from 1 to %d labels", CATALOG_MAX_LABELS);
        return;
    }
    u->conditions = loader_alloc(s->l, when->n, sizeof *u->conditions);
    for (size_t i = 0; i < when->n && !s->l->oom; i++) {
        struct at label = at_key(&here, when->keys[i]->text);
        read_condition(s, &label, when, i, &u->conditions[u->n_conditions++]);
    }
}

// Leads each label of the metric to the event's label of that name.
static void map_labels(struct scene *s, const struct at *at, const struct yaml_node *n,
                       const struct metric *metric, struct update *u)
{
    for (size_t i = 0; i < metric->n_labels; i++) {
        const struct label *want = &metric->labels[i];
        int label = find_label(s->ev, want->name);
        if (label < 0) {
            problem(s->l, at, n, "the event has no label \"%.64s\", which \"%.64s\" needs",
                    want->name, metric->name);
            continue;
        }
        s->used |= 1u << label;
        u->map[i] = (unsigned char)label;
    }
}

static void check_op(struct scene *s, const struct at *at, const struct yaml_node *n,
                     enum update_op op, const struct metric *metric)
{
    const char *type = metric_type_name(metric->type);
    if (op == UPDATE_ADD && metric->type == METRIC_HISTOGRAM) {
        problem(s->l, at, n, "add is for counters and gauges; \"%.64s\" is a %s", metric->name,
                type);
    } else if (op == UPDATE_SET && metric->type != METRIC_GAUGE) {
        problem(s->l, at, n, "set is for gauges; \"%.64s\" is a %s", metric->name, type);
    } else if (op == UPDATE_OBSERVE && metric->type != METRIC_HISTOGRAM) {
        problem(s->l, at, n, "observe is for histograms; \"%.64s\" is a %s", metric->name, type);
    }
    if (op != UPDATE_ADD && s->ev->value == EVENT_VALUE_NONE) {
        problem(s->l, at, n, "needs a value, and the event has none");
    } else if (op == UPDATE_SET && s->ev->value == EVENT_VALUE_OPTIONAL) {
        problem(s->l, at, n, "set needs a value, and the event's is optional");
    }
}

static void read_by(struct scene *s, const struct at *at, const struct yaml_node *m,
                    const struct metric *metric, struct update *u)
{
    const struct yaml_node *n = yaml_get(m, "by");
    struct at here = at_key(at, "by");
    u->by = u->op == UPDATE_ADD ? 1 : 0;
    if (n == NULL) {
        return;
    }
    if (u->op != UPDATE_ADD) {
        problem(s->l, &here, n, "only add takes it");
    } else if (read_number(s->l, &here, n, &u->by) && metric != NULL &&
               metric->type == METRIC_COUNTER && u->by < 0) {
        problem(s->l, &here, n, "a counter never goes down");
    }
}

// Finds the metric that an update names. Returns NULL when there is none, or none to check against.
static const struct metric *find_metric(struct scene *s, const struct at *at,
                                        const struct yaml_node *n, struct update *u)
{
    struct section *metrics = &s->l->sections[SECTION_METRICS];
    if (!want_scalar(s->l, at, n)) {
        return NULL;
    }
    long found = names_find(&metrics->names, n->text, strlen(n->text));
    if (found < 0) {
        char near[HINT_MAX];
        problem(s->l, at, n, "unknown metric \"%.64s\"%s", n->text,
                hint_entry(s->l, near, n->text, metrics));
        return NULL;
    }
    u->metric = (unsigned)found;
    return metrics->entries[found].broken ? NULL : &s->l->c->metrics[found];
}

static void read_update(struct scene *s, const struct at *at, const struct yaml_node *m,
                        struct update *u)
{
    static const char *const known[] = {"add", "set", "observe", "by", "when"};
    static const enum update_op ops[] = {UPDATE_ADD, UPDATE_SET, UPDATE_OBSERVE};
    if (!want_mapping(s->l, at, m)) {
        s->used = ~0u;
        return;
    }
    check_keys(s->l, at, m, known, sizeof known / sizeof known[0]);
    const struct yaml_node *target = NULL;
    size_t n = 0;
    struct at here = *at;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const struct yaml_node *found = yaml_get(m, known[i]);
        if (found != NULL) {
            n++;
            target = found;
            u->op = ops[i];
            here = at_key(at, known[i]);
        }
    }
    const struct metric *metric = NULL;
    if (n != 1) {
        problem(s->l, at, m, "needs exactly one of add, set and observe");
    } else {
        metric = find_metric(s, &here, target, u);
    }
    if (metric != NULL) {
        check_op(s, &here, target, u->op, metric);
        map_labels(s, &here, target, metric, u);
    } else {
        // Which labels it would use is not known, so none is called unused.
        s->used = ~0u;
    }
    read_by(s, at, m, metric, u);
    read_when(s, at, m, u);
}

void read_updates(struct loader *l, const struct at *at, const struct yaml_node *m,
                  struct event *ev)
{
    const struct yaml_node *list = yaml_get(m, "updates");
    struct at here = at_key(at, "updates");
    if (list == NULL) {
        problem(l, &here, m, "is missing");
        return;
    }
    if (!want_sequence(l, &here, list)) {
        return;
    }
    if (list->n == 0 || list->n > CATALOG_MAX_UPDATES) {
        problem(l, &here, list, "needs from 1 to %d updates", CATALOG_MAX_UPDATES);
        return;
    }
    struct scene s = {.l = l, .ev = ev};
    ev->updates = loader_alloc(l, list->n, sizeof *ev->updates);
    for (size_t i = 0; i < list->n && !l->oom; i++) {
        struct at item = at_item(&here, i);
        read_update(&s, &item, list->items[i], &ev->updates[i]);
        ev->n_updates++;
    }
    const struct yaml_node *labels = yaml_get(m, "labels");
    for (size_t i = 0; i < ev->n_labels; i++) {
        if ((s.used >> i & 1) == 0) {
            struct at list_at = at_key(at, "labels");
            struct at label = at_item(&list_at, i);
            problem(l, &label, labels->items[i], "label \"%.64s\" is used by no update",
                    ev->labels[i].name);
        }
    }
}
