// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char *copy(const char *s)
{
    if (s == NULL) {
        s = "";
    }
    return strndup(s, text_cut(s, strnlen(s, ERRS_MAX_TEXT + 1), ERRS_MAX_TEXT));
}

void errs_add(struct errs *e, const char *file, unsigned line, unsigned column, const char *key,
              const char *fmt, ...)
{
    if (e->n == ERRS_MAX) {
        e->left_out++;
        return;
    }
    char text[ERRS_MAX_TEXT + 2]; // one byte more than is kept, so that the cut is seen
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct errs_item item = {.line = line, .column = line != 0 ? column : 0};
    item.file = copy(file);
    item.key = copy(key);
    item.text = n >= 0 ? copy(text) : NULL;
    if (item.file == NULL || item.key == NULL || item.text == NULL) {
        free(item.file);
        free(item.key);
        free(item.text);
        e->left_out++;
        return;
    }
    e->items[e->n++] = item;
}

// A key or a text may quote what a file holds; a line of ours stays one line, and a terminal is
// safe.
static void write_visible(struct buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f) {
            buf_addf(out, "\\x%02x", c);
        } else {
            buf_char(out, *s);
        }
    }
}

static void write_item(const struct errs_item *item, struct buf *out)
{
    write_visible(out, item->file);
    if (item->line != 0) {
        buf_addf(out, item->file[0] != '\0' ? ":%u" : "%u", item->line);
        if (item->column != 0) {
            buf_addf(out, ":%u", item->column);
        }
    }
    if (item->file[0] != '\0' || item->line != 0) {
        buf_str(out, ": ");
    }
    if (item->key[0] != '\0') {
        write_visible(out, item->key);
        buf_str(out, ": ");
    }
    write_visible(out, item->text);
    buf_char(out, '\n');
}

void errs_write(const struct errs *e, struct buf *out)
{
    for (size_t i = 0; i < e->n; i++) {
        write_item(&e->items[i], out);
    }
    if (e->left_out > 0) {
        buf_addf(out, "and %zu more\n", e->left_out);
    }
}

void errs_free(struct errs *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->items[i].file);
        free(e->items[i].key);
        free(e->items[i].text);
    }
    *e = ERRS_INIT;
}
