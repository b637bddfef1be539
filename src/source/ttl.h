// SPDX-License-Identifier: Apache-2.0
/*
 * ttl: series that go since nobody updates them. Called by a timer, never on the way of an event or a scrape.
 *
 * Threads: one thread, which has joined RCU and is outside a section.
 */
#ifndef VE_SOURCE_TTL_H
#define VE_SOURCE_TTL_H

#include "source/source.h"

// Removes the series of metrics with a ttl that were not updated for that long. Pre-created series age as a
// group (same values of the open labels), and not while a connected source's hello names one of them.
void ttl_expire(struct series_store *store, const struct sources *sources, uint32_t now_s);

#endif
