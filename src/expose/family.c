// SPDX-License-Identifier: Apache-2.0
#include "expose/family.h"

#include "base/num.h"
#include "catalog/catalog.h"
#include "expose/protobuf.h"
#include "series/cell.h"
#include "series/exemplar.h"

#include <errno.h>

/*
 * The text of a family: the lines of its series but for labels and numbers, made once and filled in for each series. Room for
 * a series is reserved once, then its pieces are copied without a check of the buffer's end. Short pieces are copied as
 * FAMILY_TEXT_PIECE bytes whatever their length: that is a few instructions instead of a call. A text for which memory ran
 * out makes every buffer fail.
 */
enum { FAMILY_TEXT_PIECE = 32 };

struct family_text_spec {
    const char *name;
    enum metric_type type;
    bool labelled;        // its series have labels
    const double *bounds; // of a histogram
    size_t n_bounds;
};

enum family_text_line {
    FAMILY_TEXT_VALUE,
    FAMILY_TEXT_BUCKET,
    FAMILY_TEXT_SUM,
    FAMILY_TEXT_COUNT,
    FAMILY_TEXT_CREATED,
    FAMILY_TEXT_LINES
};

struct family_text {
    struct buf text;                         // all pieces, one after the other
    struct slice begin[FAMILY_TEXT_LINES];   // up to the labels: `name_sum{`
    struct slice end;                        // from the labels to the number: `} `
    struct slice le[CATALOG_MAX_BOUNDS + 1]; // the same of a bucket: `,le="0.5"} `
    size_t n_bounds;
    size_t lines; // of a series, at most
    size_t room;  // of all these lines without labels
    bool created; // with a line for it
    double least; // sum that is shown: OpenMetrics has no sum below 0, nor with bounds below 0
};

// Behind the labels of a line: number, LF, and the blank and brace of its end.
enum { LINE_REST = NUM_MAX + 4 };

// A piece that is being made; its address is not known before all are.
struct piece {
    struct slice *slice;
    size_t start;
};

// All that the pieces are made from.
struct making {
    struct family_text *family_text;
    const struct family_text_spec *family;
    const struct format *format;
    struct piece pieces[FAMILY_TEXT_LINES + 1 + CATALOG_MAX_BOUNDS + 1];
    size_t n;
};

static void begin_piece(struct making *m, struct slice *slice)
{
    m->pieces[m->n++] = (struct piece){slice, m->family_text->text.len};
}

static void add_begin(struct making *m, enum family_text_line line, size_t name_len,
                      const char *suffix)
{
    struct buf *text = &m->family_text->text;
    begin_piece(m, &m->family_text->begin[line]);
    buf_add(text, m->family->name, name_len);
    buf_str(text, suffix);
    if (m->family->labelled || line == FAMILY_TEXT_BUCKET) {
        buf_char(text, '{');
    }
    m->family_text->lines += line == FAMILY_TEXT_BUCKET ? m->family->n_bounds + 1 : 1;
}

static void add_le(struct making *m, size_t i)
{
    struct buf *text = &m->family_text->text;
    char number[NUM_MAX];
    begin_piece(m, &m->family_text->le[i]);
    buf_str(text, m->family->labelled ? ",le=\"" : "le=\"");
    if (i == m->family->n_bounds) {
        buf_str(text, "+Inf");
    } else if (m->format->kind == FORMAT_OPENMETRICS) {
        buf_add(text, number, num_canonical(number, m->family->bounds[i]));
    } else {
        buf_add(text, number, num_double(number, m->family->bounds[i]));
    }
    buf_str(text, "\"} ");
}

static void add_lines(struct making *m)
{
    const struct family_text_spec *f = m->family;
    size_t len = strlen(f->name);
    if (f->type == METRIC_HISTOGRAM) {
        add_begin(m, FAMILY_TEXT_BUCKET, len, "_bucket");
        for (size_t i = 0; i <= f->n_bounds; i++) {
            add_le(m, i);
        }
        add_begin(m, FAMILY_TEXT_SUM, len, "_sum");
        add_begin(m, FAMILY_TEXT_COUNT, len, "_count");
    } else {
        add_begin(m, FAMILY_TEXT_VALUE, len, "");
    }
    if (m->family_text->created) {
        len = format_family_len(f->name, catalog_type_names[f->type]);
        add_begin(m, FAMILY_TEXT_CREATED, len, "_created");
    }
    begin_piece(m, &m->family_text->end);
    buf_str(&m->family_text->text, f->labelled ? "} " : " ");
}

