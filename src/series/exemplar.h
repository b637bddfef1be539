// SPDX-License-Identifier: Apache-2.0
/*
 * exemplar: the last exemplar of each counter series and of each bucket of a histogram series, as the text that
 * OpenMetrics shows.
 *
 * Shape:   a series has nothing of it until its first exemplar comes; then a row of places, one for a counter
 *          and one for each bucket of a histogram, each of them filled when it is first needed and written
 *          over from then on.
 * Bounds:  EXEMPLARS_MOST of all series together, about 11 MiB; beyond them a place that has none stays empty.
 * Threads: any, inside an RCU section. A writer makes a place's sequence odd, writes, and makes it even; one that
 *          meets another writer there leaves it to that one. A reader whose sequence changed meanwhile reads again,
 *          and gives up after EXEMPLAR_TRIES. So nobody waits, and no half of one is ever shown.
 * Memory:  belongs to its series and goes with it (slab_release). It does not outlive the process.
 */
#ifndef VE_SERIES_EXEMPLAR_H
#define VE_SERIES_EXEMPLAR_H

#include "series/table.h"

enum { EXEMPLAR_TEXT = 640, EXEMPLARS_MOST = 16384, EXEMPLAR_TRIES = 8 };

struct exemplars;

// Keeps a text for the bucket (of a counter: 0). Returns whether it did: not when it is longer than EXEMPLAR_TEXT, at
// the bound, without memory, or when somebody else does just now.
bool exemplar_keep(struct table *t, struct series *s, size_t bucket, const char *text, size_t len);

// What a series has; NULL: nothing.
static inline const struct exemplars *exemplars_of(const struct series *s)
{
    return atomic_load_explicit(&s->exemplars, memory_order_acquire);
}

// Copies the bucket's text to `out` (EXEMPLAR_TEXT bytes). Returns its length; 0: none.
size_t exemplar_read(const struct exemplars *all, size_t bucket, char *out);

// Frees what a series has that nobody else may reach any more.
void exemplars_drop(struct table_share *share, struct series *s);

#endif
