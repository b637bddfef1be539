// SPDX-License-Identifier: Apache-2.0
// What is shown, as JSON. virtrigaud-exporter(8) documents the keys.
#include "base/text.h"
#include "web/view.h"

#include <inttypes.h>

static const char *const keys[VIEW_PARTS] = {"components", "sources", "refusals", "metrics"};

static void text(struct buf *out, const char *key, const char *s, size_t len)
{
    buf_addf(out, ",\"%s\":", key);
    text_json(out, s, text_cut(s, len, VIEW_TEXT_MAX));
}

static void str(struct buf *out, const char *key, const char *s)
{
    text(out, key, s, strlen(s));
}

static void number(struct buf *out, const char *key, uint64_t n)
{
    buf_addf(out, ",\"%s\":%" PRIu64, key, n);
}

static void boolean(struct buf *out, const char *key, bool value)
{
    buf_addf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void seconds(struct buf *out, const char *key, uint64_t ms)
{
    buf_addf(out, ",\"%s\":%" PRIu64 ".%03u", key, ms / 1000, (unsigned)(ms % 1000));
}

static void rate(struct buf *out, const char *key, double per_second)
{
    buf_addf(out, ",\"%s\":", key);
    if (per_second < 0) {
        buf_str(out, "null");
    } else {
        buf_addf(out, "%.3f", per_second);
    }
}

static void begin(struct view *v, const struct view_facts *f)
{
    struct buf *out = v->out;
    buf_str(out, "{\"version\":");
    text_json(out, f->version, strlen(f->version));
    str(out, "revision", f->revision);
    seconds(out, "time", f->now_ms);
    seconds(out, "start_time", f->start_ms);
    seconds(out, "uptime_seconds", f->now_ms > f->start_ms ? f->now_ms - f->start_ms : 0);
    boolean(out, "ready", f->ready);
    str(out, "telemetry_path", v->telemetry_path);
    boolean(out, "last_reload_successful", f->reload_ok);
    seconds(out, "last_reload_time", f->reload_ms);
    buf_addf(out, ",\"state\":{\"kept\":%s", f->state_kept ? "true" : "false");
    boolean(out, "ok", f->state_kept && f->state_ok);
    if (f->state_trouble != NULL) {
        str(out, "trouble", f->state_trouble);
    } else {
        buf_str(out, ",\"trouble\":null");
    }
    number(out, "bytes", f->state_bytes);
    number(out, "set_aside", f->state_set_aside);
    buf_char(out, '}');
    number(out, "series", f->series);
    number(out, "series_limit", f->series_limit);
    number(out, "connections", f->connections);
    number(out, "refusals_untold", f->refusals_untold);
}

static void part(struct view *v, enum view_part part)
{
    buf_addf(v->out, ",\n\"%s\":[", keys[part]);
}

// Begins a row with its first key.
static void row_begin(struct view *v, const char *key, const char *s)
{
    buf_addf(v->out, "%s{\"%s\":", v->rows > 1 ? ",\n" : "\n", key);
    text_json(v->out, s, text_cut(s, strlen(s), VIEW_TEXT_MAX));
}

static void component(struct view *v, const struct view_component *row)
{
    row_begin(v, "component", row->name);
    number(v->out, "applied", row->applied);
    number(v->out, "refused", row->refused);
    number(v->out, "lost", row->lost);
    rate(v->out, "applied_per_second", row->per_second);
    buf_char(v->out, '}');
}

static void source(struct view *v, const struct view_source *row)
{
    row_begin(v, "component", row->component);
    text(v->out, "instance", row->instance.p, row->instance.len);
    boolean(v->out, "connected", row->connected);
    if (row->heard_ms > 0) {
        seconds(v->out, "last_heard", row->heard_ms);
    } else {
        buf_str(v->out, ",\"last_heard\":null");
    }
    number(v->out, "lost", row->lost);
    buf_char(v->out, '}');
}

static void refusal(struct view *v, const struct view_refusal *row)
{
    row_begin(v, "reason", row->reason);
    seconds(v->out, "time", row->at_ms);
    str(v->out, "component", row->component);
    str(v->out, "instance", row->instance);
    if (row->line > 0) {
        number(v->out, "line", row->line);
    } else {
        buf_str(v->out, ",\"line\":null");
    }
    str(v->out, "name", row->metric);
    str(v->out, "detail", row->detail);
    if (row->text.p != NULL) {
        text(v->out, "text", row->text.p, row->text.len);
        number(v->out, "bytes", row->line_len);
    }
    buf_char(v->out, '}');
}

static void metric(struct view *v, const struct view_metric *row)
{
    row_begin(v, "name", row->name);
    str(v->out, "type", row->type);
    str(v->out, "help", row->help);
    number(v->out, "series", row->series);
    number(v->out, "series_limit", row->limit);
    rate(v->out, "per_second", row->per_second);
    number(v->out, "folded", row->folded);
    number(v->out, "expired", row->expired);
    buf_char(v->out, '}');
}

static void part_end(struct view *v, enum view_part part)
{
    buf_addf(v->out, "],\"%s_left_out\":%" PRIu64, keys[part], v->left_out);
}

static void end(struct view *v)
{
    buf_str(v->out, "}\n");
}

const struct view_form status_json_form = {
    .type = "application/json",
    .policy = "default-src 'none'; frame-ancestors 'none'",
    .begin = begin,
    .part = part,
    .component = component,
    .source = source,
    .refusal = refusal,
    .metric = metric,
    .part_end = part_end,
    .end = end,
};
