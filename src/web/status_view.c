// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.h"

#include "base/json_writer.h"
#include "base/num.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>

// ---- One sentence of state

static void add_sources(struct buf *out, const struct status_view_summary *f)
{
    if (f->sources == 0) {
        buf_str(out, "No source has connected yet");
    } else if (f->sources_down == 0) {
        buf_addf(out, f->sources == 1 ? "The only source is up" : "All %" PRIu64 " sources are up",
                 f->sources);
    } else {
        buf_addf(out, "%" PRIu64 " of %" PRIu64 " source%s %s down", f->sources_down, f->sources,
                 f->sources == 1 ? "" : "s", f->sources_down == 1 ? "is" : "are");
    }
}

static void add_rejects(struct buf *out, const struct status_view *v)
{
    uint64_t n = status_view_rejected_lately(v);
    if (n == 0) {
        buf_str(out, "; no line was rejected in the last ");
    } else {
        buf_addf(out, "; %" PRIu64 " line%s rejected in the last ", n, n == 1 ? " was" : "s were");
    }
    if (v->summary.uptime_ms < HISTORY_RECENT_MS) {
        text_span(out, v->summary.uptime_ms / 1000);
        buf_str(out, ", since the start");
    } else {
        buf_addf(out, "%d minutes", HISTORY_RECENT_MS / 60000);
    }
}

void status_view_sentence(struct buf *out, const struct status_view *v)
{
    const struct status_view_summary *f = &v->summary;
    add_sources(out, f);
    add_rejects(out, v);
    if (!f->ready) {
        buf_str(out, "; the exporter is not ready");
    }
    if (!f->reload_ok) {
        buf_str(out, "; the last reload was refused");
    }
    if (f->state_kept && !f->state_ok) {
        buf_str(out, "; series are in memory only");
    }
    if (f->scraped && f->scrape_status != 200) {
        buf_addf(out, "; the last scrape was answered with %u", f->scrape_status);
    }
    buf_char(out, '.');
}

// ---- JSON

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

// NAN and no limit are null.
static void amount(struct buf *out, const char *key, double n)
{
    if (isfinite(n)) {
        json_key(out, key);
        json_double(out, n);
    } else {
        null(out, key);
    }
}

static void json_scrape(struct buf *out, const struct status_view_summary *f)
{
    if (!f->scraped) {
        null(out, "last_scrape");
        return;
    }
    json_key(out, "last_scrape");
    json_begin(out, '{');
    seconds(out, "time", f->scrape_ms);
    str(out, "peer", f->scrape_peer);
    seconds(out, "duration_seconds", f->scrape_ns / 1000000);
    number(out, "status", f->scrape_status);
    json_end(out, '}');
}

static void json_now(struct buf *out, const struct status_view *v)
{
    const struct status_view_summary *f = &v->summary;
    const struct history_sample *now = &v->history.samples[v->history.n - 1];
    struct buf sentence = BUF_INIT;
    status_view_sentence(&sentence, v);
    text(out, "summary", sentence.p, sentence.len);
    out->failed |= sentence.failed;
    buf_free(&sentence);
    number(out, "sources_known", f->sources);
    number(out, "sources_down", f->sources_down);
    number(out, "refused_last_10_minutes", status_view_rejected_lately(v));
    json_scrape(out, f);
    json_key(out, "http");
    json_begin(out, '{');
    number(out, "scrapes", now->scrapes);
    number(out, "unavailable", now->unavailable);
    number(out, "unauthorized", now->unauthorized);
    number(out, "tls_failures", now->tls_failures);
    json_end(out, '}');
    json_key(out, "process");
    json_begin(out, '{');
    amount(out, "resident_bytes", f->resident_bytes);
    amount(out, "open_fds", f->open_fds);
    amount(out, "max_fds", f->max_fds);
    json_end(out, '}');
}

static void json_ms(struct buf *out, uint64_t ms)
{
    char text[NUM_MAX];
    json_value(out, text, num_seconds(text, ms));
}

