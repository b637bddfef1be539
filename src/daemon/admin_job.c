// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin_job.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/text.h"
#include "series/key.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FETCH_AHEAD = 8 };

// ---- Answers

static void begin_row(struct admin_job *j, const char *kind)
{
    json_begin(j->out, '{');
    json_key(j->out, kind);
}

static void end_line(struct admin_job *j)
{
    json_end(j->out, '}');
    buf_char(j->out, '\n');
}

static void add_number(struct admin_job *j, const char *key, uint64_t n)
{
    json_key(j->out, key);
    json_u64(j->out, n);
}

static void add_double(struct admin_job *j, const char *key, double n)
{
    json_key(j->out, key);
    json_double(j->out, n > DBL_MAX ? DBL_MAX : n < -DBL_MAX ? -DBL_MAX : n);
}

// The last line of an answer, with this one number unless `key` is NULL. Returns true, for a step: it was the last one.
static bool finish_with(struct admin_job *j, const char *key, uint64_t n)
{
    begin_row(j, "end");
    json_begin(j->out, '{');
    if (key != NULL) {
        add_number(j, key, n);
    }
    json_end(j->out, '}');
    end_line(j);
    return true;
}

static bool fail_with(struct admin_job *j, const char *reason, const char *detail)
{
    begin_row(j, "error");
    json_string(j->out, reason);
    json_key(j->out, "detail");
    json_string(j->out, detail);
    end_line(j);
    return true;
}

// The same with a text that is freed.
static bool fail_text(struct admin_job *j, const char *reason, struct buf *detail)
{
    const char *text = buf_string(detail);
    fail_with(j, reason, text != NULL ? text : "out of memory");
    buf_free(detail);
    return true;
}

static void log_acted(const struct admin_job *j, const char *what, const char *key,
                      const char *value, const char *labels)
{
    char series[24];
    char user[24];
    char process[24];
    snprintf(series, sizeof series, "%" PRIu64, j->done);
    snprintf(user, sizeof user, "%lu", (unsigned long)j->user);
    snprintf(process, sizeof process, "%ld", (long)j->process);
    log_write_kind(LOG_KIND_admin_acted, LOG_LEVEL_INFO, what, key, value, "series", series, "uid",
                   user, "pid", process, labels != NULL ? "labels" : NULL, labels, NULL);
}

// ---- Status, sources, rejected lines

static bool step_status(struct backend *b, struct admin_job *j)
{
    struct buf view = BUF_INIT;
    const struct status_view_request request = {.form = &status_view_json_form,
                                                .telemetry_path = j->telemetry_path};
    int rc = backend_view(b, &request, true, &view);
    if (rc < 0) {
        buf_free(&view);
        return fail_with(j, "busy", strerror(-rc));
    }
    // Within the view's texts LF is escaped.
    for (char *lf = view.p; (lf = memchr(lf, '\n', view.len - (size_t)(lf - view.p))) != NULL;) {
        *lf = ' ';
    }
    begin_row(j, "status");
    json_value(j->out, view.p, view.len);
    end_line(j);
    buf_free(&view);
    return finish_with(j, NULL, 0);
}

static bool step_sources(struct backend *b, struct admin_job *j)
{
    const struct source *src = NULL;
    rcu_enter();
    const struct catalog *catalog = schema_current(b->store)->catalog;
    while (j->out->len < ADMIN_JOB_ANSWER && (src = sources_next(b->sources, &j->source)) != NULL) {
        struct status_view_source row = backend_source(catalog, src);
        begin_row(j, "source");
        json_begin(j->out, '{');
        status_view_json_source(j->out, &row);
        json_end(j->out, '}');
        end_line(j);
        j->done++;
    }
    rcu_leave();
    return src == NULL && finish_with(j, "sources", j->done);
}

static void write_missed(struct admin_job *j, uint64_t lines)
{
    begin_row(j, "missed");
    json_begin(j->out, '{');
    add_number(j, "lines", lines);
    json_end(j->out, '}');
    end_line(j);
}

// What there is of rejected lines, as far as it fits. Returns whether that is all.
static bool write_rejected(struct backend *b, struct admin_job *j)
{
    struct log_rejects_entry e;
    bool more = false;
    rcu_enter();
    const struct catalog *catalog = schema_current(b->store)->catalog;
    while (j->out->len < ADMIN_JOB_ANSWER) {
        uint64_t expected = j->rejected;
        more = log_rejects_next(b->rejects, &j->rejected, &e);
        if (!more) {
            break;
        }
        if ((j->follows || expected > 0) && j->rejected > expected + 1) {
            write_missed(j, j->rejected - expected - 1);
        }
        struct status_view_rejection row = backend_rejection(catalog, &e);
        begin_row(j, "rejected");
        json_begin(j->out, '{');
        status_view_json_rejection(j->out, &row, true);
        json_end(j->out, '}');
        end_line(j);
    }
    rcu_leave();
    return !more;
}

