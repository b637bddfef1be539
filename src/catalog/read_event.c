// SPDX-License-Identifier: Apache-2.0
#include "catalog/loader.h"

static bool is_event_name(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s) && s[0] != '\0' &&
           (s[0] < '0' || s[0] > '9');
}

static void read_value_unit(struct loader *l, const struct at *at, const struct yaml_node *n,
                            struct event *ev)
{
    if (!want_scalar(l, at, n)) {
        return;
    }
    if (!is_event_name(n->text)) {
        problem(l, at, n, "a unit must match [a-z_][a-z0-9_]*, as in \"seconds\"");
        return;
    }
    ev->unit = loader_strdup(l, n->text);
}

// `value: seconds`, or `value: {unit: seconds, optional: true}`.
static void read_value(struct loader *l, const struct at *at, const struct yaml_node *m,
                       struct event *ev)
{
    static const char *const known[] = {"unit", "optional"};
    const struct yaml_node *n = yaml_get(m, "value");
    struct at here = at_key(at, "value");
    if (n == NULL) {
        return;
    }
    ev->value = EVENT_VALUE_REQUIRED;
    if (n->kind != YAML_MAPPING_KIND) {
        read_value_unit(l, &here, n, ev);
        return;
    }
    check_keys(l, &here, n, known, sizeof known / sizeof known[0]);
    struct at unit = at_key(&here, "unit");
    if (yaml_get(n, "unit") == NULL) {
        problem(l, &unit, n, "is missing");
    } else {
        read_value_unit(l, &unit, yaml_get(n, "unit"), ev);
    }
    bool optional = false;
    read_bool(l, &here, n, "optional", &optional);
    if (optional) {
        ev->value = EVENT_VALUE_OPTIONAL;
    }
}

static void read_entry(struct loader *l, const struct section *s, const struct entry *e,
                       struct event *ev)
{
    static const char *const known[] = {"name", "help", "labels", "value", "updates", "replace"};
    const struct yaml_node *m = e->node;
    struct at section;
    struct at at = at_entry(s, e, &section);
    check_keys(l, &at, m, known, sizeof known / sizeof known[0]);
    if (!is_event_name(e->name)) {
        struct at here = at_key(&at, "name");
        problem(l, &here, e->name_node, "event name \"%.64s\" must match [a-z_][a-z0-9_]*",
                e->name);
    }
    ev->name = loader_strdup(l, e->name);
    ev->help = loader_strdup(l, "");
    ev->unit = loader_strdup(l, "");
    read_help(l, &at, m, &ev->help);
    read_value(l, &at, m, ev);
    size_t before = l->problems;
    read_labels(l, &at, m, false, &ev->labels, &ev->n_labels);
    // Without all labels every update would seem to lack one.
    if (l->problems == before && !l->oom) {
        read_updates(l, &at, m, ev);
    }
}

void read_events(struct loader *l)
{
    struct section *s = &l->sections[SECTION_EVENTS];
    size_t n = s->n < CATALOG_MAX_EVENTS ? s->n : CATALOG_MAX_EVENTS;
    l->c->events = loader_alloc(l, n, sizeof *l->c->events);
    for (size_t i = 0; i < n && !l->oom; i++) {
        read_entry(l, s, &s->entries[i], &l->c->events[i]);
    }
    if (s->n > n && !l->oom) {
        struct at section;
        struct at at = at_entry(s, &s->entries[n], &section);
        problem(l, &at, s->entries[n].node, "more than %d events", CATALOG_MAX_EVENTS);
    }
    l->c->n_events = n;
}
