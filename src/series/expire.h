// SPDX-License-Identifier: Apache-2.0
/*
 * expire: series that go by themselves. Called by a timer, never on the way of an event or a scrape.
 *
 * Threads: one thread, which has joined RCU and stands outside a section.
 */
#ifndef VE_SERIES_EXPIRE_H
#define VE_SERIES_EXPIRE_H

#include "series/schema.h"

// Removes the series of metrics with a ttl that were not updated for that long. Pre-created series age as a
// group (same values of the open labels), and not while `kept` says that a source keeps them.
void expire_old(struct series_store *store, uint32_t now_s,
                bool (*kept)(void *ctx, const struct table *t, const struct series *s), void *ctx);

// Takes the marks out of every series, or of those of owned metrics only, and removes owned ones that this
// leaves without an owner.
void expire_marks(struct series_store *store, const uint32_t *marks, size_t n, bool owned_only);

// Gives the memory of removed series back.
void expire_reclaim(struct series_store *store);

#endif
