// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "catalog/loader.h"

#include <math.h>

bool read_bounds(struct loader *l, const struct at *at, const struct yaml_node *list, double **ret,
                 size_t *ret_n)
{
    if (!want_sequence(l, at, list)) {
        return false;
    }
    if (list->n == 0) {
        problem(l, at, list, "needs at least one bound");
        return false;
    }
    if (list->n > CATALOG_MAX_BOUNDS) {
        problem(l, at, list->items[CATALOG_MAX_BOUNDS], "more than %d bounds", CATALOG_MAX_BOUNDS);
        return false;
    }
    double *bounds = loader_alloc(l, list->n + CATALOG_BOUNDS_PAD, sizeof *bounds);
    bool good = bounds != NULL;
    for (size_t i = 0; i < CATALOG_BOUNDS_PAD && bounds != NULL; i++) {
        bounds[list->n + i] = INFINITY;
    }
    for (size_t i = 0; i < list->n && bounds != NULL; i++) {
        struct at here = at_item(at, i);
        if (!read_number(l, &here, list->items[i], &bounds[i])) {
            // What follows it is compared with what went before it.
            bounds[i] = i > 0 ? bounds[i - 1] : -__DBL_MAX__;
            good = false;
        } else if (i > 0 && !(bounds[i] > bounds[i - 1])) {
            problem(l, &here, list->items[i], "bounds must ascend");
            good = false;
        }
    }
    if (good) {
        *ret = bounds;
        *ret_n = list->n;
    }
    return good;
}

static void read_entry(struct loader *l, const struct section *s, const struct entry *e,
                       struct bounds *ret)
{
    static const char *const known[] = {"bounds", "replace"};
    struct at section;
    struct at at = at_entry(s, e, &section);
    ret->name = loader_strdup(l, e->name);
    if (!text_is_label_name(e->name)) {
        problem(l, &at, e->name_node, "a list's name must match [a-zA-Z_][a-zA-Z0-9_]*");
    }
    if (e->node->kind == YAML_SEQUENCE_KIND) {
        read_bounds(l, &at, e->node, &ret->at, &ret->n);
        return;
    }
    if (e->node->kind != YAML_MAPPING_KIND) {
        problem(l, &at, e->node, "must be a list of bounds, or a mapping with `bounds`");
        return;
    }
    check_keys(l, &at, e->node, known, sizeof known / sizeof known[0]);
    const struct yaml_node *list = yaml_get(e->node, "bounds");
    struct at here = at_key(&at, "bounds");
    if (list == NULL) {
        problem(l, &here, e->node, "is missing");
    } else {
        read_bounds(l, &here, list, &ret->at, &ret->n);
    }
}

void read_buckets(struct loader *l)
{
    struct section *s = &l->sections[SECTION_BUCKETS];
    l->c->bounds = loader_alloc(l, s->n, sizeof *l->c->bounds);
    if (l->c->bounds == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n && !l->oom; i++) {
        size_t before = l->problems;
        read_entry(l, s, &s->entries[i], &l->c->bounds[i]);
        s->entries[i].broken = l->problems > before;
    }
    l->c->n_bounds = s->n;
}