static void family_text_init(struct family_text *s, const struct format *f,
                             const struct family_text_spec *family)
{
    struct making m = {.family_text = s, .family = family, .format = f};
    *s = (struct family_text){.n_bounds = family->n_bounds,
                              .created = f->kind == FORMAT_OPENMETRICS && f->created &&
                                         family->type != METRIC_GAUGE};
    bool below_0 = family->n_bounds > 0 && family->bounds[0] < 0;
    s->least = f->kind != FORMAT_OPENMETRICS ? -INFINITY : below_0 ? INFINITY : 0;
    add_lines(&m);
    size_t longest = 0;
    size_t len = s->text.len;
    if (!buf_reserve(&s->text,
                     FAMILY_TEXT_PIECE)) { // pieces are copied with the bytes after them
        return;
    }
    memset(s->text.p + len, 0, FAMILY_TEXT_PIECE);
    for (size_t i = 0; i < m.n; i++) {
        size_t to = i + 1 < m.n ? m.pieces[i + 1].start : len;
        *m.pieces[i].slice = (struct slice){s->text.p + m.pieces[i].start, to - m.pieces[i].start};
        longest = m.pieces[i].slice->len > longest ? m.pieces[i].slice->len : longest;
    }
    s->room = s->lines * (longest + FAMILY_TEXT_PIECE + LINE_REST) + FAMILY_TEXT_PIECE;
}

static void family_text_close(struct family_text *s)
{
    buf_free(&s->text);
}

// Copies in steps of FAMILY_TEXT_PIECE bytes: both sides have room for what is copied too much, and the line at
// hand may begin within that of the line before, from which it is copied.
static inline char *put(char *p, const char *from, size_t len)
{
    for (size_t at = 0; at < len; at += FAMILY_TEXT_PIECE) {
        char piece[FAMILY_TEXT_PIECE];
        memcpy(piece, from + at, FAMILY_TEXT_PIECE);
        memcpy(p + at, piece, FAMILY_TEXT_PIECE);
    }
    return p + len;
}

// The place where a series' lines are written; NULL when there is no memory.
static char *reserve(const struct family_text *s, struct buf *out,
                     const struct format_series *series)
{
    size_t each = series->labels.len + (series->exemplars != NULL ? EXEMPLAR_TEXT : 0);
    if (s->text.failed) {
        out->failed = true;
        return NULL;
    }
    return buf_reserve(out, s->room + s->lines * each) ? out->p + out->len : NULL;
}

static char *put_begin(const struct family_text *s, char *p, enum family_text_line line,
                       const struct slice *labels)
{
    p = put(p, s->begin[line].p, s->begin[line].len);
    if (labels->len > 0) {
        memcpy(p, labels->p, labels->len); // nothing may be read behind them
    }
    return p + labels->len;
}

static char *put_line(const struct family_text *s, char *p, enum family_text_line line,
                      const struct slice *labels)
{
    p = put_begin(s, p, line, labels);
    return put(p, s->end.p, s->end.len);
}

static void finish(const struct family_text *s, struct buf *out, char *p,
                   const struct format_series *series)
{
    if (s->created) {
        p = put_line(s, p, FAMILY_TEXT_CREATED, &series->labels);
        p += num_seconds(p, series->created_ms);
        *p++ = '\n';
    }
    out->len = (size_t)(p - out->p);
}

// The end of a line that may have an exemplar.
static inline char *put_exemplar(char *p, const struct format_series *series, size_t bucket)
{
    if (series->exemplars != NULL) {
        p += exemplar_read(series->exemplars, bucket, p);
    }
    *p++ = '\n';
    return p;
}

static char *put_double(char *p, double v)
{
    return p + num_double(p, format_finite(v));
}

static void family_text_counter(const struct family_text *s, struct buf *out,
                                const struct format_series *series)
{
    char *p = reserve(s, out, series);
    if (p == NULL) {
        return;
    }
    p = put_line(s, p, FAMILY_TEXT_VALUE, &series->labels);
    if (series->rest == 0 && series->whole < CELL_WHOLE_MAX) {
        p += num_u64(p, series->whole);
    } else {
        p = put_double(p, (double)series->whole + series->rest);
    }
    p = put_exemplar(p, series, 0);
    finish(s, out, p, series);
}

static void family_text_gauge(const struct family_text *s, struct buf *out,
                              const struct format_series *series)
{
    char *p = reserve(s, out, series);
    if (p != NULL) {
        p = put_line(s, p, FAMILY_TEXT_VALUE, &series->labels);
        p += num_double(p, series->value);
        *p++ = '\n';
        finish(s, out, p, series);
    }
}

static void family_text_histogram(const struct family_text *s, struct buf *out,
                                  const struct format_series *series)
{
    char *p = reserve(s, out, series);
    if (p == NULL) {
        return;
    }
    // A bucket's line begins as the first one does, which is at hand in one piece.
    const char *first = p;
    size_t len = (size_t)(put_begin(s, p, FAMILY_TEXT_BUCKET, &series->labels) - p);
    uint64_t total = 0;
    for (size_t i = 0; i <= s->n_bounds; i++) {
        total += series->counts[i];
        p = i == 0 ? p + len : put(p, first, len);
        p = put(p, s->le[i].p, s->le[i].len);
        p += num_u64(p, total);
        p = put_exemplar(p, series, i);
    }
    if (series->sum >= s->least) {
        p = put_line(s, p, FAMILY_TEXT_SUM, &series->labels);
        p = put_double(p, series->sum);
        *p++ = '\n';
        p = put_line(s, p, FAMILY_TEXT_COUNT, &series->labels);
        p += num_u64(p, total);
        *p++ = '\n';
    }
    finish(s, out, p, series);
}

