// SPDX-License-Identifier: Apache-2.0
#include "catalog/read_events.h"

#include "catalog/read_labels.h"

// The updates of one event while they are read.
struct update_reader {
    struct yaml_reader *r;
    struct event *event;
    unsigned used; // bit i: some update or `when` uses the event's label i
};

struct update_draft {
    const struct yaml_node *targets[3]; // of enum update_op
    const struct yaml_node *by;
    const struct yaml_node *when;
};

static int find_label(const struct event *event, const char *name)
{
    for (size_t i = 0; i < event->n_labels; i++) {
        if (strcmp(event->labels[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void read_condition(struct update_reader *u, const struct yaml_place *place,
                           const struct yaml_node *when, size_t i, struct condition *ret)
{
    struct yaml_reader *r = u->r;
    const struct yaml_node *n = when->items[i];
    int label = find_label(u->event, when->keys[i]->text);
    if (label < 0) {
        yaml_problem(r, place, when->keys[i], "the event has no label \"%.64s\"",
                     when->keys[i]->text);
        return;
    }
    u->used |= 1u << label;
    ret->label = (unsigned)label;
    const struct label_def *def = u->event->labels[label].def;
    bool list = n->kind == YAML_SEQUENCE_KIND;
    if (list && (n->n == 0 || n->n > CATALOG_MAX_VALUES)) {
        yaml_problem(r, place, n, "needs from 1 to %d values", CATALOG_MAX_VALUES);
        return;
    }
    ret->values = draft_alloc(r, list ? n->n : 1, sizeof *ret->values);
    if (!list && !r->oom) {
        read_labels_value(r, place, n, def, ret->values, &ret->n_values);
    }
    for (size_t k = 0; list && k < n->n && !r->oom; k++) {
        struct yaml_place here = yaml_place_item(place, k);
        read_labels_value(r, &here, n->items[k], def, ret->values, &ret->n_values);
    }
}

static void read_when(struct update_reader *u, const struct yaml_place *up,
                      const struct yaml_node *when, struct update *ret)
{
    struct yaml_place place = yaml_place_key(up, "when");
    if (when == NULL) {
        return;
    }
    ret->conditions = draft_alloc(u->r, when->n, sizeof *ret->conditions);
    for (size_t i = 0; i < when->n && !u->r->oom; i++) {
        struct yaml_place here = yaml_place_key(&place, when->keys[i]->text);
        read_condition(u, &here, when, i, &ret->conditions[ret->n_conditions++]);
    }
}

// Leads each label of the metric to the event's label of that name.
static void map_labels(struct update_reader *u, const struct yaml_place *place,
                       const struct yaml_node *n, const struct metric *metric, struct update *ret)
{
    for (size_t i = 0; i < metric->n_labels; i++) {
        const char *name = metric->labels[i].name;
        int label = find_label(u->event, name);
        if (label < 0) {
            yaml_problem(u->r, place, n, "the event has no label \"%.64s\", which \"%.64s\" needs",
                         name, metric->name);
            continue;
        }
        u->used |= 1u << label;
        ret->map[i] = (unsigned char)label;
    }
}

static void check_op(struct update_reader *u, const struct yaml_place *place,
                     const struct yaml_node *n, enum update_op op, const struct metric *metric)
{
    const char *type = catalog_type_name(metric->type);
    if (op == UPDATE_ADD && metric->type == METRIC_HISTOGRAM) {
        yaml_problem(u->r, place, n, "add is for counters and gauges; \"%.64s\" is a %s",
                     metric->name, type);
    } else if (op == UPDATE_SET && metric->type != METRIC_GAUGE) {
        yaml_problem(u->r, place, n, "set is for gauges; \"%.64s\" is a %s", metric->name, type);
    } else if (op == UPDATE_OBSERVE && metric->type != METRIC_HISTOGRAM) {
        yaml_problem(u->r, place, n, "observe is for histograms; \"%.64s\" is a %s", metric->name,
                     type);
    }
    if (op != UPDATE_ADD && u->event->value == EVENT_VALUE_NONE) {
        yaml_problem(u->r, place, n, "needs a value, and the event has none");
    } else if (op == UPDATE_SET && u->event->value == EVENT_VALUE_OPTIONAL) {
        yaml_problem(u->r, place, n, "set needs a value, and the event's is optional");
    }
}

static void read_by(struct update_reader *u, const struct yaml_place *up, const struct yaml_node *n,
                    const struct metric *metric, struct update *ret)
{
    struct yaml_place place = yaml_place_key(up, "by");
    ret->by = ret->op == UPDATE_ADD ? 1 : 0;
    if (n == NULL) {
        return;
    }
    if (ret->op != UPDATE_ADD) {
        yaml_problem(u->r, &place, n, "only add takes `by`");
    } else if (yaml_number(u->r, &place, n, &ret->by) && metric != NULL &&
               metric->type == METRIC_COUNTER && ret->by < 0) {
        yaml_problem(u->r, &place, n, "a counter cannot decrease");
    }
}

// Finds the metric that an update names. Returns NULL when there is none, or none to check against.
static const struct metric *find_metric(struct yaml_reader *r, const struct yaml_place *place,
                                        const struct yaml_node *n, struct update *ret)
{
    struct section *metrics = draft_section(r, SECTION_METRICS);
    if (!yaml_check_text(r, place, n)) {
        return NULL;
    }
    long found = draft_section_find(metrics, n->text);
    if (found < 0) {
        char near[YAML_HINT];
        yaml_problem(r, place, n, "unknown metric \"%.64s\"%s", n->text,
                     draft_section_hint(metrics, r, near, n->text));
        return NULL;
    }
    ret->metric = (unsigned)found;
    return metrics->entries[found].broken ? NULL : &draft_catalog(r)->metrics[found];
}

static void read_update(struct update_reader *u, const struct yaml_place *place,
                        const struct yaml_node *m, struct update *ret)
{
    static const struct yaml_key keys[] = {
        {"add", .type = YAML_ANY, .offset = offsetof(struct update_draft, targets[UPDATE_ADD])},
        {"set", .type = YAML_ANY, .offset = offsetof(struct update_draft, targets[UPDATE_SET])},
        {"observe", .type = YAML_ANY,
         .offset = offsetof(struct update_draft, targets[UPDATE_OBSERVE])},
        {"by", .type = YAML_ANY, .offset = offsetof(struct update_draft, by)},
        {"when", .type = YAML_MAPPING, .min = 1, .max = CATALOG_MAX_LABELS,
         .offset = offsetof(struct update_draft, when)},
    };
    struct update_draft d = {0};
    const struct yaml_node *target = NULL;
    const struct metric *metric = NULL;
    struct yaml_place here = *place;
    size_t n = 0;
    yaml_read_keys(u->r, place, m, YAML_KEYS(keys), &d);
    for (size_t i = 0; i < sizeof d.targets / sizeof d.targets[0]; i++) {
        if (d.targets[i] != NULL) {
            n++;
            target = d.targets[i];
            ret->op = (enum update_op)i;
            here = yaml_place_key(place, keys[i].name);
        }
    }
    if (m->kind == YAML_MAPPING_KIND && n != 1) {
        yaml_problem(u->r, place, m, "needs exactly one of add, set and observe");
    } else if (n == 1) {
        metric = find_metric(u->r, &here, target, ret);
    }
    if (metric != NULL) {
        check_op(u, &here, target, ret->op, metric);
        map_labels(u, &here, target, metric, ret);
    } else {
        // Which labels it would use is not known, so none is called unused.
        u->used = ~0u;
    }
    read_by(u, place, d.by, metric, ret);
    read_when(u, place, d.when, ret);
}

static void read_updates(struct yaml_reader *r, const struct yaml_place *up,
                         const struct section_entry *e, const struct yaml_node *list,
                         struct event *event)
{
    struct yaml_place place = yaml_place_key(up, "updates");
    struct yaml_place labels = yaml_place_key(up, "labels");
    struct update_reader u = {.r = r, .event = event};
    event->updates = draft_alloc(r, list->n, sizeof *event->updates);
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place item = yaml_place_item(&place, i);
        read_update(&u, &item, list->items[i], &event->updates[i]);
        event->n_updates++;
    }
    for (size_t i = 0; i < event->n_labels; i++) {
        if ((u.used >> i & 1) == 0) {
            struct yaml_place label = yaml_place_item(&labels, i);
            yaml_problem(r, &label, yaml_get(e->node, "labels")->items[i],
                         "label \"%.64s\" is used by no update", event->labels[i].name);
        }
    }
}

struct event_draft {
    struct event event;
    bool optional;
    const struct yaml_node *labels;
    const struct yaml_node *ignored_labels;
    const struct yaml_node *updates;
};

static bool is_event_name(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s) && s[0] != '\0' &&
           (s[0] < '0' || s[0] > '9');
}

static void read_value_unit(struct yaml_reader *r, const struct yaml_place *place,
                            const struct yaml_node *n, void *field)
{
    struct event_draft *d = field;
    if (!yaml_check_text(r, place, n)) {
        return;
    }
    if (!is_event_name(n->text)) {
        yaml_problem(r, place, n, "a unit must match [a-z_][a-z0-9_]*, as in \"seconds\"");
        return;
    }
    d->event.unit = draft_text(r, n->text);
}

// `value: seconds`, or `value: {unit: seconds, optional: true}`.
static void read_event_value(struct yaml_reader *r, const struct yaml_place *place,
                             const struct yaml_node *n, void *field)
{
    static const struct yaml_key keys[] = {
        {"unit", .type = YAML_ANY, .required = true, .read = read_value_unit},
        {"optional", .type = YAML_BOOL, .offset = offsetof(struct event_draft, optional)},
    };
    struct event_draft *d = field;
    if (n->kind == YAML_MAPPING_KIND) {
        yaml_read_keys(r, place, n, YAML_KEYS(keys), d);
    } else {
        read_value_unit(r, place, n, d);
    }
    d->event.value = d->optional ? EVENT_VALUE_OPTIONAL : EVENT_VALUE_REQUIRED;
}

void read_event(struct yaml_reader *r, const struct yaml_place *place,
                const struct section_entry *e, size_t i)
{
    static const struct yaml_key keys[] = {
        {"name", .type = YAML_KNOWN},
        {"help", .type = YAML_TEXT, .read = draft_read_help,
         .offset = offsetof(struct event_draft, event.help)},
        {"value", .type = YAML_ANY, .read = read_event_value},
        {"labels", .type = YAML_LIST, .offset = offsetof(struct event_draft, labels)},
        {"ignored_labels", .type = YAML_LIST,
         .offset = offsetof(struct event_draft, ignored_labels)},
        {"updates", .type = YAML_LIST, .required = true, .min = 1, .max = CATALOG_MAX_UPDATES,
         .offset = offsetof(struct event_draft, updates)},
        {"replace", .type = YAML_KNOWN},
    };
    struct event_draft d = {.event = {.name = draft_text(r, e->name),
                                      .help = draft_text(r, ""),
                                      .unit = draft_text(r, "")}};
    struct yaml_place name = yaml_place_key(place, "name");
    yaml_read_keys(r, place, e->node, YAML_KEYS(keys), &d);
    if (!is_event_name(e->name)) {
        yaml_problem(r, &name, e->name_node, "event name \"%.64s\" must match [a-z_][a-z0-9_]*",
                     e->name);
    }
    size_t before = r->problems;
    read_labels(r, place, d.labels, false, &d.event.labels, &d.event.n_labels);
    read_ignored_labels(r, place, d.ignored_labels, d.event.labels, d.event.n_labels,
                        &d.event.ignored, &d.event.n_ignored);
    // Without all labels every update would seem to lack one.
    bool all_labels =
        r->problems == before && (d.labels != NULL) == (yaml_get(e->node, "labels") != NULL);
    if (d.updates != NULL && all_labels && !r->oom) {
        read_updates(r, place, e, d.updates, &d.event);
    }
    draft_catalog(r)->events[i] = d.event;
}
