// SPDX-License-Identifier: Apache-2.0
/*
 * place: a plan's updates get their series.
 *
 * Shape:   each series is found, made, or, at a limit, replaced by the one that is folded into; then it is owned by the
 *          source. Until place_plan returns all can be taken back, and is when a series cannot be had.
 * Threads: a placer belongs to one thread, inside an RCU section. Other threads may remove series meanwhile.
 */
#ifndef VE_EVENT_PLACE_H
#define VE_EVENT_PLACE_H

#include "event/plan.h"

// Zero all but the writer before its first use.
struct placer {
    struct series_writer *writer;
    struct buf key; // of a series that is folded into
};

// Gives each update its series and cell, for the writer's quota_id. Returns whether it did, or why not, and then the plan is of
// no further use. Once all series are there this fails only where others remove them at that moment and take their
// places, or without memory; then the source stays an owner of series which the line does not update.
bool place_plan(struct placer *placer, struct plan *p, struct rejection *why);
// Element `why->element` of the plan's batch was rejected, so nothing of it is applied. Sets `why` again if an element before
// it finds no room.
void place_rejected(struct placer *placer, struct plan *p, struct rejection *why);
void place_free(struct placer *placer);

/*
 * place_siblings, place_named: series that exist with value 0 before anything happened, so that a rate sees the first event.
 *
 * Shape:   a group is every combination of the values that the metric's labels list (struct label.precreated), for one
 *          value of each other label. Those of it that the origin may push are made, or none where that would pass a
 *          limit. `scratch` is for one key at a time.
 * Threads: any, each with its own writer, inside an RCU section.
 */

// Makes the siblings of a series with this key, which an event has just made.
void place_siblings(const struct family *f, const char *key, const struct origin *origin,
                    struct series_writer *writer, struct buf *scratch);
// Makes the groups whose own values the labels and the component of a hello name, of every metric with `precreate`. Leaves
// the id `named` on all of these, and the origin's `made` on those that it makes.
void place_named(const struct schema *schema, unsigned component,
                 const struct origin_defaults *labels, uint32_t named, const struct origin *origin,
                 struct series_writer *writer, struct buf *scratch);

#endif
