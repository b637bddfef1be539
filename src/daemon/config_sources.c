// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_sources.h"

#include "base/num.h"
#include "base/text.h"
#include "catalog/yaml.h"
#include "daemon/config_who.h"
#include "daemon/setting.h"
#include "event/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const keys[] = {"user",     "group",      "unit",    "component",
                                   "instance", "labels",     "metrics", "events_per_second",
                                   "series",   "connections"};

enum { KEYS = sizeof keys / sizeof keys[0] };

// One entry while it is read.
struct reader {
    const struct config *c;
    const struct catalog *catalog;
    struct errs *errs;
    struct errs *warnings;
    const struct yaml_node *node; // of the entry
    struct rights_entry *e;
    bool oom;
};

static void complain(struct reader *r, struct errs *to, const struct yaml_node *node,
                     const char *key, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

// `key` is one of the entry's, or "" for the entry itself.
static void complain(struct reader *r, struct errs *to, const struct yaml_node *node,
                     const char *key, const char *fmt, ...)
{
    char path[SETTING_SHOWN + 40];
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(path, sizeof path, "%s%s%.*s", r->e->name, key[0] != '\0' ? "." : "", SETTING_SHOWN,
             key);
    errs_add(to, r->c->config_file, node->line, node->column, path, "%s", text);
}

static char *copy(struct reader *r, const char *text)
{
    char *p = strdup(text);
    r->oom |= p == NULL;
    return p;
}

// The text of a node that must be one; NULL after a problem.
static const char *text_of(struct reader *r, const struct yaml_node *n, const char *key)
{
    if (n->kind != YAML_SCALAR_NODE_KIND || n->text[0] == '\0' ||
        (n->plain && strcmp(n->text, "~") == 0) || strlen(n->text) > CONTROL_MAX_NAME) {
        complain(r, r->errs, n, key, "wants a text of 1 to %d bytes", CONTROL_MAX_NAME);
        return NULL;
    }
    return n->text;
}

// The text under a key of the entry; NULL when there is none, or after a problem.
static const char *text_at(struct reader *r, const char *key, const struct yaml_node **ret_node)
{
    *ret_node = yaml_get(r->node, key);
    return *ret_node != NULL ? text_of(r, *ret_node, key) : NULL;
}

static void check_keys(struct reader *r)
{
    for (size_t i = 0; i < r->node->n; i++) {
        const char *key = r->node->keys[i]->text;
        size_t k = 0;
        while (k < KEYS && strcmp(keys[k], key) != 0) {
            k++;
        }
        if (k == KEYS) {
            const char *nearest = text_nearest(key, keys, KEYS);
            complain(r, r->errs, r->node->keys[i], key, "unknown key%s%s",
                     nearest != NULL ? "; the nearest is " : "", nearest != NULL ? nearest : "");
        }
    }
}

static void read_who(struct reader *r)
{
    const struct yaml_node *n;
    const char *name = text_at(r, "user", &n);
    r->e->by_user = n != NULL;
    if (name != NULL && who_user(name, &r->e->user) < 0) {
        complain(r, r->errs, n, "user", "there is no user \"%.64s\"", name);
    }
    name = text_at(r, "group", &n);
    r->e->by_group = n != NULL;
    if (name != NULL && who_group(name, &r->e->group) < 0) {
        complain(r, r->errs, n, "group", "there is no group \"%.64s\"", name);
    } else if (name != NULL) {
        r->oom |= who_members(r->e->group, &r->e->members, &r->e->n_members) < 0;
    }
    name = text_at(r, "unit", &n);
    r->e->unit = name != NULL ? copy(r, name) : NULL;
}

static void read_component(struct reader *r)
{
    const struct yaml_node *n;
    const char *name = text_at(r, "component", &n);
    int at = name != NULL ? catalog_find_component(r->catalog, name, strlen(name)) : 0;
    if (n == NULL) {
        complain(r, r->errs, r->node, "", "wants a component");
    } else if (name != NULL && at <= COMPONENT_UNKNOWN) {
        const char *nearest = text_nearest(name, (const char *const *)r->catalog->components + 1,
                                           r->catalog->n_components - 1);
        complain(r, r->errs, n, "component", "the catalogue has no component \"%.64s\"%s%s", name,
                 nearest != NULL ? "; the nearest is " : "", nearest != NULL ? nearest : "");
    } else {
        r->e->component = (unsigned)at;
    }
    name = text_at(r, "instance", &n);
    r->e->instance = name != NULL ? copy(r, name) : NULL;
}

static void permit(struct rights_entry *e, size_t metric)
{
    e->metrics[metric / 8] |= (uint8_t)(1 << metric % 8);
}

static bool is_permitted(const struct rights_entry *e, size_t metric)
{
    return (e->metrics[metric / 8] >> metric % 8 & 1) != 0;
}

static void read_pattern(struct reader *r, const struct yaml_node *n)
{
    const char *pattern = text_of(r, n, "metrics");
    bool any = pattern == NULL;
    for (size_t m = 0; pattern != NULL && m < r->catalog->n_metrics; m++) {
        if (text_glob(pattern, r->catalog->metrics[m].name)) {
            permit(r->e, m);
            any = true;
        }
    }
    if (!any) {
        complain(r, r->errs, n, "metrics", "the catalogue has no metric \"%.96s\"", pattern);
    }
}

static void read_metrics(struct reader *r)
{
    const struct yaml_node *n = yaml_get(r->node, "metrics");
    r->e->metrics = calloc(r->catalog->n_metrics / 8 + 1, 1);
    if (r->e->metrics == NULL) {
        r->oom = true;
        return;
    }
    for (size_t m = 0; n == NULL && m < r->catalog->n_metrics; m++) {
        unsigned component = r->catalog->metrics[m].component;
        if (component == r->e->component || component == COMPONENT_ANY) {
            permit(r->e, m);
        }
    }
    if (n != NULL && (n->kind != YAML_SEQUENCE_KIND || n->n == 0 || n->n > CONFIG_MAX_LIST)) {
        complain(r, r->errs, n, "metrics", "wants a list of 1 to %d patterns", CONFIG_MAX_LIST);
        return;
    }
    for (size_t i = 0; n != NULL && i < n->n; i++) {
        read_pattern(r, n->items[i]);
    }
}

// Whether a permitted metric declares the label, and whether one of them knows the value.
static void find_label(const struct reader *r, const char *name, const char *value, bool *ret_label,
                       bool *ret_value)
{
    for (size_t m = 0; m < r->catalog->n_metrics; m++) {
        const struct metric *metric = &r->catalog->metrics[m];
        for (size_t i = 0; is_permitted(r->e, m) && i < metric->n_labels; i++) {
            size_t len;
            if (strcmp(metric->labels[i].name, name) == 0) {
                *ret_label = true;
                *ret_value |=
                    label_resolve(metric->labels[i].def, value, strlen(value), &len) != NULL;
            }
        }
    }
}

static void read_label(struct reader *r, const struct yaml_node *key, const struct yaml_node *n)
{
    char path[SETTING_SHOWN];
    snprintf(path, sizeof path, "labels.%.100s", key->text);
    const char *value = text_of(r, n, path);
    bool has_label = false;
    bool has_value = false;
    if (value == NULL) {
        return;
    }
    find_label(r, key->text, value, &has_label, &has_value);
    if (!has_label) {
        complain(r, r->errs, key, path, "no metric that this entry may push declares this label");
    } else if (!has_value) {
        complain(r, r->errs, n, path, "no metric that this entry may push allows \"%.64s\"", value);
    } else {
        size_t at = r->e->n_labels++;
        r->e->label_names[at] = copy(r, key->text);
        r->e->label_values[at] = copy(r, value);
    }
}

static void read_labels(struct reader *r)
{
    const struct yaml_node *n = yaml_get(r->node, "labels");
    if (n != NULL && (n->kind != YAML_MAPPING_KIND || n->n > PERMIT_MAX_LABELS)) {
        complain(r, r->errs, n, "labels", "wants a mapping of at most %d names to values",
                 PERMIT_MAX_LABELS);
        return;
    }
    for (size_t i = 0; n != NULL && r->e->metrics != NULL && i < n->n; i++) {
        read_label(r, n->keys[i], n->items[i]);
    }
}

static void read_number(struct reader *r, const char *key, uint64_t most, uint64_t limit,
                        const char *limit_name, uint32_t *ret)
{
    const struct yaml_node *n = yaml_get(r->node, key);
    uint64_t number = 0;
    if (n == NULL) {
        return;
    }
    if (n->kind != YAML_SCALAR_NODE_KIND || !n->plain || strlen(n->text) > 20 ||
        strspn(n->text, "0123456789") != strlen(n->text) || num_parse_u64(n->text, &number) != 0 ||
        number == 0 || number > most) {
        complain(r, r->errs, n, key, "wants a whole number from 1 to %llu",
                 (unsigned long long)most);
        return;
    }
    if (limit > 0 && number > limit) {
        complain(r, r->warnings, n, key, "is more than %s, %llu", limit_name,
                 (unsigned long long)limit);
    }
    *ret = (uint32_t)number;
}

static void read_entry(struct reader *r)
{
    if (r->node->kind != YAML_MAPPING_KIND) {
        complain(r, r->errs, r->node, "", "wants a mapping");
        return;
    }
    check_keys(r);
    read_who(r);
    read_component(r);
    read_metrics(r);
    read_labels(r);
    read_number(r, "events_per_second", SOURCES_MAX_EVENTS, 0, "", &r->e->events_per_second);
    read_number(r, "series", SOURCES_MAX_SERIES, r->c->limits_series, "limits.series",
                &r->e->series);
    read_number(r, "connections", SOURCES_MAX_CONNECTIONS, r->c->limits_connections,
                "limits.connections", &r->e->connections);
}

// Whether the user of `e` is in the group that `earlier` is for, as far as the system says now.
static bool is_member(const struct rights_entry *earlier, const struct rights_entry *e)
{
    struct rights_entry same = *e;
    struct peer peer = {.uid = e->user, .gid = (gid_t)-1};
    same.by_group = earlier->by_group;
    same.group = earlier->group;
    return e->by_user && earlier->by_group && rights_fits(earlier, &peer) &&
           rights_covers(earlier, &same);
}

// Looks at what the entries before leave to this one.
static void check_reach(struct reader *r, const struct rights *rights)
{
    for (const struct rights_entry *earlier = rights->entries; earlier < r->e; earlier++) {
        if (rights_covers(earlier, r->e)) {
            complain(r, r->errs, r->node, "", "can never be reached: %s takes all that it is for",
                     earlier->name);
            return;
        }
        if (is_member(earlier, r->e)) {
            complain(r, r->warnings, r->node, "",
                     "its user is a member of the group of %s, which comes first", earlier->name);
            return;
        }
    }
}

static int read_all(struct reader *r, struct rights *rights, const struct yaml_node *list)
{
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        size_t before = r->errs->n + r->errs->left_out;
        r->node = list->items[i];
        r->e = &rights->entries[i];
        read_entry(r);
        if (r->errs->n + r->errs->left_out == before) {
            check_reach(r, rights);
        }
    }
    return r->oom ? -ENOMEM : errs_any(r->errs) ? -EINVAL : 0;
}

int config_sources(struct rights **ret, const struct config *c, const struct catalog *catalog,
                   struct errs *errs, struct errs *warnings)
{
    const struct yaml_node *list = c->sources;
    struct reader r = {.c = c, .catalog = catalog, .errs = errs, .warnings = warnings};
    if (list != NULL && (list->kind != YAML_SEQUENCE_KIND || list->n > RIGHTS_MOST)) {
        errs_add(errs, c->config_file, list->line, list->column, "sources",
                 "wants a list of at most %d entries", RIGHTS_MOST);
        return -EINVAL;
    }
    struct rights *rights = rights_new(list != NULL ? list->n : 0);
    if (rights == NULL) {
        return -ENOMEM;
    }
    rights->open = list == NULL;
    int rc = list != NULL ? read_all(&r, rights, list) : 0;
    if (rc < 0) {
        rights_free(rights);
        return rc;
    }
    *ret = rights;
    return 0;
}
