// SPDX-License-Identifier: Apache-2.0
#include "web/metric_page.h"

#include "base/num.h"
#include "series/key.h"
#include "series/rate.h"
#include "web/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double metric_page_quantile(const uint64_t *counts, const double *bounds, size_t n_bounds, double q)
{
    double total = 0;
    for (size_t i = 0; i <= n_bounds; i++) {
        total += (double)counts[i];
    }
    if (total <= 0) {
        return NAN;
    }
    double rank = q * total;
    double below = 0;
    size_t i = 0;
    while (i < n_bounds && below + (double)counts[i] < rank) {
        below += (double)counts[i++];
    }
    if (i == n_bounds) {
        return INFINITY;
    }
    if (i == 0 && bounds[0] <= 0) {
        return bounds[0];
    }
    double from = i > 0 ? bounds[i - 1] : 0;
    return counts[i] == 0 ? from : from + (bounds[i] - from) * (rank - below) / (double)counts[i];
}

static void write_quantile(struct buf *out, const struct metric *m, const uint64_t *counts,
                           double q)
{
    double value = metric_page_quantile(counts, m->bounds, m->n_bounds, q);
    char text[NUM_MAX];
    if (isnan(value)) {
        buf_str(out, "–");
    } else if (isinf(value) && m->n_bounds > 0) {
        buf_str(out, "more than ");
        buf_add(out, text, num_double(text, m->bounds[m->n_bounds - 1]));
    } else {
        buf_addf(out, "%.3g", value);
    }
}

// ---- The metric

static void write_facts(struct buf *out, const struct metric_page *p)
{
    const struct metric *m = p->family->metric;
    const struct table *t = p->family->table;
    double rate;
    bool known = rate_read(&t->rate, &rate);
    buf_str(out, "<p><bdi>");
    html_str(out, m->help);
    buf_str(out, "</bdi></p>\n<dl class=\"facts\">\n");
    html_fact(out, "Type");
    buf_str(out, catalog_type_names[m->type]);
    html_fact_end(out);
    html_fact(out, "Series");
    buf_addf(out, "%" PRIu64 " of %" PRIu64, count_read(&t->quota.used),
             count_read(&t->quota.limit));
    html_fact_end(out);
    if (m->type != METRIC_GAUGE) {
        html_fact(out, "Per second");
        if (known) {
            buf_addf(out, "%.3g", rate);
        } else {
            buf_str(out, "not known");
        }
        html_fact_end(out);
    }
    html_fact(out, "Folded");
    buf_addf(out, "%" PRIu64, count_read(&t->stats->folded));
    html_fact_end(out);
    html_fact(out, "Expired");
    buf_addf(out, "%" PRIu64, count_read(&t->stats->expired));
    html_fact_end(out);
    buf_str(out, "</dl>\n");
}

// ---- The last hour

// Copies of the counts of steps, which the plot shows.
struct hour {
    size_t n;
    struct rate_step steps[RATE_STEPS];
    struct plot_column columns[RATE_STEPS];
    uint64_t total[CATALOG_MAX_BOUNDS + 1];
    uint64_t counts[RATE_STEPS][CATALOG_MAX_BOUNDS + 1];
};

static uint64_t ago(const struct metric_page *p, uint64_t at_ms)
{
    return p->mono_ms > at_ms ? p->mono_ms - at_ms : 0;
}

static void read_hour(const struct metric_page *p, struct hour *ret)
{
    ret->n = rate_history_read(&p->family->table->rate, ret->steps);
    memset(ret->total, 0, sizeof ret->total);
    for (size_t i = 0; i < ret->n; i++) {
        const struct rate_step *step = &ret->steps[i];
        ret->columns[i] = (struct plot_column){ago(p, step->from_ms), ago(p, step->to_ms), NULL};
        if (step->counts == NULL || ago(p, step->to_ms) > HISTORY_MS) {
            continue;
        }
        for (size_t b = 0; b <= p->family->metric->n_bounds; b++) {
            ret->counts[i][b] = atomic_load_explicit(&step->counts[b], memory_order_relaxed);
            ret->total[b] += ret->counts[i][b];
        }
        ret->columns[i].counts = ret->counts[i];
    }
}

