// SPDX-License-Identifier: Apache-2.0
/*
 * plot: small pictures of the last hour, as SVG within a page, without script.
 *
 * Shape:   a line from left (HISTORY_MS ago, or what the caller says) to right (now), from 0 to the largest value. The
 *          caption below names it, its last and its largest value; a reader that does not show pictures has both as its label.
 *          Titles and units are written as they are. A sparkline is a small one for a cell of a table, from the smallest to
 *          the largest value, which its title names.
 * Bounds:  a point for each value that is given.
 * Threads: pure functions. Errors: the buffer's.
 */
#ifndef VE_WEB_PLOT_H
#define VE_WEB_PLOT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum { PLOT_WIDTH = 600, PLOT_HEIGHT = 80, PLOT_SPARK_WIDTH = 120, PLOT_SPARK_HEIGHT = 20 };

struct plot_point {
    uint64_t ago_ms; // before now
    double value;    // from 0, but of a sparkline any; not finite: not known, the line has a gap
};

struct plot {
    const char *title;
    const char *unit; // what follows a value: " lines/s"
    const char *tone; // a class of the line, or ""
    uint64_t span_ms; // of the whole width
};

// The points come oldest first.
void plot_write(struct buf *out, const struct plot *p, const struct plot_point *points, size_t n);

// Nothing if no value is known.
void plot_spark_write(struct buf *out, uint64_t span_ms, const struct plot_point *points, size_t n);

// A heatmap: a column for each time, a row for each bucket, the lowest at the bottom.
struct plot_heat {
    const char *title;
    uint64_t span_ms;
    size_t rows;
    const double *bounds; // rows - 1 of them; the last row has none
};

struct plot_column {
    uint64_t from_ago_ms;
    uint64_t to_ago_ms;
    const uint64_t *counts; // one for each row; NULL: not known
};

void plot_heat_write(struct buf *out, const struct plot_heat *h, const struct plot_column *columns,
                     size_t n);

#endif
