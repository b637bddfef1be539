// SPDX-License-Identifier: Apache-2.0
#include "ctl/view.h"

#include "base/invariant.h"
#include "base/num.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

// ---- Text and tables

void view_write_string(struct buf *out, const char *s)
{
    text_visible(out, s, strlen(s));
}

void view_write_number(struct buf *out, double n)
{
    char digits[NUM_MAX];
    buf_add(out, digits, num_double(digits, n));
}

void view_write_span(struct buf *out, double seconds)
{
    // Clocks may differ, and what is shown may come from anywhere.
    text_span(out, seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0);
}

void view_write_time(struct buf *out, double seconds)
{
    char text[40] = "-";
    time_t at = seconds > 0 && seconds < 1e11 ? (time_t)seconds : 0;
    struct tm tm;
    if (gmtime_r(&at, &tm) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    buf_str(out, text);
}

// How many characters it has.
static size_t width_of(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return n;
}

void view_table_begin(struct view_table *t, const char *const *heads)
{
    *t = (struct view_table){0};
    for (size_t i = 0; heads[i] != NULL; i++) {
        invariant(i < VIEW_COLUMNS, "a table has room for its columns");
        t->right[i] = heads[i][0] == '>';
        t->n_columns = i + 1;
        buf_str(view_cell(t), heads[i] + t->right[i]);
    }
}

struct buf *view_cell(struct view_table *t)
{
    if (t->n++ > 0) {
        buf_char(&t->cells, '\0');
    }
    return &t->cells;
}

static void add_cell(struct buf *out, struct slice cell, size_t width, bool right, bool last)
{
    size_t blanks = width - width_of(cell.p, cell.len);
    for (size_t i = 0; right && i < blanks; i++) {
        buf_char(out, ' ');
    }
    buf_add(out, cell.p, cell.len);
    for (size_t i = 0; !right && !last && i < blanks; i++) {
        buf_char(out, ' ');
    }
    buf_str(out, last ? "\n" : "  ");
}

void view_table_end(struct view_table *t, struct buf *out)
{
    size_t widths[VIEW_COLUMNS] = {0};
    buf_char(&t->cells, '\0');
    out->failed |= t->cells.failed;
    const char *p = t->cells.p;
    for (size_t i = 0; !out->failed && i < t->n; i++) {
        size_t len = strlen(p);
        size_t width = width_of(p, len);
        size_t *widest = &widths[i % t->n_columns];
        *widest = width > *widest ? width : *widest;
        p += len + 1;
    }
    p = t->cells.p;
    for (size_t i = 0; !out->failed && i < t->n; i++) {
        size_t column = i % t->n_columns;
        size_t len = strlen(p);
        add_cell(out, (struct slice){p, len}, widths[column], t->right[column],
                 column == t->n_columns - 1);
        p += len + 1;
    }
    buf_free(&t->cells);
}

// ---- Members of a row

double view_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

const char *view_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

bool view_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void view_text(struct buf *out, const json_t *object, const char *key)
{
    const json_t *text = json_object_get(object, key);
    if (json_is_string(text)) {
        text_visible(out, json_string_value(text), json_string_length(text));
    }
}

void view_lines(struct buf *out, const json_t *object, const char *key)
{
    const char *text = view_string(object, key);
    while (text[0] != '\0') {
        const char *lf = strchrnul(text, '\n');
        text_visible(out, text, (size_t)(lf - text));
        text = lf[0] == '\n' ? lf + 1 : lf;
        buf_str(out, text[0] != '\0' ? "\n" : "");
    }
}

// ---- What a row must have

bool view_has(const json_t *object, const char *const *keys)
{
    bool all = json_is_object(object);
    for (; all && *keys != NULL; keys++) {
        all = json_object_get(object, *keys) != NULL;
    }
    return all;
}

static bool rows_have(const json_t *rows, const char *const *keys)
{
    bool all = json_is_array(rows);
    for (size_t i = 0; all && i < json_array_size(rows); i++) {
        all = view_has(json_array_get(rows, i), keys);
    }
    return all;
}

bool view_is_status(const json_t *row)
{
    static const char *const own[] = {"version",
                                      "revision",
                                      "time",
                                      "uptime_seconds",
                                      "series",
                                      "series_limit",
                                      "connections",
                                      "summary",
                                      "last_reload_successful",
                                      "last_reload_time",
                                      "last_scrape",
                                      "certificate_expires",
                                      NULL};
    static const char *const state[] = {"kept", "ok", "trouble", "bytes", "set_aside", NULL};
    static const char *const http[] = {"unauthorized", "unavailable", "tls_failures", NULL};
    static const char *const scrape[] = {"time", "peer", "duration_seconds", "status", NULL};
    static const char *const component[] = {"component", "applied", "refused", "lost", NULL};
    static const char *const metric[] = {"name",   "type",    "series", "series_limit",
                                         "folded", "expired", NULL};
    const json_t *last = json_object_get(row, "last_scrape");
    return view_has(row, own) && view_has(json_object_get(row, "state"), state) &&
           view_has(json_object_get(row, "http"), http) &&
           (json_is_null(last) || view_has(last, scrape)) &&
           rows_have(json_object_get(row, "components"), component) &&
           rows_have(json_object_get(row, "metrics"), metric) &&
           json_is_array(json_object_get(row, "refusals"));
}

bool view_is_source(const json_t *row)
{
    static const char *const keys[] = {"component", "instance", "connected", "up", "last_heard",
                                       "applied",   "refused",  "lost",      NULL};
    return view_has(row, keys);
}

bool view_is_rejected(const json_t *row)
{
    static const char *const keys[] = {"time", "component", "instance", "reason", "detail", NULL};
    return view_has(row, keys);
}

// A rate, or "-" while it is not known.
static void add_rate(struct buf *out, const json_t *object, const char *key)
{
    const json_t *rate = json_object_get(object, key);
    if (json_is_number(rate)) {
        double n = json_number_value(rate);
        buf_addf(out, n > 0 && n < 10 ? "%.2f" : "%.0f", n);
    } else {
        buf_char(out, '-');
    }
}

static void add_number(struct buf *out, const json_t *object, const char *key)
{
    const json_t *n = json_object_get(object, key);
    if (json_is_number(n)) {
        view_write_number(out, json_number_value(n));
    } else {
        buf_char(out, '-');
    }
}

const char *view_source_state(const json_t *source)
{
    return view_is_true(source, "up")          ? "up"
           : view_is_true(source, "connected") ? "silent"
                                               : "gone";
}

void view_source_name(struct buf *out, const json_t *source)
{
    view_text(out, source, "component");
    if (view_string(source, "instance")[0] != '\0') {
        buf_char(out, '/');
        view_text(out, source, "instance");
    }
}

// ---- The status

void view_summary(struct buf *out, const json_t *status)
{
    buf_str(out, "virtrigaud-exporter ");
    view_text(out, status, "version");
    buf_str(out, ", revision ");
    view_text(out, status, "revision");
    buf_str(out, ", up for ");
    view_write_span(out, view_number(status, "uptime_seconds"));
    buf_str(out, ", ");
    add_number(out, status, "series");
    buf_str(out, " of ");
    add_number(out, status, "series_limit");
    buf_str(out, " series, ");
    add_number(out, status, "connections");
    buf_str(out, " connections\n");
    view_text(out, status, "summary");
    buf_char(out, '\n');
}

static void add_state(struct buf *out, const json_t *status)
{
    const json_t *state = json_object_get(status, "state");
    buf_str(out, "State file: ");
    if (!view_is_true(state, "kept")) {
        buf_str(out, "none, series end with the process");
    } else if (view_is_true(state, "ok")) {
        buf_str(out, "written, ");
        add_number(out, state, "bytes");
        buf_str(out, " bytes");
    } else {
        buf_str(out, "not written");
    }
    if (view_string(state, "trouble")[0] != '\0') {
        buf_str(out, ": ");
        view_text(out, state, "trouble");
    }
    if (view_number(state, "set_aside") > 0) {
        buf_str(out, "; damaged ones set aside: ");
        add_number(out, state, "set_aside");
    }
    buf_str(out, "\nConfiguration: ");
    buf_str(out, view_is_true(status, "last_reload_successful")
                     ? "loaded "
                     : "the last reload was refused, in force is that of ");
    view_write_span(out, view_number(status, "time") - view_number(status, "last_reload_time"));
    buf_str(out, " ago\n");
}

// Who was served, and who was not.
static void add_http(struct buf *out, const json_t *status)
{
    const json_t *scrape = json_object_get(status, "last_scrape");
    const json_t *http = json_object_get(status, "http");
    const json_t *ends = json_object_get(status, "certificate_expires");
    buf_str(out, "Last scrape: ");
    if (json_is_object(scrape)) {
        view_write_span(out, view_number(status, "time") - view_number(scrape, "time"));
        buf_str(out, " ago by ");
        view_text(out, scrape, "peer");
        buf_addf(out, ", %.0f ms, ", view_number(scrape, "duration_seconds") * 1000);
        add_number(out, scrape, "status");
    } else {
        buf_str(out, "none since the start");
    }
    buf_str(out, "\nNot served since the start: 401 ");
    add_number(out, http, "unauthorized");
    buf_str(out, ", 503 ");
    add_number(out, http, "unavailable");
    buf_str(out, ", failed TLS ");
    add_number(out, http, "tls_failures");
    if (json_is_number(ends)) {
        double left = json_number_value(ends) - view_number(status, "time");
        buf_str(out, left > 0 ? "\nCertificate: ends in " : "\nCertificate: ended ");
        view_write_span(out, fabs(left));
        buf_str(out, left > 0 ? "" : " ago");
    }
    buf_char(out, '\n');
}

static void add_components(struct buf *out, const json_t *components)
{
    static const char *const heads[] = {"COMPONENT", ">APPLIED", ">PER SECOND",
                                        ">REJECTED", ">LOST",    NULL};
    struct view_table t;
    view_table_begin(&t, heads);
    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *row = json_array_get(components, i);
        view_text(view_cell(&t), row, "component");
        add_number(view_cell(&t), row, "applied");
        add_rate(view_cell(&t), row, "applied_per_second");
        add_number(view_cell(&t), row, "refused");
        add_number(view_cell(&t), row, "lost");
    }
    view_table_end(&t, out);
}

