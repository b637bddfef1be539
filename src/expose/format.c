// SPDX-License-Identifier: Apache-2.0
#include "expose/format.h"

#include "base/num.h"
#include "base/text.h"
#include "series/cell.h"
#include "series/exemplar.h"

#include <errno.h>
#if VE_HAVE_GZIP
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#endif

// ---- gzip

bool format_gzip_is_supported(void)
{
    return VE_HAVE_GZIP;
}

#if VE_HAVE_GZIP

// isa-l counts bytes in 32 bits. Level 1 takes about as long as level 0, and what it makes is a third smaller. What
// repeats in an exposition does so within a few lines, for which half the greatest window is as good and faster.
enum { LEVEL = 1, WINDOW_BITS = 14, IN_MOST = 1 << 30, OUT_STEP = 256 * 1024 };

// isa-l keeps its whole state of a stream in here, and allocates nothing.
struct gzip {
    struct isal_zstream stream;
    uint8_t level_memory[ISAL_DEF_LVL1_DEFAULT];
};

int format_gzip_new(struct gzip **ret)
{
    struct gzip *g = malloc(sizeof *g);
    if (g == NULL) {
        return -ENOMEM;
    }
    *ret = g;
    return 0;
}

void format_gzip_free(struct gzip *g)
{
    free(g);
}

static void gzip_begin(struct gzip *g)
{
    struct isal_zstream *z = &g->stream;
    isal_deflate_init(z); // which leaves avail_in as it was
    z->avail_in = 0;
    z->gzip_flag = IGZIP_GZIP;
    z->level = LEVEL;
    z->hist_bits = WINDOW_BITS;
    z->level_buf = g->level_memory;
    z->level_buf_size = sizeof g->level_memory;
}

static int step(struct isal_zstream *z, struct buf *out)
{
    if (!buf_reserve(out, OUT_STEP)) {
        return -ENOMEM;
    }
    z->next_out = (uint8_t *)out->p + out->len;
    z->avail_out = OUT_STEP;
    isal_deflate(z);
    out->len += OUT_STEP - z->avail_out;
    return 0;
}

static int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len)
{
    struct isal_zstream *z = &g->stream;
    int rc = 0;
    z->next_in = (uint8_t *)(uintptr_t)bytes; // only read
    while (rc == 0 && len > 0) {
        uint32_t some = len < IN_MOST ? (uint32_t)len : IN_MOST;
        len -= some;
        z->avail_in = some;
        while (rc == 0 && z->avail_in > 0) {
            rc = step(z, out);
        }
    }
    return rc;
}

static int gzip_end(struct gzip *g, struct buf *out)
{
    struct isal_zstream *z = &g->stream;
    int rc = 0;
    z->end_of_stream = 1;
    while (rc == 0 && z->internal_state.state != ZSTATE_END) {
        rc = step(z, out);
    }
    return rc;
}

#else

int format_gzip_new(struct gzip **ret)
{
    (void)ret;
    return -ENOTSUP;
}

void format_gzip_free(struct gzip *g)
{
    (void)g;
}

static void gzip_begin(struct gzip *g)
{
    (void)g;
}

static int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len)
{
    (void)g;
    (void)out;
    (void)bytes;
    (void)len;
    return -ENOTSUP;
}

static int gzip_end(struct gzip *g, struct buf *out)
{
    (void)g;
    (void)out;
    return -ENOTSUP;
}

#endif

// ---- The sink

struct format_sink format_sink_text(struct buf *text)
{
    return (struct format_sink){.text = text, .full = SIZE_MAX};
}

struct format_sink format_sink_gzip(struct buf *text, struct gzip *gzip, struct buf *compressed)
{
    gzip_begin(gzip);
    return (struct format_sink){
        .text = text, .full = FORMAT_SINK_PIECE, .gzip = gzip, .compressed = compressed};
}

void format_sink_flush(struct format_sink *s)
{
    if (gzip_add(s->gzip, s->compressed, s->text->p, s->text->len) < 0) {
        s->text->failed = true;
    }
    s->text->len = 0;
}