static bool step_rejects(struct backend *b, struct admin_job *j)
{
    if (!write_rejected(b, j)) {
        return false;
    }
    uint64_t unlisted = backend_unlisted(b);
    if (!j->request->follow) {
        return finish_with(j, "unlisted", unlisted);
    }
    if (unlisted > j->unlisted) {
        write_missed(j, unlisted - j->unlisted);
    }
    j->unlisted = unlisted;
    j->follows = true;
    j->state = ADMIN_JOB_FOLLOWS;
    return false;
}

// ---- Series

// The metric that the request names, with what its series must have; an error is answered when there is none. Inside a section.
static const struct family *select_series(struct admin_job *j, const struct schema *schema)
{
    const struct catalog *catalog = schema->catalog;
    const char *name = j->request->metric;
    struct buf detail = BUF_INIT;
    int number = catalog_find_metric(catalog, name, strlen(name));
    if (number < 0) {
        buf_addf(&detail, "no metric of the catalogue is called %.128s", name);
        const char **names = calloc(catalog->n_metrics, sizeof *names);
        for (size_t i = 0; names != NULL && i < catalog->n_metrics; i++) {
            names[i] = catalog->metrics[i].name;
        }
        if (names != NULL) {
            char hint[TEXT_HINT];
            buf_str(&detail, text_hint(hint, "", name, names, catalog->n_metrics));
        }
        free(names);
        fail_text(j, "unknown_metric", &detail);
        return NULL;
    }
    const struct family *family = &schema->families[number];
    key_match_clear(&j->match);
    for (size_t k = 0; k < j->request->n_labels; k++) {
        const struct admin_label *wanted = &j->request->labels[k];
        int label = key_match_label(family->metric, wanted->name);
        if (label < 0) {
            buf_addf(&detail, "%s has no label %.128s; it has:", name, wanted->name);
            for (size_t i = 0; i < family->metric->n_labels; i++) {
                buf_addf(&detail, " %s", family->metric->labels[i].name);
            }
            fail_text(j, "unknown_label", &detail);
            return NULL;
        }
        key_match_add(&j->match, label, wanted->value);
    }
    j->generation = schema->generation;
    j->slot = 0;
    j->end = table_slots(family->table);
    return family;
}

// The family of the present step; NULL: an error was answered. After a reload the walk begins again, or ends if it shows what
// it finds.
static const struct family *current_family(struct admin_job *j, const struct schema *schema)
{
    if (j->generation == schema->generation) {
        int number =
            catalog_find_metric(schema->catalog, j->request->metric, strlen(j->request->metric));
        return &schema->families[number];
    }
    if (j->generation != 0 && j->request->command == ADMIN_SERIES) {
        fail_with(j, "reloaded", "the catalogue was reloaded meanwhile; ask again");
        return NULL;
    }
    return select_series(j, schema);
}

static void write_labels(struct admin_job *j, const struct metric *m, const char *key)
{
    struct slice values[CATALOG_MAX_LABELS];
    struct buf plain = BUF_INIT;
    key_split(m, key, values);
    json_key(j->out, "labels");
    json_begin(j->out, '{');
    for (size_t i = 0; i < m->n_labels; i++) {
        buf_clear(&plain);
        key_unescape(&plain, values[i]);
        json_key(j->out, m->labels[i].name);
        json_text(j->out, plain.p, plain.len);
    }
    json_end(j->out, '}');
    j->out->failed |= plain.failed;
    buf_free(&plain);
}

// Without its buckets, of which there may be many.
static void write_native(struct admin_job *j, const struct family *f, const struct series *s)
{
    struct native_sum sum = {.n = 0};
    table_read_native(f->table, s, f->metric->bounds, &f->native, &sum);
    json_key(j->out, "native");
    json_begin(j->out, '{');
    json_key(j->out, "schema");
    buf_addf(j->out, "%d", sum.schema);
    add_double(j, "zero_threshold", sum.zero_threshold);
    add_number(j, "zero_count", sum.zero_count);
    add_number(j, "buckets", sum.n);
    json_end(j->out, '}');
    j->out->failed |= sum.failed;
    native_sum_free(&sum);
}

static void write_histogram(struct admin_job *j, const struct family *f, const struct series *s)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    double sum;
    uint64_t total = 0;
    table_read_histogram(f->table, s, counts, &sum);
    json_key(j->out, "buckets");
    json_begin(j->out, '[');
    for (size_t i = 0; i <= f->metric->n_bounds; i++) {
        total += counts[i];
        json_begin(j->out, '{');
        if (i < f->metric->n_bounds) {
            add_double(j, "le", f->metric->bounds[i]);
        } else {
            json_key(j->out, "le");
            json_string(j->out, "+Inf");
        }
        add_number(j, "count", total);
        json_end(j->out, '}');
    }
    json_end(j->out, ']');
    add_number(j, "count", total);
    add_double(j, "sum", sum);
    if (f->has_native) {
        write_native(j, f, s);
    }
}

