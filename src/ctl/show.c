// SPDX-License-Identifier: Apache-2.0
#include "ctl/show.h"

#include "base/invariant.h"
#include "base/num.h"
#include "base/text.h"

#include <time.h>

void show_string(struct buf *out, const char *s)
{
    text_visible(out, s, strlen(s));
}

void show_number(struct buf *out, double n)
{
    char digits[NUM_MAX];
    buf_add(out, digits, num_double(digits, n));
}

void show_span(struct buf *out, double seconds)
{
    // Clocks may differ, and what is shown may come from anywhere.
    text_span(out, seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0);
}

void show_time(struct buf *out, double seconds)
{
    char text[40] = "-";
    time_t at = seconds > 0 && seconds < 1e11 ? (time_t)seconds : 0;
    struct tm tm;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    buf_str(out, text);
}

size_t show_width(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return n;
}

void show_table_begin(struct show_table *t, const char *const *heads)
{
    *t = (struct show_table){0};
    for (size_t i = 0; heads[i] != NULL; i++) {
        invariant(i < SHOW_COLUMNS, "a table has room for its columns");
        t->right[i] = heads[i][0] == '>';
        t->n_columns = i + 1;
        buf_str(show_cell(t), heads[i] + t->right[i]);
    }
}

struct buf *show_cell(struct show_table *t)
{
    if (t->n++ > 0) {
        buf_char(&t->cells, '\0');
    }
    return &t->cells;
}

static void add_cell(struct buf *out, struct slice cell, size_t width, bool right, bool last)
{
    size_t blanks = width - show_width(cell.p, cell.len);
    for (size_t i = 0; right && i < blanks; i++) {
        buf_char(out, ' ');
    }
    buf_add(out, cell.p, cell.len);
    for (size_t i = 0; !right && !last && i < blanks; i++) {
        buf_char(out, ' ');
    }
    buf_str(out, last ? "\n" : "  ");
}

void show_table_end(struct show_table *t, struct buf *out)
{
    size_t widths[SHOW_COLUMNS] = {0};
    buf_char(&t->cells, '\0');
    out->failed |= t->cells.failed;
    const char *p = t->cells.p;
    for (size_t i = 0; !out->failed && i < t->n; i++) {
        size_t len = strlen(p);
        size_t width = show_width(p, len);
        size_t *widest = &widths[i % t->n_columns];
        *widest = width > *widest ? width : *widest;
        p += len + 1;
    }
    p = t->cells.p;
    for (size_t i = 0; !out->failed && i < t->n; i++) {
        size_t column = i % t->n_columns;
        size_t len = strlen(p);
        add_cell(out, (struct slice){p, len}, widths[column], t->right[column],
                 column == t->n_columns - 1);
        p += len + 1;
    }
    buf_free(&t->cells);
}
