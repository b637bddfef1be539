// SPDX-License-Identifier: Apache-2.0
/*
 * format: the grammar of the text format, one function for each kind of line. For expose/ only.
 */
#ifndef VE_EXPOSE_FORMAT_H
#define VE_EXPOSE_FORMAT_H

#include "base/buf.h"
#include "series/schema.h"

// HELP and TYPE.
void format_head(struct buf *out, const char *name, const char *help, const char *type);
// One sample; `labels` are written already (a="b",c="d"), or "".
void format_sample(struct buf *out, const char *name, const char *labels, double value);
// A histogram's lines from counts that are not cumulative; the last of the n + 1 is above all bounds.
void format_buckets(struct buf *out, const char *name, const char *labels, const double *bounds,
                    size_t n, const uint64_t *counts, double sum);

// A catalogue family with all its series; nothing when it has none. Inside an RCU section. 0 or -ENOMEM.
int format_family(struct buf *out, const struct family *f);

#endif
