// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"
#include "catalog/catalog.h"

// Text of a table's cell: what Markdown would take for a mark is escaped.
static void text(struct buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (strchr("\\`*_[]<>|", *s) != NULL) {
            buf_char(out, '\\');
        }
        buf_char(out, *s);
    }
}

// A name or a value as code. One with a character that ends code or a cell is shown as text.
static void code(struct buf *out, const char *s)
{
    if (strpbrk(s, "`|\\") != NULL) {
        text(out, s);
        return;
    }
    buf_char(out, '`');
    buf_str(out, s);
    buf_char(out, '`');
}

static void codes(struct buf *out, char *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        code(out, values[i]);
    }
}

static void labels(struct buf *out, const struct label *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        code(out, at[i].name);
        if (strcmp(at[i].name, at[i].def->name) != 0) {
            buf_str(out, " (");
            code(out, at[i].def->name);
            buf_char(out, ')');
        }
    }
}

static void numbers(struct buf *out, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char digits[NUM_MAX];
        buf_str(out, i > 0 ? ", " : "");
        buf_add(out, digits, num_double(digits, v[i]));
    }
}

static void metric(struct buf *out, const struct metric *m)
{
    static const char *const types[] = {"Counter", "Gauge", "Histogram"};
    buf_str(out, "| ");
    code(out, m->name);
    buf_addf(out, " | %s | ", types[m->type]);
    labels(out, m->labels, m->n_labels);
    buf_str(out, " | ");
    text(out, m->help);
    if (m->type == METRIC_HISTOGRAM) {
        buf_str(out, " Buckets: ");
        if (m->bounds_name != NULL) {
            code(out, m->bounds_name);
        } else {
            numbers(out, m->bounds, m->n_bounds);
        }
        buf_char(out, '.');
    }
    buf_str(out, " |\n");
}

// One table with the metrics of a component, or nothing when it has none.
static void component(struct buf *out, const struct catalog *c, unsigned number)
{
    bool begun = false;
    for (size_t i = 0; i < c->n_metrics; i++) {
        if (c->metrics[i].component != number) {
            continue;
        }
        if (!begun) {
            buf_str(out, "\n## Metrics of ");
            text(out, number == COMPONENT_ANY ? "any component" : c->components[number]);
            buf_str(out, "\n\n| Metric | Type | Labels | Description |\n|---|---|---|---|\n");
            begun = true;
        }
        metric(out, &c->metrics[i]);
    }
}

static void label_def(struct buf *out, const struct label_def *def)
{
    buf_str(out, "| ");
    code(out, def->name);
    buf_str(out, def->closed ? " | only | " : " | any | ");
    codes(out, def->values, def->n_values);
    buf_str(out, " | ");
    for (size_t i = 0; i < def->n_aliases; i++) {
        buf_str(out, i > 0 ? ", " : "");
        code(out, def->aliases[i].from);
        buf_str(out, " = ");
        code(out, def->aliases[i].to);
    }
    buf_str(out, " | ");
    text(out, def->help);
    buf_str(out, " |\n");
}

static void update(struct buf *out, const struct catalog *c, const struct event *ev,
                   const struct update *u)
{
    static const char *const ops[] = {"adds ", "sets ", "observes in "};
    char digits[NUM_MAX];
    buf_str(out, ops[u->op]);
    if (u->op == UPDATE_ADD) {
        buf_add(out, digits, num_double(digits, u->by));
        buf_str(out, " to ");
    }
    code(out, c->metrics[u->metric].name);
    for (size_t i = 0; i < u->n_conditions; i++) {
        buf_str(out, i == 0 ? " when " : " and ");
        code(out, ev->labels[u->conditions[i].label].name);
        buf_str(out, u->conditions[i].n_values == 1 ? " is " : " is one of ");
        codes(out, u->conditions[i].values, u->conditions[i].n_values);
    }
}

static void event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    buf_str(out, "| ");
    code(out, ev->name);
    buf_str(out, " | ");
    labels(out, ev->labels, ev->n_labels);
    buf_str(out, " | ");
    text(out, ev->unit);
    buf_str(out, ev->value == EVENT_VALUE_OPTIONAL ? ", optional | " : " | ");
    for (size_t i = 0; i < ev->n_updates; i++) {
        buf_str(out, i > 0 ? "; " : "");
        update(out, c, ev, &ev->updates[i]);
    }
    buf_str(out, " | ");
    text(out, ev->help);
    buf_str(out, " |\n");
}

void catalog_print_markdown(const struct catalog *c, struct buf *out)
{
    buf_str(out, "# Metrics\n");
    for (unsigned i = COMPONENT_MANAGER; i < c->n_components; i++) {
        component(out, c, i);
    }
    component(out, c, COMPONENT_ANY);
    for (size_t i = 0; i < c->n_defs; i++) {
        buf_str(out, i == 0 ? "\n## Labels\n\n| Label | Values | Known | Aliases | Description |\n"
                              "|---|---|---|---|---|\n"
                            : "");
        label_def(out, &c->defs[i]);
    }
    for (size_t i = 0; i < c->n_bounds; i++) {
        buf_str(out, i == 0 ? "\n## Buckets\n\n| Name | Bounds |\n|---|---|\n" : "");
        buf_str(out, "| ");
        code(out, c->bounds[i].name);
        buf_str(out, " | ");
        numbers(out, c->bounds[i].at, c->bounds[i].n);
        buf_str(out, " |\n");
    }
    for (size_t i = 0; i < c->n_events; i++) {
        buf_str(out,
                i == 0 ? "\n## Events\n\n| Event | Labels | Value | What it does | Description |\n"
                         "|---|---|---|---|---|\n"
                       : "");
        event(out, c, &c->events[i]);
    }
}
