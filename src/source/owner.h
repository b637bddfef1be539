// SPDX-License-Identifier: Apache-2.0
/*
 * owner: which sources own a series, and what becomes of a series without owner.
 *
 * Shape:   a source adds its ids to those of each series that it updates (series/idset). `updater_id` and
 *          `precreator_id` are the source's for as long as it is known, for `forget`. `lease` is for `owner: source`: a
 *          series of such a metric is removed when the last lease in its set has ended. `now_s` is for `ttl`.
 * Threads: any, inside an RCU section; owner_clear: the thread that frees series, outside of one.
 */
#ifndef VE_SOURCE_OWNER_H
#define VE_SOURCE_OWNER_H

#include "series/schema.h"

enum {
    OWNER_ID_KINDS =
        3, // kinds of ids below those of leases, each as many as there can be sources: who has updated
           // a series, whose hello has named it, who has pre-created it
};

struct owner {
    uint32_t updater_id;
    uint32_t precreator_id; // added to what the source pre-creates; 0: none
    uint32_t lease;         // at or above table_share.lease_from; 0: it owns nothing
    uint32_t now_s;         // CLOCK_MONOTONIC
    uint32_t first_lease;   // the ids that leases of the source have; 0: none but `lease`
    uint32_t last_lease;
};

// What becomes of a source's other series of an owned `_info` metric, which says one thing of it.
enum owner_others { OWNER_DROPS_OTHERS, OWNER_KEEPS_OTHERS };

// Adds the ids. Returns 0 when the series lives on with them; -ESTALE when it was removed meanwhile and
// must be looked up again; -ENOMEM.
//
// Two lines of one source on two workers may drop each other's info series, over and over. So a line that was stale
// often adds its owner with OWNER_KEEPS_OTHERS, and then at least one of the series stays: whoever dropped one last is
// itself dropped by nobody afterwards, and adds its owner to its own once more if it was before.
int owner_add(struct table *t, struct series_writer *writer, struct series *s,
              const struct owner *c, enum owner_others others);

// Whether the source has updated the series, or has pre-created it and nobody has updated it.
bool owner_has_series(const struct table *t, const struct series *s, const struct owner *c);

// The same, and no other source has updated it.
bool owner_has_series_alone(const struct table *t, const struct series *s, const struct owner *c);

// Whether an owned series has lost its last owner; for table_remove_if, with its table.
bool owner_is_gone(void *table, struct series *s);

// Takes ids (bit i: id i; as many bits as there can be ids) out of every series, or of those of owned metrics only,
// and removes owned ones that this leaves without an owner. One walk, however many ids there are.
void owner_clear(struct series_store *store, const uint64_t *ids, bool owned_only);

#endif