// Those with series.
static void add_metrics(struct buf *out, const json_t *metrics)
{
    static const char *const heads[] = {"METRIC",      "TYPE",    ">SERIES",  ">LIMIT",
                                        ">PER SECOND", ">FOLDED", ">EXPIRED", NULL};
    struct view_table t;
    view_table_begin(&t, heads);
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        if (view_number(row, "series") > 0 || view_number(row, "folded") > 0 ||
            view_number(row, "expired") > 0) {
            view_text(view_cell(&t), row, "name");
            view_text(view_cell(&t), row, "type");
            add_number(view_cell(&t), row, "series");
            add_number(view_cell(&t), row, "series_limit");
            add_rate(view_cell(&t), row, "per_second");
            add_number(view_cell(&t), row, "folded");
            add_number(view_cell(&t), row, "expired");
        }
    }
    view_table_end(&t, out);
}

void view_status(struct buf *out, const json_t *status)
{
    view_summary(out, status);
    add_state(out, status);
    add_http(out, status);
    buf_char(out, '\n');
    add_components(out, json_object_get(status, "components"));
    buf_char(out, '\n');
    add_metrics(out, json_object_get(status, "metrics"));
}

// ---- Sources

void view_sources(struct buf *out, const json_t *const *sources, size_t n, double now)
{
    static const char *const heads[] = {"SOURCE",   "STATE",       ">LAST HEARD",
                                        ">APPLIED", ">PER SECOND", ">REJECTED",
                                        ">LOST",    ">PID",        NULL};
    static const char *const order[] = {"gone", "silent", "up"};
    struct view_table t;
    view_table_begin(&t, heads);
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < n; i++) {
            const char *state = view_source_state(sources[i]);
            if (state[0] != order[k][0]) {
                continue;
            }
            double heard = view_number(sources[i], "last_heard");
            view_source_name(view_cell(&t), sources[i]);
            buf_str(view_cell(&t), state);
            if (heard > 0) {
                view_write_span(view_cell(&t), now - heard);
                buf_str(&t.cells, " ago");
            } else {
                buf_str(view_cell(&t), "never");
            }
            add_number(view_cell(&t), sources[i], "applied");
            add_rate(view_cell(&t), sources[i], "applied_per_second");
            add_number(view_cell(&t), sources[i], "refused");
            add_number(view_cell(&t), sources[i], "lost");
            add_number(view_cell(&t), sources[i], "pid");
        }
    }
    view_table_end(&t, out);
}

