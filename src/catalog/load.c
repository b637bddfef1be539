// SPDX-License-Identifier: Apache-2.0
#include "catalog/load.h"

#include "base/num.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/read.h"
#include "catalog/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * A catalogue from YAML trees. The entries of all trees are gathered by section first, then each that counts
 * becomes a part of the catalogue, and at last the whole is checked.
 *
 * Threads: one owner.
 * Memory:  the parts belong to the catalogue; nothing borrows from the trees afterwards.
 * Errors:  a problem is noted and reading goes on, so that one run names everything.
 */

enum { MAX_SERIES_LIMIT = 100000000, MIN_TTL_MS = 1000 };

// ---- What a metric may be called

static bool has_suffix(const char *s, const char *end)
{
    size_t len = strlen(s);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

// The name, alone. `type` is an enum metric_type, or -1 when it is not known.
static void check_name(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, int type)
{
    // The exporter's own families, and those that every Prometheus adds to a target.
    static const char *const prefixes[] = {"virtrigaud_exporter_", "virtrigaud_source_", "process_",
                                           "scrape_"};
    // A histogram's and a counter's own series end in these.
    static const char *const suffixes[] = {"_bucket", "_count", "_sum", "_created"};
    const char *name = n->text;
    if (!text_is_metric_name(name) || strchr(name, ':') != NULL) {
        yaml_problem(r, place, n, "metric name \"%.64s\" must match [a-zA-Z_][a-zA-Z0-9_]*", name);
        return;
    }
    if (strcmp(name, "up") == 0) {
        yaml_problem(r, place, n, "metric name \"up\" is reserved");
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            yaml_problem(r, place, n, "names that start with \"%s\" are reserved", prefixes[i]);
        }
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (has_suffix(name, suffixes[i])) {
            yaml_problem(r, place, n, "names that end in \"%s\" are reserved", suffixes[i]);
        }
    }
    if (type == METRIC_COUNTER && (!has_suffix(name, "_total") || strcmp(name, "_total") == 0)) {
        yaml_problem(r, place, n, "a counter's name must end in \"_total\"");
    }
}

// The metric of this name, or -1.
static long find(const struct section *metrics, const char *name, size_t len)
{
    return catalog_names_find(&metrics->names, name, len);
}

// The metric whose samples bear the name in one format or another, or that is called so itself; or -1.
static long find_bearer(const struct catalog *c, const struct section *metrics, const char *name,
                        size_t len)
{
    static const char *const of_histograms[] = {"_bucket", "_count", "_sum", "_created"};
    long at = find(metrics, name, len);
    for (size_t i = 0; at < 0 && i < sizeof of_histograms / sizeof of_histograms[0]; i++) {
        size_t end = strlen(of_histograms[i]);
        if (len > end && memcmp(name + len - end, of_histograms[i], end) == 0) {
            at = find(metrics, name, len - end);
            at = at >= 0 && c->metrics[at].type == METRIC_HISTOGRAM ? at : -1;
        }
    }
    size_t created = strlen("_created");
    if (at < 0 && len > created && memcmp(name + len - created, "_created", created) == 0) {
        struct buf counter = BUF_INIT;
        buf_add(&counter, name, len - created);
        buf_str(&counter, "_total");
        at = counter.failed ? -1 : find(metrics, counter.p, counter.len);
        buf_free(&counter);
    }
    return at;
}

// OpenMetrics names a counter's family without "_total", so nothing else may be called so. No other names can be the same:
// those of metrics do not end in what formats add to them.
// The names of all metrics beside each other; entry i of `metrics` is metric i of the catalogue.
static void check_clashes(struct yaml_reader *r, const struct catalog *c,
                          const struct section *metrics)
{
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct section_entry *e = &metrics->entries[i];
        if (c->metrics[i].type != METRIC_COUNTER || !has_suffix(e->name, "_total")) {
            continue;
        }
        size_t len = strlen(e->name) - strlen("_total");
        long other = find_bearer(c, metrics, e->name, len);
        if (other >= 0) {
            struct yaml_place up;
            struct yaml_place place = draft_section_enter(metrics, e, r, &up);
            struct yaml_place name = yaml_place_key(&place, "name");
            yaml_problem(r, &name, e->name_node,
                         "clashes with metric \"%s\": in OpenMetrics both use the name \"%.*s\"",
                         metrics->entries[other].name, (int)len, e->name);
        }
    }
}

