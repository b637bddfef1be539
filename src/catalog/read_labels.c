// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "catalog/loader.h"

static bool has_value(const struct label_def *def, const char *value)
{
    for (size_t i = 0; i < def->n_values; i++) {
        if (strcmp(def->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

static void read_values(struct loader *l, const struct at *at, const struct yaml_node *list,
                        struct label_def *def)
{
    if (!want_sequence(l, at, list)) {
        return;
    }
    if (list->n > CATALOG_MAX_VALUES) {
        problem(l, at, list->items[CATALOG_MAX_VALUES], "more than %d values", CATALOG_MAX_VALUES);
        return;
    }
    def->values = loader_alloc(l, list->n, sizeof *def->values);
    for (size_t i = 0; i < list->n && !l->oom; i++) {
        const struct yaml_node *n = list->items[i];
        struct at here = at_item(at, i);
        if (!check_value(l, &here, n)) {
            continue;
        }
        if (has_value(def, n->text)) {
            problem(l, &here, n, "value \"%s\" stands here twice", n->text);
            continue;
        }
        def->values[def->n_values] = loader_strdup(l, n->text);
        def->n_values += def->values[def->n_values] != NULL;
    }
}

static void check_alias(struct loader *l, const struct at *at, const struct yaml_node *mapping,
                        size_t i, const struct label_def *def)
{
    const char *from = mapping->keys[i]->text;
    const struct yaml_node *to = mapping->items[i];
    char near[HINT_MAX];
    if (has_value(def, from)) {
        problem(l, at, mapping->keys[i], "an alias cannot be one of the values");
    } else if (!has_value(def, to->text) && yaml_get(mapping, to->text) != NULL) {
        problem(l, at, to, "leads to another alias, \"%s\"; it must lead to a value", to->text);
    } else if (!has_value(def, to->text)) {
        problem(l, at, to, "leads to \"%s\", which is not among the values%s", to->text,
                hint(l, near, to->text, (const char *const *)def->values, def->n_values));
    }
}

static void read_aliases(struct loader *l, const struct at *at, const struct yaml_node *mapping,
                         struct label_def *def)
{
    if (!want_mapping(l, at, mapping)) {
        return;
    }
    if (mapping->n > CATALOG_MAX_VALUES) {
        problem(l, at, mapping->keys[CATALOG_MAX_VALUES], "more than %d aliases",
                CATALOG_MAX_VALUES);
        return;
    }
    if (mapping->n > 0 && def->n_values == 0) {
        problem(l, at, mapping, "aliases need values to lead to");
        return;
    }
    def->aliases = loader_alloc(l, mapping->n, sizeof *def->aliases);
    for (size_t i = 0; i < mapping->n && !l->oom; i++) {
        struct at here = at_key(at, mapping->keys[i]->text);
        if (!check_value(l, &here, mapping->keys[i]) || !check_value(l, &here, mapping->items[i])) {
            continue;
        }
        check_alias(l, &here, mapping, i, def);
        struct label_alias *a = &def->aliases[def->n_aliases];
        a->from = loader_strdup(l, mapping->keys[i]->text);
        a->to = loader_strdup(l, mapping->items[i]->text);
        def->n_aliases += a->from != NULL && a->to != NULL;
    }
}

static void read_def(struct loader *l, const struct section *s, const struct entry *e,
                     struct label_def *def)
{
    static const char *const known[] = {"values", "closed", "aliases", "help", "replace"};
    struct at section;
    struct at at = at_entry(s, e, &section);
    def->name = loader_strdup(l, e->name);
    def->help = loader_strdup(l, "");
    if (!text_is_label_name(e->name)) {
        problem(l, &at, e->name_node, "a label's name must match [a-zA-Z_][a-zA-Z0-9_]*");
    }
    if (!want_mapping(l, &at, e->node)) {
        return;
    }
    check_keys(l, &at, e->node, known, sizeof known / sizeof known[0]);
    read_help(l, &at, e->node, &def->help);
    const struct yaml_node *values = yaml_get(e->node, "values");
    struct at here = at_key(&at, "values");
    size_t before = l->problems;
    if (values != NULL) {
        read_values(l, &here, values, def);
    }
    bool values_read = l->problems == before;
    here = at_key(&at, "closed");
    read_bool(l, &at, e->node, "closed", &def->closed);
    if (def->closed && values_read && def->n_values == 0) {
        problem(l, &here, yaml_get(e->node, "closed"), "a closed label needs values");
    }
    const struct yaml_node *aliases = yaml_get(e->node, "aliases");
    here = at_key(&at, "aliases");
    // Aliases of values that were not understood would only repeat the problem.
    if (aliases != NULL && values_read && !l->oom) {
        read_aliases(l, &here, aliases, def);
    }
}

// Collects the names of labels that have no definition, so that defs can be allocated once.
static void find_implied(struct loader *l, const struct section *s)
{
    const struct section *written = &l->sections[SECTION_LABELS];
    for (size_t i = 0; i < s->n && !l->oom; i++) {
        const struct yaml_node *list = yaml_get(s->entries[i].node, "labels");
        for (size_t k = 0; list != NULL && list->kind == YAML_SEQUENCE_KIND && k < list->n; k++) {
            const char *name = list->items[k]->text;
            if (list->items[k]->kind != YAML_SCALAR_NODE_KIND || !text_is_label_name(name) ||
                names_find(&written->names, name, strlen(name)) >= 0 ||
                names_find(&l->implied, name, strlen(name)) >= 0) {
                continue;
            }
            if (names_add(&l->implied, name, written->n + l->implied.n) < 0) {
                l->oom = true;
                return;
            }
        }
    }
}

void read_label_defs(struct loader *l)
{
    struct section *s = &l->sections[SECTION_LABELS];
    find_implied(l, &l->sections[SECTION_METRICS]);
    find_implied(l, &l->sections[SECTION_EVENTS]);
    struct catalog *c = l->c;
    c->defs = loader_alloc(l, s->n + l->implied.n, sizeof *c->defs);
    for (size_t i = 0; i < s->n && !l->oom; i++) {
        size_t before = l->problems;
        read_def(l, s, &s->entries[i], &c->defs[i]);
        s->entries[i].broken = l->problems > before;
    }
    for (size_t i = 0; i < l->implied.cap && !l->oom; i++) {
        const struct names_slot *slot = &l->implied.slots[i];
        if (slot->name != NULL) {
            c->defs[slot->at] = (struct label_def){.name = loader_strdup(l, slot->name),
                                                   .help = loader_strdup(l, ""),
                                                   .implied = true};
        }
    }
    c->n_defs = s->n + l->implied.n;
}

static void check_label_name(struct loader *l, const struct at *at, const struct yaml_node *n,
                             bool refuse_le)
{
    const char *name = n->text;
    if (!text_is_label_name(name)) {
        problem(l, at, n, "label name \"%.64s\" must match [a-zA-Z_][a-zA-Z0-9_]*", name);
    } else if (strncmp(name, "__", 2) == 0) {
        problem(l, at, n, "label names that start with \"__\" are reserved");
    } else if (strcmp(name, "quantile") == 0 || (refuse_le && strcmp(name, "le") == 0)) {
        problem(l, at, n, "label name \"%s\" is reserved", name);
    }
}

// Finds the definition that an entry of `labels` is bound to: that of its name, or the one it
// names.
static const struct label_def *find_def(struct loader *l, const struct at *at,
                                        const struct yaml_node *item)
{
    const struct section *s = &l->sections[SECTION_LABELS];
    const struct yaml_node *n = item->kind == YAML_SCALAR_NODE_KIND ? item : item->items[0];
    if (!want_scalar(l, at, n)) {
        return NULL;
    }
    long found = names_find(&s->names, n->text, strlen(n->text));
    if (found < 0 && n == item) {
        found = names_find(&l->implied, n->text, strlen(n->text));
    }
    if (found < 0 && n != item) {
        char near[HINT_MAX];
        problem(l, at, n, "unknown label definition \"%.64s\"%s", n->text,
                hint_entry(l, near, n->text, s));
    }
    return found >= 0 ? &l->c->defs[found] : NULL;
}

static bool read_label(struct loader *l, const struct at *at, const struct yaml_node *item,
                       bool refuse_le, const struct label *before, size_t n_before,
                       struct label *ret)
{
    if (item->kind == YAML_SEQUENCE_KIND || (item->kind == YAML_MAPPING_KIND && item->n != 1)) {
        problem(l, at, item, "must be a label's name, or {name: definition}");
        return false;
    }
    const struct yaml_node *name = item->kind == YAML_SCALAR_NODE_KIND ? item : item->keys[0];
    size_t problems = l->problems;
    check_label_name(l, at, name, refuse_le);
    for (size_t i = 0; i < n_before; i++) {
        if (strcmp(before[i].name, name->text) == 0) {
            problem(l, at, name, "label \"%.64s\" stands here twice", name->text);
        }
    }
    ret->name = loader_strdup(l, name->text);
    ret->name_len = strlen(name->text);
    ret->opening = loader_alloc(l, ret->name_len + CATALOG_OPENING, 1);
    ret->def = find_def(l, at, item);
    if (l->problems > problems || ret->name == NULL || ret->opening == NULL || ret->def == NULL) {
        return false;
    }
    memcpy(ret->opening, ret->name, ret->name_len);
    memcpy(ret->opening + ret->name_len, "=\"", sizeof "=\"");
    return true;
}

void read_labels(struct loader *l, const struct at *at, const struct yaml_node *m, bool refuse_le,
                 struct label **ret, size_t *ret_n)
{
    const struct yaml_node *list = yaml_get(m, "labels");
    struct at here = at_key(at, "labels");
    if (list == NULL || !want_sequence(l, &here, list)) {
        return;
    }
    if (list->n > CATALOG_MAX_LABELS) {
        problem(l, &here, list->items[CATALOG_MAX_LABELS], "more than %d labels",
                CATALOG_MAX_LABELS);
        return;
    }
    struct label *labels = loader_alloc(l, list->n, sizeof *labels);
    size_t n = 0;
    for (size_t i = 0; i < list->n && !l->oom; i++) {
        struct at item = at_item(&here, i);
        n += read_label(l, &item, list->items[i], refuse_le, labels, n, &labels[n]);
    }
    *ret = labels;
    *ret_n = n;
}
