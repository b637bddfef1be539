// SPDX-License-Identifier: Apache-2.0
#include "expose/sink.h"

#include <errno.h>

struct sink sink_text(struct buf *text)
{
    return (struct sink){.text = text, .full = SIZE_MAX};
}

struct sink sink_gzip(struct buf *text, struct gzip *gzip, struct buf *packed)
{
    gzip_begin(gzip);
    return (struct sink){.text = text, .full = SINK_PIECE, .gzip = gzip, .packed = packed};
}

static void add(struct sink *s, size_t from, size_t to)
{
    if (gzip_add(s->gzip, s->packed, s->text->p + from, to - from) < 0) {
        s->text->failed = true;
    }
}

void sink_mark(struct sink *s)
{
    s->mark = s->text->len;
    s->moved = false;
    s->full = s->gzip != NULL ? SINK_PIECE : SIZE_MAX;
}

void sink_back(struct sink *s)
{
    if (s->moved) {
        gzip_restore(s->gzip);
        s->packed->len = s->packed_before;
        s->mark = 0;
        s->moved = false;
    }
    s->text->len = s->mark;
    s->full = SIZE_MAX;
}

void sink_move(struct sink *s)
{
    size_t from = 0;
    if (!s->moved) {
        add(s, 0, s->mark);
        gzip_keep(s->gzip);
        s->packed_before = s->packed->len;
        s->moved = true;
        from = s->mark;
    }
    add(s, from, s->text->len);
    s->text->len = 0;
}

int sink_end(struct sink *s)
{
    if (s->gzip != NULL && !s->text->failed) {
        add(s, 0, s->text->len);
        s->text->len = 0;
        s->text->failed = s->text->failed || gzip_end(s->gzip, s->packed) < 0;
    }
    return s->text->failed ? -ENOMEM : 0;
}