// ---- Components

// A component's name is part of a path and of a label: small letters, digits, '_' and '-'.
static bool is_component_name(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return s[len] == '\0' && len >= 1 && len <= 64 && s[0] >= 'a' && s[0] <= 'z';
}

static void read_component(struct yaml_reader *r, const struct yaml_place *place,
                           const struct yaml_node *n)
{
    struct catalog *c = draft_catalog(r);
    if (!yaml_check_text(r, place, n)) {
        return;
    }
    if (!is_component_name(n->text)) {
        yaml_problem(r, place, n,
                     "\"%.64s\" is not a component name ([a-z][a-z0-9_-]*, at most 64 bytes)",
                     n->text);
    } else if (strcmp(n->text, "any") == 0 || strcmp(n->text, "unknown") == 0) {
        yaml_problem(r, place, n, "\"%s\" is reserved", n->text);
    } else if (catalog_find_component(c, n->text, strlen(n->text)) >= 0) {
        return; // several files may need the same one
    } else if (c->n_components == CATALOG_MAX_COMPONENTS) {
        yaml_problem(r, place, n, "more than %d components", CATALOG_MAX_COMPONENTS);
    } else {
        c->components[c->n_components] = draft_text(r, n->text);
        c->n_components += c->components[c->n_components] != NULL;
    }
}

static void read_components(struct yaml_reader *r, const struct yaml_place *place,
                            const struct yaml_node *list, void *field)
{
    (void)field;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_item(place, i);
        read_component(r, &here, list->items[i]);
    }
}

// Reads a list of bounds into a struct bounds, all of them or none.
static void read_bounds(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *list, void *field)
{
    struct bounds *ret = field;
    size_t before = r->problems;
    if (!yaml_check_list(r, place, list)) {
        return;
    }
    if (list->n == 0) {
        yaml_problem(r, place, list, "needs at least one bound");
        return;
    }
    if (!draft_check_number(r, place, list->n, list->items, CATALOG_MAX_BOUNDS, "bounds")) {
        return;
    }
    double *bounds = draft_alloc(r, list->n + CATALOG_BOUNDS_PAD, sizeof *bounds);
    for (size_t i = 0; i < CATALOG_BOUNDS_PAD && bounds != NULL; i++) {
        bounds[list->n + i] = INFINITY;
    }
    for (size_t i = 0; i < list->n && bounds != NULL; i++) {
        struct yaml_place here = yaml_place_item(place, i);
        if (!yaml_number(r, &here, list->items[i], &bounds[i])) {
            // What follows it is compared with what went before it.
            bounds[i] = i > 0 ? bounds[i - 1] : -__DBL_MAX__;
        } else if (i > 0 && !(bounds[i] > bounds[i - 1])) {
            yaml_problem(r, &here, list->items[i], "bounds must ascend");
        }
    }
    if (bounds != NULL && r->problems == before) {
        ret->values = bounds;
        ret->n = list->n;
    }
}

static void read_bucket_list(struct yaml_reader *r, const struct yaml_place *place,
                             const struct section_entry *e, size_t i)
{
    static const struct yaml_key keys[] = {
        {"bounds", .type = YAML_ANY, .required = true, .read = read_bounds},
        {"replace", .type = YAML_KNOWN},
    };
    struct bounds *ret = &draft_catalog(r)->bounds[i];
    ret->name = draft_text(r, e->name);
    if (!text_is_label_name(e->name)) {
        yaml_problem(r, place, e->name_node, "a list's name must match [a-zA-Z_][a-zA-Z0-9_]*");
    }
    if (e->node->kind == YAML_SEQUENCE_KIND) {
        read_bounds(r, place, e->node, ret);
    } else if (e->node->kind == YAML_MAPPING_KIND) {
        yaml_read_keys(r, place, e->node, YAML_KEYS(keys), ret);
    } else {
        yaml_reject(r, place, e->node, false, "a list of bounds, or a mapping with `bounds`");
    }
}

