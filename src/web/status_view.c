// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.h"

#include "base/json_writer.h"
#include "base/text.h"

#include <inttypes.h>
#include <time.h>

static void text(struct buf *out, const char *key, const char *s, size_t len)
{
    json_key(out, key);
    json_text(out, s, text_cut(s, len, STATUS_VIEW_TEXT_MAX));
}

static void str(struct buf *out, const char *key, const char *s)
{
    text(out, key, s, strlen(s));
}

static void number(struct buf *out, const char *key, uint64_t n)
{
    json_key(out, key);
    json_u64(out, n);
}

static void boolean(struct buf *out, const char *key, bool value)
{
    json_key(out, key);
    json_bool(out, value);
}

static void null(struct buf *out, const char *key)
{
    json_key(out, key);
    json_null(out);
}

static void seconds(struct buf *out, const char *key, uint64_t ms)
{
    json_key(out, key);
    buf_addf(out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

static void rate(struct buf *out, const char *key, double per_second)
{
    if (per_second < 0) {
        null(out, key);
    } else {
        json_key(out, key);
        buf_addf(out, "%.3f", per_second);
    }
}

static void json_summary(struct buf *out, const struct status_view_summary *f)
{
    json_key(out, "version");
    json_string(out, f->version);
    str(out, "revision", f->revision);
    seconds(out, "time", f->now_ms);
    seconds(out, "start_time", f->start_ms);
    seconds(out, "uptime_seconds", f->uptime_ms);
    boolean(out, "ready", f->ready);
    str(out, "telemetry_path", f->telemetry_path);
    boolean(out, "last_reload_successful", f->reload_ok);
    seconds(out, "last_reload_time", f->reload_ms);
    json_key(out, "state");
    json_begin(out, '{');
    boolean(out, "kept", f->state_kept);
    boolean(out, "ok", f->state_kept && f->state_ok);
    if (f->state_trouble != NULL) {
        str(out, "trouble", f->state_trouble);
    } else {
        null(out, "trouble");
    }
    number(out, "bytes", f->state_bytes);
    number(out, "set_aside", f->state_set_aside);
    json_end(out, '}');
    number(out, "series", f->series);
    number(out, "series_limit", f->series_limit);
    number(out, "connections", f->connections);
    number(out, "refusals_untold", f->rejections_unlisted);
    if (f->certificate_expiry_ms > 0) {
        seconds(out, "certificate_expires", f->certificate_expiry_ms);
    } else {
        null(out, "certificate_expires");
    }
}

static void json_component(struct buf *out, const struct status_view_component *row)
{
    str(out, "component", row->name);
    number(out, "applied", row->applied);
    number(out, "refused", row->rejected);
    number(out, "lost", row->lost);
    rate(out, "applied_per_second", row->per_second);
}

void status_view_json_source(struct buf *out, const struct status_view_source *row)
{
    str(out, "component", row->component);
    text(out, "instance", row->instance.p, row->instance.len);
    boolean(out, "connected", row->connected);
    boolean(out, "up", row->up);
    if (row->heard_ms > 0) {
        seconds(out, "last_heard", row->heard_ms);
    } else {
        null(out, "last_heard");
    }
    number(out, "connections", row->connections);
    if (row->interval_s > 0) {
        number(out, "interval_seconds", row->interval_s);
    } else {
        null(out, "interval_seconds");
    }
    if (row->process > 0) {
        number(out, "pid", (uint64_t)row->process);
    } else {
        null(out, "pid");
    }
    number(out, "applied", row->applied);
    number(out, "refused", row->rejected);
    rate(out, "applied_per_second", row->per_second);
    number(out, "lost", row->lost);
}

void status_view_json_rejection(struct buf *out, const struct status_view_rejection *row,
                                bool shows_text)
{
    const struct rejected_line *r = &row->line;
    str(out, "reason", reject_name(r->reason));
    seconds(out, "time", row->at_ms);
    str(out, "component", row->component);
    str(out, "instance", r->instance);
    if (r->line > 0) {
        number(out, "line", r->line);
    } else {
        null(out, "line");
    }
    str(out, "name", r->metric);
    str(out, "detail", r->detail);
    if (shows_text && r->text_len > 0) {
        text(out, "text", r->text, r->text_len);
        number(out, "bytes", r->line_len);
    }
    if (shows_text && r->user != PEER_NOBODY) {
        number(out, "uid", r->user);
    }
    if (shows_text && r->entry[0] != '\0') {
        str(out, "entry", r->entry);
    }
}

static void json_metric(struct buf *out, const struct status_view_metric *row)
{
    str(out, "name", row->name);
    str(out, "type", row->type);
    str(out, "help", row->help);
    number(out, "series", row->series);
    number(out, "series_limit", row->limit);
    rate(out, "per_second", row->per_second);
    number(out, "folded", row->folded);
    number(out, "expired", row->expired);
}

static void list_begin(struct buf *out, const char *key)
{
    json_line(out);
    json_key(out, key);
    json_begin(out, '[');
}

static void row_begin(struct buf *out)
{
    json_line(out);
    json_begin(out, '{');
}

static void list_end(struct buf *out, const char *key, const struct status_view_rows *rows)
{
    json_end(out, ']');
    number(out, key, rows->left_out);
}

static void write_json(struct buf *out, const struct status_view *v)
{
    json_begin(out, '{');
    json_summary(out, &v->summary);
    list_begin(out, "components");
    for (size_t i = 0; i < v->n_components.n; i++) {
        row_begin(out);
        json_component(out, &v->components[i]);
        json_end(out, '}');
    }
    list_end(out, "components_left_out", &v->n_components);
    list_begin(out, "sources");
    for (size_t i = 0; i < v->n_sources.n; i++) {
        row_begin(out);
        status_view_json_source(out, &v->sources[i]);
        json_end(out, '}');
    }
    list_end(out, "sources_left_out", &v->n_sources);
    list_begin(out, "refusals");
    for (size_t i = 0; i < v->n_rejections.n; i++) {
        row_begin(out);
        status_view_json_rejection(out, &v->rejections[i], v->summary.shows_texts);
        json_end(out, '}');
    }
    list_end(out, "refusals_left_out", &v->n_rejections);
    list_begin(out, "metrics");
    for (size_t i = 0; i < v->n_metrics.n; i++) {
        row_begin(out);
        json_metric(out, &v->metrics[i]);
        json_end(out, '}');
    }
    list_end(out, "metrics_left_out", &v->n_metrics);
    buf_str(out, "}\n");
}

const struct status_view_form status_view_json_form = {
    .type = "application/json",
    .policy = "default-src 'none'; frame-ancestors 'none'",
    .write = write_json,
};

// ---- The page for people: HTML 5 in one piece, with no scripts and nothing from elsewhere. Its links are relative, so that
// they lead somewhere behind a proxy that shows all of this below a path of its own.

#define TITLE "virtrigaud-exporter"

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
    "dt,p,th{color:var(--soft)}dd{margin:0}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid var(--line)}\n"
    "th{overflow-wrap:normal}.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "code,pre{font:.85rem/1.4 ui-monospace,monospace}pre{margin:.3rem 0 0;padding:.4rem;"
    "background:var(--band);white-space:pre-wrap;overflow:hidden}\n"
    "i{font-style:normal;color:var(--soft);border:1px solid var(--line);border-radius:.2rem;"
    "padding:0 .15rem;font-size:.8em}\n"
    "b{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}\n"
    ".components th:not(:first-child),.sources th:last-child,"
    ".metrics th:nth-child(n+3):not(:last-child){text-align:right}\n"
    "@media(min-width:50rem){time,.n,td[data-l=Type],td[data-l=Reason],th{white-space:nowrap}"
    "td[data-l=Metric]{min-width:20rem}}\n"
    "@media(max-width:49.99rem){thead{display:none}table,tbody{display:block}"
    "tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}"
    "td{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:0 .5rem;border:0;padding:0;"
    "overflow:hidden}"
    "td:before{content:attr(data-l);color:var(--soft)}.n{text-align:left}"
    "dl{grid-template-columns:6.5rem minmax(0,1fr);gap:.1rem .5rem}}\n";

// A table: what its rows are, and its columns, which a row names again where the screen is narrow and it is a card.
// `empty` is shown when there are no rows.
struct page_table {
    const char *id;
    const char *title;
    const char *empty;
    const char *columns[9];
};

static const struct page_table components_table = {
    "components",
    "Components",
    "None.",
    {"Component", "Lines applied", "Per second", "Rejected", "Lost"}};
static const struct page_table sources_table = {
    "sources",
    "Sources",
    "No source with an instance has connected yet.",
    {"Component", "Instance", "Connected", "Last heard", "Lost"}};
static const struct page_table rejections_table = {"refusals",
                                                   "Rejected lines",
                                                   "None since the start.",
                                                   {"When", "Reason", "Source", "Line", "Detail"}};
static const struct page_table metrics_table = {
    "metrics",
    "Metrics",
    "The catalogue is empty.",
    {"Metric", "Type", "Series", "Limit", "Per second", "Folded", "Expired", "Help"}};

// Appends at most `max` bytes of a text as text of an HTML element; of the others, how many they are: <i>… 12 more
// bytes</i>. Characters that text_is_hidden and bytes that are not UTF-8 are shown by their numbers, as <i>U+202E</i>
// and <i>0xFF</i>, so that no text changes what is around it. `all` is the length of what the text is the beginning
// of, at least `len`.
static void html_text(struct buf *out, const char *s, size_t len, size_t max, size_t all)
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

// The same for a whole text of which nothing is cut.
static void html_str(struct buf *out, const char *s)
{
    size_t len = strlen(s);
    html_text(out, s, len, len, len);
}

// A path as the value of href: every segment percent-encoded, the slashes kept.
static void html_path(struct buf *out, const char *path)
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

// "3 h 12 min ago" with the time itself in its `datetime`.
static void write_ago(struct buf *out, uint64_t now_ms, uint64_t at_ms)
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

static void fact(struct buf *out, const char *name)
{
    buf_addf(out, "<dt>%s</dt><dd>", name);
}

static void fact_end(struct buf *out)
{
    buf_str(out, "</dd>\n");
}

static void write_state(struct buf *out, const struct status_view_summary *f)
{
    fact(out, "State file");
    if (!f->state_kept) {
        buf_str(out, "none: series end with the process");
    } else if (f->state_ok) {
        buf_addf(out, "<b class=\"good\">written</b>, %" PRIu64 " bytes", f->state_bytes);
    } else {
        buf_str(out, "<b class=\"bad\">not written, in memory only</b>");
    }
    if (f->state_trouble != NULL) {
        buf_str(out, ": ");
        html_str(out, f->state_trouble);
    }
    if (f->state_set_aside > 0) {
        buf_addf(out, "; %" PRIu64 " damaged ones set aside", f->state_set_aside);
    }
    fact_end(out);
}

static void write_summary(struct buf *out, const struct status_view_summary *f)
{
    buf_str(out, "<dl>\n");
    fact(out, "Version");
    html_str(out, f->version);
    buf_str(out, ", revision ");
    html_str(out, f->revision);
    fact_end(out);
    fact(out, "Uptime");
    text_span(out, f->uptime_ms / 1000);
    buf_str(out, f->ready ? "" : ", <b class=\"bad\">not ready</b>");
    fact_end(out);
    write_state(out, f);
    fact(out, "Last reload");
    buf_str(out, f->reload_ok ? "<b class=\"good\">succeeded</b>, "
                              : "<b class=\"bad\">refused</b>; the last successful one ");
    write_ago(out, f->now_ms, f->reload_ms);
    fact_end(out);
    fact(out, "Series");
    buf_addf(out, "%" PRIu64 " of %" PRIu64, f->series, f->series_limit);
    fact_end(out);
    fact(out, "Connections");
    buf_addf(out, "%u", f->connections);
    fact_end(out);
    if (f->rejections_unlisted > 0) {
        fact(out, "Rejected lines");
        buf_addf(out, "%" PRIu64 " arrived too fast to be listed below", f->rejections_unlisted);
        fact_end(out);
    }
    buf_str(out, "</dl>\n");
}

static void table_begin(struct buf *out, const struct page_table *t)
{
    buf_addf(out, "<section id=\"%s\">\n<h2>%s</h2>\n<table class=\"%s\">\n<thead><tr>", t->id,
             t->title, t->id);
    for (size_t i = 0; t->columns[i] != NULL; i++) {
        buf_addf(out, "<th>%s</th>", t->columns[i]);
    }
    buf_str(out, "</tr></thead>\n<tbody>\n");
}

// `note` is written below the table.
static void table_end(struct buf *out, const struct page_table *t,
                      const struct status_view_rows *rows, const char *note)
{
    buf_str(out, "</tbody>\n</table>\n");
    if (rows->n == 0) {
        buf_addf(out, "<p>%s</p>\n", t->empty);
    }
    if (rows->left_out > 0) {
        buf_addf(out, "<p class=\"bad\">%" PRIu64 " more are not shown.</p>\n", rows->left_out);
    }
    buf_str(out, note);
    buf_str(out, "</section>\n");
}

static void cell(struct buf *out, const struct page_table *t, size_t column)
{
    buf_addf(out, "<td data-l=\"%s\">", t->columns[column]);
}

static void cell_text(struct buf *out, const struct page_table *t, size_t column, const char *s,
                      size_t len)
{
    cell(out, t, column);
    buf_str(out, "<bdi>");
    html_text(out, s, len, STATUS_VIEW_TEXT_MAX, len);
    buf_str(out, "</bdi></td>");
}

static void cell_str(struct buf *out, const struct page_table *t, size_t column, const char *s)
{
    cell_text(out, t, column, s, strlen(s));
}

static void cell_number(struct buf *out, const struct page_table *t, size_t column, uint64_t n)
{
    buf_addf(out, "<td class=\"n\" data-l=\"%s\">%" PRIu64 "</td>", t->columns[column], n);
}

static void cell_rate(struct buf *out, const struct page_table *t, size_t column, double per_second)
{
    buf_addf(out, "<td class=\"n\" data-l=\"%s\">", t->columns[column]);
    if (per_second < 0) {
        buf_str(out, "–");
    } else {
        buf_addf(out, per_second > 0 && per_second < 10 ? "%.2f" : "%.0f", per_second);
    }
    buf_str(out, "</td>");
}

static void write_component(struct buf *out, const struct status_view_component *row)
{
    buf_str(out, "<tr>");
    cell_str(out, &components_table, 0, row->name);
    cell_number(out, &components_table, 1, row->applied);
    cell_rate(out, &components_table, 2, row->per_second);
    cell_number(out, &components_table, 3, row->rejected);
    cell_number(out, &components_table, 4, row->lost);
    buf_str(out, "</tr>\n");
}

static void write_source(struct buf *out, uint64_t now_ms, const struct status_view_source *row)
{
    buf_str(out, "<tr>");
    cell_str(out, &sources_table, 0, row->component);
    cell_text(out, &sources_table, 1, row->instance.p, row->instance.len);
    cell(out, &sources_table, 2);
    buf_str(out, row->up          ? "<b class=\"good\">yes</b></td>"
                 : row->connected ? "<b class=\"bad\">silent</b></td>"
                                  : "<b class=\"bad\">no</b></td>");
    cell(out, &sources_table, 3);
    if (row->heard_ms > 0) {
        write_ago(out, now_ms, row->heard_ms);
    } else {
        buf_str(out, "never");
    }
    buf_str(out, "</td>");
    cell_number(out, &sources_table, 4, row->lost);
    buf_str(out, "</tr>\n");
}

static void write_detail(struct buf *out, const struct rejected_line *r, bool shows_text)
{
    cell(out, &rejections_table, 4);
    buf_str(out, "<div><bdi>");
    html_str(out, r->detail);
    buf_str(out, "</bdi>");
    if (r->metric[0] != '\0') {
        buf_str(out, " <code>");
        html_str(out, r->metric);
        buf_str(out, "</code>");
    }
    if (shows_text && r->text_len > 0) {
        buf_str(out, "<pre><bdi>");
        html_text(out, r->text, r->text_len, STATUS_VIEW_TEXT_MAX, r->line_len);
        buf_str(out, "</bdi></pre>");
    }
    buf_str(out, "</div></td>");
}

static void write_rejection(struct buf *out, const struct status_view_summary *f,
                            const struct status_view_rejection *row)
{
    const struct rejected_line *r = &row->line;
    buf_str(out, "<tr>");
    cell(out, &rejections_table, 0);
    write_ago(out, f->now_ms, row->at_ms);
    buf_str(out, "</td>");
    cell(out, &rejections_table, 1);
    buf_addf(out, "<code>%s</code></td>", reject_name(r->reason));
    cell(out, &rejections_table, 2);
    buf_str(out, "<bdi>");
    html_str(out, row->component);
    if (r->instance[0] != '\0') {
        buf_char(out, '/');
        html_str(out, r->instance);
    }
    buf_str(out, "</bdi></td>");
    cell(out, &rejections_table, 3);
    if (r->line > 0) {
        buf_addf(out, "%" PRIu64 "</td>", r->line);
    } else {
        buf_str(out, "datagram</td>");
    }
    write_detail(out, r, f->shows_texts);
    buf_str(out, "</tr>\n");
}

static void write_metric(struct buf *out, const struct status_view_metric *row)
{
    buf_str(out, "<tr><td data-l=\"Metric\"><code>");
    html_str(out, row->name);
    buf_str(out, "</code></td>");
    cell_str(out, &metrics_table, 1, row->type);
    cell_number(out, &metrics_table, 2, row->series);
    cell_number(out, &metrics_table, 3, row->limit);
    cell_rate(out, &metrics_table, 4, row->per_second);
    cell_number(out, &metrics_table, 5, row->folded);
    cell_number(out, &metrics_table, 6, row->expired);
    cell_str(out, &metrics_table, 7, row->help);
    buf_str(out, "</tr>\n");
}

static void write_tables(struct buf *out, const struct status_view *v)
{
    table_begin(out, &components_table);
    for (size_t i = 0; i < v->n_components.n; i++) {
        write_component(out, &v->components[i]);
    }
    table_end(out, &components_table, &v->n_components, "");
    table_begin(out, &sources_table);
    for (size_t i = 0; i < v->n_sources.n; i++) {
        write_source(out, v->summary.now_ms, &v->sources[i]);
    }
    table_end(out, &sources_table, &v->n_sources, "");
    table_begin(out, &rejections_table);
    for (size_t i = 0; i < v->n_rejections.n; i++) {
        write_rejection(out, &v->summary, &v->rejections[i]);
    }
    table_end(out, &rejections_table, &v->n_rejections,
              v->summary.shows_texts ? ""
                                     : "<p>The text of rejected lines is shown with "
                                       "<code>--web.show-rejected</code>.</p>\n");
    table_begin(out, &metrics_table);
    for (size_t i = 0; i < v->n_metrics.n; i++) {
        write_metric(out, &v->metrics[i]);
    }
    table_end(out, &metrics_table, &v->n_metrics, "");
}

static void write_head(struct buf *out, const struct status_view_summary *f)
{
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                 "<title>" TITLE "</title>\n<style>\n");
    buf_str(out, style);
    buf_str(out, "</style>\n</head>\n<body>\n<h1>" TITLE "</h1>\n"
                 "<p>Metrics of VirtRigaud's manager and providers.</p>\n<nav>\n<a href=\".");
    html_path(out, f->telemetry_path);
    buf_str(out, "\">Metrics</a>\n<a href=\"./status\">Status as JSON</a>\n"
                 "<a href=\"./healthz\">Health</a>\n<a href=\"./readyz\">Readiness</a>\n"
                 "<a href=\"./sd\">Service discovery</a>\n</nav>\n");
    write_summary(out, f);
    buf_str(out,
            "<nav>\n<a href=\"#sources\">Sources</a>\n<a href=\"#refusals\">Rejected lines</a>\n"
            "<a href=\"#metrics\">Metrics of the catalogue</a>\n</nav>\n");
}

static void write_page(struct buf *out, const struct status_view *v)
{
    write_head(out, &v->summary);
    write_tables(out, v);
    buf_str(out, "<p>Manual pages: <code>virtrigaud-exporter(8)</code>, "
                 "<code>virtrigaud-exporter.yaml(5)</code>, <code>virtrigaud-catalog(5)</code>, "
                 "<code>virtrigaud-events(7)</code>, <code>virtrigaud-emit(1)</code></p>\n"
                 "</body>\n</html>\n");
}

const struct status_view_form status_view_page = {
    .type = "text/html; charset=utf-8",
    .policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
              "frame-ancestors 'none'",
    .write = write_page,
};
