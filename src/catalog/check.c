// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "catalog/loader.h"

static bool ends_with(const char *s, const char *end)
{
    size_t len = strlen(s);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

void check_metric_name(struct loader *l, const struct at *at, const struct yaml_node *n, int type)
{
    // The exporter's own families, and those that every Prometheus adds to a target.
    static const char *const prefixes[] = {"virtrigaud_exporter_", "virtrigaud_source_", "process_",
                                           "scrape_"};
    // A histogram's and a counter's own series end in these.
    static const char *const suffixes[] = {"_bucket", "_count", "_sum", "_created"};
    const char *name = n->text;
    if (!text_is_metric_name(name) || strchr(name, ':') != NULL) {
        problem(l, at, n, "metric name \"%.64s\" must match [a-zA-Z_][a-zA-Z0-9_]*", name);
        return;
    }
    if (strcmp(name, "up") == 0) {
        problem(l, at, n, "metric name \"up\" is reserved");
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            problem(l, at, n, "names that start with \"%s\" are reserved", prefixes[i]);
        }
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (ends_with(name, suffixes[i])) {
            problem(l, at, n, "names that end in \"%s\" are reserved", suffixes[i]);
        }
    }
    if (type == METRIC_COUNTER && (!ends_with(name, "_total") || strcmp(name, "_total") == 0)) {
        problem(l, at, n, "a counter's name must end in \"_total\"");
    }
}

// OpenMetrics names a counter's family without "_total", so no other family may have that name.
void check_clashes(struct loader *l)
{
    struct section *s = &l->sections[SECTION_METRICS];
    for (size_t i = 0; i < l->c->n_metrics; i++) {
        const struct entry *e = &s->entries[i];
        if (l->c->metrics[i].type != METRIC_COUNTER || !ends_with(e->name, "_total")) {
            continue;
        }
        size_t len = strlen(e->name) - strlen("_total");
        if (names_find(&s->names, e->name, len) >= 0) {
            struct at section;
            struct at at = at_entry(s, e, &section);
            struct at here = at_key(&at, "name");
            problem(l, &here, e->name_node,
                    "clashes with metric \"%.*s\": in OpenMetrics both are called so", (int)len,
                    e->name);
        }
    }
}