// ---- Series

// The value below which this share of the observations is, as histogram_quantile() of Prometheus finds it.
static double quantile(const json_t *buckets, double share)
{
    size_t n = json_array_size(buckets);
    double all = n > 0 ? view_number(json_array_get(buckets, n - 1), "count") : 0;
    double before = 0;
    double from = 0;
    if (!(all > 0)) {
        return NAN;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *bucket = json_array_get(buckets, i);
        const json_t *le = json_object_get(bucket, "le");
        double count = view_number(bucket, "count");
        double to = json_number_value(le);
        if (!json_is_number(le)) {
            return from; // above all bounds
        }
        if (count >= share * all) {
            from = i == 0 && to <= 0 ? to : from;
            return count > before ? from + (to - from) * (share * all - before) / (count - before)
                                  : to;
        }
        before = count;
        from = to;
    }
    return NAN;
}

static void add_quantile(struct buf *out, const json_t *buckets, const char *name, double share)
{
    double n = quantile(buckets, share);
    if (isfinite(n)) {
        buf_addf(out, " %s %.3g", name, n);
    }
}

// A histogram's native form, of which the exporter gives no quantiles.
static void add_native(struct buf *out, const json_t *native)
{
    if (native != NULL) {
        buf_str(out, " native schema ");
        add_number(out, native, "schema");
        buf_str(out, " buckets ");
        add_number(out, native, "buckets");
    }
}

