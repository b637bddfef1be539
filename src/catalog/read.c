// SPDX-License-Identifier: Apache-2.0
#include "catalog/read.h"

#include "base/text.h"

static bool has_value(const struct label_def *def, const char *value)
{
    for (size_t i = 0; i < def->n_values; i++) {
        if (strcmp(def->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

static void read_values(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *list, struct label_def *def)
{
    if (!draft_check_number(r, place, list->n, list->items, CATALOG_MAX_VALUES, "values")) {
        return;
    }
    def->values = draft_alloc(r, list->n, sizeof *def->values);
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        const struct yaml_node *n = list->items[i];
        struct yaml_place here = yaml_place_item(place, i);
        if (!draft_check_value(r, &here, n)) {
            continue;
        }
        if (has_value(def, n->text)) {
            yaml_problem(r, &here, n, "duplicate value \"%s\"", n->text);
            continue;
        }
        def->values[def->n_values] = draft_text(r, n->text);
        def->n_values += def->values[def->n_values] != NULL;
    }
}

static void check_alias(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *mapping, size_t i, const struct label_def *def)
{
    const char *alias = mapping->keys[i]->text;
    const struct yaml_node *to = mapping->items[i];
    char near[TEXT_HINT];
    if (has_value(def, alias)) {
        yaml_problem(r, place, mapping->keys[i], "an alias cannot be one of the values");
    } else if (!has_value(def, to->text) && yaml_get(mapping, to->text) != NULL) {
        yaml_problem(r, place, to, "stands for another alias, \"%s\"; it must stand for a value",
                     to->text);
    } else if (!has_value(def, to->text)) {
        yaml_problem(r, place, to, "stands for \"%s\", which is not among the values%s", to->text,
                     yaml_hint(r, near, to->text, (const char *const *)def->values, def->n_values));
    }
}

static void read_aliases(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *mapping, struct label_def *def)
{
    if (!draft_check_number(r, place, mapping->n, mapping->keys, CATALOG_MAX_VALUES, "aliases")) {
        return;
    }
    if (mapping->n > 0 && def->n_values == 0) {
        yaml_problem(r, place, mapping, "aliases need values to stand for");
        return;
    }
    def->aliases = draft_alloc(r, mapping->n, sizeof *def->aliases);
    for (size_t i = 0; i < mapping->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_key(place, mapping->keys[i]->text);
        if (!draft_check_value(r, &here, mapping->keys[i]) ||
            !draft_check_value(r, &here, mapping->items[i])) {
            continue;
        }
        check_alias(r, &here, mapping, i, def);
        struct label_alias *a = &def->aliases[def->n_aliases];
        a->alias = draft_text(r, mapping->keys[i]->text);
        a->value = draft_text(r, mapping->items[i]->text);
        def->n_aliases += a->alias != NULL && a->value != NULL;
    }
}

// What takes the place of other values: of a closed label one of those that it lists.
static void read_substitute(struct yaml_reader *r, const struct yaml_place *up, const char *key,
                            const struct yaml_node *n, const struct label_def *def, char **ret)
{
    struct yaml_place place = yaml_place_key(up, key);
    char near[TEXT_HINT];
    if (n == NULL || !draft_check_value(r, &place, n)) {
        return;
    }
    if (def->closed && !has_value(def, n->text)) {
        yaml_problem(r, &place, n, "\"%s\" is not among the values%s", n->text,
                     yaml_hint(r, near, n->text, (const char *const *)def->values, def->n_values));
    }
    *ret = draft_text(r, n->text);
}

struct def_draft {
    struct label_def def;
    const struct yaml_node *values;
    const struct yaml_node *aliases;
    const struct yaml_node *otherwise;
    const struct yaml_node *empty;
};

void read_label_def(struct yaml_reader *r, const struct yaml_place *place,
                    const struct section_entry *e, size_t i)
{
    static const struct yaml_key keys[] = {
        {"help", .type = YAML_TEXT, .read = draft_read_help,
         .offset = offsetof(struct def_draft, def.help)},
        {"values", .type = YAML_LIST, .offset = offsetof(struct def_draft, values)},
        {"closed", .type = YAML_BOOL, .offset = offsetof(struct def_draft, def.closed)},
        {"aliases", .type = YAML_MAPPING, .offset = offsetof(struct def_draft, aliases)},
        {"otherwise", .type = YAML_ANY, .offset = offsetof(struct def_draft, otherwise)},
        {"empty", .type = YAML_ANY, .offset = offsetof(struct def_draft, empty)},
        {"replace", .type = YAML_KNOWN},
    };
    struct def_draft d = {.def = {.name = draft_text(r, e->name), .help = draft_text(r, "")}};
    struct yaml_place values = yaml_place_key(place, "values");
    struct yaml_place closed = yaml_place_key(place, "closed");
    struct yaml_place aliases = yaml_place_key(place, "aliases");
    struct yaml_place otherwise = yaml_place_key(place, "otherwise");
    if (!text_is_label_name(e->name)) {
        yaml_problem(r, place, e->name_node, "a label's name must match [a-zA-Z_][a-zA-Z0-9_]*");
    }
    yaml_read_keys(r, place, e->node, YAML_KEYS(keys), &d);
    size_t before = r->problems;
    if (d.values != NULL) {
        read_values(r, &values, d.values, &d.def);
    }
    // What depends on values that were not understood would only repeat the problem.
    bool values_read =
        r->problems == before && (d.values != NULL) == (yaml_get(e->node, "values") != NULL);
    if (d.def.closed && values_read && d.def.n_values == 0) {
        yaml_problem(r, &closed, yaml_get(e->node, "closed"), "a closed label needs values");
    }
    if (d.aliases != NULL && values_read && !r->oom) {
        read_aliases(r, &aliases, d.aliases, &d.def);
    }
    if (values_read) {
        read_substitute(r, place, "otherwise", d.otherwise, &d.def, &d.def.otherwise);
        read_substitute(r, place, "empty", d.empty, &d.def, &d.def.empty);
    }
    if (d.otherwise != NULL && !d.def.closed) {
        yaml_problem(r, &otherwise, d.otherwise, "only a closed label rejects values");
    }
    draft_catalog(r)->defs[i] = d.def;
}

static void find_implied_of(struct draft *d, const struct section *s)
{
    const struct section *written = &d->sections[SECTION_LABELS];
    for (size_t i = 0; i < s->n && !d->reader.oom; i++) {
        const struct yaml_node *list = yaml_get(s->entries[i].node, "labels");
        for (size_t k = 0; list != NULL && list->kind == YAML_SEQUENCE_KIND && k < list->n; k++) {
            const char *name = list->items[k]->text;
            if (list->items[k]->kind != YAML_SCALAR_NODE_KIND || !text_is_label_name(name) ||
                draft_section_find(written, name) >= 0 ||
                catalog_names_find(&d->implied, name, strlen(name)) >= 0) {
                continue;
            }
            if (catalog_names_add(&d->implied, name, written->n + d->implied.n) < 0) {
                d->reader.oom = true;
                return;
            }
        }
    }
}

void read_labels_find_implied(struct draft *d)
{
    find_implied_of(d, &d->sections[SECTION_METRICS]);
    find_implied_of(d, &d->sections[SECTION_EVENTS]);
}

void read_labels_add_implied(struct draft *d)
{
    for (size_t i = 0; i < d->implied.cap && !d->reader.oom; i++) {
        const struct names_slot *slot = &d->implied.slots[i];
        if (slot->name != NULL) {
            d->catalog->defs[slot->position] =
                (struct label_def){.name = draft_text(&d->reader, slot->name),
                                   .help = draft_text(&d->reader, ""),
                                   .implied = true};
        }
    }
}

static void check_label_name(struct yaml_reader *r, const struct yaml_place *place,
                             const struct yaml_node *n, bool reject_le)
{
    const char *name = n->text;
    if (!text_is_label_name(name)) {
        yaml_problem(r, place, n, "label name \"%.64s\" must match [a-zA-Z_][a-zA-Z0-9_]*", name);
    } else if (strncmp(name, "__", 2) == 0) {
        yaml_problem(r, place, n, "label names that start with \"__\" are reserved");
    } else if (strcmp(name, "quantile") == 0 || (reject_le && strcmp(name, "le") == 0)) {
        yaml_problem(r, place, n, "label name \"%s\" is reserved", name);
    }
}

// Finds the definition that an entry of `labels` is bound to: that of its name, or the one it names.
static const struct label_def *find_def(struct yaml_reader *r, const struct yaml_place *place,
                                        const struct yaml_node *item)
{
    const struct draft *d = r->context;
    const struct section *s = draft_section(r, SECTION_LABELS);
    const struct yaml_node *n = item->kind == YAML_SCALAR_NODE_KIND ? item : item->items[0];
    if (!yaml_check_text(r, place, n)) {
        return NULL;
    }
    long found = draft_section_find(s, n->text);
    if (found < 0 && n == item) {
        found = catalog_names_find(&d->implied, n->text, strlen(n->text));
    }
    if (found < 0 && n != item) {
        char near[TEXT_HINT];
        yaml_problem(r, place, n, "unknown label definition \"%.64s\"%s", n->text,
                     draft_section_hint(s, r, near, n->text));
    }
    return found >= 0 ? &d->catalog->defs[found] : NULL;
}

static bool read_label(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *item, bool reject_le, const struct label *previous,
                       size_t n_previous, struct label *ret)
{
    if (item->kind == YAML_SEQUENCE_KIND || (item->kind == YAML_MAPPING_KIND && item->n != 1)) {
        yaml_problem(r, place, item, "must be a label's name, or {name: definition}");
        return false;
    }
    const struct yaml_node *name = item->kind == YAML_SCALAR_NODE_KIND ? item : item->keys[0];
    size_t before = r->problems;
    check_label_name(r, place, name, reject_le);
    for (size_t i = 0; i < n_previous; i++) {
        if (strcmp(previous[i].name, name->text) == 0) {
            yaml_problem(r, place, name, "duplicate label \"%.64s\"", name->text);
        }
    }
    ret->name = draft_text(r, name->text);
    ret->name_len = strlen(name->text);
    ret->opening = draft_alloc(r, ret->name_len + CATALOG_OPENING, 1);
    ret->def = find_def(r, place, item);
    if (r->problems > before || r->oom || ret->def == NULL) {
        return false;
    }
    memcpy(ret->opening, ret->name, ret->name_len);
    memcpy(ret->opening + ret->name_len, "=\"", sizeof "=\"");
    return true;
}

void read_labels_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct label_def *def, char **ret,
                       size_t *ret_n)
{
    size_t len;
    if (!draft_check_value(r, place, n)) {
        return;
    }
    const char *value = catalog_find_value(def, n->text, strlen(n->text), &len);
    if (value == NULL) {
        char near[TEXT_HINT];
        yaml_problem(r, place, n, "\"%s\" is not among the values of label \"%.64s\"%s", n->text,
                     def->name,
                     yaml_hint(r, near, n->text, (const char *const *)def->values, def->n_values));
        return;
    }
    ret[*ret_n] = draft_text(r, value);
    *ret_n += ret[*ret_n] != NULL;
}

// Whether the label is declared, or ignored already.
static bool is_taken(const struct label *labels, size_t n, char *const *ignored, size_t n_ignored,
                     const char *name)
{
    bool taken = false;
    for (size_t i = 0; i < n; i++) {
        taken |= strcmp(labels[i].name, name) == 0;
    }
    for (size_t i = 0; i < n_ignored; i++) {
        taken |= strcmp(ignored[i], name) == 0;
    }
    return taken;
}

void read_ignored_labels(struct yaml_reader *r, const struct yaml_place *up,
                         const struct yaml_node *list, const struct label *labels, size_t n_labels,
                         char ***ret, size_t *ret_n)
{
    struct yaml_place place = yaml_place_key(up, "ignored_labels");
    if (list == NULL ||
        !draft_check_number(r, &place, list->n, list->items, CATALOG_MAX_LABELS, "labels")) {
        return;
    }
    char **ignored = draft_alloc(r, list->n, sizeof *ignored);
    size_t n = 0;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_item(&place, i);
        const struct yaml_node *item = list->items[i];
        if (!yaml_check_text(r, &here, item)) {
            continue;
        }
        check_label_name(r, &here, item, false);
        if (is_taken(labels, n_labels, ignored, n, item->text)) {
            yaml_problem(r, &here, item, "duplicate label \"%.64s\"", item->text);
        }
        ignored[n] = draft_text(r, item->text);
        n += ignored[n] != NULL;
    }
    *ret = ignored;
    *ret_n = n;
}

void read_labels(struct yaml_reader *r, const struct yaml_place *up, const struct yaml_node *list,
                 bool reject_le, struct label **ret, size_t *ret_n)
{
    struct yaml_place place = yaml_place_key(up, "labels");
    if (list == NULL ||
        !draft_check_number(r, &place, list->n, list->items, CATALOG_MAX_LABELS, "labels")) {
        return;
    }
    struct label *labels = draft_alloc(r, list->n, sizeof *labels);
    size_t n = 0;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place item = yaml_place_item(&place, i);
        n += read_label(r, &item, list->items[i], reject_le, labels, n, &labels[n]);
    }
    *ret = labels;
    *ret_n = n;
}

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
    const char *type = catalog_type_names[metric->type];
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
        char near[TEXT_HINT];
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

