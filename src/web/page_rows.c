// SPDX-License-Identifier: Apache-2.0
#include "web/page_rows.h"

#include "web/html.h"

#include <inttypes.h>
#include <time.h>

// A part: what its rows are, and its columns. `empty` is said when there are no rows.
static const struct {
    const char *id;
    const char *title;
    const char *empty;
    const char *columns[9];
} parts[VIEW_PARTS] = {
    [VIEW_COMPONENT] = {"components",
                        "Components",
                        "None.",
                        {"Component", "Lines applied", "per second", "refused", "lost"}},
    [VIEW_SOURCE] = {"sources",
                     "Sources",
                     "No source has named itself yet.",
                     {"Component", "Instance", "Connected", "Last heard", "Lost"}},
    [VIEW_REFUSAL] = {"refusals",
                      "Refused lines",
                      "None since the start.",
                      {"When", "Reason", "Source", "Line", "Detail"}},
    [VIEW_METRIC] = {"metrics",
                     "Metrics",
                     "The catalogue is empty.",
                     {"Metric", "Type", "Series", "Limit", "per second", "Folded", "Expired",
                      "Help"}},
};

void page_span(struct buf *out, uint64_t ms)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    uint64_t rest = ms / 1000;
    size_t i = 0;
    while (i < 3 && rest < units[i].seconds) {
        i++;
    }
    buf_addf(out, "%" PRIu64 " %s", rest / units[i].seconds, units[i].unit);
    rest %= units[i].seconds;
    if (i < 3 && rest >= units[i + 1].seconds) {
        buf_addf(out, " %" PRIu64 " %s", rest / units[i + 1].seconds, units[i + 1].unit);
    }
}

void page_ago(struct view *v, uint64_t at_ms)
{
    char text[32] = "";
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    buf_addf(v->out, "<time datetime=\"%s\" title=\"%s\">", text, text);
    page_span(v->out, v->now_ms > at_ms ? v->now_ms - at_ms : 0);
    buf_str(v->out, " ago</time>");
}

void page_part(struct view *v, enum view_part part)
{
    buf_addf(v->out, "<section id=\"%s\">\n<h2>%s</h2>\n<table class=\"%s\">\n<thead><tr>",
             parts[part].id, parts[part].title, parts[part].id);
    for (size_t i = 0; parts[part].columns[i] != NULL; i++) {
        buf_addf(v->out, "<th>%s</th>", parts[part].columns[i]);
    }
    buf_str(v->out, "</tr></thead>\n<tbody>\n");
}

void page_part_end(struct view *v, enum view_part part)
{
    buf_str(v->out, "</tbody>\n</table>\n");
    if (v->rows == 0) {
        buf_addf(v->out, "<p>%s</p>\n", parts[part].empty);
    }
    if (v->left_out > 0) {
        buf_addf(v->out, "<p class=\"bad\">%" PRIu64 " more are left out here.</p>\n", v->left_out);
    }
    if (part == VIEW_REFUSAL && !v->shows_texts) {
        buf_str(v->out, "<p>The text of refused lines is shown with "
                        "<code>--web.show-refusals</code>.</p>\n");
    }
    buf_str(v->out, "</section>\n");
}

static void cell(struct view *v, enum view_part part, size_t column)
{
    buf_addf(v->out, "<td data-l=\"%s\">", parts[part].columns[column]);
}

static void cell_text(struct view *v, enum view_part part, size_t column, const char *s, size_t len)
{
    cell(v, part, column);
    buf_str(v->out, "<bdi>");
    html_text(v->out, s, len, VIEW_TEXT_MAX, len);
    buf_str(v->out, "</bdi></td>");
}

static void cell_str(struct view *v, enum view_part part, size_t column, const char *s)
{
    cell_text(v, part, column, s, strlen(s));
}

static void cell_number(struct view *v, enum view_part part, size_t column, uint64_t n)
{
    buf_addf(v->out, "<td class=\"n\" data-l=\"%s\">%" PRIu64 "</td>", parts[part].columns[column],
             n);
}