static void write_series(struct admin_job *j, const struct family *f, const struct series *s,
                         const char *key)
{
    begin_row(j, "series");
    json_begin(j->out, '{');
    write_labels(j, f->metric, key);
    if (f->table->type == METRIC_HISTOGRAM) {
        write_histogram(j, f, s);
    } else if (f->table->type == METRIC_GAUGE) {
        add_double(j, "value", atomic_load_explicit(series_gauge(s), memory_order_relaxed));
    } else {
        uint64_t whole;
        double rest;
        table_read_counter(f->table, s, &whole, &rest);
        add_double(j, "value", (double)whole + rest);
    }
    json_key(j->out, "created");
    buf_addf(j->out, "%" PRIu64 ".%03u", s->record->created_ms / 1000,
             (unsigned)(s->record->created_ms % 1000));
    if (s->folded) {
        json_key(j->out, "folded");
        json_bool(j->out, true);
    }
    json_end(j->out, '}');
    end_line(j);
    j->done++;
}

// The next series of the walk that is meant, at the latest by `to`; NULL: there is none. Inside a section.
static struct series *next_series(struct admin_job *j, const struct family *f, uint32_t to,
                                  const char **ret_key)
{
    while (j->slot < to) {
        if (j->slot + FETCH_AHEAD < to) {
            table_fetch(f->table, j->slot + FETCH_AHEAD);
        }
        struct series *s = table_at(f->table, j->slot++);
        if (s == NULL || !record_is_there(s->record)) {
            continue;
        }
        size_t len;
        *ret_key = series_text(s, &len);
        if (key_match_has(&j->match, f->metric, *ret_key)) {
            return s;
        }
    }
    return NULL;
}

static uint32_t step_end(const struct admin_job *j)
{
    return j->end - j->slot < ADMIN_JOB_SLOTS ? j->end : j->slot + ADMIN_JOB_SLOTS;
}

static bool step_series(struct backend *b, struct admin_job *j)
{
    rcu_enter();
    const struct family *f = current_family(j, schema_current(b->store));
    const char *key;
    uint32_t to = step_end(j);
    for (struct series *s; f != NULL && j->out->len < ADMIN_JOB_ANSWER &&
                           (s = next_series(j, f, to, &key)) != NULL;) {
        write_series(j, f, s, key);
    }
    rcu_leave();
    return f == NULL || (j->slot == j->end && finish_with(j, "series", j->done));
}

static bool step_delete(struct backend *b, struct admin_job *j)
{
    rcu_enter();
    const struct family *f = current_family(j, schema_current(b->store));
    const char *key;
    uint32_t to = step_end(j);
    for (struct series *s; f != NULL && (s = next_series(j, f, to, &key)) != NULL;) {
        j->done += table_remove(f->table, s);
    }
    rcu_leave();
    return f == NULL || (j->slot == j->end && finish_with(j, "series", j->done));
}

// Says in the log what a delete or forget did, also one whose client has gone meanwhile.
static void log_command(const struct admin_job *j)
{
    const struct admin_request *r = j->request;
    struct buf text = BUF_INIT;
    if (r->command == ADMIN_DELETE && j->generation != 0) {
        for (size_t k = 0; k < r->n_labels; k++) {
            buf_addf(&text, "%s%s=\"", k > 0 ? "," : "", r->labels[k].name);
            text_label_value(&text, r->labels[k].value.p, r->labels[k].value.len);
            buf_char(&text, '"');
        }
        log_acted(j, "series were deleted", "metric", r->metric, buf_string(&text));
    } else if (r->command == ADMIN_FORGET && j->owner.updater_id != 0) {
        buf_addf(&text, "%s/", r->component);
        buf_add(&text, r->instance.p, r->instance.len);
        log_acted(j, "a source was forgotten", "source", buf_string(&text), NULL);
    }
    buf_free(&text);
}

// ---- Forget

struct alone {
    const struct table *table;
    const struct owner *owner;
};

static bool is_alone(void *alone, struct series *s)
{
    const struct alone *w = alone;
    return owner_has_series_alone(w->table, s, w->owner);
}

// The source that the request names, or NULL. Inside a section.
static const struct source *find_named(struct backend *b, const struct admin_job *j,
                                       unsigned *ret_component)
{
    const struct catalog *catalog = schema_current(b->store)->catalog;
    const struct admin_request *r = j->request;
    int component = catalog_find_component(catalog, r->component, strlen(r->component));
    *ret_component = component < 0 ? 0 : (unsigned)component;
    return component < 0 ? NULL : sources_find(b->sources, (unsigned)component, r->instance);
}

