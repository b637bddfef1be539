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

enum { SOURCE_SAVED_LIVES = 4 };

// The payload of a source's record, whose word is `lost`.
struct source_saved {
    uint64_t heard_real;
    uint64_t heard_mono;
    _Atomic uint32_t lives[SOURCE_SAVED_LIVES]; // its latest marks, in a ring
    _Atomic uint32_t turn;                      // lives so far
    uint32_t forgotten;
};

struct sources {
    uint32_t n; // entries; the first CATALOG_MAX_COMPONENTS are the nameless ones
    uint32_t n_lives;
    _Atomic uint32_t known;
    _Atomic uint64_t births;    // sources that ever were
    _Atomic uint32_t next_life; // where to look for a free life first
    struct source *at;
    struct life *lives;
    uint32_t *marks;            // scratch of the tick
    uint64_t tick_ms;           // when the latest tick was
    struct series_store *store; // where records stand; NULL: none are kept
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

// source.c: of the restart.

// Fills a free entry, and makes it known.
void source_begin(struct sources *s, struct source *src, unsigned component, struct slice instance,
                  struct arena_hand *hand, uint64_t now_ms);
// Whether a named source is known.
bool source_known(struct sources *s, unsigned component, struct slice instance);
// The mark of a life that is the source's from now on, or 0.
uint32_t source_new_life(struct sources *s, struct source *src);
void source_set_lost(struct source *src, uint64_t lost);

// source_state.c: makes a source's record (none without memory) and takes it away.
void source_record(struct sources *s, struct arena_hand *hand, struct source *src);
void source_unrecord(struct sources *s, struct source *src);
// Writes down that a life of it begins.
void source_record_life(const struct source *src, uint32_t mark);

#endif
