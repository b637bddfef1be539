// SPDX-License-Identifier: Apache-2.0
#include "web/page.h"

#include "base/text.h"
#include "web/html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const struct html_table components_table = {
    "components",
    "Components",
    "None.",
    {"Component", "#Lines applied", "#Per second", "#Rejected", "#Lost"}};
static const struct html_table sources_table = {"sources",
                                                "Sources",
                                                "No source with an instance has connected yet.",
                                                {"Instance", "Component", "Connected", "Last heard",
                                                 "#Applied", "#Per second", "#Rejected", "#Lost"}};
static const struct html_table rejections_table = {"refusals",
                                                   "Rejected lines",
                                                   "None since the start.",
                                                   {"When", "Reason", "Source", "Line", "+Detail"}};
static const struct html_table metrics_table = {
    "metrics",
    "Metrics",
    "The catalogue is empty.",
    {"Metric", "Type", "#Series", "#Limit", "#Per second", "#Folded", "#Expired", "+Help"}};

// ---- One sentence of state

static bool has_trouble(const struct status_view *v)
{
    const struct status_view_summary *f = &v->summary;
    return f->sources_down > 0 || status_view_rejected_lately(v) > 0 || !f->ready ||
           !f->reload_ok || (f->state_kept && !f->state_ok) ||
           (f->scraped && f->scrape_status != 200);
}

static void write_sentence(struct buf *out, const struct status_view *v)
{
    buf_addf(out, "<p class=\"state%s\">", has_trouble(v) ? " bad" : "");
    status_view_sentence(out, v);
    buf_str(out, "</p>\n");
}

// ---- The process

static void write_state(struct buf *out, const struct status_view_summary *f)
{
    html_fact(out, "State file");
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
    html_fact_end(out);
}

static void write_scrape(struct buf *out, const struct status_view_summary *f)
{
    html_fact(out, "Last scrape");
    if (!f->scraped) {
        buf_str(out, "none since the start");
        html_fact_end(out);
        return;
    }
    html_ago(out, f->now_ms, f->scrape_ms);
    buf_str(out, " by ");
    html_str(out, f->scrape_peer);
    buf_str(out, ", ");
    html_duration(out, f->scrape_ns);
    buf_addf(out,
             f->scrape_status == 200 ? ", <b class=\"good\">%u</b>" : ", <b class=\"bad\">%u</b>",
             f->scrape_status);
    html_fact_end(out);
}

// A count since the start, and how much of it is of the last hour.
static void write_failure(struct buf *out, const char *name, uint64_t now, uint64_t hour_ago)
{
    html_fact(out, name);
    buf_addf(out,
             now > hour_ago ? "<b class=\"bad\">%" PRIu64 " in the last hour</b>, "
                            : "%" PRIu64 " in the last hour, ",
             now - hour_ago);
    buf_addf(out, "%" PRIu64 " since the start", now);
    html_fact_end(out);
}

static void write_http(struct buf *out, const struct status_view *v)
{
    const struct history_sample *now = &v->history.samples[v->history.n - 1];
    const struct history_sample *then = &v->history.samples[0];
    write_scrape(out, &v->summary);
    write_failure(out, "Answers 401", now->unauthorized, then->unauthorized);
    write_failure(out, "Answers 503", now->unavailable, then->unavailable);
    write_failure(out, "Failed TLS", now->tls_failures, then->tls_failures);
}

static void write_process(struct buf *out, const struct status_view_summary *f)
{
    html_fact(out, "Memory");
    if (isfinite(f->resident_bytes)) {
        html_bytes(out, f->resident_bytes);
    } else {
        buf_str(out, "not known");
    }
    html_fact_end(out);
    html_fact(out, "Descriptors");
    if (isfinite(f->open_fds)) {
        buf_addf(out, "%.0f", f->open_fds);
    } else {
        buf_str(out, "not known");
    }
    if (isfinite(f->max_fds)) {
        buf_addf(out, " of %.0f", f->max_fds);
    }
    html_fact_end(out);
}

