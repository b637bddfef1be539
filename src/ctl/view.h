// SPDX-License-Identifier: Apache-2.0
/*
 * view: the rows of the daemon's answers as text.
 *
 * Threads: one. Memory: the caller's buffer; rows are borrowed.
 * Bounds:  what a row lacks, as an older daemon's may, reads 0 or "". So view_is_… says first whether it has what its view
 *          shows and what "0" or "" would say falsely.
 */
#ifndef VE_CTL_VIEW_H
#define VE_CTL_VIEW_H

#include "base/buf.h"

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
