// SPDX-License-Identifier: Apache-2.0
/*
 * restore: the series and accounts of a file that an earlier process left, into the tables of this one.
 *
 * Shape:   the rules are those of a reload: a metric whose type, labels or bounds changed begins anew, series
 *          outside a narrowed closed set go, a lower limit removes nothing. Series keep their order, their
 *          creation and age; the lanes of each become the first lane's.
 * Threads: one, before any other finds or makes series; it has joined RCU.
 * Errors:  nothing in the file is trusted. What does not check out is left out and counted in image->damaged.
 */
#ifndef VE_SERIES_RESTORE_H
#define VE_SERIES_RESTORE_H

#include "series/schema.h"

// How marks of the file read in this process.
struct restore_marks {
    uint32_t (*translate)(void *ctx, uint32_t mark); // 0: of nobody who is known
    uint32_t (*life_of)(void *ctx, uint32_t base);   // of a mark of this process
    void *ctx;
};

struct restored {
    uint64_t series; // that are here again
    uint64_t anew;   // of metrics that begin anew, or outside what the catalogue allows now
    uint64_t gone;   // of metrics that are no more
};

// Needs a scanned image. Returns 0; -ENOMEM, and then some series are missing.
int restore_series(struct series_store *store, struct record_image *image,
                   const struct restore_marks *marks, struct restored *ret);

#endif