// ---- Families

// What a series shows now, with `counts` for its buckets.
static inline struct format_series read_series(const struct format *format, const struct table *t,
                                               const struct series *s, uint64_t *counts)
{
    struct format_series ret = {.created_ms = s->record->created_ms,
                                .exemplars =
                                    format->kind != FORMAT_TEXT ? series_exemplars(s) : NULL};
    ret.labels.p = series_text(s, &ret.labels.len);
    switch (t->type) {
    case METRIC_COUNTER:
        table_read_counter(t, s, &ret.whole, &ret.rest);
        break;
    case METRIC_GAUGE:
        ret.value = atomic_load_explicit(series_gauge(s), memory_order_relaxed);
        break;
    case METRIC_HISTOGRAM:
        table_read_histogram(t, s, counts, &ret.sum);
        ret.counts = counts;
        break;
    }
    return ret;
}

static void write_text_series(struct buf *out, const struct family_text *text,
                              enum metric_type type, const struct format_series *series)
{
    switch (type) {
    case METRIC_COUNTER:
        family_text_counter(text, out, series);
        break;
    case METRIC_GAUGE:
        family_text_gauge(text, out, series);
        break;
    case METRIC_HISTOGRAM:
        family_text_histogram(text, out, series);
        break;
    }
}

// The series from the first one on, in messages of about a piece of the sink.
static void write_protobuf(struct format_sink *sink, const struct format *format,
                           const struct format_head *head, const struct family *f,
                           struct table_walk *walk, const struct series *s)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    struct native_sum native = {.n = 0};
    struct buf *out = sink->text;
    struct protobuf_family family;
    protobuf_family_init(&family, f->metric);
    family.is_native_alone = f->has_native && !f->metric->native.classic;
    while (s != NULL && !out->failed) {
        size_t begun = protobuf_begin(out, head);
        for (; s != NULL && !out->failed && out->len - begun < FORMAT_SINK_PIECE;
             s = table_walk_next(walk)) {
            struct format_series series = read_series(format, f->table, s, counts);
            if (f->has_native) {
                series.native_count =
                    table_read_native(f->table, s, f->metric->bounds, &f->native, &native);
                series.native = &native;
                out->failed |= native.failed;
            }
            protobuf_series(out, &family, &series);
        }
        protobuf_end(out, begun);
        format_sink_flush_full(sink);
    }
    native_sum_free(&native);
    protobuf_family_close(&family);
}

// The same as lines of text.
static void write_text(struct format_sink *sink, const struct format *format,
                       const struct format_head *head, const struct family *f,
                       struct table_walk *walk, const struct series *s)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    const struct metric *m = f->metric;
    const struct family_text_spec spec = {.name = m->name,
                                          .type = m->type,
                                          .labelled = m->n_labels > 0,
                                          .bounds = m->bounds,
                                          .n_bounds = m->n_bounds};
    struct family_text text;
    family_text_init(&text, format, &spec);
    format_head(sink->text, format, head);
    for (; s != NULL && !sink->text->failed; s = table_walk_next(walk)) {
        const struct format_series series = read_series(format, f->table, s, counts);
        write_text_series(sink->text, &text, m->type, &series);
        format_sink_flush_full(sink);
    }
    family_text_close(&text);
}

int family_write(struct format_sink *sink, const struct format *format, const struct family *f,
                 uint32_t scrape)
{
    const struct metric *m = f->metric;
    struct table_walk walk = table_walk_begin(f->table, scrape);
    const struct series *s = table_walk_next(&walk);
    if (s == NULL) {
        return 0;
    }
    const struct format_head head = {
        .name = m->name, .help = m->help, .type = catalog_type_names[m->type], .unit = m->unit};
    if (format->kind == FORMAT_PROTOBUF) {
        write_protobuf(sink, format, &head, f, &walk, s);
    } else {
        write_text(sink, format, &head, f, &walk, s);
    }
    return sink->text->failed ? -ENOMEM : 0;
}

void family_write_buckets(struct buf *out, const struct format *f, const char *name,
                          const double *bounds, size_t n, const uint64_t *counts, double sum)
{
    const struct format_series series = {.counts = counts, .sum = sum};
    if (f->kind == FORMAT_PROTOBUF) {
        struct protobuf_family bare = {.type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = n};
        protobuf_series(out, &bare, &series);
        return;
    }
    struct family_text s;
    const struct family_text_spec family = {
        .name = name, .type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = n};
    const struct format format = {.kind = f->kind}; // its start is not known
    family_text_init(&s, &format, &family);
    family_text_histogram(&s, out, &series);
    family_text_close(&s);
}
