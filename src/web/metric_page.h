// SPDX-License-Identifier: Apache-2.0
/*
 * metric_page: the page of one metric: its last hour, and its series with their values.
 *
 * Shape:   of a histogram the last hour is a heatmap, with median and 95th percentile, all series together. Of
 *          the first series each one's last hour is kept too (series/rate), and shown as a sparkline.
 * Bounds:  METRIC_PAGE_SERIES series, and no further one beyond METRIC_PAGE_BYTES, in the order of the exposition; the page
 *          says how many more there are. The walk ends with them, so a page takes as long with a million series.
 * Threads: any, inside an RCU section.
 * Memory:  borrows the family for the call.
 * Source:  quantiles as histogram_quantile of Prometheus, by linear interpolation.
 */
#ifndef VE_WEB_METRIC_PAGE_H
#define VE_WEB_METRIC_PAGE_H

#include "series/schema.h"
#include "web/status_view.h"

enum { METRIC_PAGE_SERIES = 500, METRIC_PAGE_BYTES = 2 * 1024 * 1024 };

struct metric_page {
    const struct family *family;
    const char *telemetry_path; // decoded
    unsigned refresh_s;         // 0: not
    uint64_t now_ms;            // CLOCK_REALTIME
    uint64_t mono_ms;           // CLOCK_MONOTONIC
};

void metric_page_write(struct buf *out, const struct metric_page *p);

// The q-quantile of what is in the buckets, of which the last one has no upper bound. NAN: there is nothing;
// infinite: it is in that last one.
double metric_page_quantile(const uint64_t *counts, const double *bounds, size_t n_bounds,
                            double q);

extern const struct status_view_form metric_page_form; // its type and policy

#endif