struct metric_draft {
    struct metric metric;
    int type;  // enum metric_type, or -1
    int owner; // 0: source, or -1
    const struct yaml_node *labels;
    const struct yaml_node *ignored_labels;
    const struct yaml_node *precreate;
    const struct yaml_node *buckets;
    const struct yaml_node *native;
    const struct yaml_node *unit;
};

static void read_metric_component(struct yaml_reader *r, const struct yaml_place *place,
                                  const struct yaml_node *n, void *field)
{
    const struct catalog *c = draft_catalog(r);
    const char *words[CATALOG_MAX_COMPONENTS];
    size_t n_words = 0;
    for (size_t i = COMPONENT_MANAGER; i < c->n_components; i++) {
        words[n_words++] = c->components[i];
    }
    words[n_words++] = "any";
    int found = yaml_word(r, place, n, words, n_words);
    if (found >= 0 && (size_t)found < n_words - 1) {
        *(unsigned *)field = (unsigned)found + COMPONENT_MANAGER;
    }
}

static void read_ttl(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n, void *field)
{
    uint64_t ttl;
    if (num_parse_duration(n->text, &ttl) != 0 || ttl < MIN_TTL_MS) {
        yaml_reject(r, place, n, false, "a duration of at least 1s, such as 30s or 1h");
    } else {
        *(uint64_t *)field = ttl;
    }
}

static void read_metric_buckets(struct yaml_reader *r, const struct yaml_place *up,
                                const struct section_entry *e, struct metric_draft *d)
{
    const struct yaml_node *n = d->buckets;
    struct yaml_place place = yaml_place_key(up, "buckets");
    if (d->metric.type != METRIC_HISTOGRAM) {
        if (n != NULL) {
            yaml_problem(r, &place, n, "only a histogram has buckets");
        }
        return;
    }
    if (n == NULL) {
        yaml_problem(r, &place, e->node, "is missing; a histogram needs it");
        return;
    }
    struct bounds own = {0};
    const struct bounds *bounds = &own;
    if (n->kind == YAML_SCALAR_NODE_KIND) {
        char near[TEXT_HINT];
        const struct section *s = draft_section(r, SECTION_BUCKETS);
        long found = draft_section_find(s, n->text);
        if (found < 0) {
            yaml_problem(r, &place, n, "unknown list of buckets \"%.64s\"%s", n->text,
                         draft_section_hint(s, r, near, n->text));
            return;
        }
        bounds = &draft_catalog(r)->bounds[found];
    } else {
        read_bounds(r, &place, n, &own);
    }
    d->metric.bounds_name = bounds->name;
    d->metric.bounds = bounds->values;
    d->metric.n_bounds = bounds->n;
}

// A unit is the last word of the name, before "_total".
static bool is_unit_of(const char *unit, const char *name, enum metric_type type)
{
    size_t len = strlen(name);
    size_t unit_len = strlen(unit);
    if (type == METRIC_COUNTER && len > 6) {
        len -= strlen("_total");
    }
    return unit_len > 0 && len > unit_len + 1 && name[len - unit_len - 1] == '_' &&
           memcmp(name + len - unit_len, unit, unit_len) == 0;
}

static void read_unit(struct yaml_reader *r, const struct yaml_place *up,
                      const struct section_entry *e, struct metric_draft *d)
{
    struct yaml_place place = yaml_place_key(up, "unit");
    if (d->unit == NULL) {
        return;
    }
    if (!is_unit_of(d->unit->text, e->name, d->metric.type)) {
        yaml_problem(r, &place, d->unit, "the metric's name does not end in \"_%.64s%s\"",
                     d->unit->text, d->metric.type == METRIC_COUNTER ? "_total" : "");
        return;
    }
    d->metric.unit = draft_text(r, d->unit->text);
}