int format_sink_end(struct format_sink *s)
{
    if (s->gzip != NULL && !s->text->failed) {
        format_sink_flush(s);
        s->text->failed = s->text->failed || gzip_end(s->gzip, s->compressed) < 0;
    }
    return s->text->failed ? -ENOMEM : 0;
}

// ---- Heads and single samples

static void head_line(struct buf *out, const char *word, const char *name, size_t len)
{
    buf_str(out, word);
    buf_add(out, name, len);
    buf_char(out, ' ');
}

size_t format_family_len(const char *name, const char *type)
{
    size_t len = strlen(name);
    size_t total = strlen("_total");
    bool shorter = strcmp(type, "counter") == 0 && len > total &&
                   memcmp(name + len - total, "_total", total) == 0;
    return shorter ? len - total : len;
}

static void open_head(struct buf *out, const struct format_head *head)
{
    size_t len = format_family_len(head->name, head->type);
    head_line(out, "# TYPE ", head->name, len);
    buf_str(out, head->type);
    if (head->unit[0] != '\0') {
        head_line(out, "\n# UNIT ", head->name, len);
        buf_str(out, head->unit);
    }
    head_line(out, "\n# HELP ", head->name, len);
    text_label_value(out, head->help, strlen(head->help)); // quotes are escaped here too
    buf_char(out, '\n');
}

void format_head(struct buf *out, const struct format *f, const struct format_head *head)
{
    if (f->kind == FORMAT_OPENMETRICS) {
        open_head(out, head);
        return;
    }
    head_line(out, "# HELP ", head->name, strlen(head->name));
    text_help(out, head->help, strlen(head->help));
    head_line(out, "\n# TYPE ", head->name, strlen(head->name));
    buf_str(out, head->type);
    buf_char(out, '\n');
}

void format_sample(struct buf *out, const char *name, const char *labels, double value)
{
    buf_str(out, name);
    if (labels[0] != '\0') {
        buf_char(out, '{');
        buf_str(out, labels);
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    if (buf_reserve(out, NUM_MAX)) {
        out->len += num_double(out->p + out->len, value);
    }
    buf_char(out, '\n');
}

void format_end(struct buf *out, const struct format *f)
{
    if (f->kind == FORMAT_OPENMETRICS) {
        buf_str(out, "# EOF\n");
    }
}

// ---- Families

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

inline void format_read_series(const struct format *format, const struct table *t,
                               const struct series *s, uint64_t *counts, struct format_series *ret)
{
    ret->created_ms = s->record->created_ms;
    ret->exemplars = format->kind != FORMAT_TEXT ? series_exemplars(s) : NULL;
    ret->labels.p = series_text(s, &ret->labels.len);
    switch (t->type) {
    case METRIC_COUNTER:
        table_read_counter(t, s, &ret->whole, &ret->rest);
        break;
    case METRIC_GAUGE:
        ret->value = atomic_load_explicit(series_gauge(s), memory_order_relaxed);
        break;
    case METRIC_HISTOGRAM:
        table_read_histogram(t, s, counts, &ret->sum);
        ret->counts = counts;
        break;
    }
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

void format_write(struct format_sink *sink, const struct format *format,
                  const struct format_head *head, const struct family *f, struct table_walk *walk,
                  const struct series *s)
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
    struct format_series series = {.whole = 0};
    for (; s != NULL && !sink->text->failed; s = table_walk_next(walk)) {
        format_read_series(format, f->table, s, counts, &series);
        write_text_series(sink->text, &text, m->type, &series);
        format_sink_flush_full(sink);
    }
    family_text_close(&text);
}

void format_buckets(struct buf *out, const struct format *f, const char *name, const double *bounds,
                    size_t n, const uint64_t *counts, double sum)
{
    const struct format_series series = {.counts = counts, .sum = sum};
    struct family_text s;
    const struct family_text_spec family = {
        .name = name, .type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = n};
    const struct format format = {.kind = f->kind}; // its start is not known
    family_text_init(&s, &format, &family);
    family_text_histogram(&s, out, &series);
    family_text_close(&s);
}
