// SPDX-License-Identifier: Apache-2.0
#include "web/html.h"

#include "base/num.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--soft:#5c6670;--line:#d9dee3;"
    "--band:#f4f6f8;--link:#0a58ca;--good:#146c43;--bad:#b02a37}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e4e8ec;--bg:#14181c;--soft:#9aa5b1;"
    "--line:#333b44;--band:#1d2329;--link:#7ab3ff;--good:#5fd09b;--bad:#ff8a94}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:90rem;padding:1rem;font:1rem/1.45 system-ui,sans-serif;"
    "color:var(--fg);background:var(--bg);overflow-wrap:anywhere}\n"
    "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}\n"
    "a{color:var(--link)}nav a{display:inline-block;padding:.3rem .8rem .3rem 0}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}\n"
    "dt,p,th,figcaption{color:var(--soft)}dd{margin:0}\n"
    ".state{font-size:1.15rem;color:var(--fg);margin:.4rem 0;padding:.5rem .8rem;"
    "background:var(--band);border-left:.3rem solid var(--good)}.state.bad{border-color:var(--bad);"
    "color:var(--fg)}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;min-width:4.5rem;"
    "border-bottom:1px solid var(--line)}\n"
    ".n+:not(.n){padding-left:1rem}thead th{overflow-wrap:normal}tbody "
    "th{font-weight:400;color:var(--fg);min-width:7rem}\n"
    ".t{min-width:15rem}.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "code,pre{font:.85rem/1.4 ui-monospace,monospace}pre{margin:.3rem 0 0;padding:.4rem;"
    "background:var(--band);white-space:pre-wrap;overflow:hidden}\n"
    "i{font-style:normal;color:var(--soft);border:1px solid var(--line);border-radius:.2rem;"
    "padding:0 .15rem;font-size:.8em}\n"
    "b{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(13rem,100%),1fr));"
    "gap:.6rem 1.5rem}figure{margin:0;min-width:0}svg{display:block;width:100%;height:5rem;"
    "background:var(--band)}svg.heat{height:12rem}svg.spark{width:7.5rem;height:1.25rem}"
    "figcaption{font-size:.85rem}\n"
    ".line{fill:none;stroke:var(--link);stroke-width:1.5;stroke-linecap:round;vector-effect:non-"
    "scaling-stroke}"
    ".line.bad{stroke:var(--bad)}.cell{fill:var(--link)}\n"
    "@media(min-width:50rem){time,.n,thead th{white-space:nowrap}.facts{grid-template-columns:"
    "max-content 1fr max-content 1fr}}\n"
    "@media(max-width:49.99rem){dl{grid-template-columns:6.5rem minmax(0,1fr);gap:.1rem .5rem}}\n";

void html_text(struct buf *out, const char *s, size_t len, size_t max, size_t all)
{
    size_t end = text_cut(s, len, max);
    size_t plain = 0; // where the bytes begin that are not yet added
    for (size_t i = 0; i < end;) {
        uint32_t code = 0;
        size_t n = text_char(s + i, end - i, &code);
        if (n > 0 && !text_is_hidden(code)) {
            i += n;
            continue;
        }
        text_html(out, s + plain, i - plain);
        if (n > 0) {
            buf_addf(out, "<i>U+%04X</i>", (unsigned)code);
        } else {
            buf_addf(out, "<i>0x%02X</i>", (unsigned char)s[i]);
        }
        i += n > 0 ? n : 1;
        plain = i;
    }
    text_html(out, s + plain, end - plain);
    if (all > end) {
        buf_addf(out, "<i>… %zu more bytes</i>", all - end);
    }
}

void html_str(struct buf *out, const char *s)
{
    size_t len = strlen(s);
    html_text(out, s, len, len, len);
}

void html_path(struct buf *out, const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        text_percent(out, path, len);
        path += len;
        if (*path == '/') {
            buf_char(out, '/');
            path++;
        }
    }
}

void html_ago(struct buf *out, uint64_t now_ms, uint64_t at_ms)
{
    char text[32] = "";
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    buf_addf(out, "<time datetime=\"%s\" title=\"%s\">", text, text);
    text_span(out, now_ms > at_ms ? (now_ms - at_ms) / 1000 : 0);
    buf_str(out, " ago</time>");
}

void html_duration(struct buf *out, uint64_t ns)
{
    if (ns < 1000000000) {
        buf_addf(out, ns < 10000000 ? "%.1f ms" : "%.0f ms", (double)ns / 1e6);
    } else {
        buf_addf(out, "%.1f s", (double)ns / 1e9);
    }
}

