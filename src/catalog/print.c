// SPDX-License-Identifier: Apache-2.0
#include "catalog/print.h"

#include "base/json_writer.h"
#include "base/num.h"
#include "base/text.h"

#include <strings.h>

// Numbers are written alike in all three forms.
static void add_number(struct buf *out, double v)
{
    char digits[NUM_MAX];
    buf_add(out, digits, num_double(digits, v));
}

static void add_numbers(struct buf *out, const double *v, size_t n, const char *between)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? between : "");
        add_number(out, v[i]);
    }
}

static void add_list(struct buf *out, const double *v, size_t n, const char *between)
{
    buf_char(out, '[');
    add_numbers(out, v, n, between);
    buf_char(out, ']');
}

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

static bool is_plain_scalar(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./");
    bool starts_well = (s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z') || s[0] == '_';
    return starts_well && s[len] == '\0' && !is_reserved_word(s);
}

// Reads one character of well-formed UTF-8 and returns how many bytes it has.
static size_t decode_character(const unsigned char *p, unsigned *ret)
{
    size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    *ret = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        *ret = *ret << 6 | (p[i] & 0x3f);
    }
    return n;
}

// Characters that YAML does not allow as they are, or folds like a line break.
static bool has_escape(unsigned c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

static void yaml_scalar(struct buf *out, const char *s)
{
    if (is_plain_scalar(s)) {
        buf_str(out, s);
        return;
    }
    buf_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0';) {
        unsigned c;
        size_t len = decode_character(p, &c);
        if (c == '"' || c == '\\') {
            buf_char(out, '\\');
        }
        if (has_escape(c)) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add(out, p, len);
        }
        p += len;
    }
    buf_char(out, '"');
}

static void yaml_key_scalar(struct buf *out, const char *key, const char *value)
{
    buf_str(out, key);
    buf_str(out, ": ");
    yaml_scalar(out, value);
    buf_char(out, '\n');
}

static void yaml_list(struct buf *out, char *const *values, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        yaml_scalar(out, values[i]);
    }
    buf_char(out, ']');
}

static void yaml_labels(struct buf *out, const struct label *at, size_t n)
{
    if (n == 0) {
        return;
    }
    buf_str(out, "    labels: [");
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        if (strcmp(at[i].name, at[i].def->name) == 0) {
            yaml_scalar(out, at[i].name);
        } else {
            buf_char(out, '{');
            yaml_scalar(out, at[i].name);
            buf_str(out, ": ");
            yaml_scalar(out, at[i].def->name);
            buf_char(out, '}');
        }
    }
    buf_str(out, "]\n");
}

static void yaml_ignored_labels(struct buf *out, char *const *names, size_t n)
{
    if (n > 0) {
        buf_str(out, "    ignored_labels: ");
        yaml_list(out, names, n);
        buf_char(out, '\n');
    }
}

static void yaml_label_def(struct buf *out, const struct label_def *def)
{
    buf_str(out, "  ");
    yaml_scalar(out, def->name);
    if (def->help[0] == '\0' && def->n_values == 0 && def->empty == NULL) {
        buf_str(out, ": {}\n");
        return;
    }
    buf_str(out, ":\n");
    if (def->help[0] != '\0') {
        yaml_key_scalar(out, "    help", def->help);
    }
    if (def->n_values > 0) {
        buf_str(out, "    values: ");
        yaml_list(out, def->values, def->n_values);
        buf_char(out, '\n');
    }
    if (def->closed) {
        buf_str(out, "    closed: true\n");
    }
    if (def->otherwise != NULL) {
        yaml_key_scalar(out, "    otherwise", def->otherwise);
    }
    if (def->empty != NULL) {
        yaml_key_scalar(out, "    empty", def->empty);
    }
    if (def->n_aliases > 0) {
        buf_str(out, "    aliases:\n");
    }
    for (size_t i = 0; i < def->n_aliases; i++) {
        buf_str(out, "      ");
        yaml_scalar(out, def->aliases[i].alias);
        buf_str(out, ": ");
        yaml_scalar(out, def->aliases[i].value);
        buf_char(out, '\n');
    }
}

static void yaml_ttl(struct buf *out, uint64_t ms)
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

