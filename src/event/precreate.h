// SPDX-License-Identifier: Apache-2.0
/*
 * precreate: series that exist with value 0 before anything happened, so that a rate sees the first event.
 *
 * Shape:   a group is every combination of the values that the metric's labels list (struct label.precreated), for one
 *          value of each other label. Those of it that the origin may push are made, or none where that would pass a
 *          limit. `scratch` is for one key at a time.
 * Threads: any, each with its own writer, inside an RCU section.
 */
#ifndef VE_EVENT_PRECREATE_H
#define VE_EVENT_PRECREATE_H

#include "event/origin.h"
#include "series/schema.h"

// Makes the siblings of a series with this key, which an event has just made.
void precreate_siblings(const struct family *f, const char *key, const struct origin *origin,
                        struct series_writer *writer, struct buf *scratch);
// Makes the groups whose own values the labels and the component of a hello name, of every metric with `precreate`. Leaves
// the id `named` on all of these, and the origin's `made` on those that it makes.
void precreate_named(const struct schema *schema, unsigned component,
                     const struct origin_defaults *labels, uint32_t named,
                     const struct origin *origin, struct series_writer *writer,
                     struct buf *scratch);

#endif
