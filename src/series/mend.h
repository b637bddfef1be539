// SPDX-License-Identifier: Apache-2.0
/*
 * mend: what becomes of series when pages of the arena's file were lost (arena_torn) and read as zeros.
 *
 * Threads: the one that replaces the schema, while no other one finds, makes or updates series; scrapes go on.
 */
#ifndef VE_SERIES_MEND_H
#define VE_SERIES_MEND_H

#include "series/schema.h"

// Removes the series whose records are lost, and makes what is left of the others whole. Returns how many went.
uint64_t mend_series(struct series_store *store);

#endif