static void cell_rate(struct view *v, enum view_part part, size_t column, double per_second)
{
    buf_addf(v->out, "<td class=\"n\" data-l=\"%s\">", parts[part].columns[column]);
    if (per_second < 0) {
        buf_str(v->out, "–");
    } else {
        buf_addf(v->out, per_second > 0 && per_second < 10 ? "%.2f" : "%.0f", per_second);
    }
    buf_str(v->out, "</td>");
}

void page_component(struct view *v, const struct view_component *row)
{
    buf_str(v->out, "<tr>");
    cell_str(v, VIEW_COMPONENT, 0, row->name);
    cell_number(v, VIEW_COMPONENT, 1, row->applied);
    cell_rate(v, VIEW_COMPONENT, 2, row->per_second);
    cell_number(v, VIEW_COMPONENT, 3, row->refused);
    cell_number(v, VIEW_COMPONENT, 4, row->lost);
    buf_str(v->out, "</tr>\n");
}

void page_source(struct view *v, const struct view_source *row)
{
    buf_str(v->out, "<tr>");
    cell_str(v, VIEW_SOURCE, 0, row->component);
    cell_text(v, VIEW_SOURCE, 1, row->instance.p, row->instance.len);
    cell(v, VIEW_SOURCE, 2);
    buf_str(v->out,
            row->connected ? "<b class=\"good\">yes</b></td>" : "<b class=\"bad\">no</b></td>");
    cell(v, VIEW_SOURCE, 3);
    if (row->heard_ms > 0) {
        page_ago(v, row->heard_ms);
    } else {
        buf_str(v->out, "never");
    }
    buf_str(v->out, "</td>");
    cell_number(v, VIEW_SOURCE, 4, row->lost);
    buf_str(v->out, "</tr>\n");
}

void page_refusal(struct view *v, const struct view_refusal *row)
{
    buf_str(v->out, "<tr>");
    cell(v, VIEW_REFUSAL, 0);
    page_ago(v, row->at_ms);
    buf_str(v->out, "</td>");
    cell(v, VIEW_REFUSAL, 1);
    buf_addf(v->out, "<code>%s</code></td>", row->reason);
    cell(v, VIEW_REFUSAL, 2);
    buf_str(v->out, "<bdi>");
    html_str(v->out, row->component);
    if (row->instance[0] != '\0') {
        buf_char(v->out, '/');
        html_str(v->out, row->instance);
    }
    buf_str(v->out, "</bdi></td>");
    cell(v, VIEW_REFUSAL, 3);
    if (row->line > 0) {
        buf_addf(v->out, "%" PRIu64 "</td>", row->line);
    } else {
        buf_str(v->out, "datagram</td>");
    }
    cell(v, VIEW_REFUSAL, 4);
    buf_str(v->out, "<div><bdi>");
    html_str(v->out, row->detail);
    buf_str(v->out, "</bdi>");
    if (row->metric[0] != '\0') {
        buf_str(v->out, " <code>");
        html_str(v->out, row->metric);
        buf_str(v->out, "</code>");
    }
    if (row->text.p != NULL) {
        buf_str(v->out, "<pre><bdi>");
        html_text(v->out, row->text.p, row->text.len, VIEW_TEXT_MAX, row->line_len);
        buf_str(v->out, "</bdi></pre>");
    }
    buf_str(v->out, "</div></td></tr>\n");
}

void page_metric(struct view *v, const struct view_metric *row)
{
    buf_str(v->out, "<tr><td data-l=\"Metric\"><code>");
    html_str(v->out, row->name);
    buf_str(v->out, "</code></td>");
    cell_str(v, VIEW_METRIC, 1, row->type);
    cell_number(v, VIEW_METRIC, 2, row->series);
    cell_number(v, VIEW_METRIC, 3, row->limit);
    cell_rate(v, VIEW_METRIC, 4, row->per_second);
    cell_number(v, VIEW_METRIC, 5, row->folded);
    cell_number(v, VIEW_METRIC, 6, row->expired);
    cell_str(v, VIEW_METRIC, 7, row->help);
    buf_str(v->out, "</tr>\n");
}
