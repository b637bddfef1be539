// SPDX-License-Identifier: Apache-2.0
#include "web/body.h"

#include <stdlib.h>

struct body *body_take(struct bodies *all)
{
    struct body *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->owner = all;
    if (all->n > 0) {
        b->buf = all->pool[--all->n];
    }
    return b;
}

static bool is_much_too_big(const struct buf *b)
{
    return b->cap > BODY_SMALL && b->len < b->cap / 4;
}

void body_seal(struct body *b)
{
    struct bodies *all = b->owner;
    b->held = b->buf.cap;
    all->held += b->held;
    all->quiet = is_much_too_big(&b->buf) ? all->quiet + 1 : 0;
}

void body_release(void *body)
{
    struct body *b = body;
    struct bodies *all = b->owner;
    all->held -= b->held;
    bool peak = all->quiet >= BODY_PATIENCE && is_much_too_big(&b->buf);
    if (all->n < BODY_POOL && !peak) {
        buf_clear(&b->buf);
        all->pool[all->n++] = b->buf;
    } else {
        buf_free(&b->buf);
    }
    free(b);
}

void bodies_free(struct bodies *all)
{
    while (all->n > 0) {
        buf_free(&all->pool[--all->n]);
    }
}
