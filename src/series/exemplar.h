// SPDX-License-Identifier: Apache-2.0
/*
 * exemplar: the last exemplar of each counter series and of each bucket of a histogram series: its labels as OpenMetrics
 * shows them, its value and its time, which become text when they are read.
 *
 * Shape:   a series has nothing of it until its first exemplar comes; then a row of places, one for a counter
 *          and one for each bucket of a histogram, each of them filled when it is first needed and written
 *          over from then on.
 * Bounds:  EXEMPLARS_MOST of all series together, which take 11 MiB, and their rows, which take 17 MiB where each is of
 *          another histogram with as many bounds as there may be; beyond them a place that has none stays empty.
 * Threads: any, inside an RCU section. A writer makes a place's sequence odd, writes, and makes it even; one that
 *          meets another writer there leaves it to that one. A reader whose sequence changed meanwhile reads again,
 *          and gives up after EXEMPLAR_TRIES. So nobody waits, and no half of one is ever shown.
 * Memory:  belongs to its series and goes with it (table_reclaim). It does not outlive the process.
 */
#ifndef VE_SERIES_EXEMPLAR_H
#define VE_SERIES_EXEMPLAR_H

#include "base/num.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXEMPLAR_LABELS = 624, // bytes
    EXEMPLAR_TEXT = EXEMPLAR_LABELS + NUM_MAX + 1 + NUM_MAX,
    EXEMPLARS_MOST = 16384,
    EXEMPLAR_TRIES = 8
};

struct exemplars;

// Where exemplars of one series are kept.
struct exemplar_row {
    _Atomic(struct exemplars *) *row; // of the series
    size_t n_places;                  // that it has or is going to have
    _Atomic uint64_t *kept;           // of all series
};

// Keeps an exemplar at a place. Returns whether it did: not when its labels are longer than EXEMPLAR_LABELS, at the bound, without
// memory, or while another thread does.
bool exemplar_keep(struct exemplar_row of_series, size_t place, const char *labels, size_t len,
                   double value, uint64_t ms);

// Writes the place's exemplar, as it stands behind a sample, to `out` (EXEMPLAR_TEXT bytes). Returns its length; 0: none.
size_t exemplar_read(const struct exemplars *row, size_t place, char *out);

// Frees a row that no other thread may reach, and empties where it was.
void exemplars_free(struct exemplar_row of_series);

#endif
