// SPDX-License-Identifier: Apache-2.0
/*
 * page: the landing page, HTML 5 in one piece with no scripts and nothing from elsewhere.
 *
 * Shape:   page_begin, any number of page_metric, page_end. All text is escaped here.
 * Threads: one owner.
 * Memory:  writes into a borrowed buf, which keeps the error.
 */
#ifndef VE_WEB_PAGE_H
#define VE_WEB_PAGE_H

#include "base/buf.h"

// A page that is being written.
struct web_page {
    struct buf *out; // borrowed
    size_t metrics;  // rows so far
};

// Writes all up to the table of metrics. `telemetry_path` is a decoded path.
void page_begin(struct web_page *p, struct buf *out, const char *version,
                const char *telemetry_path);

// One row of the table: the metric's name, type ("counter", …), number of series, help.
void page_metric(struct web_page *p, const char *name, const char *type, uint64_t series,
                 const char *help);

void page_end(struct web_page *p);

#endif
