// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
        err = catalog_names_add(&p->metrics, c->metrics[i].name, i);
    }
    for (size_t i = 0; i < c->n_events && err == 0; i++) {
        err = catalog_names_add(&p->events, c->events[i].name, i);
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
    catalog_names_free(&p->metrics);
    catalog_names_free(&p->events);
    free(p);
    free(c);
}

int catalog_find_metric(const struct catalog *c, const char *name, size_t len)
{
    const struct private *p = c->index;
    return (int)catalog_names_find(&p->metrics, name, len);
}

int catalog_find_event(const struct catalog *c, const char *name, size_t len)
{
    const struct private *p = c->index;
    return (int)catalog_names_find(&p->events, name, len);
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

const char *const catalog_type_names[] = {"counter", "gauge", "histogram"};

// Eight bytes at a time, as FNV-1a does with one. The names in a table are the administrator's, so others cannot make
// them collide.
static uint64_t hash(const char *name, size_t len)
{
    uint64_t h = 14695981039346656037u ^ len;
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, name + i, len - i < sizeof word ? len - i : sizeof word);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    return h;
}

// The slot that holds the name, or the empty one where it belongs.
static struct names_slot *slot_of(const struct names *t, const char *name, size_t len)
{
    size_t i = hash(name, len) & (t->cap - 1);
    while (t->slots[i].name != NULL &&
           (t->slots[i].len != len || memcmp(t->slots[i].name, name, len) != 0)) {
        i = (i + 1) & (t->cap - 1);
    }
    return &t->slots[i];
}

static int grow(struct names *t)
{
    struct names bigger = {.cap = t->cap == 0 ? 16 : t->cap * 2, .n = t->n};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].name != NULL) {
            *slot_of(&bigger, t->slots[i].name, t->slots[i].len) = t->slots[i];
        }
    }
    free(t->slots);
    *t = bigger;
    return 0;
}

int catalog_names_add(struct names *t, const char *name, size_t position)
{
    if (t->n * 2 >= t->cap) {
        int err = grow(t);
        if (err < 0) {
            return err;
        }
    }
    size_t len = strlen(name);
    *slot_of(t, name, len) = (struct names_slot){.name = name, .len = len, .position = position};
    t->n++;
    return 0;
}

long catalog_names_find(const struct names *t, const char *name, size_t len)
{
    if (t->cap == 0) {
        return -1;
    }
    const struct names_slot *s = slot_of(t, name, len);
    return s->name != NULL ? (long)s->position : -1;
}

void catalog_names_free(struct names *t)
{
    free(t->slots);
    *t = (struct names){0};
}
