// SPDX-License-Identifier: Apache-2.0
/*
 * expose: series to bytes, in the Prometheus text format 0.0.4 or as OpenMetrics 1.0.0.
 *
 * Shape:   families in the catalogue's order, then the exporter's own; HELP and TYPE once each; series in the
 *          order of their slots. Families without series are left out.
 * Threads: any, one at a time for a buffer. Workers go on meanwhile: each number is whole, a histogram's
 *          buckets, +Inf and count belong together, its sum may be ahead by updates in flight.
 * Source:  Prometheus "Exposition formats"; OpenMetrics 1.0.0; numbers as in base/num.h.
 */
#ifndef VE_EXPOSE_EXPOSE_H
#define VE_EXPOSE_EXPOSE_H

#include "base/buf.h"
#include "expose/self.h"
#include "series/schema.h"

// Which families to show. NULL: all.
struct expose_filter {
    bool (*wants)(const void *ctx, const char *name);
    const void *ctx;
};

// Appends the whole exposition. Returns 0, -ENOMEM (then `out` holds a part).
int expose_text(struct buf *out, struct series_store *store, const struct self *self,
                const struct expose_filter *filter);
// The same as OpenMetrics; `created`: with when series began.
int expose_openmetrics(struct buf *out, struct series_store *store, const struct self *self,
                       const struct expose_filter *filter, bool created);

#endif
