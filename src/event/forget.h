// SPDX-License-Identifier: Apache-2.0
/*
 * forget: removes the permitted series that are an origin's and have given label values, a bounded number of slots at a
 * time.
 *
 * Threads: one, inside an RCU section. Between two steps the section may be left, and catalogue and permission may change.
 * Memory:  forget_new returns new, and copies what is to be forgotten.
 */
#ifndef VE_EVENT_FORGET_H
#define VE_EVENT_FORGET_H

#include "event/control.h"
#include "event/origin.h"
#include "series/schema.h"

struct forget;

// NULL: no memory.
struct forget *forget_new(const struct control_forget *what);
// Looks at about that many slots more. Returns whether it is done.
bool forget_step(struct forget *f, struct series_store *store, const struct origin *origin,
                 uint32_t slots);
// Returns how many were removed, and frees it.
uint64_t forget_end(struct forget *f);

#endif
