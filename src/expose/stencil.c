// SPDX-License-Identifier: Apache-2.0
#include "expose/stencil.h"

#include "base/num.h"
#include "series/cell.h"

// Behind the labels of a line: number, LF, and the blank and brace of its end.
enum { LINE_REST = NUM_MAX + 4 };

// A piece that is being made; its address is not known before all are.
struct piece {
    struct slice *at;
    size_t from;
};

// All that the pieces are made from.
struct making {
    struct stencil *stencil;
    const struct stencil_family *family;
    const struct format *format;
    struct piece pieces[STENCIL_LINES + 1 + CATALOG_MAX_BOUNDS + 1];
    size_t n;
};

static void begin_piece(struct making *m, struct slice *at)
{
    m->pieces[m->n++] = (struct piece){at, m->stencil->text.len};
}

static void add_begin(struct making *m, enum stencil_line line, size_t name_len, const char *suffix)
{
    struct buf *text = &m->stencil->text;
    begin_piece(m, &m->stencil->begin[line]);
    buf_add(text, m->family->name, name_len);
    buf_str(text, suffix);
    if (m->family->labelled || line == STENCIL_BUCKET) {
        buf_char(text, '{');
    }
    m->stencil->lines += line == STENCIL_BUCKET ? m->family->n_bounds + 1 : 1;
}

static void add_le(struct making *m, size_t i)
{
    struct buf *text = &m->stencil->text;
    char number[NUM_MAX];
    begin_piece(m, &m->stencil->le[i]);
    buf_str(text, m->family->labelled ? ",le=\"" : "le=\"");
    if (i == m->family->n_bounds) {
        buf_str(text, "+Inf");
    } else if (m->format->open) {
        buf_add(text, number, num_canonical(number, m->family->bounds[i]));
    } else {
        buf_add(text, number, num_double(number, m->family->bounds[i]));
    }
    buf_str(text, "\"} ");
}

static void add_lines(struct making *m)
{
    const struct stencil_family *f = m->family;
    size_t len = strlen(f->name);
    if (f->type == METRIC_HISTOGRAM) {
        add_begin(m, STENCIL_BUCKET, len, "_bucket");
        for (size_t i = 0; i <= f->n_bounds; i++) {
            add_le(m, i);
        }
        add_begin(m, STENCIL_SUM, len, "_sum");
        add_begin(m, STENCIL_COUNT, len, "_count");
    } else {
        add_begin(m, STENCIL_VALUE, len, "");
    }
    if (m->stencil->created) {
        len = format_family_len(f->name, metric_type_name(f->type));
        add_begin(m, STENCIL_CREATED, len, "_created");
    }
    begin_piece(m, &m->stencil->end);
    buf_str(&m->stencil->text, f->labelled ? "} " : " ");
}

void stencil_make(struct stencil *s, const struct format *f, const struct stencil_family *family)
{
    struct making m = {.stencil = s, .family = family, .format = f};
    *s = (struct stencil){.n_bounds = family->n_bounds,
                          .created = f->open && f->created && family->type != METRIC_GAUGE};
    bool below_0 = family->n_bounds > 0 && family->bounds[0] < 0;
    s->least = !f->open ? -INFINITY : below_0 ? INFINITY : 0;
    add_lines(&m);
    size_t longest = 0;
    size_t len = s->text.len;
    if (!buf_reserve(&s->text, STENCIL_PIECE)) { // pieces are copied with what stands behind them
        return;
    }
    memset(s->text.p + len, 0, STENCIL_PIECE);
    for (size_t i = 0; i < m.n; i++) {
        size_t to = i + 1 < m.n ? m.pieces[i + 1].from : len;
        *m.pieces[i].at = (struct slice){s->text.p + m.pieces[i].from, to - m.pieces[i].from};
        longest = m.pieces[i].at->len > longest ? m.pieces[i].at->len : longest;
    }
    s->room = s->lines * (longest + STENCIL_PIECE + LINE_REST) + STENCIL_PIECE;
}

void stencil_free(struct stencil *s)
{
    buf_free(&s->text);
}

