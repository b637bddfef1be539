// SPDX-License-Identifier: Apache-2.0
/*
 * format: the grammar of both formats, one function for each kind of line. For expose/ only.
 *
 * Shape:   samples read the same in both, but for a histogram's `le`. OpenMetrics calls a counter's family by
 *          its name without `_total`, knows units, and ends with `# EOF`.
 * Source:  Prometheus "Exposition formats"; OpenMetrics 1.0.0.
 */
#ifndef VE_EXPOSE_FORMAT_H
#define VE_EXPOSE_FORMAT_H

#include "base/buf.h"

// How to write.
struct format {
    bool open;    // OpenMetrics 1.0.0; else text 0.0.4
    bool created; // OpenMetrics: with the lines `_created`
};

// What stands above a family's samples.
struct format_head {
    const char *name; // of a counter with `_total`
    const char *help;
    const char *type;
    const char *unit; // the end of the name, before `_total`; "" for none
};

// The length of the name by which OpenMetrics calls a family of this type.
size_t format_family_len(const char *name, const char *type);
void format_head(struct buf *out, const struct format *f, const struct format_head *head);
// One sample; `labels` are written already (a="b",c="d"), or "".
void format_sample(struct buf *out, const char *name, const char *labels, double value);
// A histogram's lines without labels, from counts that are not cumulative; the last of the n + 1 is above all
// bounds.
void format_buckets(struct buf *out, const struct format *f, const char *name, const double *bounds,
                    size_t n, const uint64_t *counts, double sum);
// The end of the exposition.
void format_end(struct buf *out, const struct format *f);

#endif
