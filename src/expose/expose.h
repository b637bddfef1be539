// SPDX-License-Identifier: Apache-2.0
/*
 * expose: series to bytes, in the Prometheus text format 0.0.4, as OpenMetrics 1.0.0 or as protobuf.
 *
 * Shape:   families in the catalogue's order, then the exporter's own; HELP and TYPE once each; series in the
 *          order of their slots. Families without series are left out.
 * Threads: any, one at a time for a buffer. Workers go on meanwhile: each number is whole, a histogram's
 *          buckets, +Inf and count belong together, its sum may be ahead by updates in flight.
 * Source:  Prometheus "Exposition formats"; OpenMetrics 1.0.0; numbers as in base/num.h.
 */
#ifndef VE_EXPOSE_EXPOSE_H
#define VE_EXPOSE_EXPOSE_H

#include "expose/self.h"
#include "series/schema.h"

// Writes the whole exposition and leaves it to the caller to end the sink. Returns 0, -ENOMEM (then a part is written).
int expose_text(struct format_sink *sink, struct series_store *store, const struct self *self,
                const struct expose_filter *filter);
// The same as OpenMetrics; `created`: with when series began.
int expose_openmetrics(struct format_sink *sink, struct series_store *store,
                       const struct self *self, const struct expose_filter *filter, bool created);

// The same as length-delimited MetricFamily messages.
int expose_protobuf(struct format_sink *sink, struct series_store *store, const struct self *self,
                    const struct expose_filter *filter);

#endif
