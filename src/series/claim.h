// SPDX-License-Identifier: Apache-2.0
/*
 * claim: what a source leaves on a series that it updates.
 *
 * Shape:   `base` stands for the source for as long as it is known (for `forget`); `life` for its present
 *          life, from its coming to its going (for `owner: source`); the second for `ttl`.
 * Threads: any, inside an RCU section.
 */
#ifndef VE_SERIES_CLAIM_H
#define VE_SERIES_CLAIM_H

#include "series/table.h"

struct claimant {
    uint32_t base;  // mark
    uint32_t life;  // mark, at or above table_share.life_from
    uint32_t now_s; // CLOCK_MONOTONIC
    // Whether a life is one of the source that `base` stands for; NULL: none but `life` is.
    bool (*is_own)(const void *sources, uint32_t base, uint32_t life);
    const void *sources;
};

// Leaves the marks. Returns 0 when the series lives on with them; -ESTALE when it was removed meanwhile and
// must be looked up again; -ENOMEM. Where the metric is an owned `_info` one, the source's other series of
// it go.
int claim_series(struct table *t, struct series_hand *hand, struct series *s,
                 const struct claimant *c);

// Whether an owned series has lost its last owner; for table_remove_if, with its table.
bool claim_unowned(void *table, struct series *s);

#endif
