// SPDX-License-Identifier: Apache-2.0
// table_inside: what the files of a table share.
#ifndef VE_SERIES_TABLE_INSIDE_H
#define VE_SERIES_TABLE_INSIDE_H

#include "series/slab.h"

#include <assert.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

static_assert(sizeof(struct cds_lfht_node) == sizeof((struct series *)0)->node,
              "room for the node");

static inline struct cds_lfht_node *node_of(struct series *s)
{
    return (struct cds_lfht_node *)(void *)s->node;
}

static inline struct series *series_of(struct cds_lfht_node *node)
{
    return (struct series *)(void *)node;
}

#endif
