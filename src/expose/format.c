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

// The family that is being written.
struct family_text {
    const struct family *family;
    struct slice name;
    struct buf le;                              // le="…" of all buckets, one after the other
    struct slice le_at[CATALOG_MAX_BOUNDS + 1]; // each of them
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];    // of the series at hand
};

void format_buckets(struct buf *out, const char *name, const char *labels, const double *bounds,
                    size_t n, const uint64_t *counts, double sum)
{
    struct slice name_at = {name, strlen(name)};
    struct slice labels_at = {labels, strlen(labels)};
    uint64_t total = 0;
    for (size_t i = 0; i <= n; i++) {
        char le[NUM_MAX + 8] = "le=\"+Inf";
        size_t len = i < n ? 4 + num_double(le + 4, bounds[i]) : 8;
        le[len++] = '"';
        total += counts[i];
        add_series(out, name_at, "_bucket", labels_at, (struct slice){le, len});
        add_u64(out, total);
    }
    add_series(out, name_at, "_sum", labels_at, NOTHING);
    add_double(out, sum);
    add_series(out, name_at, "_count", labels_at, NOTHING);
    add_u64(out, total);
}

static void write_les(struct family_text *t)
{
    const struct metric *m = t->family->metric;
    if (m->type != METRIC_HISTOGRAM) {
        return;
    }
    size_t at[CATALOG_MAX_BOUNDS + 2];
    for (size_t i = 0; i <= m->n_bounds; i++) {
        char number[NUM_MAX];
        at[i] = t->le.len;
        buf_str(&t->le, "le=\"");
        if (i < m->n_bounds) {
            buf_add(&t->le, number, num_double(number, m->bounds[i]));
        } else {
            buf_str(&t->le, "+Inf");
        }
        buf_char(&t->le, '"');
    }
    at[m->n_bounds + 1] = t->le.len;
    for (size_t i = 0; i <= m->n_bounds && !t->le.failed; i++) {
        t->le_at[i] = (struct slice){t->le.p + at[i], at[i + 1] - at[i]};
    }
}

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
    uint64_t total = 0;
    table_read_histogram(t->family->table, s, t->counts, &sum);
    for (size_t i = 0; i <= t->family->metric->n_bounds; i++) {
        total += t->counts[i];
        add_series(out, t->name, "_bucket", labels, t->le_at[i]);
        add_u64(out, total);
    }
    add_series(out, t->name, "_sum", labels, NOTHING);
    add_double(out, bounded(sum));
    add_series(out, t->name, "_count", labels, NOTHING);
    add_u64(out, total);
}

static void write_series(struct buf *out, struct family_text *t, const struct series *s)
{
    struct slice labels;
    labels.p = series_text(t->family->table, s, &labels.len);
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
    write_les(&t);
    for (int walks = 0; walks < WALKS_MOST && !t.le.failed && !out->failed; walks++) {
        uint64_t removals = atomic_load(&f->table->removals);
        out->len = from;
        write_all(out, &t);
        if (atomic_load(&f->table->removals) == removals) {
            break;
        }
    }
    bool failed = out->failed || t.le.failed;
    buf_free(&t.le);
    return failed ? -ENOMEM : 0;
}
