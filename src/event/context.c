// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers for what a line means besides its bytes, so that lines of one source are remembered together however
 * often it connects. The last CONTEXTS ones are known again; who comes later gets a new number, and none is used
 * twice.
 */
#include "event/line.h"

#include <stdlib.h>

enum { CONTEXTS = 256 };

struct context {
    uint64_t number; // 0: unused
    uint64_t source;
    uint64_t permit;
    uint32_t base;
    uint32_t life;
    struct buf labels; // name, NUL, value, NUL, and so on
};

static void write_labels(struct buf *out, const struct event_defaults *defaults)
{
    for (size_t i = 0; defaults != NULL && i < defaults->n; i++) {
        buf_add(out, defaults->names[i], strlen(defaults->names[i]) + 1);
        buf_add(out, defaults->values[i], strlen(defaults->values[i]) + 1);
    }
}

static bool is(const struct context *c, const struct buf *labels, const struct event_origin *o,
               uint64_t source)
{
    return c->number != 0 && c->source == source && c->permit == permit_number(o->permit) &&
           c->base == o->claimant.base && c->life == o->claimant.life &&
           c->labels.len == labels->len &&
           (labels->len == 0 || memcmp(c->labels.p, labels->p, labels->len) == 0);
}

static uint64_t remember(struct event_reader *r, const struct event_origin *o, uint64_t source)
{
    struct context *c = &r->contexts[r->next_context++ % CONTEXTS];
    buf_clear(&c->labels);
    buf_add(&c->labels, r->scratch.p, r->scratch.len);
    c->source = source;
    c->permit = permit_number(o->permit);
    c->base = o->claimant.base;
    c->life = o->claimant.life;
    c->number = c->labels.failed ? 0 : r->last_context;
    return r->last_context;
}

uint64_t event_context(struct event_reader *r, const struct event_origin *origin, uint64_t source)
{
    if (r->contexts == NULL) {
        r->contexts = calloc(CONTEXTS, sizeof *r->contexts);
    }
    buf_clear(&r->scratch);
    write_labels(&r->scratch, origin->defaults);
    bool known = r->contexts != NULL && !r->scratch.failed;
    for (size_t i = 0; known && i < CONTEXTS; i++) {
        if (is(&r->contexts[i], &r->scratch, origin, source)) {
            return r->contexts[i].number;
        }
    }
    r->last_context++;
    return known ? remember(r, origin, source) : r->last_context;
}

void context_free(struct event_reader *r)
{
    for (size_t i = 0; r->contexts != NULL && i < CONTEXTS; i++) {
        buf_free(&r->contexts[i].labels);
    }
    free(r->contexts);
}
