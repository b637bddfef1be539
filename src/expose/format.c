// SPDX-License-Identifier: Apache-2.0
#include "expose/format.h"

#include "base/num.h"
#include "base/text.h"

#include <errno.h>
#include <float.h>

void format_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_str(out, "# HELP ");
    buf_str(out, name);
    buf_char(out, ' ');
    text_help(out, help, strlen(help));
    buf_str(out, "\n# TYPE ");
    buf_str(out, name);
    buf_char(out, ' ');
    buf_str(out, type);
    buf_char(out, '\n');
}

// Room for the longest number and what stands around it.
enum { NUMBER_ROOM = NUM_MAX + 2, WALKS_MOST = 16 };

static void add_double(struct buf *out, double v)
{
    if (buf_reserve(out, NUMBER_ROOM)) {
        out->len += num_double(out->p + out->len, v);
        out->p[out->len++] = '\n';
    }
}

static void add_u64(struct buf *out, uint64_t v)
{
    if (buf_reserve(out, NUMBER_ROOM)) {
        out->len += num_u64(out->p + out->len, v);
        out->p[out->len++] = '\n';
    }
}

// A name with its labels, and the blank before the value. `extra` comes last, with its own comma if needed.
static void add_series(struct buf *out, struct slice name, const char *suffix, struct slice labels,
                       struct slice extra)
{
    buf_add(out, name.p, name.len);
    buf_str(out, suffix);
    if (labels.len + extra.len > 0) {
        buf_char(out, '{');
        buf_add(out, labels.p, labels.len);
        if (labels.len > 0 && extra.len > 0) {
            buf_char(out, ',');
        }
        buf_add(out, extra.p, extra.len);
        buf_char(out, '}');
    }
    buf_char(out, ' ');
}

static const struct slice NOTHING = {"", 0};

void format_sample(struct buf *out, const char *name, const char *labels, double value)
{
    add_series(out, (struct slice){name, strlen(name)}, "", (struct slice){labels, strlen(labels)},
               NOTHING);
    add_double(out, value);
}

// The le="…" of a histogram's buckets, made once for all of its series.
struct les {
    struct buf text;                         // one after the other
    struct slice at[CATALOG_MAX_BOUNDS + 1]; // each of them
    size_t n;                                // bounds; there is one more bucket
};

static void les_make(struct les *les, const double *bounds, size_t n)
{
    size_t at[CATALOG_MAX_BOUNDS + 2];
    les->n = n;
    for (size_t i = 0; i <= n; i++) {
        char number[NUM_MAX];
        at[i] = les->text.len;
        buf_str(&les->text, "le=\"");
        if (i < n) {
            buf_add(&les->text, number, num_double(number, bounds[i]));
        } else {
            buf_str(&les->text, "+Inf");
        }
        buf_char(&les->text, '"');
    }
    at[n + 1] = les->text.len;
    for (size_t i = 0; i <= n && !les->text.failed; i++) {
        les->at[i] = (struct slice){les->text.p + at[i], at[i + 1] - at[i]};
    }
}

// The lines of one histogram series; the counts are not cumulative.
static void add_histogram(struct buf *out, struct slice name, struct slice labels,
                          const struct les *les, const uint64_t *counts, double sum)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= les->n; i++) {
        total += counts[i];
        add_series(out, name, "_bucket", labels, les->at[i]);
        add_u64(out, total);
    }
    add_series(out, name, "_sum", labels, NOTHING);
    add_double(out, sum);
    add_series(out, name, "_count", labels, NOTHING);
    add_u64(out, total);
}

void format_buckets(struct buf *out, const char *name, const char *labels, const double *bounds,
                    size_t n, const uint64_t *counts, double sum)
{
    struct les les = {0};
    les_make(&les, bounds, n);
    if (les.text.failed) {
        out->failed = true;
    } else {
        add_histogram(out, (struct slice){name, strlen(name)},
                      (struct slice){labels, strlen(labels)}, &les, counts, sum);
    }
    buf_free(&les.text);
}

// The family that is being written.
struct family_text {
    const struct family *family;
    struct slice name;
    struct les les;                          // of a histogram
    uint64_t counts[CATALOG_MAX_BOUNDS + 1]; // of the series at hand
};

static double bounded(double v)
{
    return v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : v;
}

static void write_counter(struct buf *out, struct family_text *t, const struct series *s,
                          struct slice labels)
{
    uint64_t whole;
    double rest;
    table_read_counter(t->family->table, s, &whole, &rest);
    add_series(out, t->name, "", labels, NOTHING);
    if (rest == 0 && whole < CELL_WHOLE_MAX) {
        add_u64(out, whole);
    } else {
        add_double(out, bounded((double)whole + rest));
    }
}

static void write_histogram(struct buf *out, struct family_text *t, const struct series *s,
                            struct slice labels)
{
    double sum;
    table_read_histogram(t->family->table, s, t->counts, &sum);
    add_histogram(out, t->name, labels, &t->les, t->counts, bounded(sum));
}

static void write_series(struct buf *out, struct family_text *t, const struct series *s)
{
    struct slice labels;
    labels.p = series_text(s, &labels.len);
    switch (t->family->metric->type) {
    case METRIC_COUNTER:
        write_counter(out, t, s, labels);
        break;
    case METRIC_GAUGE:
        add_series(out, t->name, "", labels, NOTHING);
        add_double(out, atomic_load_explicit(series_gauge(s), memory_order_relaxed));
        break;
    case METRIC_HISTOGRAM:
        write_histogram(out, t, s, labels);
        break;
    }
}

// One walk over the slots.
static void write_all(struct buf *out, struct family_text *t)
{
    const struct family *f = t->family;
    bool begun = false;
    for (uint32_t i = 0; i < table_slots(f->table) && !out->failed; i++) {
        const struct series *s = table_at(f->table, i);
        if (s == NULL) {
            continue;
        }
        if (!begun) {
            format_head(out, f->metric->name, f->metric->help, metric_type_name(f->metric->type));
            begun = true;
        }
        write_series(out, t, s);
    }
}

/*
 * A series that is removed and made again while the walk is under way may be met in its old slot and in its
 * new one. So a walk beside which something was removed is made again. Under removals without end the last
 * walk stands.
 */
int format_family(struct buf *out, const struct family *f)
{
    struct family_text t = {.family = f, .name = {f->metric->name, strlen(f->metric->name)}};
    size_t from = out->len;
    if (f->metric->type == METRIC_HISTOGRAM) {
        les_make(&t.les, f->metric->bounds, f->metric->n_bounds);
    }
    for (int walks = 0; walks < WALKS_MOST && !t.les.text.failed && !out->failed; walks++) {
        uint64_t removals = atomic_load(&f->table->removals);
        out->len = from;
        write_all(out, &t);
        if (atomic_load(&f->table->removals) == removals) {
            break;
        }
    }
    bool failed = out->failed || t.les.text.failed;
    buf_free(&t.les.text);
    return failed ? -ENOMEM : 0;
}
