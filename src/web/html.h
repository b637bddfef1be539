// SPDX-License-Identifier: Apache-2.0
/*
 * html: the parts of the pages for people: HTML 5 in one piece, with no scripts and nothing from elsewhere.
 *
 * Shape:   a page is html_begin, its content, html_end. Its links are relative, so that they lead somewhere behind a proxy
 *          that shows all of this below a path of its own; `up` is what leads from the page to the landing page. A table
 *          stays a table on a narrow screen, where it is moved sideways in a box of its own; the first cell of a row names the row.
 * Plots:   small pictures of the last hour, as SVG: a line from left (HISTORY_MS ago, or what the caller says) to right
 *          (now), from 0 to the largest value. The caption below names it, its last and its largest value; a reader that does
 *          not show pictures has both as its label. Titles and units are written as they are. A sparkline is a small one for
 *          a cell of a table, from the smallest to the largest value, which its title names. There is a point for each value
 *          that is given.
 * Escapes: characters that text_is_hidden and bytes that are not UTF-8 are shown by their numbers, as <i>U+202E</i>
 *          and <i>0xFF</i>, so that no text changes what is around it.
 * Threads: pure functions. Errors: the buffer's.
 */
#ifndef VE_WEB_HTML_H
#define VE_WEB_HTML_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTML_TEXT_MAX = 512, // bytes of a cell's text
    HTML_REFRESH_MIN = 5,
    HTML_REFRESH_MAX = 3600 // seconds after which a page is loaded again, if that is asked for
};

#define HTML_TYPE "text/html; charset=utf-8"
#define HTML_POLICY                                                                                \
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "         \
    "frame-ancestors 'none'"

// What a page is, besides its content.
struct html_page {
    const char *title;          // also the heading
    const char *up;             // "." or ".."
    const char *telemetry_path; // decoded
    unsigned refresh_s;         // loaded again after that; 0: not
};

// Up to the beginning of <main>.
void html_begin(struct buf *out, const struct html_page *page);
void html_end(struct buf *out);

// Appends at most `max` bytes of a text as text of an HTML element; of the others, how many they are: <i>… 12 more
// bytes</i>. `all` is the length of what the text is the beginning of, at least `len`.
void html_text(struct buf *out, const char *s, size_t len, size_t max, size_t all);
// The same for a whole text of which nothing is cut.
void html_str(struct buf *out, const char *s);
// A path as the value of href: every segment percent-encoded, the slashes kept.
void html_path(struct buf *out, const char *path);

// "3 h 12 min ago" with the time itself in its `datetime`.
void html_ago(struct buf *out, uint64_t now_ms, uint64_t at_ms);
// "12 ms", "1.5 s".
void html_duration(struct buf *out, uint64_t ns);
// "4.0 MiB".
void html_bytes(struct buf *out, double bytes);

// One of a list of facts, within <dl>.
void html_fact(struct buf *out, const char *name);
void html_fact_end(struct buf *out);

enum { HTML_COLUMNS = 9 };

// A table: what its rows are, and its columns: a name that begins with '#' is one of numbers, with '+' one of long texts.
// `empty` is shown when there are no rows.
struct html_table {
    const char *id;
    const char *title;
    const char *empty;
    const char *columns[HTML_COLUMNS + 1];
};

void html_table_begin(struct buf *out, const struct html_table *t);
void html_table_column(struct buf *out, const char *name, size_t len);
void html_table_rows(struct buf *out);
// `note` is written below the table.
void html_table_end(struct buf *out, const struct html_table *t, uint64_t rows, uint64_t left_out,
                    const char *note);

void html_row(struct buf *out);       // and its first cell
void html_row_cells(struct buf *out); // the first cell ends
void html_row_end(struct buf *out);
void html_cell(struct buf *out);
void html_cell_end(struct buf *out);
void html_cell_text(struct buf *out, const char *s, size_t len);
void html_cell_str(struct buf *out, const char *s);
void html_cell_number(struct buf *out, uint64_t n);
void html_cell_double(struct buf *out, double value);
void html_cell_rate(struct buf *out, double per_second); // below 0: –

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
void html_plot(struct buf *out, const struct plot *p, const struct plot_point *points, size_t n);

// Nothing if no value is known.
void html_spark(struct buf *out, uint64_t span_ms, const struct plot_point *points, size_t n);

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

void html_heatmap(struct buf *out, const struct plot_heat *h, const struct plot_column *columns,
                  size_t n);

#endif
