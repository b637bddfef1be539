// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"
#include "base/text.h"
#include "catalog/catalog.h"

static void string(struct buf *out, const char *s)
{
    text_json(out, s, strlen(s));
}

static void key(struct buf *out, const char *name)
{
    buf_char(out, ',');
    string(out, name);
    buf_char(out, ':');
}

static void strings(struct buf *out, char *const *values, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? "," : "");
        string(out, values[i]);
    }
    buf_char(out, ']');
}

static void number(struct buf *out, double v)
{
    char digits[NUM_MAX];
    buf_add(out, digits, num_double(digits, v));
}

static void numbers(struct buf *out, const double *v, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? "," : "");
        number(out, v[i]);
    }
    buf_char(out, ']');
}

static void flag(struct buf *out, const char *name, bool value)
{
    key(out, name);
    buf_str(out, value ? "true" : "false");
}

static void name_and_help(struct buf *out, const char *name, const char *help)
{
    buf_str(out, "{\"name\":");
    string(out, name);
    key(out, "help");
    string(out, help);
}

static void labels(struct buf *out, const struct label *at, size_t n)
{
    key(out, "labels");
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        string(out, at[i].name);
        key(out, "definition");
        string(out, at[i].def->name);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void label_def(struct buf *out, const struct label_def *def)
{
    name_and_help(out, def->name, def->help);
    flag(out, "closed", def->closed);
    key(out, "values");
    strings(out, def->values, def->n_values);
    key(out, "aliases");
    buf_char(out, '{');
    for (size_t i = 0; i < def->n_aliases; i++) {
        buf_str(out, i > 0 ? "," : "");
        string(out, def->aliases[i].from);
        buf_char(out, ':');
        string(out, def->aliases[i].to);
    }
    buf_str(out, "}}");
}

static void metric(struct buf *out, const struct catalog *c, const struct metric *m)
{
    name_and_help(out, m->name, m->help);
    key(out, "type");
    string(out, metric_type_name(m->type));
    key(out, "component");
    string(out, m->component == COMPONENT_ANY ? "any" : c->components[m->component]);
    labels(out, m->labels, m->n_labels);
    if (m->type == METRIC_HISTOGRAM) {
        key(out, "buckets");
        numbers(out, m->bounds, m->n_bounds);
    }
    if (m->unit[0] != '\0') {
        key(out, "unit");
        string(out, m->unit);
    }
    if (m->series_limit > 0) {
        key(out, "series_limit");
        buf_addf(out, "%llu", (unsigned long long)m->series_limit);
    }
    if (m->ttl_ms > 0) {
        key(out, "ttl_seconds");
        number(out, (double)m->ttl_ms / 1000);
    }
    flag(out, "precreate", m->precreate);
    if (m->owned) {
        key(out, "owner");
        string(out, "source");
    }
    buf_char(out, '}');
}

static void update(struct buf *out, const struct catalog *c, const struct event *ev,
                   const struct update *u)
{
    static const char *const ops[] = {"add", "set", "observe"};
    buf_str(out, "{\"op\":");
    string(out, ops[u->op]);
    key(out, "metric");
    string(out, c->metrics[u->metric].name);
    if (u->op == UPDATE_ADD) {
        key(out, "by");
        number(out, u->by);
    }
    for (size_t i = 0; i < u->n_conditions; i++) {
        if (i == 0) {
            key(out, "when");
        }
        buf_char(out, i == 0 ? '{' : ',');
        string(out, ev->labels[u->conditions[i].label].name);
        buf_char(out, ':');
        strings(out, u->conditions[i].values, u->conditions[i].n_values);
    }
    buf_str(out, u->n_conditions > 0 ? "}}" : "}");
}

static void event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    name_and_help(out, ev->name, ev->help);
    labels(out, ev->labels, ev->n_labels);
    if (ev->value != EVENT_VALUE_NONE) {
        key(out, "value");
        buf_str(out, "{\"unit\":");
        string(out, ev->unit);
        flag(out, "optional", ev->value == EVENT_VALUE_OPTIONAL);
        buf_char(out, '}');
    }
    key(out, "updates");
    buf_char(out, '[');
    for (size_t i = 0; i < ev->n_updates; i++) {
        buf_str(out, i > 0 ? "," : "");
        update(out, c, ev, &ev->updates[i]);
    }
    buf_str(out, "]}");
}

void catalog_print_json(const struct catalog *c, struct buf *out)
{
    buf_str(out, "{\"components\":");
    strings(out, c->components, c->n_components);
    buf_str(out, ",\n\"buckets\":{");
    for (size_t i = 0; i < c->n_bounds; i++) {
        buf_str(out, i > 0 ? ",\n" : "\n");
        string(out, c->bounds[i].name);
        buf_char(out, ':');
        numbers(out, c->bounds[i].at, c->bounds[i].n);
    }
    buf_str(out, "},\n\"labels\":[");
    for (size_t i = 0; i < c->n_defs; i++) {
        buf_str(out, i > 0 ? ",\n" : "\n");
        label_def(out, &c->defs[i]);
    }
    buf_str(out, "],\n\"metrics\":[");
    for (size_t i = 0; i < c->n_metrics; i++) {
        buf_str(out, i > 0 ? ",\n" : "\n");
        metric(out, c, &c->metrics[i]);
    }
    buf_str(out, "],\n\"events\":[");
    for (size_t i = 0; i < c->n_events; i++) {
        buf_str(out, i > 0 ? ",\n" : "\n");
        event(out, c, &c->events[i]);
    }
    buf_str(out, "]}\n");
}
