// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "catalog/loader.h"

static bool reserve(struct loader *l, struct section *s)
{
    if (s->n < s->cap) {
        return true;
    }
    size_t more = s->cap == 0 ? 64 : s->cap * 2;
    struct entry *entries = realloc(s->entries, more * sizeof *entries);
    if (entries == NULL) {
        l->oom = true;
        return false;
    }
    s->entries = entries;
    s->cap = more;
    return true;
}

// Adds an entry, or puts it in the place of one of the same name that it says it replaces.
static void add(struct loader *l, struct section *s, const struct entry *e)
{
    struct at section;
    struct at at = at_entry(s, e, &section);
    bool replace = false;
    if (e->node->kind == YAML_MAPPING_KIND) {
        read_bool(l, &at, e->node, "replace", &replace);
    }
    long found = names_find(&s->names, e->name, strlen(e->name));
    if (found >= 0 && replace) {
        s->entries[found] = *e;
        return;
    }
    if (found >= 0) {
        const struct entry *old = &s->entries[found];
        problem(l, &at, e->name_node,
                "%s \"%.100s\" exists already (%.100s:%u); say `replace: true` to replace it",
                s->one, e->name, old->file, old->name_node->line);
    } else if (names_add(&s->names, e->name, s->n) < 0) {
        l->oom = true;
    }
    // One that stands twice is kept too, so that all else that is wrong with it is found.
    if (reserve(l, s)) {
        s->entries[s->n++] = *e;
    }
}

static void gather_list(struct loader *l, struct section *s, const struct at *at,
                        const struct yaml_node *list)
{
    if (!want_sequence(l, at, list)) {
        return;
    }
    for (size_t i = 0; i < list->n && !l->oom; i++) {
        const struct yaml_node *item = list->items[i];
        struct at here = at_item(at, i);
        if (!want_mapping(l, &here, item)) {
            continue;
        }
        const struct yaml_node *name = yaml_get(item, "name");
        struct at name_at = at_key(&here, "name");
        if (name == NULL) {
            problem(l, &name_at, item, "is missing");
        } else if (want_scalar(l, &name_at, name)) {
            struct entry e = {
                .name = name->text, .node = item, .name_node = name, .file = at->file, .index = i};
            add(l, s, &e);
        }
    }
}

static void gather_mapping(struct loader *l, struct section *s, const struct at *at,
                           const struct yaml_node *mapping)
{
    if (!want_mapping(l, at, mapping)) {
        return;
    }
    for (size_t i = 0; i < mapping->n && !l->oom; i++) {
        const struct yaml_node *key = mapping->keys[i];
        struct entry e = {
            .name = key->text, .node = mapping->items[i], .name_node = key, .file = at->file};
        add(l, s, &e);
    }
}

// A component's name is part of a path and of a label: small letters, digits, '_' and '-'.
static bool is_component_name(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return s[len] == '\0' && len >= 1 && len <= 64 && s[0] >= 'a' && s[0] <= 'z';
}

static void add_component(struct loader *l, const struct at *at, const struct yaml_node *n)
{
    struct catalog *c = l->c;
    if (!want_scalar(l, at, n)) {
        return;
    }
    if (!is_component_name(n->text)) {
        problem(l, at, n, "\"%.64s\" is no component name ([a-z][a-z0-9_-]*, at most 64 bytes)",
                n->text);
    } else if (strcmp(n->text, "any") == 0 || strcmp(n->text, "unknown") == 0) {
        problem(l, at, n, "\"%s\" is reserved", n->text);
    } else if (catalog_find_component(c, n->text, strlen(n->text)) >= 0) {
        return; // several files may need the same one
    } else if (c->n_components == CATALOG_MAX_COMPONENTS) {
        problem(l, at, n, "more than %d components", CATALOG_MAX_COMPONENTS);
    } else {
        c->components[c->n_components] = loader_strdup(l, n->text);
        c->n_components += c->components[c->n_components] != NULL;
    }
}

void gather(struct loader *l, const struct yaml *doc)
{
    if (doc->root == NULL) {
        return;
    }
    static const char *const known[] = {"components", "buckets", "labels", "metrics", "events"};
    struct at top = {.file = doc->file, .key = ""};
    if (!want_mapping(l, &top, doc->root)) {
        return;
    }
    check_keys(l, &top, doc->root, known, sizeof known / sizeof known[0]);
    const struct yaml_node *components = yaml_get(doc->root, "components");
    struct at at = {.file = doc->file, .key = "components"};
    if (components != NULL && want_sequence(l, &at, components)) {
        for (size_t i = 0; i < components->n && !l->oom; i++) {
            struct at here = at_item(&at, i);
            add_component(l, &here, components->items[i]);
        }
    }
    for (size_t i = 0; i < SECTIONS; i++) {
        struct section *s = &l->sections[i];
        const struct yaml_node *n = yaml_get(doc->root, s->key);
        at.key = s->key;
        if (n != NULL && s->listed) {
            gather_list(l, s, &at, n);
        } else if (n != NULL) {
            gather_mapping(l, s, &at, n);
        }
    }
}