// Whether the label is pre-created as the entry `precreate: true` would do it.
static bool is_precreated_plainly(const struct label *l)
{
    return !l->precreated_component && l->n_precreated == (l->def->closed ? l->def->n_values : 0) &&
           (l->n_precreated == 0 || l->precreated == l->def->values);
}

static void yaml_precreate(struct buf *out, const struct metric *m)
{
    size_t n = 0;
    for (size_t i = 0; m->precreate && i < m->n_labels; i++) {
        const struct label *l = &m->labels[i];
        if (is_precreated_plainly(l)) {
            continue;
        }
        buf_str(out, n++ == 0 ? "    precreate: {" : ", ");
        yaml_scalar(out, l->name);
        buf_str(out, ": ");
        if (l->precreated_component) {
            buf_str(out, "source");
        } else if (l->precreated == l->def->values) {
            buf_str(out, "all");
        } else {
            yaml_list(out, l->precreated, l->n_precreated);
        }
    }
    if (m->precreate) {
        buf_str(out, n > 0 ? "}\n" : "    precreate: true\n");
    }
}

static void yaml_native(struct buf *out, const struct metric_native *native)
{
    char factor[NUM_MAX];
    if (native->wanted == METRIC_NATIVE_OFF) {
        buf_str(out, "    native: false\n");
    } else if (native->wanted == METRIC_NATIVE_ON) {
        buf_str(out, "    native: {factor: ");
        buf_add(out, factor, num_double(factor, native->factor));
        buf_addf(out, ", max_buckets: %llu%s}\n", (unsigned long long)native->max_buckets,
                 native->classic ? "" : ", classic: false");
    }
}

static void yaml_metric(struct buf *out, const struct catalog *c, const struct metric *m)
{
    yaml_key_scalar(out, "  - name", m->name);
    yaml_key_scalar(out, "    type", catalog_type_names[m->type]);
    yaml_key_scalar(out, "    help", m->help);
    if (m->component != COMPONENT_ANY) {
        yaml_key_scalar(out, "    component", c->components[m->component]);
    }
    yaml_labels(out, m->labels, m->n_labels);
    yaml_ignored_labels(out, m->ignored, m->n_ignored);
    if (m->bounds_name != NULL) {
        yaml_key_scalar(out, "    buckets", m->bounds_name);
    } else if (m->type == METRIC_HISTOGRAM) {
        buf_str(out, "    buckets: ");
        add_list(out, m->bounds, m->n_bounds, ", ");
        buf_char(out, '\n');
    }
    yaml_native(out, &m->native);
    if (m->unit[0] != '\0') {
        yaml_key_scalar(out, "    unit", m->unit);
    }
    if (m->series_limit > 0) {
        buf_addf(out, "    series_limit: %llu\n", (unsigned long long)m->series_limit);
    }
    if (m->ttl_ms > 0) {
        yaml_ttl(out, m->ttl_ms);
    }
    yaml_precreate(out, m);
    if (m->owned) {
        buf_str(out, "    owner: source\n");
    }
}

static void yaml_update(struct buf *out, const struct catalog *c, const struct event *ev,
                        const struct update *u)
{
    static const char *const ops[] = {"add", "set", "observe"};
    buf_addf(out, "      - {%s: ", ops[u->op]);
    yaml_scalar(out, c->metrics[u->metric].name);
    if (u->op == UPDATE_ADD && u->by != 1) {
        buf_str(out, ", by: ");
        add_number(out, u->by);
    }
    for (size_t i = 0; i < u->n_conditions; i++) {
        const struct condition *cond = &u->conditions[i];
        buf_str(out, i == 0 ? ", when: {" : ", ");
        yaml_scalar(out, ev->labels[cond->label].name);
        buf_str(out, ": ");
        yaml_list(out, cond->values, cond->n_values);
    }
    buf_str(out, u->n_conditions > 0 ? "}}\n" : "}\n");
}