// Removes what only the source has updated. Returns whether that is all. Inside a section.
static bool forget_series(struct backend *b, struct admin_job *j)
{
    const struct schema *schema = schema_current(b->store);
    if (j->generation != schema->generation) {
        j->generation = schema->generation;
        j->metric = 0;
        j->slot = j->end = 0;
    }
    for (uint32_t looked = 0; looked < ADMIN_JOB_SLOTS && j->metric < schema->catalog->n_metrics;) {
        struct table *t = schema->families[j->metric].table;
        struct alone alone = {t, &j->owner};
        j->end = j->slot > 0 ? j->end : table_slots(t);
        uint32_t to = j->end - j->slot < ADMIN_JOB_SLOTS - looked
                          ? j->end
                          : j->slot + ADMIN_JOB_SLOTS - looked;
        looked += to - j->slot + 1;
        for (; j->slot < to; j->slot++) {
            struct series *s = table_at(t, j->slot);
            if (s != NULL && record_is_there(s->record) &&
                owner_has_series_alone(t, s, &j->owner)) {
                j->done += table_remove_if(t, s, is_alone, &alone);
            }
        }
        if (j->slot == j->end) {
            j->metric++;
            j->slot = 0;
        }
    }
    return j->metric >= schema->catalog->n_metrics;
}

static bool step_forget(struct backend *b, struct admin_job *j)
{
    unsigned component;
    rcu_enter();
    const struct source *src = find_named(b, j, &component);
    // The number of a source is another one's once it is forgotten, and this one may be meanwhile.
    uint32_t updater = src != NULL ? source_updater_id(b->sources, src) : 0;
    bool same = j->owner.updater_id == 0 || j->owner.updater_id == updater;
    if (src != NULL && same) {
        j->owner.updater_id = updater;
        j->owner.precreator_id = source_precreator_id(b->sources, src);
    }
    bool all = src != NULL && same && (!j->request->with_series || forget_series(b, j));
    rcu_leave();
    int rc = src == NULL || !same ? -ENOENT
             : all                ? source_forget(b->sources, component, j->request->instance)
                                  : 0;
    if (rc < 0) {
        return fail_with(j, "unknown_source", "no source of this component and instance is known");
    }
    if (!all) {
        return false;
    }
    begin_row(j, "end");
    json_begin(j->out, '{');
    add_number(j, "series", j->done);
    json_key(j->out, "connected");
    json_bool(j->out, rc > 0);
    json_end(j->out, '}');
    end_line(j);
    return true;
}

// ---- Requests

static bool step_reload(struct backend *b, struct admin_job *j)
{
    (void)b;
    j->state = ADMIN_JOB_RELOADS;
    return false;
}

// A step of each command; true: it was the last one, which has answered.
static bool (*const steps[])(struct backend *b, struct admin_job *j) = {
    [ADMIN_STATUS] = step_status,   [ADMIN_SOURCES] = step_sources, [ADMIN_SERIES] = step_series,
    [ADMIN_REJECTS] = step_rejects, [ADMIN_FORGET] = step_forget,   [ADMIN_DELETE] = step_delete,
    [ADMIN_RELOAD] = step_reload,
};

void admin_job_begin(struct admin_job *j, struct backend *b)
{
    j->generation = 0;
    j->metric = 0;
    j->slot = j->end = j->source = 0;
    j->rejected = j->done = 0;
    j->follows = false;
    j->owner = (struct owner){0};
    j->unlisted = backend_unlisted(b);
    j->state = ADMIN_JOB_RUNS;
    if (j->request->command == ADMIN_REJECTS || j->request->command == ADMIN_STATUS) {
        // What the workers have reported since the last tick.
        log_rejects_tick(b->rejects, b->ingest, schema_current(b->store)->catalog, clock_mono_ms());
    }
}

void admin_job_end(struct admin_job *j)
{
    if (j->state != ADMIN_JOB_NONE) {
        log_command(j);
        j->state = ADMIN_JOB_NONE;
    }
}

void admin_job_step(struct admin_job *j, struct backend *b)
{
    if (steps[j->request->command](b, j)) {
        admin_job_end(j);
    }
}

void admin_job_reloaded(struct admin_job *j, bool ok, const char *report)
{
    if (ok) {
        begin_row(j, "end");
        json_begin(j->out, '{');
        json_key(j->out, "detail");
        json_string(j->out, report);
        json_end(j->out, '}');
        end_line(j);
    } else {
        fail_with(j, "refused", report);
    }
    admin_job_end(j);
}

void admin_job_fail(struct admin_job *j, const char *reason, const char *detail)
{
    fail_with(j, reason, detail);
}

void admin_job_free(struct admin_job *j)
{
    admin_job_end(j);
    key_match_free(&j->match);
}