// The values of a label that are pre-created: `all` that its definition lists, or some of them.
static void read_precreated_values(struct yaml_reader *r, const struct yaml_place *place,
                                   const struct yaml_node *n, struct label *label)
{
    static const char *const words[] = {"all", "source"};
    const struct label_def *def = label->def;
    label->n_precreated = 0;
    if (n->kind != YAML_SEQUENCE_KIND) {
        int word = yaml_word(r, place, n, words, sizeof words / sizeof words[0]);
        label->precreated_component = word == 1;
        if (word == 0) {
            label->n_precreated = def->n_values;
            label->precreated = def->values;
        }
        if (word == 0 && def->n_values == 0) {
            yaml_problem(r, place, n, "label \"%.64s\" has no known values", label->name);
        }
        return;
    }
    if (n->n == 0 || n->n > CATALOG_MAX_VALUES) {
        yaml_problem(r, place, n, "needs from 1 to %d values", CATALOG_MAX_VALUES);
        return;
    }
    char **values = draft_alloc(r, n->n, sizeof *values);
    for (size_t i = 0; i < n->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_item(place, i);
        read_labels_value(r, &here, n->items[i], def, values, &label->n_precreated);
    }
    label->precreated = values;
}

static void read_precreated_labels(struct yaml_reader *r, const struct yaml_place *place,
                                   const struct yaml_node *n, struct metric *metric)
{
    for (size_t k = 0; k < n->n && !r->oom; k++) {
        const char *name = n->keys[k]->text;
        struct yaml_place here = yaml_place_key(place, name);
        size_t i = 0;
        while (i < metric->n_labels && strcmp(metric->labels[i].name, name) != 0) {
            i++;
        }
        if (i < metric->n_labels) {
            read_precreated_values(r, &here, n->items[k], &metric->labels[i]);
        } else {
            yaml_problem(r, &here, n->keys[k], "the metric has no label \"%.64s\"", name);
        }
    }
}

// Every value of a closed label, unless the entry says otherwise.
static void read_precreate(struct yaml_reader *r, const struct yaml_place *up,
                           const struct section_entry *e, struct metric_draft *d)
{
    struct metric *m = &d->metric;
    const struct yaml_node *n = d->precreate;
    struct yaml_place place = yaml_place_key(up, "precreate");
    static const struct yaml_key plain = {"precreate", .type = YAML_BOOL};
    size_t before = r->problems;
    if (n == NULL) {
        return;
    }
    m->precreate = n->kind == YAML_MAPPING_KIND;
    if (!m->precreate) {
        yaml_read_key(r, up, e->node, &plain, &m->precreate);
    }
    if (!m->precreate) {
        return;
    }
    if (m->type == METRIC_GAUGE) {
        yaml_problem(r, &place, n, "a gauge cannot be created in advance");
        return;
    }
    for (size_t i = 0; i < m->n_labels; i++) {
        const struct label_def *def = m->labels[i].def;
        m->labels[i].n_precreated = def->closed ? def->n_values : 0;
        m->labels[i].precreated = def->values;
    }
    if (n->kind == YAML_MAPPING_KIND) {
        read_precreated_labels(r, &place, n, m);
    }
    size_t varying = 0;
    size_t product = 1;
    for (size_t i = 0; i < m->n_labels; i++) {
        size_t values = m->labels[i].n_precreated;
        varying += values > 0 || m->labels[i].def->closed;
        product *= values > 0 && product <= LOAD_MAX_PRECREATED ? values : 1;
    }
    if (varying == 0 && r->problems == before) {
        yaml_problem(r, &place, n, "needs a closed label, or one of which it names values");
    } else if (product > LOAD_MAX_PRECREATED) {
        yaml_problem(r, &place, n, "the labels have more than %d combinations",
                     LOAD_MAX_PRECREATED);
    }
}

// What a metric may have depends on its type, which is known.
static void read_by_type(struct yaml_reader *r, const struct yaml_place *place,
                         const struct section_entry *e, struct metric_draft *d)
{
    struct yaml_place owner = yaml_place_key(place, "owner");
    read_metric_buckets(r, place, e, d);
    read_native(r, place, d->native, &d->metric);
    read_unit(r, place, e, d);
    read_precreate(r, place, e, d);
    d->metric.owned = d->owner >= 0;
    if (d->metric.owned && d->metric.type != METRIC_GAUGE) {
        yaml_problem(r, &owner, yaml_get(e->node, "owner"), "only a gauge has an owner");
    }
}

