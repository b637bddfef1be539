// SPDX-License-Identifier: Apache-2.0
/*
 * view: text, numbers, tables and the rows of the daemon's answers as text for a terminal, which obeys nothing of it.
 *
 * Threads: one. Memory: the caller's buffer; rows are borrowed; a table owns its cells until view_table_end.
 * Bounds:  what a row lacks, as an older daemon's may, reads 0 or "". So view_is_… says first whether it has what its view
 *          shows and what "0" or "" would say falsely.
 */
#ifndef VE_CTL_VIEW_H
#define VE_CTL_VIEW_H

#include "base/buf.h"

enum { VIEW_COLUMNS = 10 };

// text_visible of a whole string.
void view_write_string(struct buf *out, const char *s);
void view_write_number(struct buf *out, double n);
// "3 h 12 min": the two largest units.
void view_write_span(struct buf *out, double seconds);
// "2026-11-29T11:42:36Z", of seconds since 1970.
void view_write_time(struct buf *out, double seconds);

// Columns are as wide as their widest cell. Every cell is added by view_cell, and then written into the buffer that this
// returns, without NUL.
struct view_table {
    size_t n_columns;
    bool right[VIEW_COLUMNS]; // numbers
    struct buf cells;         // each with a NUL behind it
    size_t n;                 // of them
};

// Heads, ended by NULL; of numbers they begin with '>'.
void view_table_begin(struct view_table *t, const char *const *heads);
struct buf *view_cell(struct view_table *t);
void view_table_end(struct view_table *t, struct buf *out);

// ---- Rows

typedef struct json_t json_t; // jansson's

// Whether the object has all keys, of a list that NULL ends. They may be null.
bool view_has(const json_t *object, const char *const *keys);
bool view_is_status(const json_t *row);
bool view_is_source(const json_t *row);
bool view_is_rejected(const json_t *row);

// A member of an object; 0 or "" when it is not there, or not of this kind.
double view_number(const json_t *object, const char *key);
const char *view_string(const json_t *object, const char *key);
bool view_is_true(const json_t *object, const char *key);
// The member as text for a terminal.
void view_text(struct buf *out, const json_t *object, const char *key);
// The same of one with several lines, without the LF of the last one.
void view_lines(struct buf *out, const json_t *object, const char *key);

// "up", "silent" (connected, and it does not keep its interval) or "gone".
const char *view_source_state(const json_t *source);
// COMPONENT/INSTANCE, of a source or a rejected line.
void view_source_name(struct buf *out, const json_t *source);

// The first lines of the status: the daemon as a whole, and in one sentence what is wrong.
void view_summary(struct buf *out, const json_t *status);
void view_status(struct buf *out, const json_t *status);
void view_sources(struct buf *out, const json_t *const *sources, size_t n, double now);
// As the exposition has it, of a histogram with its quantiles.
void view_series(struct buf *out, const char *metric, const json_t *series);
void view_rejected(struct buf *out, const json_t *line);

#endif
