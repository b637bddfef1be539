// SPDX-License-Identifier: Apache-2.0
/*
 * slab: where a table's series stand, slot after slot, and how free slots are used again. For series/ only.
 *
 * Threads: slab_take and slab_release by any. Free slots form a stack whose head carries a tag that every
 *          change raises, so that a slot which left and came back is not taken for the same.
 */
#ifndef VE_SERIES_SLAB_H
#define VE_SERIES_SLAB_H

#include "series/table.h"

// A slot's series; the slot must be below table_slots.
struct series *slab_at(const struct table *t, uint32_t slot);
// A slot that nobody else knows. NULL: no memory.
struct series *slab_take(struct table *t, uint32_t *ret_slot);
// Gives back a slot that was taken and never filled.
void slab_give(struct table *t, struct series *s, uint32_t slot);
// Gives back a slot with its record, its cells and its marks; nobody else may reach them any more.
void slab_release(struct table *t, struct series *s);
// Gives back the slabs themselves.
void slab_free_all(struct table *t);

#endif
