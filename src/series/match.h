// SPDX-License-Identifier: Apache-2.0
/*
 * match: the label values that series of a metric must have to be meant.
 *
 * Threads: one owner. Memory: match_free gives the values back.
 */
#ifndef VE_SERIES_MATCH_H
#define VE_SERIES_MATCH_H

#include "base/buf.h"
#include "catalog/catalog.h"

enum { MATCH_MAX_LABELS = 16 };

struct match {
    size_t n;
    size_t labels[MATCH_MAX_LABELS]; // which of the metric's labels
    size_t ends[MATCH_MAX_LABELS];   // where the value of each ends in `values`
    struct buf values;               // escaped as in a key, one after the other
};

#define MATCH_INIT ((struct match){0})

// The place of a label among those that the metric declares; -1: it declares no such label.
int match_label(const struct metric *m, const char *name);
// One more label (by its place) must have this value. At most MATCH_MAX_LABELS.
void match_add(struct match *match, int label, struct slice value);
// Whether the key of a series of the metric has all the values; false without memory for them.
bool match_has(const struct match *match, const struct metric *m, const char *key);
// Empties it, and keeps its memory.
void match_clear(struct match *match);
void match_free(struct match *match);

#endif
