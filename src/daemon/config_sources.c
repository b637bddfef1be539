// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_sources.h"

#include "base/num.h"
#include "base/text.h"
#include "catalog/yaml.h"
#include "source/source.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// One entry while it is read: the context of its reader.
struct entry_reader {
    const struct config *c;
    const struct catalog *catalog;
    struct errs *warnings;
    struct permission_role *e;
};

// What the keys of an entry hold, those aside that are read into the entry itself.
struct entry_draft {
    char *unit;
    char *instance;
    const struct yaml_node *metrics;
    const struct yaml_node *labels;
    uint64_t events_per_second;
    uint64_t series;
    uint64_t connections;
};

// ---- Users and groups, as the system knows them now

// Whether the text is a number below 2^32 - 1, which is no id.
static bool read_id(const char *text, uint64_t *ret)
{
    size_t len = strlen(text);
    return len > 0 && len <= 10 && strspn(text, "0123456789") == len &&
           num_parse_u64(text, ret) == 0 && *ret < UINT32_MAX;
}

static int find_user(const char *name, uid_t *ret)
{
    uint64_t id;
    const struct passwd *user = getpwnam(name);
    if (user != NULL) {
        *ret = user->pw_uid;
    } else if (read_id(name, &id)) {
        *ret = (uid_t)id;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int find_group(const char *name, gid_t *ret)
{
    uint64_t id;
    const struct group *group = getgrnam(name);
    if (group != NULL) {
        *ret = group->gr_gid;
    } else if (read_id(name, &id)) {
        *ret = (gid_t)id;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int list_members(gid_t group, uid_t **ret, size_t *ret_n)
{
    const struct group *g = getgrgid(group);
    size_t n = 0;
    while (g != NULL && g->gr_mem[n] != NULL) {
        n++;
    }
    uid_t *users = n > 0 ? calloc(n, sizeof *users) : NULL;
    if (n > 0 && users == NULL) {
        return -ENOMEM;
    }
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const struct passwd *user = getpwnam(g->gr_mem[i]);
        if (user != NULL) {
            users[known++] = user->pw_uid;
        }
    }
    permission_sort_members(users, known);
    *ret = users;
    *ret_n = known;
    return 0;
}

// ---- An entry

static struct permission_role *entry_of(const struct yaml_reader *r)
{
    return ((const struct entry_reader *)r->context)->e;
}

static const struct catalog *catalog_of(const struct yaml_reader *r)
{
    return ((const struct entry_reader *)r->context)->catalog;
}

static char *copy(struct yaml_reader *r, const char *text)
{
    char *p = strdup(text);
    r->oom = r->oom || p == NULL;
    return p;
}

// Whether it is a text; ~ is none.
static bool check_text(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n)
{
    size_t len = n->kind == YAML_SCALAR_NODE_KIND ? strlen(n->text) : 0;
    bool good = len > 0 && len <= SOURCE_MAX_NAME && !(n->plain && strcmp(n->text, "~") == 0);
    if (!good) {
        yaml_reject(r, place, n, false, "a text of 1 to %d bytes", SOURCE_MAX_NAME);
    }
    return good;
}

// A text that the entry keeps; the field is a char *.
static void read_text(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, void *field)
{
    if (check_text(r, place, n)) {
        *(char **)field = copy(r, n->text);
    }
}

static void read_user(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, void *field)
{
    struct permission_role *e = entry_of(r);
    (void)field;
    e->by_user = true;
    if (check_text(r, place, n) && find_user(n->text, &e->user) < 0) {
        yaml_problem(r, place, n, "user \"%.64s\" does not exist", n->text);
    }
}

static void read_group(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, void *field)
{
    struct permission_role *e = entry_of(r);
    (void)field;
    e->by_group = true;
    if (!check_text(r, place, n)) {
        return;
    }
    if (find_group(n->text, &e->group) < 0) {
        yaml_problem(r, place, n, "group \"%.64s\" does not exist", n->text);
    } else {
        r->oom = r->oom || list_members(e->group, &e->members, &e->n_members) < 0;
    }
}

static void read_component(struct yaml_reader *r, const struct yaml_place *place,
                           const struct yaml_node *n, void *field)
{
    const struct catalog *catalog = catalog_of(r);
    struct permission_role *e = entry_of(r);
    (void)field;
    char near[TEXT_HINT];
    if (!check_text(r, place, n)) {
        return;
    }
    int found = catalog_find_component(catalog, n->text, strlen(n->text));
    if (found <= COMPONENT_UNKNOWN) {
        yaml_problem(r, place, n, "the catalogue has no component \"%.64s\"%s", n->text,
                     yaml_hint(r, near, n->text, (const char *const *)catalog->components + 1,
                               catalog->n_components - 1));
        return;
    }
    e->component = (unsigned)found;
}

static void allow(struct permission_role *e, size_t metric)
{
    e->metrics[metric / 8] |= (uint8_t)(1 << metric % 8);
}

static bool is_permitted(const struct permission_role *e, size_t metric)
{
    return (e->metrics[metric / 8] >> metric % 8 & 1) != 0;
}

static void read_pattern(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *n)
{
    const struct catalog *catalog = catalog_of(r);
    bool any = false;
    if (!check_text(r, place, n)) {
        return;
    }
    for (size_t m = 0; m < catalog->n_metrics; m++) {
        if (text_glob(n->text, catalog->metrics[m].name)) {
            allow(entry_of(r), m);
            any = true;
        }
    }
    if (!any) {
        yaml_problem(r, place, n, "the catalogue has no metric \"%.96s\"", n->text);
    }
}

// Permits what the patterns name; without any, the metrics of the entry's component.
static void read_metrics(struct yaml_reader *r, const struct yaml_place *up,
                         const struct yaml_node *entry, const struct yaml_node *list)
{
    const struct catalog *catalog = catalog_of(r);
    struct permission_role *e = entry_of(r);
    struct yaml_place place = yaml_place_key(up, "metrics");
    bool by_component = yaml_get(entry, "metrics") == NULL;
    e->metrics = calloc(catalog->n_metrics / 8 + 1, 1);
    if (e->metrics == NULL) {
        r->oom = true;
        return;
    }
    for (size_t m = 0; by_component && m < catalog->n_metrics; m++) {
        unsigned component = catalog->metrics[m].component;
        if (component == e->component || component == COMPONENT_ANY) {
            allow(e, m);
        }
    }
    for (size_t i = 0; list != NULL && i < list->n; i++) {
        read_pattern(r, &place, list->items[i]);
    }
}

// Whether a permitted metric declares the label, and whether one of them knows the value.
static void find_label(const struct catalog *catalog, const struct permission_role *e,
                       const char *name, const char *value, bool *ret_label, bool *ret_value)
{
    for (size_t m = 0; m < catalog->n_metrics; m++) {
        const struct metric *metric = &catalog->metrics[m];
        for (size_t i = 0; is_permitted(e, m) && i < metric->n_labels; i++) {
            size_t len;
            if (strcmp(metric->labels[i].name, name) == 0) {
                *ret_label = true;
                *ret_value |=
                    catalog_find_value(metric->labels[i].def, value, strlen(value), &len) != NULL;
            }
        }
    }
}

static void read_label(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *key, const struct yaml_node *n)
{
    struct permission_role *e = entry_of(r);
    bool has_label = false;
    bool has_value = false;
    if (!check_text(r, place, n)) {
        return;
    }
    find_label(catalog_of(r), e, key->text, n->text, &has_label, &has_value);
    if (!has_label) {
        yaml_problem(r, place, key, "no metric that this entry may push declares this label");
    } else if (!has_value) {
        yaml_problem(r, place, n, "no metric that this entry may push allows \"%.64s\"", n->text);
    } else {
        e->label_names[e->n_labels] = copy(r, key->text);
        e->label_values[e->n_labels++] = copy(r, n->text);
    }
}

// A limit beyond that of all sources is likely a mistake.
static void check_limit(struct yaml_reader *r, const struct yaml_place *up,
                        const struct yaml_node *entry, const char *key, uint64_t limit,
                        uint64_t limit_of_all)
{
    struct yaml_reader warner = {.file = r->file,
                                 .errs = ((const struct entry_reader *)r->context)->warnings};
    struct yaml_place place = yaml_place_key(up, key);
    if (limit_of_all > 0 && limit > limit_of_all) {
        yaml_problem(&warner, &place, yaml_get(entry, key), "is more than limits.%s, %llu", key,
                     (unsigned long long)limit_of_all);
    }
}

static void read_entry(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n)
{
#define FIELD(member) .offset = offsetof(struct entry_draft, member)
    static const struct yaml_key keys[] = {
        {"user", .type = YAML_ANY, .read = read_user},
        {"group", .type = YAML_ANY, .read = read_group},
        {"unit", .type = YAML_ANY, .read = read_text, FIELD(unit)},
        {"component", .type = YAML_ANY, .required = true, .read = read_component},
        {"instance", .type = YAML_ANY, .read = read_text, FIELD(instance)},
        {"metrics", .type = YAML_LIST, .min = 1, .max = CONFIG_MAX_LIST, FIELD(metrics)},
        {"labels", .type = YAML_MAPPING, .max = PERMISSION_MAX_LABELS, FIELD(labels)},
        {"events_per_second", .type = YAML_COUNT, .min = 1, .max = CONFIG_SOURCES_MAX_EVENTS,
         FIELD(events_per_second)},
        {"series", .type = YAML_COUNT, .min = 1, .max = CONFIG_SOURCES_MAX_SERIES, FIELD(series)},
        {"connections", .type = YAML_COUNT, .min = 1, .max = CONFIG_SOURCES_MAX_CONNECTIONS,
         FIELD(connections)},
    };
#undef FIELD
    const struct config *c = ((const struct entry_reader *)r->context)->c;
    struct permission_role *e = entry_of(r);
    struct entry_draft d = {0};
    struct yaml_place labels = yaml_place_key(place, "labels");
    yaml_read_keys(r, place, n, YAML_KEYS(keys), &d);
    e->unit = d.unit;
    e->instance = d.instance;
    e->events_per_second = (uint32_t)d.events_per_second;
    e->series = (uint32_t)d.series;
    e->connections = (uint32_t)d.connections;
    check_limit(r, place, n, "series", d.series, c->limits_series);
    check_limit(r, place, n, "connections", d.connections, c->limits_connections);
    if (n->kind == YAML_MAPPING_KIND) {
        read_metrics(r, place, n, d.metrics);
    }
    for (size_t i = 0; d.labels != NULL && e->metrics != NULL && i < d.labels->n; i++) {
        struct yaml_place here = yaml_place_key(&labels, d.labels->keys[i]->text);
        read_label(r, &here, d.labels->keys[i], d.labels->items[i]);
    }
}

// ---- All of them

// Whether the user of `e` is in the group that `earlier` is for, as far as the system knows now.
static bool is_member(const struct permission_role *earlier, const struct permission_role *e)
{
    struct permission_role same = *e;
    struct peer peer = {.uid = e->user, .gid = (gid_t)-1};
    same.by_group = earlier->by_group;
    same.group = earlier->group;
    return e->by_user && earlier->by_group && permission_role_is_for(earlier, &peer) &&
           permission_role_has_all_of(earlier, &same);
}

// Looks at what the earlier entries leave to this one.
static void check_reach(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n, const struct permission_roles *roles)
{
    const struct entry_reader *context = r->context;
    struct yaml_reader warner = {.file = r->file, .errs = context->warnings};
    for (const struct permission_role *earlier = roles->entries; earlier < context->e; earlier++) {
        if (permission_role_has_all_of(earlier, context->e)) {
            yaml_problem(r, place, n,
                         "can never match: %s comes first and matches the same clients",
                         earlier->name);
            return;
        }
        if (is_member(earlier, context->e)) {
            yaml_problem(&warner, place, n,
                         "its user is a member of the group of %s, which comes first",
                         earlier->name);
            return;
        }
    }
}

static void read_entries(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *list, struct permission_roles *roles)
{
    struct entry_reader *context = r->context;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_item(place, i);
        size_t before = r->problems;
        context->e = &roles->entries[i];
        read_entry(r, &here, list->items[i]);
        if (r->problems == before && !r->oom) {
            check_reach(r, &here, list->items[i], roles);
        }
    }
}

int config_sources(struct permission_roles **ret, const struct config *c,
                   const struct catalog *catalog, struct errs *errs, struct errs *warnings)
{
    const struct yaml_node *list = c->sources;
    struct entry_reader context = {.c = c, .catalog = catalog, .warnings = warnings};
    struct yaml_reader r = {.file = c->config_file, .errs = errs, .context = &context};
    struct yaml_place place = yaml_place_key(NULL, "sources");
    if (list != NULL && list->kind != YAML_SEQUENCE_KIND) {
        yaml_reject(&r, &place, list, false, "a list of at most %d entries", PERMISSION_MAX_ROLES);
        return -EINVAL;
    }
    if (list != NULL && list->n > PERMISSION_MAX_ROLES) {
        yaml_problem(&r, &place, list, "must be a list of at most %d entries, not %zu",
                     PERMISSION_MAX_ROLES, list->n);
        return -EINVAL;
    }
    struct permission_roles *roles = permission_roles_new(list != NULL ? list->n : 0);
    if (roles == NULL) {
        return -ENOMEM;
    }
    roles->open = list == NULL;
    if (list != NULL) {
        read_entries(&r, &place, list, roles);
    }
    if (r.oom || r.problems > 0) {
        permission_roles_free(roles);
        return r.oom ? -ENOMEM : -EINVAL;
    }
    *ret = roles;
    return 0;
}
