// SPDX-License-Identifier: Apache-2.0
/*
 * format: how an exposition is written: the grammar of both formats of text, families with all their series, and the
 * sink, where the bytes go, as they are or as a gzip stream. The only user of isa-l; a build without it (GZIP=no) does not
 * compress.
 *
 * Shape:   samples read the same in both formats, but for a histogram's `le`. OpenMetrics calls a counter's family by
 *          its name without `_total`, knows units, and ends with `# EOF`. Writers append to the sink's `text` and
 *          call format_sink_flush_full between two series. With gzip the text moves on a piece at a time, so that it never
 *          leaves the CPU's caches, and memory holds no more of it than a piece.
 * Errors:  text->failed, which is sticky.
 * Threads: one owner at a time for a sink.
 * Memory:  a sink borrows its buffers and its gzip.
 * Source:  Prometheus "Exposition formats"; OpenMetrics 1.0.0; RFC 1952.
 */
#ifndef VE_EXPOSE_FORMAT_H
#define VE_EXPOSE_FORMAT_H

#include "base/buf.h"
#include "series/schema.h"

#include <float.h>

// Text 0.0.4, OpenMetrics 1.0.0, and that of expose/protobuf.
enum format_kind { FORMAT_TEXT, FORMAT_OPENMETRICS, FORMAT_PROTOBUF, FORMAT_KINDS };

// How to write.
struct format {
    enum format_kind kind;
    bool created; // OpenMetrics: with the lines `_created`
};

// The lines before a family's samples.
struct format_head {
    const char *name; // of a counter with `_total`
    const char *help;
    const char *type;
    const char *unit; // the end of the name, before `_total`; "" for none
};

// What differs from series to series.
struct format_series {
    struct slice labels;    // as in a record: series/key
    uint64_t created_ms;    // CLOCK_REALTIME; 0: not known
    uint64_t whole;         // of a counter: the sum of its whole additions,
    double rest;            // and that of the others
    double value;           // of a gauge
    const uint64_t *counts; // of a histogram: one more than it has bounds, not cumulative
    double sum;
    const struct exemplars *exemplars; // NULL: none are shown
    const struct native_sum *native;   // of a histogram in protobuf; NULL: it has no native form
    uint64_t native_count;             // of all its observations
};

// A sum as it is shown: additions that each were finite may add up to what is not.
static inline double format_finite(double v)
{
    return v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : v;
}

// The length of the name by which OpenMetrics calls a family of this type.
size_t format_family_len(const char *name, const char *type);
void format_head(struct buf *out, const struct format *f, const struct format_head *head);
// What a series shows now, with `counts` for its buckets; what its type does not have stays as it is in *ret, which serves
// for all series of a family. Inside an RCU section, as format_write.
void format_read_series(const struct format *format, const struct table *t, const struct series *s,
                        uint64_t *counts, struct format_series *ret);
struct format_sink;
// A family as text: its head, and its series from the first one on.
void format_write(struct format_sink *sink, const struct format *format,
                  const struct format_head *head, const struct family *f, struct table_walk *walk,
                  const struct series *s);
// A histogram without labels, behind its head, from counts that are not cumulative; the last of the n + 1 is above all
// bounds.
void format_buckets(struct buf *out, const struct format *f, const char *name, const double *bounds,
                    size_t n, const uint64_t *counts, double sum);
// One sample; `labels` are written already (a="b",c="d"), or "".
void format_sample(struct buf *out, const char *name, const char *labels, double value);
// The end of the exposition.
void format_end(struct buf *out, const struct format *f);

struct gzip;

// Whether this build can compress.
bool format_gzip_is_supported(void);
// New: about 360 KiB that serve every stream, for one owner at a time. Returns 0; -ENOMEM; -ENOTSUP in a build that cannot.
int format_gzip_new(struct gzip **ret);
void format_gzip_free(struct gzip *g);

enum { FORMAT_SINK_PIECE = 256 * 1024 };

struct format_sink {
    struct buf *text;
    size_t full;            // bytes of text that are moved on; SIZE_MAX: they stay
    struct gzip *gzip;      // NULL: the text is kept
    struct buf *compressed; // the stream so far
};

// All is appended to text.
struct format_sink format_sink_text(struct buf *text);
// All is appended to compressed as one gzip stream; text, which is empty, serves for the pieces.
struct format_sink format_sink_gzip(struct buf *text, struct gzip *gzip, struct buf *compressed);

// For format_sink_flush_full.
void format_sink_flush(struct format_sink *s);

// Moves a piece on, when there is one.
static inline void format_sink_flush_full(struct format_sink *s)
{
    if (s->text->len >= s->full) {
        format_sink_flush(s);
    }
}

// Moves the rest on. Returns 0 or -ENOMEM.
int format_sink_end(struct format_sink *s);

#endif
