// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 }; // bytes of the first reservation

bool buf_grow(struct buf *b, size_t more)
{
    size_t bound = b->max != 0 ? b->max : SIZE_MAX;
    if (b->failed || b->len > bound || more > bound - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap > bound / 2 ? bound : b->cap * 2;
    if (cap < BUF_FIRST) {
        cap = BUF_FIRST < bound ? BUF_FIRST : bound;
    }
    if (cap < need) {
        cap = need;
    }
    char *p = realloc(b->p, cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    if (b->failed) {
        return;
    }
    va_list ap;
    va_list again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t room = b->cap - b->len;
    int n = vsnprintf(room > 0 ? b->p + b->len : NULL, room, fmt, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < room) {
        b->len += (size_t)n;
    } else if (buf_reserve(b, (size_t)n + 1)) {
        vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

const char *buf_string(struct buf *b)
{
    if (!buf_reserve(b, 1)) {
        return NULL;
    }
    b->p[b->len] = '\0';
    return b->p;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_shrink(struct buf *b, size_t keep)
{
    buf_clear(b);
    if (b->cap <= keep) {
        return;
    }
    if (keep == 0) {
        free(b->p);
        b->p = NULL;
        b->cap = 0;
        return;
    }
    char *p = realloc(b->p, keep);
    if (p != NULL) {
        b->p = p;
        b->cap = keep;
    }
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}
