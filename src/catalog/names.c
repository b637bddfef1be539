// SPDX-License-Identifier: Apache-2.0
#include "catalog/names.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

int names_add(struct names *t, const char *name, size_t position)
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

long names_find(const struct names *t, const char *name, size_t len)
{
    if (t->cap == 0) {
        return -1;
    }
    const struct names_slot *s = slot_of(t, name, len);
    return s->name != NULL ? (long)s->position : -1;
}

void names_free(struct names *t)
{
    free(t->slots);
    *t = (struct names){0};
}