static void write_plots(struct buf *out, const struct metric_page *p, const struct hour *hour)
{
    static const struct plot rate = {"Per second", "", "", HISTORY_MS};
    static const struct plot series = {"Series", "", "", HISTORY_MS};
    struct plot_point points[RATE_STEPS] = {0};
    size_t n = 0;
    buf_str(out, "<div class=\"plots\">\n");
    for (size_t i = 0; i < hour->n; i++) {
        if (ago(p, hour->steps[i].to_ms) <= HISTORY_MS) {
            points[n++] =
                (struct plot_point){ago(p, hour->steps[i].to_ms), hour->steps[i].per_second};
        }
    }
    if (p->family->metric->type != METRIC_GAUGE) {
        html_plot(out, &rate, points, n);
    }
    for (size_t i = 0; i < n; i++) {
        points[i].value = (double)hour->steps[hour->n - n + i].series;
    }
    html_plot(out, &series, points, n);
    buf_str(out, "</div>\n");
}

static void write_heatmap(struct buf *out, const struct metric_page *p, const struct hour *hour)
{
    const struct metric *m = p->family->metric;
    const struct plot_heat heat = {.title = "Observations by minute and bucket",
                                   .span_ms = HISTORY_MS,
                                   .rows = m->n_bounds + 1,
                                   .bounds = m->bounds};
    html_heatmap(out, &heat, hour->columns, hour->n);
    buf_str(out, "<dl>\n");
    html_fact(out, "Median");
    write_quantile(out, m, hour->total, 0.5);
    html_fact_end(out);
    html_fact(out, "p95");
    write_quantile(out, m, hour->total, 0.95);
    html_fact_end(out);
    buf_str(out, "</dl>\n");
}

static void write_hour(struct buf *out, const struct metric_page *p)
{
    struct hour *hour = malloc(sizeof *hour);
    if (hour == NULL) {
        out->failed = true;
        return;
    }
    read_hour(p, hour);
    buf_str(out, "<section id=\"hour\">\n<h2>The last hour, from left to right</h2>\n");
    if (hour->n == 0) {
        buf_str(out, "<p>Nothing is known yet: a metric's history begins a minute after its first "
                     "series.</p>\n");
    } else {
        write_plots(out, p, hour);
        if (p->family->metric->type == METRIC_HISTOGRAM) {
            write_heatmap(out, p, hour);
        }
        buf_addf(out,
                 "<p>By the minute, all series together. Of the first %d series the table below "
                 "also shows each one's last hour: %s.</p>\n",
                 RATE_KEPT,
                 p->family->metric->type == METRIC_GAUGE ? "its value" : "how fast it grew");
    }
    buf_str(out, "</section>\n");
    free(hour);
}

// ---- Its series

static const struct html_table series_table = {"series", "Series", "There are none.", {NULL}};

static void write_columns(struct buf *out, const struct metric *m)
{
    static const char *const histogram[] = {"#Count", "#Sum", "#Median", "#p95"};
    html_table_begin(out, &series_table);
    if (m->n_labels == 0) {
        html_table_column(out, "Series", strlen("Series"));
    }
    for (size_t i = 0; i < m->n_labels; i++) {
        html_table_column(out, m->labels[i].name, strlen(m->labels[i].name));
    }
    if (m->type != METRIC_HISTOGRAM) {
        html_table_column(out, "#Value", strlen("#Value"));
    }
    for (size_t i = 0; m->type == METRIC_HISTOGRAM && i < 4; i++) {
        html_table_column(out, histogram[i], strlen(histogram[i]));
    }
    html_table_column(out, "Created", strlen("Created"));
    html_table_column(out, "Last hour", strlen("Last hour"));
    html_table_rows(out);
}

// `scratch` holds a value's own text in between.
static void write_labels(struct buf *out, struct buf *scratch, const struct metric *m,
                         const char *key)
{
    struct slice values[CATALOG_MAX_LABELS];
    key_split(m, key, values);
    html_row(out);
    if (m->n_labels == 0) {
        html_str(out, m->name);
        html_row_cells(out);
    }
    for (size_t i = 0; i < m->n_labels; i++) {
        buf_clear(scratch);
        key_unescape(scratch, values[i]);
        if (i == 0) {
            buf_str(out, "<bdi>");
            html_text(out, scratch->p, scratch->len, HTML_TEXT_MAX, scratch->len);
            buf_str(out, "</bdi>");
            html_row_cells(out);
        } else {
            html_cell_text(out, scratch->p, scratch->len);
        }
    }
    out->failed |= scratch->failed;
}

