// SPDX-License-Identifier: Apache-2.0
#include <strings.h>

#include "base/num.h"
#include "catalog/catalog.h"

// Words that some reader of YAML takes for something else than text.
static bool is_reserved_word(const char *s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(words[i], s) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_plain(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./");
    bool starts_well = (s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z') || s[0] == '_';
    return starts_well && s[len] == '\0' && !is_reserved_word(s);
}

// Reads one character of well-formed UTF-8 and returns how many bytes it has.
static size_t decode(const unsigned char *p, unsigned *ret)
{
    size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    *ret = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        *ret = *ret << 6 | (p[i] & 0x3f);
    }
    return n;
}

// Characters that YAML does not allow as they are, or folds like a line break.
static bool needs_escape(unsigned c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

static void scalar(struct buf *out, const char *s)
{
    if (is_plain(s)) {
        buf_str(out, s);
        return;
    }
    buf_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0';) {
        unsigned c;
        size_t len = decode(p, &c);
        if (c == '"' || c == '\\') {
            buf_char(out, '\\');
        }
        if (needs_escape(c)) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add(out, p, len);
        }
        p += len;
    }
    buf_char(out, '"');
}

static void key_scalar(struct buf *out, const char *key, const char *value)
{
    buf_str(out, key);
    buf_str(out, ": ");
    scalar(out, value);
    buf_char(out, '\n');
}

static void list(struct buf *out, char *const *values, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        scalar(out, values[i]);
    }
    buf_char(out, ']');
}

static void number(struct buf *out, double v)
{
    char text[NUM_MAX];
    buf_add(out, text, num_double(text, v));
}

static void numbers(struct buf *out, const double *v, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        number(out, v[i]);
    }
    buf_str(out, "]\n");
}

static void labels(struct buf *out, const struct label *at, size_t n)
{
    if (n == 0) {
        return;
    }
    buf_str(out, "    labels: [");
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        if (strcmp(at[i].name, at[i].def->name) == 0) {
            scalar(out, at[i].name);
        } else {
            buf_char(out, '{');
            scalar(out, at[i].name);
            buf_str(out, ": ");
            scalar(out, at[i].def->name);
            buf_char(out, '}');
        }
    }
    buf_str(out, "]\n");
}

static void label_def(struct buf *out, const struct label_def *def)
{
    buf_str(out, "  ");
    scalar(out, def->name);
    if (def->help[0] == '\0' && def->n_values == 0) {
        buf_str(out, ": {}\n");
        return;
    }
    buf_str(out, ":\n");
    if (def->help[0] != '\0') {
        key_scalar(out, "    help", def->help);
    }
    if (def->n_values > 0) {
        buf_str(out, "    values: ");
        list(out, def->values, def->n_values);
        buf_char(out, '\n');
    }
    if (def->closed) {
        buf_str(out, "    closed: true\n");
    }
    if (def->n_aliases > 0) {
        buf_str(out, "    aliases:\n");
    }
    for (size_t i = 0; i < def->n_aliases; i++) {
        buf_str(out, "      ");
        scalar(out, def->aliases[i].from);
        buf_str(out, ": ");
        scalar(out, def->aliases[i].to);
        buf_char(out, '\n');
    }
}

static void ttl(struct buf *out, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    buf_str(out, "    ttl: ");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms) {
            buf_addf(out, "%llu%s", (unsigned long long)(ms / units[i].ms), units[i].unit);
            ms %= units[i].ms;
        }
    }
    buf_char(out, '\n');
}

static void metric(struct buf *out, const struct catalog *c, const struct metric *m)
{
    key_scalar(out, "  - name", m->name);
    key_scalar(out, "    type", metric_type_name(m->type));
    key_scalar(out, "    help", m->help);
    if (m->component != COMPONENT_ANY) {
        key_scalar(out, "    component", c->components[m->component]);
    }
    labels(out, m->labels, m->n_labels);
    if (m->bounds_name != NULL) {
        key_scalar(out, "    buckets", m->bounds_name);
    } else if (m->type == METRIC_HISTOGRAM) {
        buf_str(out, "    buckets: ");
        numbers(out, m->bounds, m->n_bounds);
    }
    if (m->unit[0] != '\0') {
        key_scalar(out, "    unit", m->unit);
    }
    if (m->series_limit > 0) {
        buf_addf(out, "    series_limit: %llu\n", (unsigned long long)m->series_limit);
    }
    if (m->ttl_ms > 0) {
        ttl(out, m->ttl_ms);
    }
    if (m->precreate) {
        buf_str(out, "    precreate: true\n");
    }
    if (m->owned) {
        buf_str(out, "    owner: source\n");
    }
}

static void update(struct buf *out, const struct catalog *c, const struct event *ev,
                   const struct update *u)
{
    static const char *const ops[] = {"add", "set", "observe"};
    buf_addf(out, "      - {%s: ", ops[u->op]);
    scalar(out, c->metrics[u->metric].name);
    if (u->op == UPDATE_ADD && u->by != 1) {
        buf_str(out, ", by: ");
        number(out, u->by);
    }
    for (size_t i = 0; i < u->n_conditions; i++) {
        const struct condition *cond = &u->conditions[i];
        buf_str(out, i == 0 ? ", when: {" : ", ");
        scalar(out, ev->labels[cond->label].name);
        buf_str(out, ": ");
        list(out, cond->values, cond->n_values);
    }
    buf_str(out, u->n_conditions > 0 ? "}}\n" : "}\n");
}

static void event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    key_scalar(out, "  - name", ev->name);
    if (ev->help[0] != '\0') {
        key_scalar(out, "    help", ev->help);
    }
    labels(out, ev->labels, ev->n_labels);
    if (ev->value == EVENT_VALUE_REQUIRED) {
        key_scalar(out, "    value", ev->unit);
    } else if (ev->value == EVENT_VALUE_OPTIONAL) {
        buf_str(out, "    value: {unit: ");
        scalar(out, ev->unit);
        buf_str(out, ", optional: true}\n");
    }
    buf_str(out, "    updates:\n");
    for (size_t i = 0; i < ev->n_updates; i++) {
        update(out, c, ev, &ev->updates[i]);
    }
}

static void definitions(struct buf *out, const struct catalog *c)
{
    if (c->n_components > COMPONENT_PROVIDER + 1) {
        buf_str(out, "components: ");
        list(out, c->components + COMPONENT_PROVIDER + 1, c->n_components - COMPONENT_PROVIDER - 1);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < c->n_bounds; i++) {
        buf_str(out, i == 0 ? "buckets:\n  " : "  ");
        scalar(out, c->bounds[i].name);
        buf_str(out, ": ");
        numbers(out, c->bounds[i].at, c->bounds[i].n);
    }
    for (size_t i = 0; i < c->n_defs && !c->defs[i].implied; i++) {
        buf_str(out, i == 0 ? "labels:\n" : "");
        label_def(out, &c->defs[i]);
    }
}

void catalog_print_yaml(const struct catalog *c, struct buf *out)
{
    definitions(out, c);
    for (size_t i = 0; i < c->n_metrics; i++) {
        buf_str(out, i == 0 ? "metrics:\n" : "");
        metric(out, c, &c->metrics[i]);
    }
    for (size_t i = 0; i < c->n_events; i++) {
        buf_str(out, i == 0 ? "events:\n" : "");
        event(out, c, &c->events[i]);
    }
}
