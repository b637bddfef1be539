// SPDX-License-Identifier: Apache-2.0
#include "expose/format.h"

#include "base/num.h"
#include "base/text.h"

#include <errno.h>

static void head_line(struct buf *out, const char *word, const char *name, size_t len)
{
    buf_str(out, word);
    buf_add(out, name, len);
    buf_char(out, ' ');
}

size_t format_family_len(const char *name, const char *type)
{
    size_t len = strlen(name);
    size_t total = strlen("_total");
    bool shorter = strcmp(type, "counter") == 0 && len > total &&
                   memcmp(name + len - total, "_total", total) == 0;
    return shorter ? len - total : len;
}

static void open_head(struct buf *out, const struct format_head *head)
{
    size_t len = format_family_len(head->name, head->type);
    head_line(out, "# TYPE ", head->name, len);
    buf_str(out, head->type);
    if (head->unit[0] != '\0') {
        head_line(out, "\n# UNIT ", head->name, len);
        buf_str(out, head->unit);
    }
    head_line(out, "\n# HELP ", head->name, len);
    text_label_value(out, head->help, strlen(head->help)); // quotes are escaped here too
    buf_char(out, '\n');
}

void format_head(struct buf *out, const struct format *f, const struct format_head *head)
{
    if (f->kind == FORMAT_OPENMETRICS) {
        open_head(out, head);
        return;
    }
    head_line(out, "# HELP ", head->name, strlen(head->name));
    text_help(out, head->help, strlen(head->help));
    head_line(out, "\n# TYPE ", head->name, strlen(head->name));
    buf_str(out, head->type);
    buf_char(out, '\n');
}

void format_sample(struct buf *out, const char *name, const char *labels, double value)
{
    buf_str(out, name);
    if (labels[0] != '\0') {
        buf_char(out, '{');
        buf_str(out, labels);
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    if (buf_reserve(out, NUM_MAX)) {
        out->len += num_double(out->p + out->len, value);
    }
    buf_char(out, '\n');
}

void format_end(struct buf *out, const struct format *f)
{
    if (f->kind == FORMAT_OPENMETRICS) {
        buf_str(out, "# EOF\n");
    }
}

struct format_sink format_sink_text(struct buf *text)
{
    return (struct format_sink){.text = text, .full = SIZE_MAX};
}

struct format_sink format_sink_gzip(struct buf *text, struct gzip *gzip, struct buf *compressed)
{
    gzip_begin(gzip);
    return (struct format_sink){
        .text = text, .full = FORMAT_SINK_PIECE, .gzip = gzip, .compressed = compressed};
}

void format_sink_flush(struct format_sink *s)
{
    if (gzip_add(s->gzip, s->compressed, s->text->p, s->text->len) < 0) {
        s->text->failed = true;
    }
    s->text->len = 0;
}

int format_sink_end(struct format_sink *s)
{
    if (s->gzip != NULL && !s->text->failed) {
        format_sink_flush(s);
        s->text->failed = s->text->failed || gzip_end(s->gzip, s->compressed) < 0;
    }
    return s->text->failed ? -ENOMEM : 0;
}
