// SPDX-License-Identifier: Apache-2.0
/*
 * source_table: the insides of the table of sources, shared by source.c and source_tick.c.
 */
#ifndef VE_INGEST_SOURCE_TABLE_H
#define VE_INGEST_SOURCE_TABLE_H

#include "ingest/source.h"

enum source_state { SOURCE_FREE, SOURCE_CLAIMED, SOURCE_KNOWN, SOURCE_GOING };
enum life_state { LIFE_FREE, LIFE_USED, LIFE_GONE, LIFE_ENDING };

struct life {
    _Atomic uint64_t ends_ms; // of LIFE_GONE, CLOCK_MONOTONIC
    _Atomic uint32_t source;  // whose, but for the nameless ones'
    _Atomic uint8_t state;
};

struct sources {
    uint32_t n; // entries; the first CATALOG_MAX_COMPONENTS are the nameless ones
    uint32_t n_lives;
    _Atomic uint32_t known;
    _Atomic uint64_t births;    // sources that ever were
    _Atomic uint32_t next_life; // where to look for a free life first
    struct source *at;
    struct life *lives;
    uint32_t *marks; // scratch of the tick
};

static inline uint32_t life_mark(const struct sources *s, uint32_t life)
{
    return 2 * s->n + 1 + life;
}

static inline uint32_t life_index(const struct sources *s, uint32_t mark)
{
    return mark - 2 * s->n - 1;
}

static inline struct life *life_of(const struct sources *s, uint32_t mark)
{
    return &s->lives[life_index(s, mark)];
}

#endif
