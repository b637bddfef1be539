// SPDX-License-Identifier: Apache-2.0
#include "event/origin.h"

#include <stdlib.h>
#include <string.h>

struct origin_seen {
    uint64_t number; // 0: unused
    uint64_t source;
    uint64_t permission;
    uint32_t updater_id;
    uint32_t lease;
    struct buf labels; // name, NUL, value, NUL, and so on
};

static void write_labels(struct buf *out, const struct origin_defaults *defaults)
{
    for (size_t i = 0; defaults != NULL && i < defaults->n; i++) {
        buf_add(out, defaults->names[i], strlen(defaults->names[i]) + 1);
        buf_add(out, defaults->values[i], strlen(defaults->values[i]) + 1);
    }
}

static bool is_same(const struct origin_seen *c, const struct buf *labels, const struct origin *o,
                    uint64_t source)
{
    return c->number != 0 && c->source == source &&
           c->permission == permission_number(o->permission) &&
           c->updater_id == o->owner.updater_id && c->lease == o->owner.lease &&
           c->labels.len == labels->len &&
           (labels->len == 0 || memcmp(c->labels.p, labels->p, labels->len) == 0);
}

static void add(struct origin_numbers *n, const struct origin *o, uint64_t source)
{
    struct origin_seen *c = &n->seen[n->next++ % ORIGIN_NUMBERS];
    buf_clear(&c->labels);
    buf_add(&c->labels, n->labels.p, n->labels.len);
    c->source = source;
    c->permission = permission_number(o->permission);
    c->updater_id = o->owner.updater_id;
    c->lease = o->owner.lease;
    c->number = c->labels.failed ? 0 : n->last;
}

uint64_t origin_number(struct origin_numbers *n, const struct origin *origin, uint64_t source)
{
    if (n->seen == NULL) {
        n->seen = calloc(ORIGIN_NUMBERS, sizeof *n->seen);
    }
    buf_clear(&n->labels);
    write_labels(&n->labels, origin->defaults);
    bool known = n->seen != NULL && !n->labels.failed;
    for (size_t i = 0; known && i < ORIGIN_NUMBERS; i++) {
        if (is_same(&n->seen[i], &n->labels, origin, source)) {
            return n->seen[i].number;
        }
    }
    n->last++;
    if (known) {
        add(n, origin, source);
    }
    return n->last;
}

void origin_free(struct origin_numbers *n)
{
    for (size_t i = 0; n->seen != NULL && i < ORIGIN_NUMBERS; i++) {
        buf_free(&n->seen[i].labels);
    }
    free(n->seen);
    buf_free(&n->labels);
    *n = (struct origin_numbers){0};
}