static void read_metric(struct yaml_reader *r, const struct yaml_place *place,
                        const struct section_entry *e, size_t i)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    static const char *const owners[] = {"source"};
#define FIELD(member) .offset = offsetof(struct metric_draft, member)
    static const struct yaml_key keys[] = {
        {"type", .type = YAML_WORD, .required = true, YAML_WORDS(types), FIELD(type)},
        {"name", .type = YAML_KNOWN},
        {"help", .type = YAML_TEXT, .required = true, .read = draft_read_help, FIELD(metric.help)},
        {"component", .type = YAML_ANY, .read = read_metric_component, FIELD(metric.component)},
        {"labels", .type = YAML_LIST, FIELD(labels)},
        {"ignored_labels", .type = YAML_LIST, FIELD(ignored_labels)},
        {"series_limit", .type = YAML_COUNT, .quoted = true, .min = 1, .max = MAX_SERIES_LIMIT,
         FIELD(metric.series_limit)},
        {"ttl", .type = YAML_TEXT, .read = read_ttl, FIELD(metric.ttl_ms)},
        {"buckets", .type = YAML_ANY, FIELD(buckets)},
        {"native", .type = YAML_ANY, FIELD(native)},
        {"unit", .type = YAML_TEXT, FIELD(unit)},
        {"precreate", .type = YAML_ANY, FIELD(precreate)},
        {"owner", .type = YAML_WORD, YAML_WORDS(owners), FIELD(owner)},
        {"replace", .type = YAML_KNOWN},
    };
#undef FIELD
    struct metric_draft d = {.metric = {.name = draft_text(r, e->name),
                                        .unit = draft_text(r, ""),
                                        .component = COMPONENT_ANY},
                             .type = -1,
                             .owner = -1};
    struct yaml_place name = yaml_place_key(place, "name");
    yaml_read_keys(r, place, e->node, YAML_KEYS(keys), &d);
    check_name(r, &name, e->name_node, d.type);
    read_labels(r, place, d.labels, d.type == METRIC_HISTOGRAM, &d.metric.labels,
                &d.metric.n_labels);
    read_ignored_labels(r, place, d.ignored_labels, d.metric.labels, d.metric.n_labels,
                        &d.metric.ignored, &d.metric.n_ignored);
    d.metric.type = d.type >= 0 ? (enum metric_type)d.type : METRIC_GAUGE;
    if (d.type >= 0 && !r->oom) {
        read_by_type(r, place, e, &d);
    }
    draft_catalog(r)->metrics[i] = d.metric;
}

static void gather(struct draft *d, const struct yaml *doc)
{
#define SECTION(i) .read = draft_section_add, .offset = offsetof(struct draft, sections[i])
    static const struct yaml_key keys[] = {
        {"components", .type = YAML_LIST, .read = read_components},
        {"buckets", .type = YAML_MAPPING, SECTION(SECTION_BUCKETS)},
        {"labels", .type = YAML_MAPPING, SECTION(SECTION_LABELS)},
        {"metrics", .type = YAML_LIST, SECTION(SECTION_METRICS)},
        {"events", .type = YAML_LIST, SECTION(SECTION_EVENTS)},
    };
#undef SECTION
    d->reader.file = doc->file;
    if (doc->root != NULL) {
        yaml_read_keys(&d->reader, NULL, doc->root, YAML_KEYS(keys), d);
    }
}

