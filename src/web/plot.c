// SPDX-License-Identifier: Apache-2.0
#include "web/plot.h"

#include "base/num.h"

#include <inttypes.h>
#include <math.h>

static void add_number(struct buf *out, double value)
{
    if (value >= 100 || value == floor(value)) {
        buf_addf(out, "%.0f", value);
    } else {
        buf_addf(out, "%.3g", value);
    }
}

static double largest(const struct plot_point *points, size_t n)
{
    double max = 0;
    for (size_t i = 0; i < n; i++) {
        max = points[i].value > max ? points[i].value : max;
    }
    return max;
}

// What the picture says, in words.
static void write_words(struct buf *out, const struct plot *p, const struct plot_point *points,
                        size_t n, double max)
{
    buf_str(out, p->title);
    if (n == 0 || isnan(points[n - 1].value)) {
        buf_str(out, ": not known");
    } else {
        buf_str(out, ": ");
        add_number(out, points[n - 1].value);
        buf_str(out, p->unit);
    }
    if (n > 0) {
        buf_str(out, ", at most ");
        add_number(out, max);
        buf_str(out, p->unit);
    }
}

// Where a line is drawn, and the values at the bottom and the top.
struct frame {
    int width;
    int height;
    uint64_t span_ms;
    double min;
    double max;
};

static double place(int width, uint64_t ago_ms, uint64_t span_ms)
{
    double x = (double)width * (1 - (double)ago_ms / (double)span_ms);
    return x < 0 ? 0 : x;
}

static void write_line(struct buf *out, const char *tone, const struct frame *f,
                       const struct plot_point *points, size_t n)
{
    // A point between two gaps is seen too.
    const char *step = "M";
    const char *dot = "h0";
    double range = f->max / 2 - f->min / 2; // half of it, which is finite
    buf_addf(out, "<path class=\"line %s\" d=\"", tone);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(points[i].value)) {
            step = "M";
            dot = "h0";
            continue;
        }
        double above = range > 0 ? (points[i].value / 2 - f->min / 2) / range : 0;
        buf_addf(out, "%s%.1f %.1f%s", step, place(f->width, points[i].ago_ms, f->span_ms),
                 (f->height - 4) * (1 - above) + 2, dot);
        step = "L";
        dot = "";
    }
    buf_str(out, "\"/>");
}

static void figure_begin(struct buf *out, const char *kind)
{
    buf_addf(out,
             "<figure>\n<svg%s viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
             "aria-label=\"",
             kind, PLOT_WIDTH, PLOT_HEIGHT);
}

void plot_write(struct buf *out, const struct plot *p, const struct plot_point *points, size_t n)
{
    double max = largest(points, n);
    figure_begin(out, "");
    write_words(out, p, points, n, max);
    buf_str(out, "\">");
    const struct frame frame = {PLOT_WIDTH, PLOT_HEIGHT, p->span_ms, 0, max};
    write_line(out, p->tone, &frame, points, n);
    buf_str(out, "</svg>\n<figcaption>");
    write_words(out, p, points, n, max);
    buf_str(out, "</figcaption>\n</figure>\n");
}

void plot_spark_write(struct buf *out, uint64_t span_ms, const struct plot_point *points, size_t n)
{
    struct frame f = {PLOT_SPARK_WIDTH, PLOT_SPARK_HEIGHT, span_ms, INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (isfinite(points[i].value)) {
            f.min = points[i].value < f.min ? points[i].value : f.min;
            f.max = points[i].value > f.max ? points[i].value : f.max;
        }
    }
    if (f.min > f.max) {
        return;
    }
    buf_addf(out,
             "<svg class=\"spark\" viewBox=\"0 0 %d %d\" role=\"img\"><title>min %.6g, max "
             "%.6g</title>",
             f.width, f.height, f.min, f.max);
    write_line(out, "", &f, points, n);
    buf_str(out, "</svg>");
}

// The rows that hold anything: from *ret_first to below the returned one.
static size_t used_rows(const struct plot_heat *h, const struct plot_column *columns, size_t n,
                        size_t *ret_first, uint64_t *ret_max)
{
    size_t first = h->rows;
    size_t end = 0;
    *ret_max = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t r = 0; columns[i].counts != NULL && r < h->rows; r++) {
            uint64_t count = columns[i].counts[r];
            if (count > 0) {
                first = r < first ? r : first;
                end = r + 1 > end ? r + 1 : end;
                *ret_max = count > *ret_max ? count : *ret_max;
            }
        }
    }
    *ret_first = first;
    return end;
}

static void add_bound(struct buf *out, const struct plot_heat *h, size_t row)
{
    char text[NUM_MAX];
    if (row + 1 == h->rows) {
        buf_str(out, "+Inf");
    } else {
        buf_add(out, text, num_double(text, h->bounds[row]));
    }
}

static void write_cells(struct buf *out, const struct plot_heat *h, const struct plot_column *c,
                        size_t first, size_t end, uint64_t max)
{
    double left = place(PLOT_WIDTH, c->from_ago_ms, h->span_ms);
    double width = place(PLOT_WIDTH, c->to_ago_ms, h->span_ms) - left;
    double height = (double)PLOT_HEIGHT / (double)(end - first);
    for (size_t r = first; c->counts != NULL && r < end; r++) {
        if (c->counts[r] > 0) {
            // The root, so that rare ones are seen beside many.
            buf_addf(out,
                     "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                     "fill-opacity=\"%.2f\"><title>%" PRIu64 " at most ",
                     left, PLOT_HEIGHT - height * (double)(r - first + 1), width, height,
                     0.1 + 0.9 * sqrt((double)c->counts[r] / (double)max), c->counts[r]);
            add_bound(out, h, r);
            buf_str(out, "</title></rect>");
        }
    }
}

void plot_heat_write(struct buf *out, const struct plot_heat *h, const struct plot_column *columns,
                     size_t n)
{
    size_t first;
    uint64_t max;
    size_t end = used_rows(h, columns, n, &first, &max);
    if (end == 0) {
        buf_str(out, "<p>Nothing was observed in the last hour.</p>\n");
        return;
    }
    figure_begin(out, " class=\"heat\"");
    buf_str(out, h->title);
    buf_str(out, "\">");
    for (size_t i = 0; i < n; i++) {
        write_cells(out, h, &columns[i], first, end, max);
    }
    buf_str(out, "</svg>\n<figcaption>");
    buf_str(out, h->title);
    buf_str(out, ": bottom row at most ");
    add_bound(out, h, first);
    buf_str(out, ", top row at most ");
    add_bound(out, h, end - 1);
    buf_addf(out, ", darkest %" PRIu64 "</figcaption>\n</figure>\n", max);
}