static void write_summary(struct buf *out, const struct status_view *v)
{
    const struct status_view_summary *f = &v->summary;
    buf_str(out, "<dl class=\"facts\">\n");
    html_fact(out, "Version");
    html_str(out, f->version);
    buf_str(out, ", revision ");
    html_str(out, f->revision);
    html_fact_end(out);
    html_fact(out, "Uptime");
    text_span(out, f->uptime_ms / 1000);
    buf_str(out, f->ready ? "" : ", <b class=\"bad\">not ready</b>");
    html_fact_end(out);
    write_state(out, f);
    html_fact(out, "Last reload");
    buf_str(out, f->reload_ok ? "<b class=\"good\">succeeded</b>, "
                              : "<b class=\"bad\">refused</b>; the last successful one ");
    html_ago(out, f->now_ms, f->reload_ms);
    html_fact_end(out);
    html_fact(out, "Series");
    buf_addf(out, "%" PRIu64 " of %" PRIu64, f->series, f->series_limit);
    html_fact_end(out);
    html_fact(out, "Connections");
    buf_addf(out, "%u", f->connections);
    html_fact_end(out);
    write_http(out, v);
    write_process(out, f);
    if (f->rejections_unlisted > 0) {
        html_fact(out, "Rejected lines");
        buf_addf(out, "%" PRIu64 " arrived too fast to be listed below", f->rejections_unlisted);
        html_fact_end(out);
    }
    buf_str(out, "</dl>\n");
}

// ---- The last hour

// What a plot shows of two readings that follow each other.
static double applied_of(const struct history_sample *a, const struct history_sample *b)
{
    return (double)(b->applied - a->applied) * 1000 / (double)(b->at_ms - a->at_ms);
}

static double rejected_of(const struct history_sample *a, const struct history_sample *b)
{
    return (double)(b->rejected - a->rejected) * 1000 / (double)(b->at_ms - a->at_ms);
}

// NAN: there was none.
static double scrape_of(const struct history_sample *a, const struct history_sample *b)
{
    return b->scrapes == a->scrapes
               ? NAN
               : (double)(b->scrape_ns - a->scrape_ns) / 1e6 / (double)(b->scrapes - a->scrapes);
}

static double series_of(const struct history_sample *a, const struct history_sample *b)
{
    (void)a;
    return (double)b->series;
}

static void write_plots(struct buf *out, const struct history_view *h)
{
    static const struct {
        struct plot plot;
        double (*value)(const struct history_sample *a, const struct history_sample *b);
    } plots[] = {{{"Lines applied", " a second", "", HISTORY_MS}, applied_of},
                 {{"Lines rejected", " a second", "bad", HISTORY_MS}, rejected_of},
                 {{"Time of a scrape", " ms", "", HISTORY_MS}, scrape_of},
                 {{"Series", "", "", HISTORY_MS}, series_of}};
    struct plot_point points[HISTORY_SAMPLES];
    buf_str(out, "<section id=\"hour\">\n<h2>The last hour, from left to right</h2>\n<div "
                 "class=\"plots\">\n");
    for (size_t k = 0; k < sizeof plots / sizeof plots[0]; k++) {
        size_t n = 0;
        for (size_t i = 1; i < h->n; i++) {
            const struct history_sample *s = &h->samples[i];
            double value = plots[k].value(s - 1, s);
            if (!isnan(value)) {
                points[n++] = (struct plot_point){h->samples[h->n - 1].at_ms - s->at_ms, value};
            }
        }
        html_plot(out, &plots[k].plot, points, n);
    }
    buf_str(out, "</div>\n</section>\n");
}

// ---- Rows

static void write_component(struct buf *out, const struct status_view_component *row)
{
    html_row(out);
    html_str(out, row->name);
    html_row_cells(out);
    html_cell_number(out, row->applied);
    html_cell_rate(out, row->per_second);
    html_cell_number(out, row->rejected);
    html_cell_number(out, row->lost);
    html_row_end(out);
}

static void write_source(struct buf *out, uint64_t now_ms, const struct status_view_source *row)
{
    html_row(out);
    buf_str(out, "<bdi>");
    html_text(out, row->instance.p, row->instance.len, HTML_TEXT_MAX, row->instance.len);
    buf_str(out, "</bdi>");
    html_row_cells(out);
    html_cell_str(out, row->component);
    html_cell(out);
    buf_str(out, row->up          ? "<b class=\"good\">yes</b>"
                 : row->connected ? "<b class=\"bad\">silent</b>"
                                  : "<b class=\"bad\">no</b>");
    html_cell_end(out);
    html_cell(out);
    if (row->heard_ms > 0) {
        html_ago(out, now_ms, row->heard_ms);
    } else {
        buf_str(out, "never");
    }
    html_cell_end(out);
    html_cell_number(out, row->applied);
    html_cell_rate(out, row->per_second);
    html_cell_number(out, row->rejected);
    html_cell_number(out, row->lost);
    html_row_end(out);
}

static void write_detail(struct buf *out, const struct rejected_line *r, bool shows_text)
{
    html_cell(out);
    buf_str(out, "<bdi>");
    html_str(out, r->detail);
    buf_str(out, "</bdi>");
    if (r->metric[0] != '\0') {
        buf_str(out, " <code>");
        html_str(out, r->metric);
        buf_str(out, "</code>");
    }
    if (shows_text && r->text_len > 0) {
        buf_str(out, "<pre><bdi>");
        html_text(out, r->text, r->text_len, HTML_TEXT_MAX, r->line_len);
        buf_str(out, "</bdi></pre>");
    }
    html_cell_end(out);
}