// Reads the entries of a section, `max` of them at most.
static void read_section(struct yaml_reader *r, int section, size_t max,
                         void (*read)(struct yaml_reader *r, const struct yaml_place *place,
                                      const struct section_entry *e, size_t i))
{
    struct section *s = draft_section(r, section);
    for (size_t i = 0; i < s->n && !r->oom; i++) {
        struct yaml_place up;
        struct yaml_place place = draft_section_enter(s, &s->entries[i], r, &up);
        size_t before = r->problems;
        if (i < max) {
            read(r, &place, &s->entries[i], i);
        } else if (i == max) {
            yaml_problem(r, &place, s->entries[i].node, "more than %zu %s", max, s->key);
        }
        s->entries[i].broken = r->problems > before || i >= max;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void read_sections(struct draft *d)
{
    struct yaml_reader *r = &d->reader;
    struct catalog *c = d->catalog;
    const struct section *s = d->sections;
    read_labels_find_implied(d);
    c->n_bounds = s[SECTION_BUCKETS].n;
    c->bounds = draft_alloc(r, c->n_bounds, sizeof *c->bounds);
    c->n_defs = s[SECTION_LABELS].n + d->implied.n;
    c->defs = draft_alloc(r, c->n_defs, sizeof *c->defs);
    c->n_metrics = smaller(s[SECTION_METRICS].n, CATALOG_MAX_METRICS);
    c->metrics = draft_alloc(r, c->n_metrics, sizeof *c->metrics);
    c->n_events = smaller(s[SECTION_EVENTS].n, CATALOG_MAX_EVENTS);
    c->events = draft_alloc(r, c->n_events, sizeof *c->events);
    read_section(r, SECTION_BUCKETS, SIZE_MAX, read_bucket_list);
    read_section(r, SECTION_LABELS, SIZE_MAX, read_label_def);
    read_labels_add_implied(d);
    read_section(r, SECTION_METRICS, CATALOG_MAX_METRICS, read_metric);
    read_section(r, SECTION_EVENTS, CATALOG_MAX_EVENTS, read_event);
    if (!r->oom) {
        check_clashes(r, c, &s[SECTION_METRICS]);
    }
}

// Fills a new catalogue from the trees, in order. Returns 0; -EINVAL with the problems in errs; -ENOMEM.
static int catalog_read(struct catalog *c, struct yaml *const *docs, size_t n_docs,
                        struct errs *errs)
{
    struct draft d;
    draft_open(&d, c, errs);
    for (size_t i = 0; i < n_docs && !d.reader.oom; i++) {
        gather(&d, docs[i]);
    }
    if (!d.reader.oom) {
        read_sections(&d);
    }
    draft_close(&d);
    return d.reader.oom ? -ENOMEM : d.reader.problems > 0 ? -EINVAL : catalog_index(c);
}

// The trees of all files so far.
struct loader {
    struct errs *errs;
    bool oom;
    size_t problems; // files without a tree
    size_t n_docs;
    size_t cap_docs;
    struct yaml **docs;
};

// Takes a document that was read.
static void take(struct loader *l, struct yaml *doc)
{
    if (l->n_docs == l->cap_docs) {
        size_t more = l->cap_docs == 0 ? 8 : l->cap_docs * 2;
        struct yaml **docs = realloc(l->docs, more * sizeof(struct yaml *));
        if (docs == NULL) {
            yaml_free(doc);
            l->oom = true;
            return;
        }
        l->docs = docs;
        l->cap_docs = more;
    }
    l->docs[l->n_docs++] = doc;
}

static size_t count(const struct loader *l)
{
    return l->errs->n + l->errs->left_out;
}

// Notes why there is no document, unless yaml.c has said so: -EINVAL may also come from the system.
static void note_unread(struct loader *l, const char *file, int err, size_t before)
{
    if (err == -ENOMEM) {
        l->oom = true;
    } else if (count(l) == before) {
        errs_add(l->errs, file, 0, 0, "", "%s", strerror(-err));
    }
    l->problems++;
}

static void take_bytes(struct loader *l, const char *file, const char *bytes, size_t len)
{
    struct yaml *doc;
    size_t before = count(l);
    int err = yaml_parse(&doc, file, bytes, len, l->errs);
    if (err == 0) {
        take(l, doc);
    } else {
        note_unread(l, file, err, before);
    }
}

// A file that was asked for by name and holds nothing was most likely being written just then.
static void take_file(struct loader *l, const char *path, bool named)
{
    struct yaml *doc;
    size_t before = count(l);
    int err = yaml_read(&doc, path, l->errs);
    if (err == 0 && named && doc->root == NULL) {
        errs_add(l->errs, path, 0, 0, "", "is empty: the catalogue has no metric");
        l->problems++;
        yaml_free(doc);
    } else if (err == 0) {
        take(l, doc);
    } else {
        note_unread(l, path, err, before);
    }
}

static int is_yaml(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

// A name that is likely meant to end in .yaml.
static int is_almost_yaml(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 4 &&
           (strcasecmp(d->d_name + len - 4, ".yml") == 0 ||
            (len > 5 && strcasecmp(d->d_name + len - 5, ".yaml") == 0 && !is_yaml(d)));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void hint_at_others(struct errs *warnings, const char *dir)
{
    struct dirent **names = NULL;
    int n = warnings != NULL ? scandir(dir, &names, is_almost_yaml, by_bytes) : 0;
    for (int i = 0; i < n; i++) {
        errs_add(warnings, dir, 0, 0, names[i]->d_name,
                 "is not read: its name does not end in .yaml");
        free(names[i]);
    }
    free(names);
}

static void take_dir(struct loader *l, const char *dir, bool must_exist)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_yaml, by_bytes);
    if (n < 0) {
        if (errno == ENOMEM) {
            l->oom = true;
        } else if (errno != ENOENT || must_exist) {
            errs_add(l->errs, dir, 0, 0, "", "%s", strerror(errno));
            l->problems++;
        }
        return;
    }
    if (n > LOAD_MAX_FILES) {
        errs_add(l->errs, dir, 0, 0, "", "more than %d files", LOAD_MAX_FILES);
        l->problems++;
    }
    struct buf path = BUF_INIT;
    for (int i = 0; i < n; i++) {
        if (i < LOAD_MAX_FILES && !l->oom) {
            buf_clear(&path);
            buf_addf(&path, "%s/%s", dir, names[i]->d_name);
            if (buf_string(&path) == NULL) {
                l->oom = true;
            } else {
                take_file(l, path.p, false);
            }
        }
        free(names[i]);
    }
    free(names);
    buf_free(&path);
}

// Makes the catalogue of the trees and ends the loader.
static int finish(struct loader *l, struct catalog **ret)
{
    struct catalog *c = l->oom ? NULL : catalog_new();
    int err = c != NULL ? catalog_read(c, l->docs, l->n_docs, l->errs) : -ENOMEM;
    if (err == 0 && l->problems > 0) {
        err = -EINVAL;
    }
    if (err == 0) {
        *ret = c;
    } else {
        catalog_free(c);
    }
    for (size_t i = 0; i < l->n_docs; i++) {
        yaml_free(l->docs[i]);
    }
    free(l->docs);
    return err;
}

static void enable_native(struct catalog *c, bool by_default)
{
    for (size_t i = 0; i < c->n_metrics; i++) {
        struct metric *m = &c->metrics[i];
        m->native.enabled = m->type == METRIC_HISTOGRAM &&
                            (m->native.wanted == METRIC_NATIVE_ON ||
                             (m->native.wanted == METRIC_NATIVE_DEFAULT && by_default));
    }
}

int catalog_load(struct catalog **ret, const struct catalog_input *in, struct errs *errs)
{
    struct loader l = {.errs = errs};
    if (in->n_files == 0) {
        take_bytes(&l, "built-in catalogue", catalog_builtin, catalog_builtin_len);
    }
    for (size_t i = 0; i < in->n_files && !l.oom; i++) {
        take_file(&l, in->files[i], true);
    }
    if (in->dir != NULL && !l.oom) {
        take_dir(&l, in->dir, in->dir_must_exist);
        hint_at_others(in->warnings, in->dir);
    }
    struct catalog *c = NULL;
    int err = finish(&l, &c);
    if (err == 0 && c->n_metrics == 0) {
        const char *file = in->n_files > 0 ? in->files[in->n_files - 1] : "built-in catalogue";
        errs_add(errs, file, 0, 0, "metrics", "the catalogue has no metric");
        catalog_free(c);
        return -EINVAL;
    }
    if (err == 0) {
        enable_native(c, in->native);
        *ret = c;
    }
    return err;
}

int catalog_load_bytes(struct catalog **ret, const char *file, const char *bytes, size_t len,
                       struct errs *errs)
{
    struct loader l = {.errs = errs};
    take_bytes(&l, file, bytes, len);
    int err = finish(&l, ret);
    if (err == 0) {
        enable_native(*ret, false);
    }
    return err;
}
