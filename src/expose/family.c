// SPDX-License-Identifier: Apache-2.0
#include "expose/family.h"

#include "expose/stencil.h"
#include "series/walk.h"

#include <errno.h>

enum { WALKS_MOST = 16 };

static void write_series(struct buf *out, const struct format *format,
                         const struct stencil *stencil, const struct table *t,
                         const struct series *s)
{
    uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    struct stencil_series series = {.created_ms = s->record->created_ms,
                                    .exemplars = format->open ? exemplars_of(s) : NULL};
    series.labels.p = series_text(s, &series.labels.len);
    switch (t->type) {
    case METRIC_COUNTER:
        table_read_counter(t, s, &series.whole, &series.rest);
        stencil_counter(stencil, out, &series);
        break;
    case METRIC_GAUGE:
        series.value = atomic_load_explicit(series_gauge(s), memory_order_relaxed);
        stencil_gauge(stencil, out, &series);
        break;
    case METRIC_HISTOGRAM:
        table_read_histogram(t, s, counts, &series.sum);
        series.counts = counts;
        stencil_histogram(stencil, out, &series);
        break;
    }
}

// One walk over the series.
static void write_all(struct sink *sink, const struct format *format, const struct stencil *stencil,
                      const struct family *f)
{
    struct buf *out = sink->text;
    const struct metric *m = f->metric;
    struct walk walk = walk_begin(f->table);
    const struct series *s = walk_next(&walk);
    if (s != NULL) {
        const struct format_head head = {
            .name = m->name, .help = m->help, .type = metric_type_name(m->type), .unit = m->unit};
        format_head(out, format, &head);
    }
    for (; s != NULL && !out->failed; s = walk_next(&walk)) {
        write_series(out, format, stencil, f->table, s);
        sink_flow(sink);
    }
}

/*
 * A series that is removed and made again while the walk is under way may be met in its old slot and in its
 * new one. So a walk beside which something was removed is made again. Under removals without end the last
 * walk stands.
 */
int family_write(struct sink *sink, const struct format *format, const struct family *f)
{
    const struct metric *m = f->metric;
    const struct stencil_family family = {.name = m->name,
                                          .type = m->type,
                                          .labelled = m->n_labels > 0,
                                          .bounds = m->bounds,
                                          .n_bounds = m->n_bounds};
    struct stencil stencil;
    stencil_make(&stencil, format, &family);
    sink_mark(sink);
    for (int walks = 1; !sink->text->failed; walks++) {
        uint64_t removals = atomic_load(&f->table->removals);
        write_all(sink, format, &stencil, f);
        if (atomic_load(&f->table->removals) == removals || walks == WALKS_MOST) {
            break;
        }
        sink_back(sink);
    }
    stencil_free(&stencil);
    return sink->text->failed ? -ENOMEM : 0;
}