static void write_rejection(struct buf *out, const struct status_view_summary *f,
                            const struct status_view_rejection *row)
{
    const struct rejected_line *r = &row->line;
    html_row(out);
    html_ago(out, f->now_ms, row->at_ms);
    html_row_cells(out);
    buf_addf(out, "<td><code>%s</code></td><td><bdi>", reject_names[r->reason]);
    html_str(out, row->component);
    if (r->instance[0] != '\0') {
        buf_char(out, '/');
        html_str(out, r->instance);
    }
    buf_str(out, "</bdi></td>");
    html_cell(out);
    if (r->line > 0) {
        buf_addf(out, "%" PRIu64, r->line);
    } else {
        buf_str(out, "datagram");
    }
    html_cell_end(out);
    write_detail(out, r, f->shows_texts);
    html_row_end(out);
}

static void write_metric(struct buf *out, const struct status_view_metric *row)
{
    html_row(out);
    buf_str(out, "<code><a href=\"./metric/");
    html_path(out, row->name);
    buf_str(out, "\">");
    html_str(out, row->name);
    buf_str(out, "</a></code>");
    html_row_cells(out);
    html_cell_str(out, row->type);
    html_cell_number(out, row->series);
    html_cell_number(out, row->limit);
    html_cell_rate(out, row->per_second);
    html_cell_number(out, row->folded);
    html_cell_number(out, row->expired);
    html_cell_str(out, row->help);
    html_row_end(out);
}

// ---- Tables

static void write_rejections(struct buf *out, const struct status_view *v)
{
    html_table_begin(out, &rejections_table);
    html_table_rows(out);
    for (size_t i = 0; i < v->n_rejections.n; i++) {
        write_rejection(out, &v->summary, &v->rejections[i]);
    }
    html_table_end(out, &rejections_table, v->n_rejections.n, v->n_rejections.left_out,
                   v->summary.shows_texts ? ""
                                          : "<p>The text of rejected lines is shown with "
                                            "<code>--web.show-rejected</code>.</p>\n");
}

static void write_sources(struct buf *out, const struct status_view *v)
{
    html_table_begin(out, &sources_table);
    html_table_rows(out);
    for (size_t i = 0; i < v->n_sources.n; i++) {
        write_source(out, v->summary.now_ms, &v->sources[i]);
    }
    html_table_end(out, &sources_table, v->n_sources.n, v->n_sources.left_out, "");
}

static void write_components(struct buf *out, const struct status_view *v)
{
    html_table_begin(out, &components_table);
    html_table_rows(out);
    for (size_t i = 0; i < v->n_components.n; i++) {
        write_component(out, &v->components[i]);
    }
    html_table_end(out, &components_table, v->n_components.n, v->n_components.left_out, "");
}

static void write_metrics(struct buf *out, const struct status_view *v)
{
    html_table_begin(out, &metrics_table);
    html_table_rows(out);
    for (size_t i = 0; i < v->n_metrics.n; i++) {
        write_metric(out, &v->metrics[i]);
    }
    html_table_end(out, &metrics_table, v->n_metrics.n, v->n_metrics.left_out, "");
}

// Rejected lines are what is looked at first, if there are any.
static void write_tables(struct buf *out, const struct status_view *v)
{
    bool rejected = v->n_rejections.n > 0;
    if (rejected) {
        write_rejections(out, v);
    }
    write_sources(out, v);
    if (!rejected) {
        write_rejections(out, v);
    }
    write_components(out, v);
    write_metrics(out, v);
}

static void write_page(struct buf *out, const struct status_view *v)
{
    const struct html_page page = {.title = "virtrigaud-exporter",
                                   .up = ".",
                                   .telemetry_path = v->summary.telemetry_path,
                                   .refresh_s = v->summary.refresh_s};
    html_begin(out, &page);
    write_sentence(out, v);
    write_summary(out, v);
    buf_str(out, "<nav aria-label=\"On this page\">\n<a href=\"#refusals\">Rejected lines</a>\n"
                 "<a href=\"#sources\">Sources</a>\n<a href=\"#components\">Components</a>\n"
                 "<a href=\"#metrics\">Metrics of the catalogue</a>\n</nav>\n");
    write_plots(out, &v->history);
    write_tables(out, v);
    html_end(out);
}

const struct status_view_form page_form = {
    .type = HTML_TYPE, .policy = HTML_POLICY, .write = write_page};
