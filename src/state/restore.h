// SPDX-License-Identifier: Apache-2.0
/*
 * restore: the series and statistics of a file that an earlier process left, into the tables of this one.
 *
 * Shape:   the rules are those of a reload: a metric whose type, labels or bounds changed starts over, series
 *          outside a narrowed closed set go, a lower limit removes nothing. Series keep their order, their
 *          creation and age; the lanes of each become the first lane's. After a power cut, and from a file that was
 *          behind, counters and histograms count as created now, since they may have gone back.
 * Threads: one, before any other finds or makes series; it has joined RCU.
 * Errors:  nothing in the file is trusted. What does not check out is left out and counted in image->damaged.
 */
#ifndef VE_STATE_RESTORE_H
#define VE_STATE_RESTORE_H

#include "series/schema.h"

// How ids of the file read in this process.
struct restore_owners {
    uint32_t n;         // numbers below that have a place in `now`
    uint32_t *now;      // by id of the file; 0: of no source that is known
    uint32_t n_sources; // ids 1 to n_sources of this process are those of sources
    uint32_t *leases;   // by these: the id of the source's lease; 0: none
};

void restore_owners_free(struct restore_owners *owners);

struct restored {
    uint64_t series; // that are here again
    uint64_t reset;  // of metrics that start over, or outside what the catalogue allows now
    uint64_t gone;   // of metrics that are no more
};

// Needs a scanned image. Returns 0; -ENOMEM, and then some series are missing.
int restore_series(struct series_store *store, struct record_image *image,
                   const struct restore_owners *owners, struct restored *ret);

#endif
