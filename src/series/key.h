// SPDX-License-Identifier: Apache-2.0
/*
 * key: a series' identity within its metric, which is its label text as the exposition shows it:
 *          operation="Create",provider="vc1"
 * in the metric's label order, values escaped, no braces; empty for a metric without labels. One text
 * serves as identity, as hash key and as exposition, and its values can be read back from it. A match has label values
 * that the keys of a metric's series must have for these to be meant.
 *
 * Threads: pure functions; a key and a match have one owner each.
 * Memory:  a key is in the caller's buf; key_match_free gives a match's values back.
 */
#ifndef VE_SERIES_KEY_H
#define VE_SERIES_KEY_H

#include "base/buf.h"
#include "catalog/catalog.h"

// Appends the key of the metric's labels with these values (one per label, unescaped).
void key_build(struct buf *out, const struct metric *m, const struct slice *values);

// The hash of a key's text, another one in each process: no client can choose keys that collide.
uint64_t key_hash(const char *text, size_t len);
// A number that no other process guesses, as far as the system gives one.
uint64_t key_random(void);
// The hash of any bytes under a seed.
uint64_t key_hash_with(const void *bytes, size_t len, uint64_t seed);

// Finds the values in a key's text, still escaped, one per label of the metric.
void key_split(const struct metric *m, const char *text, struct slice *ret_values);

// The same in a foreign text. Returns whether it is a key of the metric, with values as long as the protocol allows.
bool key_read(const struct metric *m, const char *text, size_t len, struct slice *ret_values);

// Copies a value up to its quote or the end, as it was before escaping, so with at most as many bytes. Returns the end of the
// copy, and sets *at to where the value ended.
char *key_unescape_value(char *p, const char **at, const char *end);
// Appends an escaped value as it was before escaping.
void key_unescape(struct buf *out, struct slice escaped);

// ---- Which series are meant

enum { KEY_MATCH_MAX_LABELS = 16 };

struct key_match {
    size_t n;
    size_t labels[KEY_MATCH_MAX_LABELS]; // which of the metric's labels
    size_t ends[KEY_MATCH_MAX_LABELS];   // where the value of each ends in `values`
    struct buf values;                   // escaped as in a key, one after the other
};

#define KEY_MATCH_INIT ((struct key_match){0})

// The place of a label among those that the metric declares; -1: it declares no such label.
int key_match_label(const struct metric *m, const char *name);
// One more label (by its place) must have this value. At most KEY_MATCH_MAX_LABELS.
void key_match_add(struct key_match *match, int label, struct slice value);
// Whether the key of a series of the metric has all the values; false without memory for them.
bool key_match_has(const struct key_match *match, const struct metric *m, const char *key);
// Empties it, and keeps its memory.
void key_match_clear(struct key_match *match);
void key_match_free(struct key_match *match);

#endif