static void yaml_event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    yaml_key_scalar(out, "  - name", ev->name);
    if (ev->help[0] != '\0') {
        yaml_key_scalar(out, "    help", ev->help);
    }
    yaml_labels(out, ev->labels, ev->n_labels);
    yaml_ignored_labels(out, ev->ignored, ev->n_ignored);
    if (ev->value == EVENT_VALUE_REQUIRED) {
        yaml_key_scalar(out, "    value", ev->unit);
    } else if (ev->value == EVENT_VALUE_OPTIONAL) {
        buf_str(out, "    value: {unit: ");
        yaml_scalar(out, ev->unit);
        buf_str(out, ", optional: true}\n");
    }
    buf_str(out, "    updates:\n");
    for (size_t i = 0; i < ev->n_updates; i++) {
        yaml_update(out, c, ev, &ev->updates[i]);
    }
}

static void yaml_definitions(struct buf *out, const struct catalog *c)
{
    if (c->n_components > COMPONENT_PROVIDER + 1) {
        buf_str(out, "components: ");
        yaml_list(out, c->components + COMPONENT_PROVIDER + 1,
                  c->n_components - COMPONENT_PROVIDER - 1);
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < c->n_bounds; i++) {
        buf_str(out, i == 0 ? "buckets:\n  " : "  ");
        yaml_scalar(out, c->bounds[i].name);
        buf_str(out, ": ");
        add_list(out, c->bounds[i].values, c->bounds[i].n, ", ");
        buf_char(out, '\n');
    }
    for (size_t i = 0; i < c->n_defs && !c->defs[i].implied; i++) {
        buf_str(out, i == 0 ? "labels:\n" : "");
        yaml_label_def(out, &c->defs[i]);
    }
}

void catalog_print_yaml(const struct catalog *c, struct buf *out)
{
    yaml_definitions(out, c);
    for (size_t i = 0; i < c->n_metrics; i++) {
        buf_str(out, i == 0 ? "metrics:\n" : "");
        yaml_metric(out, c, &c->metrics[i]);
    }
    for (size_t i = 0; i < c->n_events; i++) {
        buf_str(out, i == 0 ? "events:\n" : "");
        yaml_event(out, c, &c->events[i]);
    }
}

// Text of a table's cell: what Markdown would take for a mark is escaped.
static void markdown_text(struct buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (strchr("\\`*_[]<>|", *s) != NULL) {
            buf_char(out, '\\');
        }
        buf_char(out, *s);
    }
}

// A name or a value as code. One with a character that ends code or a cell is shown as text.
static void markdown_code(struct buf *out, const char *s)
{
    if (strpbrk(s, "`|\\") != NULL) {
        markdown_text(out, s);
        return;
    }
    buf_char(out, '`');
    buf_str(out, s);
    buf_char(out, '`');
}

static void markdown_codes(struct buf *out, char *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        markdown_code(out, values[i]);
    }
}

static void markdown_labels(struct buf *out, const struct label *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_str(out, i > 0 ? ", " : "");
        markdown_code(out, at[i].name);
        if (strcmp(at[i].name, at[i].def->name) != 0) {
            buf_str(out, " (");
            markdown_code(out, at[i].def->name);
            buf_char(out, ')');
        }
    }
}

static void markdown_ignored_labels(struct buf *out, char *const *names, size_t n, bool labels)
{
    if (n > 0) {
        buf_str(out, labels ? "; ignored: " : "ignored: ");
        markdown_codes(out, names, n);
    }
}

static void markdown_metric(struct buf *out, const struct metric *m)
{
    static const char *const types[] = {"Counter", "Gauge", "Histogram"};
    buf_str(out, "| ");
    markdown_code(out, m->name);
    buf_addf(out, " | %s | ", types[m->type]);
    markdown_labels(out, m->labels, m->n_labels);
    markdown_ignored_labels(out, m->ignored, m->n_ignored, m->n_labels > 0);
    buf_str(out, " | ");
    markdown_text(out, m->help);
    if (m->type == METRIC_HISTOGRAM) {
        buf_str(out, " Buckets: ");
        if (m->bounds_name != NULL) {
            markdown_code(out, m->bounds_name);
        } else {
            add_numbers(out, m->bounds, m->n_bounds, ", ");
        }
        buf_char(out, '.');
        if (m->native.wanted == METRIC_NATIVE_ON) {
            char factor[NUM_MAX];
            buf_str(out, " Native: factor ");
            buf_add(out, factor, num_double(factor, m->native.factor));
            buf_addf(out, ", at most %llu buckets.", (unsigned long long)m->native.max_buckets);
        }
    }
    buf_str(out, " |\n");
}

