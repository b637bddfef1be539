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
// Element `why->element` of the plan's batch was rejected, so nothing of it is applied. Sets `why` anew if an element before
// it finds no room.
void place_rejected(struct placer *placer, struct plan *p, struct rejection *why);
void place_free(struct placer *placer);

#endif
