// SPDX-License-Identifier: Apache-2.0
/*
 * show: any text, numbers and tables as text for a terminal, which obeys nothing of it.
 *
 * Threads: one. Memory: the caller's buffer; a table owns its cells until show_table_end.
 */
#ifndef VE_CTL_SHOW_H
#define VE_CTL_SHOW_H

#include "base/buf.h"

enum { SHOW_COLUMNS = 10 };

// text_visible of a whole string.
void show_string(struct buf *out, const char *s);
void show_number(struct buf *out, double n);
// "3 h 12 min": the two largest units.
void show_span(struct buf *out, double seconds);
// "2026-11-29T11:42:36Z", of seconds since 1970.
void show_time(struct buf *out, double seconds);
// How many characters it has.
size_t show_width(const char *s, size_t len);

// Columns are as wide as their widest cell. Every cell is added by show_cell, and then written into the buffer that this
// returns, without NUL.
struct show_table {
    size_t n_columns;
    bool right[SHOW_COLUMNS]; // numbers
    struct buf cells;         // each with a NUL behind it
    size_t n;                 // of them
};

// Heads, ended by NULL; of numbers they begin with '>'.
void show_table_begin(struct show_table *t, const char *const *heads);
struct buf *show_cell(struct show_table *t);
void show_table_end(struct show_table *t, struct buf *out);

#endif