// One table with the metrics of a component, or nothing when it has none.
static void markdown_component(struct buf *out, const struct catalog *c, unsigned number)
{
    bool begun = false;
    for (size_t i = 0; i < c->n_metrics; i++) {
        if (c->metrics[i].component != number) {
            continue;
        }
        if (!begun) {
            buf_str(out, "\n## Metrics of ");
            markdown_text(out, number == COMPONENT_ANY ? "any component" : c->components[number]);
            buf_str(out, "\n\n| Metric | Type | Labels | Description |\n|---|---|---|---|\n");
            begun = true;
        }
        markdown_metric(out, &c->metrics[i]);
    }
}

// Among the aliases, since it is what a sender may also write.
static void markdown_substitute(struct buf *out, bool follows, const char *what, const char *value)
{
    if (value != NULL) {
        buf_addf(out, "%s%s = ", follows ? ", " : "", what);
        markdown_code(out, value);
    }
}

static void markdown_label_def(struct buf *out, const struct label_def *def)
{
    buf_str(out, "| ");
    markdown_code(out, def->name);
    buf_str(out, def->closed ? " | only | " : " | any | ");
    markdown_codes(out, def->values, def->n_values);
    buf_str(out, " | ");
    for (size_t i = 0; i < def->n_aliases; i++) {
        buf_str(out, i > 0 ? ", " : "");
        markdown_code(out, def->aliases[i].alias);
        buf_str(out, " = ");
        markdown_code(out, def->aliases[i].value);
    }
    markdown_substitute(out, def->n_aliases > 0, "any other", def->otherwise);
    markdown_substitute(out, def->n_aliases > 0 || def->otherwise != NULL, "empty", def->empty);
    buf_str(out, " | ");
    markdown_text(out, def->help);
    buf_str(out, " |\n");
}

static void markdown_update(struct buf *out, const struct catalog *c, const struct event *ev,
                            const struct update *u)
{
    static const char *const ops[] = {"adds ", "sets ", "observes in "};
    buf_str(out, ops[u->op]);
    if (u->op == UPDATE_ADD) {
        add_number(out, u->by);
        buf_str(out, " to ");
    }
    markdown_code(out, c->metrics[u->metric].name);
    for (size_t i = 0; i < u->n_conditions; i++) {
        buf_str(out, i == 0 ? " when " : " and ");
        markdown_code(out, ev->labels[u->conditions[i].label].name);
        buf_str(out, u->conditions[i].n_values == 1 ? " is " : " is one of ");
        markdown_codes(out, u->conditions[i].values, u->conditions[i].n_values);
    }
}

static void markdown_event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    buf_str(out, "| ");
    markdown_code(out, ev->name);
    buf_str(out, " | ");
    markdown_labels(out, ev->labels, ev->n_labels);
    markdown_ignored_labels(out, ev->ignored, ev->n_ignored, ev->n_labels > 0);
    buf_str(out, " | ");
    markdown_text(out, ev->unit);
    buf_str(out, ev->value == EVENT_VALUE_OPTIONAL ? ", optional | " : " | ");
    for (size_t i = 0; i < ev->n_updates; i++) {
        buf_str(out, i > 0 ? "; " : "");
        markdown_update(out, c, ev, &ev->updates[i]);
    }
    buf_str(out, " | ");
    markdown_text(out, ev->help);
    buf_str(out, " |\n");
}

