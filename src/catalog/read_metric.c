// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"
#include "catalog/loader.h"

enum { MAX_SERIES_LIMIT = 100000000, MIN_TTL_MS = 1000 };

static void read_component(struct loader *l, const struct at *at, const struct yaml_node *m,
                           struct metric *ret)
{
    const char *words[CATALOG_MAX_COMPONENTS];
    size_t n = 0;
    for (size_t i = COMPONENT_MANAGER; i < l->c->n_components; i++) {
        words[n++] = l->c->components[i];
    }
    words[n++] = "any";
    int found = read_choice(l, at, m, "component", words, n);
    ret->component = found >= 0 && (size_t)found < n - 1 ? (unsigned)found + COMPONENT_MANAGER
                                                         : (unsigned)COMPONENT_ANY;
}

static void read_metric_buckets(struct loader *l, const struct at *at, const struct yaml_node *m,
                                struct metric *ret)
{
    const struct yaml_node *n = yaml_get(m, "buckets");
    struct at here = at_key(at, "buckets");
    if (ret->type != METRIC_HISTOGRAM) {
        if (n != NULL) {
            problem(l, &here, n, "only a histogram has buckets");
        }
        return;
    }
    if (n == NULL) {
        problem(l, &here, m, "is missing; a histogram needs it");
        return;
    }
    if (n->kind != YAML_SCALAR_NODE_KIND) {
        read_bounds(l, &here, n, &ret->bounds, &ret->n_bounds);
        return;
    }
    const struct section *s = &l->sections[SECTION_BUCKETS];
    long found = names_find(&s->names, n->text, strlen(n->text));
    if (found < 0) {
        char near[HINT_MAX];
        problem(l, &here, n, "unknown list of buckets \"%.64s\"%s", n->text,
                hint_entry(l, near, n->text, s));
        return;
    }
    ret->bounds_name = l->c->bounds[found].name;
    ret->bounds = l->c->bounds[found].at;
    ret->n_bounds = l->c->bounds[found].n;
}

// A unit is the last word of the name, before "_total".
static bool fits_name(const char *unit, const char *name, enum metric_type type)
{
    size_t len = strlen(name);
    size_t unit_len = strlen(unit);
    if (type == METRIC_COUNTER && len > 6) {
        len -= strlen("_total");
    }
    return unit_len > 0 && len > unit_len + 1 && name[len - unit_len - 1] == '_' &&
           memcmp(name + len - unit_len, unit, unit_len) == 0;
}

static void read_unit(struct loader *l, const struct at *at, const struct yaml_node *m,
                      struct metric *ret)
{
    const struct yaml_node *n = yaml_get(m, "unit");
    struct at here = at_key(at, "unit");
    ret->unit = loader_strdup(l, "");
    if (n == NULL || !want_scalar(l, &here, n)) {
        return;
    }
    if (ret->name != NULL && !fits_name(n->text, ret->name, ret->type)) {
        problem(l, &here, n, "the metric's name does not end in \"_%.64s%s\"", n->text,
                ret->type == METRIC_COUNTER ? "_total" : "");
        return;
    }
    ret->unit = loader_strdup(l, n->text);
}

static void read_limits(struct loader *l, const struct at *at, const struct yaml_node *m,
                        struct metric *ret)
{
    const struct yaml_node *n = yaml_get(m, "series_limit");
    struct at here = at_key(at, "series_limit");
    if (n != NULL && want_scalar(l, &here, n)) {
        uint64_t limit;
        if (num_parse_u64(n->text, &limit) != 0 || limit < 1 || limit > MAX_SERIES_LIMIT) {
            problem(l, &here, n, "must be a whole number from 1 to %d", MAX_SERIES_LIMIT);
        } else {
            ret->series_limit = limit;
        }
    }
    n = yaml_get(m, "ttl");
    here = at_key(at, "ttl");
    if (n != NULL && want_scalar(l, &here, n)) {
        uint64_t ttl;
        if (num_parse_duration(n->text, &ttl) != 0 || ttl < MIN_TTL_MS) {
            problem(l, &here, n, "must be a duration of at least 1s, such as 30s or 1h");
        } else {
            ret->ttl_ms = ttl;
        }
    }
}

