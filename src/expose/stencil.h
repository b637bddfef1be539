// SPDX-License-Identifier: Apache-2.0
/*
 * stencil: the lines of a family's series but for labels and numbers, made once and filled in for each series.
 * For expose/ only.
 *
 * Shape:   room for a series is made once, then its pieces are copied without looking at the buffer's end.
 *          Short pieces are copied as STENCIL_PIECE bytes whatever their length: that is a few instructions
 *          instead of a call.
 * Errors:  a stencil for which memory ran out makes every buffer fail.
 * Threads: one owner.
 * Memory:  stencil_free gives back what stencil_make took.
 */
#ifndef VE_EXPOSE_STENCIL_H
#define VE_EXPOSE_STENCIL_H

#include "base/buf.h"
#include "catalog/catalog.h"
#include "expose/format.h"
#include "series/exemplar.h"

enum { STENCIL_PIECE = 32 };

struct stencil_family {
    const char *name;
    enum metric_type type;
    bool labelled;        // its series have labels
    const double *bounds; // of a histogram
    size_t n_bounds;
};

enum stencil_line {
    STENCIL_VALUE,
    STENCIL_BUCKET,
    STENCIL_SUM,
    STENCIL_COUNT,
    STENCIL_CREATED,
    STENCIL_LINES
};

struct stencil {
    struct buf text;                         // all pieces, one after the other
    struct slice begin[STENCIL_LINES];       // up to the labels: `name_sum{`
    struct slice end;                        // from the labels to the number: `} `
    struct slice le[CATALOG_MAX_BOUNDS + 1]; // the same of a bucket: `,le="0.5"} `
    size_t n_bounds;
    size_t lines; // of a series, at most
    size_t room;  // of all these lines without labels
    bool created; // with a line for it
    double least; // sum that is shown: OpenMetrics knows none below 0, nor beside bounds below 0
};

// What differs from series to series.
struct stencil_series {
    struct slice labels;
    uint64_t created_ms;    // CLOCK_REALTIME
    uint64_t whole;         // of a counter: the sum of its whole additions,
    double rest;            // and that of the others
    double value;           // of a gauge
    const uint64_t *counts; // of a histogram: n_bounds + 1, not cumulative
    double sum;
    const struct exemplars *exemplars; // NULL: none are shown
};

void stencil_make(struct stencil *s, const struct format *f, const struct stencil_family *family);
void stencil_free(struct stencil *s);

// Each appends all lines of one series.
void stencil_counter(const struct stencil *s, struct buf *out, const struct stencil_series *series);
void stencil_gauge(const struct stencil *s, struct buf *out, const struct stencil_series *series);
void stencil_histogram(const struct stencil *s, struct buf *out,
                       const struct stencil_series *series);

#endif
