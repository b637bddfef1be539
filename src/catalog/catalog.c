// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <stddef.h>
#include <stdlib.h>

#include "catalog/names.h"

// One piece of a catalogue's memory. Pieces are separate so that memory checkers see their ends.
struct piece {
    struct piece *next;
    max_align_t bytes[];
};

// Behind catalog.index.
struct private
{
    struct piece *pieces;
    struct names metrics;
    struct names events;
};

struct catalog *catalog_new(void)
{
    struct catalog *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->index = calloc(1, sizeof(struct private));
    if (c->index == NULL) {
        free(c);
        return NULL;
    }
    static const char *const always[] = {"unknown", "manager", "provider"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        size_t size = strlen(always[i]) + 1;
        c->components[i] = catalog_alloc(c, 1, size);
        if (c->components[i] == NULL) {
            catalog_free(c);
            return NULL;
        }
        memcpy(c->components[i], always[i], size);
        c->n_components++;
    }
    return c;
}

void *catalog_alloc(struct catalog *c, size_t n, size_t size)
{
    struct private *p = c->index;
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - sizeof(struct piece)) {
        return NULL;
    }
    struct piece *piece = calloc(1, sizeof *piece + bytes);
    if (piece == NULL) {
        return NULL;
    }
    piece->next = p->pieces;
    p->pieces = piece;
    return piece->bytes;
}

int catalog_index(struct catalog *c)
{
    struct private *p = c->index;
    int err = 0;
    for (size_t i = 0; i < c->n_metrics && err == 0; i++) {
        err = names_add(&p->metrics, c->metrics[i].name, i);
    }
    for (size_t i = 0; i < c->n_events && err == 0; i++) {
        err = names_add(&p->events, c->events[i].name, i);
    }
    return err;
}

void catalog_free(struct catalog *c)
{
    if (c == NULL) {
        return;
    }
    struct private *p = c->index;
    while (p->pieces != NULL) {
        struct piece *next = p->pieces->next;
        free(p->pieces);
        p->pieces = next;
    }
    names_free(&p->metrics);
    names_free(&p->events);
    free(p);
    free(c);
}

int catalog_find_metric(const struct catalog *c, const char *name, size_t len)
{
    const struct private *p = c->index;
    return (int)names_find(&p->metrics, name, len);
}

int catalog_find_event(const struct catalog *c, const char *name, size_t len)
{
    const struct private *p = c->index;
    return (int)names_find(&p->events, name, len);
}

static bool is_same(const char *s, const char *bytes, size_t len)
{
    return len > 0 && *s == *bytes && strlen(s) == len && memcmp(s, bytes, len) == 0;
}

int catalog_find_component(const struct catalog *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->n_components; i++) {
        if (is_same(c->components[i], name, len)) {
            return (int)i;
        }
    }
    return -1;
}

const char *catalog_find_value(const struct label_def *def, const char *value, size_t len,
                               size_t *ret_len)
{
    for (size_t i = 0; i < def->n_aliases; i++) {
        if (is_same(def->aliases[i].alias, value, len)) {
            // What an alias leads to is a value of the definition, so nothing is left to check.
            *ret_len = strlen(def->aliases[i].value);
            return def->aliases[i].value;
        }
    }
    bool found = !def->closed;
    for (size_t i = 0; i < def->n_values && !found; i++) {
        found = is_same(def->values[i], value, len);
    }
    if (!found) {
        return NULL;
    }
    *ret_len = len;
    return value;
}

const char *catalog_resolve_label(const struct label_def *def, const char *value, size_t len,
                                  size_t *ret_len)
{
    bool empty = len == 0 && def->empty != NULL;
    const char *found = empty ? NULL : catalog_find_value(def, value, len, ret_len);
    if (found == NULL) {
        found = empty ? def->empty : def->otherwise;
        *ret_len = found != NULL ? strlen(found) : 0;
    }
    return found;
}

const char *catalog_type_name(enum metric_type t)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};
    return names[t];
}