void catalog_print_markdown(const struct catalog *c, struct buf *out)
{
    buf_str(out, "# Metrics\n");
    for (unsigned i = COMPONENT_MANAGER; i < c->n_components; i++) {
        markdown_component(out, c, i);
    }
    markdown_component(out, c, COMPONENT_ANY);
    for (size_t i = 0; i < c->n_defs; i++) {
        buf_str(out, i == 0 ? "\n## Labels\n\n| Label | Values | Known | Aliases | Description |\n"
                              "|---|---|---|---|---|\n"
                            : "");
        markdown_label_def(out, &c->defs[i]);
    }
    for (size_t i = 0; i < c->n_bounds; i++) {
        buf_str(out, i == 0 ? "\n## Buckets\n\n| Name | Bounds |\n|---|---|\n" : "");
        buf_str(out, "| ");
        markdown_code(out, c->bounds[i].name);
        buf_str(out, " | ");
        add_numbers(out, c->bounds[i].values, c->bounds[i].n, ", ");
        buf_str(out, " |\n");
    }
    for (size_t i = 0; i < c->n_events; i++) {
        buf_str(out,
                i == 0 ? "\n## Events\n\n| Event | Labels | Value | What it does | Description |\n"
                         "|---|---|---|---|---|\n"
                       : "");
        markdown_event(out, c, &c->events[i]);
    }
}

static void json_pair(struct buf *out, const char *key, const char *value)
{
    json_key(out, key);
    json_string(out, value);
}

static void json_flag(struct buf *out, const char *key, bool value)
{
    json_key(out, key);
    json_bool(out, value);
}

static void json_strings(struct buf *out, const char *key, char *const *values, size_t n)
{
    json_key(out, key);
    json_begin(out, '[');
    for (size_t i = 0; i < n; i++) {
        json_string(out, values[i]);
    }
    json_end(out, ']');
}

static void json_numbers(struct buf *out, const char *key, const double *values, size_t n)
{
    json_key(out, key);
    json_begin(out, '[');
    for (size_t i = 0; i < n; i++) {
        json_double(out, values[i]);
    }
    json_end(out, ']');
}

static void json_labels(struct buf *out, const struct label *at, size_t n)
{
    json_key(out, "labels");
    json_begin(out, '[');
    for (size_t i = 0; i < n; i++) {
        json_begin(out, '{');
        json_pair(out, "name", at[i].name);
        json_pair(out, "definition", at[i].def->name);
        json_end(out, '}');
    }
    json_end(out, ']');
}

static void json_ignored_labels(struct buf *out, char *const *names, size_t n)
{
    if (n > 0) {
        json_strings(out, "ignored_labels", names, n);
    }
}

static void json_substitute(struct buf *out, const char *key, const char *value)
{
    if (value != NULL) {
        json_pair(out, key, value);
    }
}

static void json_label_def(struct buf *out, const struct label_def *def)
{
    json_pair(out, "name", def->name);
    json_pair(out, "help", def->help);
    json_flag(out, "closed", def->closed);
    json_substitute(out, "otherwise", def->otherwise);
    json_substitute(out, "empty", def->empty);
    json_strings(out, "values", def->values, def->n_values);
    json_key(out, "aliases");
    json_begin(out, '{');
    for (size_t i = 0; i < def->n_aliases; i++) {
        json_pair(out, def->aliases[i].alias, def->aliases[i].value);
    }
    json_end(out, '}');
}

// The values that a group's series have, by label.
static void json_precreated(struct buf *out, const struct metric *m)
{
    size_t n = 0;
    for (size_t i = 0; m->precreate && i < m->n_labels; i++) {
        const struct label *l = &m->labels[i];
        if ((l->n_precreated > 0 || l->precreated_component) && n++ == 0) {
            json_key(out, "precreated");
            json_begin(out, '{');
        }
        if (l->precreated_component) {
            json_pair(out, l->name, "source");
        } else if (l->n_precreated > 0) {
            json_strings(out, l->name, l->precreated, l->n_precreated);
        }
    }
    if (n > 0) {
        json_end(out, '}');
    }
}

static void json_native(struct buf *out, const struct metric_native *native)
{
    if (native->wanted == METRIC_NATIVE_OFF) {
        json_key(out, "native");
        json_bool(out, false);
    } else if (native->wanted == METRIC_NATIVE_ON) {
        json_key(out, "native");
        json_begin(out, '{');
        json_key(out, "factor");
        json_double(out, native->factor);
        json_key(out, "max_buckets");
        json_u64(out, native->max_buckets);
        json_key(out, "classic");
        json_bool(out, native->classic);
        json_end(out, '}');
    }
}