static void read_precreate(struct loader *l, const struct at *at, const struct yaml_node *m,
                           struct metric *ret)
{
    struct at here = at_key(at, "precreate");
    read_bool(l, at, m, "precreate", &ret->precreate);
    if (!ret->precreate) {
        return;
    }
    const struct yaml_node *n = yaml_get(m, "precreate");
    if (ret->type == METRIC_GAUGE) {
        problem(l, &here, n, "a gauge is not made before it is set");
        return;
    }
    size_t closed = 0;
    size_t product = 1;
    for (size_t i = 0; i < ret->n_labels; i++) {
        const struct label_def *def = ret->labels[i].def;
        closed += def->closed;
        if (def->closed && def->n_values > 0 && product <= LOADER_MAX_PRECREATED) {
            product *= def->n_values;
        }
    }
    if (closed == 0) {
        problem(l, &here, n, "needs a closed label");
    } else if (product > LOADER_MAX_PRECREATED) {
        problem(l, &here, n, "the closed labels have more than %d combinations",
                LOADER_MAX_PRECREATED);
    }
}

static void read_owner(struct loader *l, const struct at *at, const struct yaml_node *m,
                       struct metric *ret)
{
    static const char *const owners[] = {"source"};
    if (read_choice(l, at, m, "owner", owners, 1) < 0) {
        return;
    }
    ret->owned = true;
    if (ret->type != METRIC_GAUGE) {
        struct at here = at_key(at, "owner");
        problem(l, &here, yaml_get(m, "owner"), "only a gauge has an owner");
    }
}

static void read_entry(struct loader *l, const struct section *s, const struct entry *e,
                       struct metric *ret)
{
    static const char *const known[] = {"name",    "type",  "help",         "component",
                                        "labels",  "ttl",   "buckets",      "unit",
                                        "replace", "owner", "series_limit", "precreate"};
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct yaml_node *m = e->node;
    struct at section;
    struct at at = at_entry(s, e, &section);
    check_keys(l, &at, m, known, sizeof known / sizeof known[0]);
    int type = read_choice(l, &at, m, "type", types, sizeof types / sizeof types[0]);
    struct at here = at_key(&at, "type");
    if (yaml_get(m, "type") == NULL) {
        problem(l, &here, m, "is missing");
    }
    here = at_key(&at, "name");
    check_metric_name(l, &here, e->name_node, type);
    ret->name = loader_strdup(l, e->name);
    here = at_key(&at, "help");
    if (yaml_get(m, "help") == NULL) {
        problem(l, &here, m, "is missing");
    }
    read_help(l, &at, m, &ret->help);
    read_component(l, &at, m, ret);
    read_labels(l, &at, m, type == METRIC_HISTOGRAM, &ret->labels, &ret->n_labels);
    read_limits(l, &at, m, ret);
    ret->type = type >= 0 ? (enum metric_type)type : METRIC_GAUGE;
    if (type >= 0) {
        // What these may be hangs on the type.
        read_metric_buckets(l, &at, m, ret);
        read_unit(l, &at, m, ret);
        read_precreate(l, &at, m, ret);
        read_owner(l, &at, m, ret);
    }
}

void read_metrics(struct loader *l)
{
    struct section *s = &l->sections[SECTION_METRICS];
    size_t n = s->n < CATALOG_MAX_METRICS ? s->n : CATALOG_MAX_METRICS;
    l->c->metrics = loader_alloc(l, n, sizeof *l->c->metrics);
    for (size_t i = 0; i < s->n && !l->oom; i++) {
        struct entry *e = &s->entries[i];
        size_t before = l->problems;
        if (i < n) {
            read_entry(l, s, e, &l->c->metrics[i]);
        } else if (i == n) {
            struct at section;
            struct at at = at_entry(s, e, &section);
            problem(l, &at, e->node, "more than %d metrics", CATALOG_MAX_METRICS);
        }
        e->broken = l->problems > before || i >= n;
    }
    l->c->n_metrics = n;
}