// Copies in steps of STENCIL_PIECE bytes: both sides have room for what is copied too much, and the line at
// hand may begin within that of the line before, from which it is copied.
static inline char *put(char *p, const char *from, size_t len)
{
    for (size_t at = 0; at < len; at += STENCIL_PIECE) {
        char piece[STENCIL_PIECE];
        memcpy(piece, from + at, STENCIL_PIECE);
        memcpy(p + at, piece, STENCIL_PIECE);
    }
    return p + len;
}

// The place where a series' lines are written; NULL when there is no memory.
static char *reserve(const struct stencil *s, struct buf *out, const struct stencil_series *series)
{
    size_t each = series->labels.len + (series->exemplars != NULL ? EXEMPLAR_TEXT : 0);
    if (s->text.failed) {
        out->failed = true;
        return NULL;
    }
    return buf_reserve(out, s->room + s->lines * each) ? out->p + out->len : NULL;
}

static char *put_begin(const struct stencil *s, char *p, enum stencil_line line,
                       const struct slice *labels)
{
    p = put(p, s->begin[line].p, s->begin[line].len);
    if (labels->len > 0) {
        memcpy(p, labels->p, labels->len); // nothing may be read behind them
    }
    return p + labels->len;
}

static char *put_line(const struct stencil *s, char *p, enum stencil_line line,
                      const struct slice *labels)
{
    p = put_begin(s, p, line, labels);
    return put(p, s->end.p, s->end.len);
}

static void finish(const struct stencil *s, struct buf *out, char *p,
                   const struct stencil_series *series)
{
    if (s->created) {
        p = put_line(s, p, STENCIL_CREATED, &series->labels);
        p += num_seconds(p, series->created_ms);
        *p++ = '\n';
    }
    out->len = (size_t)(p - out->p);
}

// The end of a line that may have an exemplar.
static inline char *put_exemplar(char *p, const struct stencil_series *series, size_t bucket)
{
    if (series->exemplars != NULL) {
        p += exemplar_read(series->exemplars, bucket, p);
    }
    *p++ = '\n';
    return p;
}

static char *put_double(char *p, double v)
{
    return p + num_double(p, v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : v);
}

void stencil_counter(const struct stencil *s, struct buf *out, const struct stencil_series *series)
{
    char *p = reserve(s, out, series);
    if (p == NULL) {
        return;
    }
    p = put_line(s, p, STENCIL_VALUE, &series->labels);
    if (series->rest == 0 && series->whole < CELL_WHOLE_MAX) {
        p += num_u64(p, series->whole);
    } else {
        p = put_double(p, (double)series->whole + series->rest);
    }
    p = put_exemplar(p, series, 0);
    finish(s, out, p, series);
}

void stencil_gauge(const struct stencil *s, struct buf *out, const struct stencil_series *series)
{
    char *p = reserve(s, out, series);
    if (p != NULL) {
        p = put_line(s, p, STENCIL_VALUE, &series->labels);
        p += num_double(p, series->value);
        *p++ = '\n';
        finish(s, out, p, series);
    }
}

void stencil_histogram(const struct stencil *s, struct buf *out,
                       const struct stencil_series *series)
{
    char *p = reserve(s, out, series);
    if (p == NULL) {
        return;
    }
    // A bucket's line begins as the first one does, which is at hand in one piece.
    const char *first = p;
    size_t len = (size_t)(put_begin(s, p, STENCIL_BUCKET, &series->labels) - p);
    uint64_t total = 0;
    for (size_t i = 0; i <= s->n_bounds; i++) {
        total += series->counts[i];
        p = i == 0 ? p + len : put(p, first, len);
        p = put(p, s->le[i].p, s->le[i].len);
        p += num_u64(p, total);
        p = put_exemplar(p, series, i);
    }
    if (series->sum >= s->least) {
        p = put_line(s, p, STENCIL_SUM, &series->labels);
        p = put_double(p, series->sum);
        *p++ = '\n';
        p = put_line(s, p, STENCIL_COUNT, &series->labels);
        p += num_u64(p, total);
        *p++ = '\n';
    }
    finish(s, out, p, series);
}