static void json_metric(struct buf *out, const struct catalog *c, const struct metric *m)
{
    json_pair(out, "name", m->name);
    json_pair(out, "help", m->help);
    json_pair(out, "type", catalog_type_names[m->type]);
    json_pair(out, "component",
              m->component == COMPONENT_ANY ? "any" : c->components[m->component]);
    json_labels(out, m->labels, m->n_labels);
    json_ignored_labels(out, m->ignored, m->n_ignored);
    if (m->type == METRIC_HISTOGRAM) {
        json_numbers(out, "buckets", m->bounds, m->n_bounds);
    }
    json_native(out, &m->native);
    if (m->unit[0] != '\0') {
        json_pair(out, "unit", m->unit);
    }
    if (m->series_limit > 0) {
        json_key(out, "series_limit");
        json_u64(out, m->series_limit);
    }
    if (m->ttl_ms > 0) {
        json_key(out, "ttl_seconds");
        json_double(out, (double)m->ttl_ms / 1000);
    }
    json_flag(out, "precreate", m->precreate);
    json_precreated(out, m);
    if (m->owned) {
        json_pair(out, "owner", "source");
    }
}

static void json_update(struct buf *out, const struct catalog *c, const struct event *ev,
                        const struct update *u)
{
    static const char *const ops[] = {"add", "set", "observe"};
    json_begin(out, '{');
    json_pair(out, "op", ops[u->op]);
    json_pair(out, "metric", c->metrics[u->metric].name);
    if (u->op == UPDATE_ADD) {
        json_key(out, "by");
        json_double(out, u->by);
    }
    if (u->n_conditions > 0) {
        json_key(out, "when");
        json_begin(out, '{');
    }
    for (size_t i = 0; i < u->n_conditions; i++) {
        json_strings(out, ev->labels[u->conditions[i].label].name, u->conditions[i].values,
                     u->conditions[i].n_values);
    }
    buf_str(out, u->n_conditions > 0 ? "}}" : "}");
}

static void json_event(struct buf *out, const struct catalog *c, const struct event *ev)
{
    json_pair(out, "name", ev->name);
    json_pair(out, "help", ev->help);
    json_labels(out, ev->labels, ev->n_labels);
    json_ignored_labels(out, ev->ignored, ev->n_ignored);
    if (ev->value != EVENT_VALUE_NONE) {
        json_key(out, "value");
        json_begin(out, '{');
        json_pair(out, "unit", ev->unit);
        json_flag(out, "optional", ev->value == EVENT_VALUE_OPTIONAL);
        json_end(out, '}');
    }
    json_key(out, "updates");
    json_begin(out, '[');
    for (size_t i = 0; i < ev->n_updates; i++) {
        json_update(out, c, ev, &ev->updates[i]);
    }
    json_end(out, ']');
}

static void json_list(struct buf *out, const char *key, char bracket)
{
    json_line(out);
    json_key(out, key);
    json_begin(out, bracket);
}

// An object on a line of its own.
static void json_item(struct buf *out)
{
    json_line(out);
    json_begin(out, '{');
}

void catalog_print_json(const struct catalog *c, struct buf *out)
{
    json_begin(out, '{');
    json_strings(out, "components", c->components, c->n_components);
    json_list(out, "buckets", '{');
    for (size_t i = 0; i < c->n_bounds; i++) {
        json_line(out);
        json_numbers(out, c->bounds[i].name, c->bounds[i].values, c->bounds[i].n);
    }
    json_end(out, '}');
    json_list(out, "labels", '[');
    for (size_t i = 0; i < c->n_defs; i++) {
        json_item(out);
        json_label_def(out, &c->defs[i]);
        json_end(out, '}');
    }
    json_end(out, ']');
    json_list(out, "metrics", '[');
    for (size_t i = 0; i < c->n_metrics; i++) {
        json_item(out);
        json_metric(out, c, &c->metrics[i]);
        json_end(out, '}');
    }
    json_end(out, ']');
    json_list(out, "events", '[');
    for (size_t i = 0; i < c->n_events; i++) {
        json_item(out);
        json_event(out, c, &c->events[i]);
        json_end(out, '}');
    }
    buf_str(out, "]}\n");
}