// ---- Native histograms

static void read_factor(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n, void *field)
{
    double factor;
    if (!yaml_number(r, place, n, &factor)) {
        return;
    }
    if (!(factor > 1)) {
        yaml_problem(r, place, n, "must be above 1, since buckets grow by it");
        return;
    }
    *(double *)field = factor;
}

void read_native(struct yaml_reader *r, const struct yaml_place *up, const struct yaml_node *n,
                 struct metric *m)
{
    static const char *const words[] = {"false", "true"};
    static const struct yaml_key keys[] = {
        {"factor", .type = YAML_ANY, .read = read_factor,
         .offset = offsetof(struct metric_native, factor)},
        {"max_buckets", .type = YAML_COUNT, .min = 1, .max = CATALOG_MAX_NATIVE_BUCKETS,
         .offset = offsetof(struct metric_native, max_buckets)},
        {"classic", .type = YAML_BOOL, .offset = offsetof(struct metric_native, classic)},
    };
    struct yaml_place place = yaml_place_key(up, "native");
    if (m->type != METRIC_HISTOGRAM) {
        if (n != NULL) {
            yaml_problem(r, &place, n, "only a histogram has a native form");
        }
        return;
    }
    struct metric_native *native = &m->native;
    *native = (struct metric_native){
        .factor = CATALOG_NATIVE_FACTOR, .max_buckets = CATALOG_NATIVE_BUCKETS, .classic = true};
    if (n == NULL) {
        return;
    }
    native->wanted = METRIC_NATIVE_ON;
    if (n->kind == YAML_MAPPING_KIND) {
        yaml_read_keys(r, &place, n, YAML_KEYS(keys), native);
    } else if (yaml_word(r, &place, n, words, sizeof words / sizeof words[0]) == 0) {
        native->wanted = METRIC_NATIVE_OFF;
    }
}
