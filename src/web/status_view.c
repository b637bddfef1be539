// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.h"
#include "base/json_writer.h"
#include "base/text.h"

#include <inttypes.h>

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

static void write_summary(struct buf *out, const struct status_view_summary *f)
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
}

static void write_component(struct buf *out, const struct status_view_component *row)
{
    str(out, "component", row->name);
    number(out, "applied", row->applied);
    number(out, "refused", row->rejected);
    number(out, "lost", row->lost);
    rate(out, "applied_per_second", row->per_second);
}

static void write_source(struct buf *out, const struct status_view_source *row)
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
    number(out, "lost", row->lost);
}

static void write_rejection(struct buf *out, const struct status_view_rejection *row,
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
}

static void write_metric(struct buf *out, const struct status_view_metric *row)
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
    write_summary(out, &v->summary);
    list_begin(out, "components");
    for (size_t i = 0; i < v->n_components.n; i++) {
        row_begin(out);
        write_component(out, &v->components[i]);
        json_end(out, '}');
    }
    list_end(out, "components_left_out", &v->n_components);
    list_begin(out, "sources");
    for (size_t i = 0; i < v->n_sources.n; i++) {
        row_begin(out);
        write_source(out, &v->sources[i]);
        json_end(out, '}');
    }
    list_end(out, "sources_left_out", &v->n_sources);
    list_begin(out, "refusals");
    for (size_t i = 0; i < v->n_rejections.n; i++) {
        row_begin(out);
        write_rejection(out, &v->rejections[i], v->summary.shows_texts);
        json_end(out, '}');
    }
    list_end(out, "refusals_left_out", &v->n_rejections);
    list_begin(out, "metrics");
    for (size_t i = 0; i < v->n_metrics.n; i++) {
        row_begin(out);
        write_metric(out, &v->metrics[i]);
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