static void write_histogram(struct buf *out, const struct family *f, const struct series *s)
{
    static const double quantiles[] = {0.5, 0.95};
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    uint64_t total = 0;
    double sum;
    table_read_histogram(f->table, s, counts, &sum);
    for (size_t i = 0; i <= f->metric->n_bounds; i++) {
        total += counts[i];
    }
    html_cell_number(out, total);
    buf_addf(out, "<td class=\"n\">%.6g</td>", sum);
    for (size_t i = 0; i < 2; i++) {
        buf_str(out, "<td class=\"n\">");
        write_quantile(out, f->metric, counts, quantiles[i]);
        html_cell_end(out);
    }
}

static void write_series_hour(struct buf *out, const struct metric_page *p, const struct series *s)
{
    struct rate_value values[RATE_STEPS];
    struct plot_point points[RATE_STEPS];
    size_t given = rate_series_read(&p->family->table->rate, s, values);
    size_t n = 0;
    for (size_t i = 0; i < given; i++) {
        uint64_t ago_ms = ago(p, values[i].to_ms);
        if (ago_ms <= HISTORY_MS) {
            points[n++] = (struct plot_point){ago_ms, values[i].value};
        }
    }
    html_cell(out);
    html_spark(out, HISTORY_MS, points, n);
    html_cell_end(out);
}

static void write_series(struct buf *out, struct buf *scratch, const struct metric_page *p,
                         const struct series *s)
{
    const struct family *f = p->family;
    size_t len;
    write_labels(out, scratch, f->metric, series_text(s, &len));
    if (f->table->type == METRIC_HISTOGRAM) {
        write_histogram(out, f, s);
    } else if (f->table->type == METRIC_GAUGE) {
        html_cell_double(out, atomic_load_explicit(series_gauge(s), memory_order_relaxed));
    } else {
        uint64_t whole;
        double rest;
        table_read_counter(f->table, s, &whole, &rest);
        html_cell_double(out, (double)whole + rest);
    }
    html_cell(out);
    html_ago(out, p->now_ms, s->record->created_ms);
    buf_str(out, s->folded ? ", folded" : "");
    html_cell_end(out);
    write_series_hour(out, p, s);
    html_row_end(out);
}

static void write_all_series(struct buf *out, const struct metric_page *p)
{
    struct table_walk w = table_walk_begin(p->family->table, TABLE_WALK_ALL);
    struct buf scratch = BUF_INIT;
    const struct series *s;
    uint64_t shown = 0;
    bool more = false;
    write_columns(out, p->family->metric);
    while (!more && (s = table_walk_next(&w)) != NULL) {
        more = shown == METRIC_PAGE_SERIES || out->len > METRIC_PAGE_BYTES;
        if (!more) {
            write_series(out, &scratch, p, s);
            shown++;
        }
    }
    buf_free(&scratch);
    // Those of the quota without folded ones; while some come and go it may be behind.
    uint64_t all = count_read(&p->family->table->quota.used);
    html_table_end(out, &series_table, shown,
                   !more         ? 0
                   : all > shown ? all - shown
                                 : 1,
                   more ? "<p>All of them: <code>virtrigaud-ctl series</code>, which can also "
                          "select some by their labels.</p>\n"
                        : "");
}

void metric_page_write(struct buf *out, const struct metric_page *p)
{
    const struct html_page page = {.title = p->family->metric->name,
                                   .up = "..",
                                   .telemetry_path = p->telemetry_path,
                                   .refresh_s = p->refresh_s};
    html_begin(out, &page);
    write_facts(out, p);
    write_hour(out, p);
    write_all_series(out, p);
    html_end(out);
}

const struct status_view_form metric_page_form = {.type = HTML_TYPE, .policy = HTML_POLICY};