void html_bytes(struct buf *out, double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    for (; i < 4 && bytes >= 1024; i++) {
        bytes /= 1024;
    }
    buf_addf(out, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

void html_fact(struct buf *out, const char *name)
{
    buf_addf(out, "<dt>%s</dt><dd>", name);
}

void html_fact_end(struct buf *out)
{
    buf_str(out, "</dd>\n");
}

static void write_links(struct buf *out, const struct html_page *page)
{
    static const char *const links[][2] = {{"/status", "Status as JSON"},
                                           {"/healthz", "Health"},
                                           {"/readyz", "Readiness"},
                                           {"/sd", "Service discovery"}};
    buf_str(out, "<nav aria-label=\"Pages\">\n");
    if (strcmp(page->up, ".") != 0) {
        buf_addf(out, "<a href=\"%s/\">Overview</a>\n", page->up);
    }
    buf_addf(out, "<a href=\"%s", page->up);
    html_path(out, page->telemetry_path);
    buf_str(out, "\">Metrics</a>\n");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        buf_addf(out, "<a href=\"%s%s\">%s</a>\n", page->up, links[i][0], links[i][1]);
    }
    if (page->refresh_s > 0) {
        buf_addf(out, "<a href=\"?\">Stop loading again (now every %u s)</a>\n", page->refresh_s);
    } else {
        buf_str(out, "<a href=\"?refresh=15\">Load again every 15 s</a>\n");
    }
    buf_str(out, "</nav>\n");
}

void html_begin(struct buf *out, const struct html_page *page)
{
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    if (page->refresh_s > 0) {
        buf_addf(out, "<meta http-equiv=\"refresh\" content=\"%u\">\n", page->refresh_s);
    }
    buf_str(out, "<title>");
    html_str(out, page->title);
    buf_str(out, "</title>\n<style>\n");
    buf_str(out, style);
    buf_str(out, "</style>\n</head>\n<body>\n<header>\n<h1>");
    html_str(out, page->title);
    buf_str(out, "</h1>\n");
    write_links(out, page);
    buf_str(out, "</header>\n<main>\n");
}

void html_end(struct buf *out)
{
    buf_str(out, "</main>\n<footer><p>Manual pages: <code>virtrigaud-exporter(8)</code>, "
                 "<code>virtrigaud-exporter.yaml(5)</code>, <code>virtrigaud-catalog(5)</code>, "
                 "<code>virtrigaud-events(7)</code>, <code>virtrigaud-emit(1)</code>, "
                 "<code>virtrigaud-ctl(1)</code></p></footer>\n</body>\n</html>\n");
}

void html_table_column(struct buf *out, const char *name, size_t len)
{
    bool is_number = len > 0 && name[0] == '#';
    bool is_long = len > 0 && name[0] == '+';
    size_t mark = is_number || is_long;
    buf_addf(out, "<th scope=\"col\"%s>",
             is_number ? " class=\"n\""
             : is_long ? " class=\"t\""
                       : "");
    html_text(out, name + mark, len - mark, HTML_TEXT_MAX, len - mark);
    buf_str(out, "</th>");
}

void html_table_begin(struct buf *out, const struct html_table *t)
{
    buf_addf(out,
             "<section id=\"%s\">\n<h2 id=\"%s-title\">%s</h2>\n"
             "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"%s-title\">\n"
             "<table>\n<thead><tr>",
             t->id, t->id, t->title, t->id);
    for (size_t i = 0; t->columns[i] != NULL; i++) {
        html_table_column(out, t->columns[i], strlen(t->columns[i]));
    }
}

void html_table_rows(struct buf *out)
{
    buf_str(out, "</tr></thead>\n<tbody>\n");
}

void html_table_end(struct buf *out, const struct html_table *t, uint64_t rows, uint64_t left_out,
                    const char *note)
{
    buf_str(out, "</tbody>\n</table>\n</div>\n");
    if (rows == 0) {
        buf_addf(out, "<p>%s</p>\n", t->empty);
    }
    if (left_out > 0) {
        buf_addf(out, "<p class=\"bad\">%" PRIu64 " more are not shown.</p>\n", left_out);
    }
    buf_str(out, note);
    buf_str(out, "</section>\n");
}

void html_row(struct buf *out)
{
    buf_str(out, "<tr><th scope=\"row\">");
}

void html_row_cells(struct buf *out)
{
    buf_str(out, "</th>");
}

void html_row_end(struct buf *out)
{
    buf_str(out, "</tr>\n");
}

void html_cell(struct buf *out)
{
    buf_str(out, "<td>");
}

void html_cell_end(struct buf *out)
{
    buf_str(out, "</td>");
}

void html_cell_text(struct buf *out, const char *s, size_t len)
{
    buf_str(out, "<td><bdi>");
    html_text(out, s, len, HTML_TEXT_MAX, len);
    buf_str(out, "</bdi></td>");
}

void html_cell_str(struct buf *out, const char *s)
{
    html_cell_text(out, s, strlen(s));
}

void html_cell_number(struct buf *out, uint64_t n)
{
    buf_addf(out, "<td class=\"n\">%" PRIu64 "</td>", n);
}

void html_cell_double(struct buf *out, double value)
{
    char text[NUM_MAX];
    buf_str(out, "<td class=\"n\">");
    buf_add(out, text, num_double(text, value));
    buf_str(out, "</td>");
}

void html_cell_rate(struct buf *out, double per_second)
{
    buf_str(out, "<td class=\"n\">");
    if (per_second < 0) {
        buf_str(out, "–");
    } else {
        buf_addf(out, per_second > 0 && per_second < 10 ? "%.2f" : "%.0f", per_second);
    }
    buf_str(out, "</td>");
}

// ---- Plots

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

void html_plot(struct buf *out, const struct plot *p, const struct plot_point *points, size_t n)
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

void html_spark(struct buf *out, uint64_t span_ms, const struct plot_point *points, size_t n)
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

void html_heatmap(struct buf *out, const struct plot_heat *h, const struct plot_column *columns,
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