static void column_begin(struct buf *out, const char *key)
{
    json_key(out, key);
    json_begin(out, '[');
}

// By how much a count grew between each two readings.
static void json_growth(struct buf *out, const char *key, const struct history_view *h,
                        size_t offset)
{
    column_begin(out, key);
    for (size_t i = 1; i < h->n; i++) {
        const char *before = (const char *)&h->samples[i - 1] + offset;
        const char *after = (const char *)&h->samples[i] + offset;
        json_u64(out, *(const uint64_t *)after - *(const uint64_t *)before);
    }
    json_end(out, ']');
}

#define GROWTH(key, member) json_growth(out, key, h, offsetof(struct history_sample, member))

// The times between the readings of the last hour: when each ended, how long it was, and what was counted in it.
static void json_history(struct buf *out, const struct history_view *h, uint64_t now_ms)
{
    const struct history_sample *s = h->samples;
    json_line(out);
    json_key(out, "last_hour");
    json_begin(out, '{');
    column_begin(out, "time");
    for (size_t i = 1; i < h->n; i++) {
        json_ms(out, now_ms - (s[h->n - 1].at_ms - s[i].at_ms));
    }
    json_end(out, ']');
    column_begin(out, "seconds");
    for (size_t i = 1; i < h->n; i++) {
        json_ms(out, s[i].at_ms - s[i - 1].at_ms);
    }
    json_end(out, ']');
    GROWTH("applied", applied);
    GROWTH("refused", rejected);
    GROWTH("scrapes", scrapes);
    column_begin(out, "scrape_seconds");
    for (size_t i = 1; i < h->n; i++) {
        json_double(out, (double)(s[i].scrape_ns - s[i - 1].scrape_ns) / 1e9);
    }
    json_end(out, ']');
    GROWTH("unavailable", unavailable);
    GROWTH("unauthorized", unauthorized);
    GROWTH("tls_failures", tls_failures);
    column_begin(out, "series");
    for (size_t i = 1; i < h->n; i++) {
        json_u64(out, s[i].series);
    }
    json_end(out, ']');
    json_end(out, '}');
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
    str(out, "reason", reject_names[r->reason]);
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
    json_now(out, v);
    json_history(out, &v->history, v->summary.now_ms);
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

// ---- The last hour

int status_history_open(struct history *h)
{
    h->n = 0;
    return -pthread_mutex_init(&h->lock, NULL);
}

void status_history_close(struct history *h)
{
    pthread_mutex_destroy(&h->lock);
}

bool status_history_is_due(const struct history *h, uint64_t now_ms)
{
    return h->n == 0 || now_ms - h->samples[(h->n - 1) % HISTORY_SAMPLES].at_ms >= HISTORY_STEP_MS;
}

void status_history_add(struct history *h, const struct history_sample *s)
{
    pthread_mutex_lock(&h->lock);
    h->samples[h->n % HISTORY_SAMPLES] = *s;
    h->n++;
    pthread_mutex_unlock(&h->lock);
}

void status_history_read(struct history *h, const struct history_sample *now,
                         struct history_view *ret)
{
    ret->n = 0;
    pthread_mutex_lock(&h->lock);
    for (size_t i = h->n > HISTORY_SAMPLES ? h->n - HISTORY_SAMPLES : 0; i < h->n; i++) {
        const struct history_sample *s = &h->samples[i % HISTORY_SAMPLES];
        // One that is younger than `now` was taken meanwhile.
        if (s->at_ms < now->at_ms && now->at_ms - s->at_ms <= HISTORY_MS) {
            ret->samples[ret->n++] = *s;
        }
    }
    pthread_mutex_unlock(&h->lock);
    ret->samples[ret->n++] = *now;
}

const struct history_sample *status_history_since(const struct history_view *v, uint64_t ms)
{
    size_t i = 0;
    while (v->samples[v->n - 1].at_ms - v->samples[i].at_ms > ms) {
        i++;
    }
    return &v->samples[i];
}
