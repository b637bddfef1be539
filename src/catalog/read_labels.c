// SPDX-License-Identifier: Apache-2.0
#include "catalog/read_labels.h"

#include "base/text.h"

static bool has_value(const struct label_def *def, const char *value)
{
    for (size_t i = 0; i < def->n_values; i++) {
        if (strcmp(def->values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

static void read_values(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *list, struct label_def *def)
{
    if (!draft_check_number(r, place, list->n, list->items, CATALOG_MAX_VALUES, "values")) {
        return;
    }
    def->values = draft_alloc(r, list->n, sizeof *def->values);
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        const struct yaml_node *n = list->items[i];
        struct yaml_place here = yaml_place_item(place, i);
        if (!draft_check_value(r, &here, n)) {
            continue;
        }
        if (has_value(def, n->text)) {
            yaml_problem(r, &here, n, "duplicate value \"%s\"", n->text);
            continue;
        }
        def->values[def->n_values] = draft_text(r, n->text);
        def->n_values += def->values[def->n_values] != NULL;
    }
}

static void check_alias(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *mapping, size_t i, const struct label_def *def)
{
    const char *alias = mapping->keys[i]->text;
    const struct yaml_node *to = mapping->items[i];
    char near[YAML_HINT];
    if (has_value(def, alias)) {
        yaml_problem(r, place, mapping->keys[i], "an alias cannot be one of the values");
    } else if (!has_value(def, to->text) && yaml_get(mapping, to->text) != NULL) {
        yaml_problem(r, place, to, "stands for another alias, \"%s\"; it must stand for a value",
                     to->text);
    } else if (!has_value(def, to->text)) {
        yaml_problem(r, place, to, "stands for \"%s\", which is not among the values%s", to->text,
                     yaml_hint(r, near, to->text, (const char *const *)def->values, def->n_values));
    }
}

static void read_aliases(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *mapping, struct label_def *def)
{
    if (!draft_check_number(r, place, mapping->n, mapping->keys, CATALOG_MAX_VALUES, "aliases")) {
        return;
    }
    if (mapping->n > 0 && def->n_values == 0) {
        yaml_problem(r, place, mapping, "aliases need values to stand for");
        return;
    }
    def->aliases = draft_alloc(r, mapping->n, sizeof *def->aliases);
    for (size_t i = 0; i < mapping->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_key(place, mapping->keys[i]->text);
        if (!draft_check_value(r, &here, mapping->keys[i]) ||
            !draft_check_value(r, &here, mapping->items[i])) {
            continue;
        }
        check_alias(r, &here, mapping, i, def);
        struct label_alias *a = &def->aliases[def->n_aliases];
        a->alias = draft_text(r, mapping->keys[i]->text);
        a->value = draft_text(r, mapping->items[i]->text);
        def->n_aliases += a->alias != NULL && a->value != NULL;
    }
}

// What takes the place of other values: of a closed label one of those that it lists.
static void read_substitute(struct yaml_reader *r, const struct yaml_place *up, const char *key,
                            const struct yaml_node *n, const struct label_def *def, char **ret)
{
    struct yaml_place place = yaml_place_key(up, key);
    char near[YAML_HINT];
    if (n == NULL || !draft_check_value(r, &place, n)) {
        return;
    }
    if (def->closed && !has_value(def, n->text)) {
        yaml_problem(r, &place, n, "\"%s\" is not among the values%s", n->text,
                     yaml_hint(r, near, n->text, (const char *const *)def->values, def->n_values));
    }
    *ret = draft_text(r, n->text);
}

struct def_draft {
    struct label_def def;
    const struct yaml_node *values;
    const struct yaml_node *aliases;
    const struct yaml_node *otherwise;
    const struct yaml_node *empty;
};

void read_label_def(struct yaml_reader *r, const struct yaml_place *place,
                    const struct section_entry *e, size_t i)
{
    static const struct yaml_key keys[] = {
        {"help", .type = YAML_TEXT, .read = draft_read_help,
         .offset = offsetof(struct def_draft, def.help)},
        {"values", .type = YAML_LIST, .offset = offsetof(struct def_draft, values)},
        {"closed", .type = YAML_BOOL, .offset = offsetof(struct def_draft, def.closed)},
        {"aliases", .type = YAML_MAPPING, .offset = offsetof(struct def_draft, aliases)},
        {"otherwise", .type = YAML_ANY, .offset = offsetof(struct def_draft, otherwise)},
        {"empty", .type = YAML_ANY, .offset = offsetof(struct def_draft, empty)},
        {"replace", .type = YAML_KNOWN},
    };
    struct def_draft d = {.def = {.name = draft_text(r, e->name), .help = draft_text(r, "")}};
    struct yaml_place values = yaml_place_key(place, "values");
    struct yaml_place closed = yaml_place_key(place, "closed");
    struct yaml_place aliases = yaml_place_key(place, "aliases");
    struct yaml_place otherwise = yaml_place_key(place, "otherwise");
    if (!text_is_label_name(e->name)) {
        yaml_problem(r, place, e->name_node, "a label's name must match [a-zA-Z_][a-zA-Z0-9_]*");
    }
    yaml_read_keys(r, place, e->node, YAML_KEYS(keys), &d);
    size_t before = r->problems;
    if (d.values != NULL) {
        read_values(r, &values, d.values, &d.def);
    }
    // What depends on values that were not understood would only repeat the problem.
    bool values_read =
        r->problems == before && (d.values != NULL) == (yaml_get(e->node, "values") != NULL);
    if (d.def.closed && values_read && d.def.n_values == 0) {
        yaml_problem(r, &closed, yaml_get(e->node, "closed"), "a closed label needs values");
    }
    if (d.aliases != NULL && values_read && !r->oom) {
        read_aliases(r, &aliases, d.aliases, &d.def);
    }
    if (values_read) {
        read_substitute(r, place, "otherwise", d.otherwise, &d.def, &d.def.otherwise);
        read_substitute(r, place, "empty", d.empty, &d.def, &d.def.empty);
    }
    if (d.otherwise != NULL && !d.def.closed) {
        yaml_problem(r, &otherwise, d.otherwise, "only a closed label rejects values");
    }
    draft_catalog(r)->defs[i] = d.def;
}

static void find_implied_of(struct draft *d, const struct section *s)
{
    const struct section *written = &d->sections[SECTION_LABELS];
    for (size_t i = 0; i < s->n && !d->reader.oom; i++) {
        const struct yaml_node *list = yaml_get(s->entries[i].node, "labels");
        for (size_t k = 0; list != NULL && list->kind == YAML_SEQUENCE_KIND && k < list->n; k++) {
            const char *name = list->items[k]->text;
            if (list->items[k]->kind != YAML_SCALAR_NODE_KIND || !text_is_label_name(name) ||
                draft_section_find(written, name) >= 0 ||
                names_find(&d->implied, name, strlen(name)) >= 0) {
                continue;
            }
            if (names_add(&d->implied, name, written->n + d->implied.n) < 0) {
                d->reader.oom = true;
                return;
            }
        }
    }
}

void read_labels_find_implied(struct draft *d)
{
    find_implied_of(d, &d->sections[SECTION_METRICS]);
    find_implied_of(d, &d->sections[SECTION_EVENTS]);
}

void read_labels_add_implied(struct draft *d)
{
    for (size_t i = 0; i < d->implied.cap && !d->reader.oom; i++) {
        const struct names_slot *slot = &d->implied.slots[i];
        if (slot->name != NULL) {
            d->catalog->defs[slot->position] =
                (struct label_def){.name = draft_text(&d->reader, slot->name),
                                   .help = draft_text(&d->reader, ""),
                                   .implied = true};
        }
    }
}

static void check_label_name(struct yaml_reader *r, const struct yaml_place *place,
                             const struct yaml_node *n, bool reject_le)
{
    const char *name = n->text;
    if (!text_is_label_name(name)) {
        yaml_problem(r, place, n, "label name \"%.64s\" must match [a-zA-Z_][a-zA-Z0-9_]*", name);
    } else if (strncmp(name, "__", 2) == 0) {
        yaml_problem(r, place, n, "label names that start with \"__\" are reserved");
    } else if (strcmp(name, "quantile") == 0 || (reject_le && strcmp(name, "le") == 0)) {
        yaml_problem(r, place, n, "label name \"%s\" is reserved", name);
    }
}

// Finds the definition that an entry of `labels` is bound to: that of its name, or the one it names.
static const struct label_def *find_def(struct yaml_reader *r, const struct yaml_place *place,
                                        const struct yaml_node *item)
{
    const struct draft *d = r->context;
    const struct section *s = draft_section(r, SECTION_LABELS);
    const struct yaml_node *n = item->kind == YAML_SCALAR_NODE_KIND ? item : item->items[0];
    if (!yaml_check_text(r, place, n)) {
        return NULL;
    }
    long found = draft_section_find(s, n->text);
    if (found < 0 && n == item) {
        found = names_find(&d->implied, n->text, strlen(n->text));
    }
    if (found < 0 && n != item) {
        char near[YAML_HINT];
        yaml_problem(r, place, n, "unknown label definition \"%.64s\"%s", n->text,
                     draft_section_hint(s, r, near, n->text));
    }
    return found >= 0 ? &d->catalog->defs[found] : NULL;
}

static bool read_label(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *item, bool reject_le, const struct label *previous,
                       size_t n_previous, struct label *ret)
{
    if (item->kind == YAML_SEQUENCE_KIND || (item->kind == YAML_MAPPING_KIND && item->n != 1)) {
        yaml_problem(r, place, item, "must be a label's name, or {name: definition}");
        return false;
    }
    const struct yaml_node *name = item->kind == YAML_SCALAR_NODE_KIND ? item : item->keys[0];
    size_t before = r->problems;
    check_label_name(r, place, name, reject_le);
    for (size_t i = 0; i < n_previous; i++) {
        if (strcmp(previous[i].name, name->text) == 0) {
            yaml_problem(r, place, name, "duplicate label \"%.64s\"", name->text);
        }
    }
    ret->name = draft_text(r, name->text);
    ret->name_len = strlen(name->text);
    ret->opening = draft_alloc(r, ret->name_len + CATALOG_OPENING, 1);
    ret->def = find_def(r, place, item);
    if (r->problems > before || r->oom || ret->def == NULL) {
        return false;
    }
    memcpy(ret->opening, ret->name, ret->name_len);
    memcpy(ret->opening + ret->name_len, "=\"", sizeof "=\"");
    return true;
}

void read_labels_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct label_def *def, char **ret,
                       size_t *ret_n)
{
    size_t len;
    if (!draft_check_value(r, place, n)) {
        return;
    }
    const char *value = catalog_find_value(def, n->text, strlen(n->text), &len);
    if (value == NULL) {
        char near[YAML_HINT];
        yaml_problem(r, place, n, "\"%s\" is not among the values of label \"%.64s\"%s", n->text,
                     def->name,
                     yaml_hint(r, near, n->text, (const char *const *)def->values, def->n_values));
        return;
    }
    ret[*ret_n] = draft_text(r, value);
    *ret_n += ret[*ret_n] != NULL;
}

// Whether the label is declared, or ignored already.
static bool is_taken(const struct label *labels, size_t n, char *const *ignored, size_t n_ignored,
                     const char *name)
{
    bool taken = false;
    for (size_t i = 0; i < n; i++) {
        taken |= strcmp(labels[i].name, name) == 0;
    }
    for (size_t i = 0; i < n_ignored; i++) {
        taken |= strcmp(ignored[i], name) == 0;
    }
    return taken;
}

void read_ignored_labels(struct yaml_reader *r, const struct yaml_place *up,
                         const struct yaml_node *list, const struct label *labels, size_t n_labels,
                         char ***ret, size_t *ret_n)
{
    struct yaml_place place = yaml_place_key(up, "ignored_labels");
    if (list == NULL ||
        !draft_check_number(r, &place, list->n, list->items, CATALOG_MAX_LABELS, "labels")) {
        return;
    }
    char **ignored = draft_alloc(r, list->n, sizeof *ignored);
    size_t n = 0;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place here = yaml_place_item(&place, i);
        const struct yaml_node *item = list->items[i];
        if (!yaml_check_text(r, &here, item)) {
            continue;
        }
        check_label_name(r, &here, item, false);
        if (is_taken(labels, n_labels, ignored, n, item->text)) {
            yaml_problem(r, &here, item, "duplicate label \"%.64s\"", item->text);
        }
        ignored[n] = draft_text(r, item->text);
        n += ignored[n] != NULL;
    }
    *ret = ignored;
    *ret_n = n;
}

void read_labels(struct yaml_reader *r, const struct yaml_place *up, const struct yaml_node *list,
                 bool reject_le, struct label **ret, size_t *ret_n)
{
    struct yaml_place place = yaml_place_key(up, "labels");
    if (list == NULL ||
        !draft_check_number(r, &place, list->n, list->items, CATALOG_MAX_LABELS, "labels")) {
        return;
    }
    struct label *labels = draft_alloc(r, list->n, sizeof *labels);
    size_t n = 0;
    for (size_t i = 0; i < list->n && !r->oom; i++) {
        struct yaml_place item = yaml_place_item(&place, i);
        n += read_label(r, &item, list->items[i], reject_le, labels, n, &labels[n]);
    }
    *ret = labels;
    *ret_n = n;
}
