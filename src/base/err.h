// SPDX-License-Identifier: Apache-2.0
/*
 * err: a list of located problems, so that a loader can name everything that is wrong in one run.
 *
 * Shape:   each item has file, line, column (both from 1, 0 when unknown), the key it is about and
 *          a text.
 * Bounds:  ERRS_MAX items, more are counted only; strings are cut after ERRS_MAX_TEXT bytes.
 * Threads: one owner.
 * Memory:  owns copies of all strings.
 */
#ifndef VE_BASE_ERR_H
#define VE_BASE_ERR_H

#include "base/buf.h"

enum { ERRS_MAX = 100, ERRS_MAX_TEXT = 1024 };

struct errs_item {
    char *file;      // never NULL; "" when there is none
    char *key;       // dotted path of the key, e.g. "metrics[3].labels"; "" when there is none
    char *text;      // what is wrong, lower case, no full stop
    unsigned line;   // from 1; 0: unknown
    unsigned column; // from 1; 0: unknown
};

struct errs {
    struct errs_item items[ERRS_MAX];
    size_t n;        // items in use
    size_t left_out; // problems beyond ERRS_MAX, or for which there was no memory
};

#define ERRS_INIT ((struct errs){0})

// Adds one problem; file and key may be NULL for "". Never fails visibly: what cannot be kept is
// counted in left_out.
void errs_add(struct errs *e, const char *file, unsigned line, unsigned column, const char *key,
              const char *fmt, ...) __attribute__((format(printf, 6, 7)));

// Whether anything was added.
static inline bool errs_has_any(const struct errs *e)
{
    return e->n > 0 || e->left_out > 0;
}

// Writes one line each, "file:line:column: key: text\n" without the parts that are unknown, in the
// order of addition, and a last line that counts what was left out. Control bytes read as \xNN.
void errs_write(const struct errs *e, struct buf *out);

void errs_free(struct errs *e);

#endif