void view_series(struct buf *out, const char *metric, const json_t *series)
{
    json_t *labels = json_object_get(series, "labels");
    const json_t *buckets = json_object_get(series, "buckets");
    const char *between = "{";
    struct buf value = BUF_INIT;
    view_write_string(out, metric);
    for (void *i = json_object_iter(labels); i != NULL; i = json_object_iter_next(labels, i)) {
        const json_t *text = json_object_iter_value(i);
        buf_clear(&value);
        text_label_value(&value, json_string_value(text) != NULL ? json_string_value(text) : "",
                         json_string_length(text));
        buf_str(out, between);
        view_write_string(out, json_object_iter_key(i));
        buf_str(out, "=\"");
        text_visible(out, value.p, value.len);
        buf_char(out, '"');
        between = ",";
    }
    out->failed |= value.failed;
    buf_free(&value);
    buf_str(out, between[0] == ',' ? "} " : " ");
    if (buckets == NULL) {
        add_number(out, series, "value");
    } else {
        buf_str(out, "count ");
        add_number(out, series, "count");
        buf_str(out, " sum ");
        add_number(out, series, "sum");
        add_quantile(out, buckets, "median", 0.5);
        add_quantile(out, buckets, "p95", 0.95);
        add_native(out, json_object_get(series, "native"));
    }
    buf_char(out, '\n');
}

// ---- Rejected lines

enum { TEXT_KEPT = 256 }; // bytes of a line that the exporter keeps; as JSON they may be more

void view_rejected(struct buf *out, const json_t *line)
{
    view_write_time(out, view_number(line, "time"));
    buf_char(out, ' ');
    view_source_name(out, line);
    if (json_is_number(json_object_get(line, "uid"))) {
        buf_str(out, " uid ");
        add_number(out, line, "uid");
    }
    if (json_is_number(json_object_get(line, "line"))) {
        buf_str(out, " line ");
        add_number(out, line, "line");
    }
    buf_str(out, " ");
    view_text(out, line, "reason");
    buf_str(out, ": ");
    view_text(out, line, "detail");
    buf_char(out, '\n');
    const json_t *text = json_object_get(line, "text");
    if (json_is_string(text)) {
        buf_str(out, "  ");
        text_visible(out, json_string_value(text), json_string_length(text));
        if (view_number(line, "bytes") > TEXT_KEPT) {
            buf_addf(out, "... (%.0f bytes)", view_number(line, "bytes"));
        }
        buf_char(out, '\n');
    }
}
