// SPDX-License-Identifier: Apache-2.0
/*
 * source: who pushes. A source is a component and an instance, as a hello names them; whoever says no hello
 * belongs to the nameless source of the component `unknown`.
 *
 * Shape:   a fixed table. Each source has a mark for as long as it is known (`base`), a mark for what its
 *          hellos named (`named`), and a mark for its present life, from coming (its first connection) to
 *          going (its last one). When it comes back it gets a new life; the old one ends SOURCE_GRACE_MS
 *          later, and takes with it the owned series that were not set again.
 * Threads: enter, leave, datagram, lost: any worker. tick: one thread, the same that removes series. Entries
 *          are claimed by compare-and-swap; of two that add the same source the lower entry stays.
 * Memory:  bounded by the limit; entries are used again after their marks were taken out of all series.
 */
#ifndef VE_INGEST_SOURCE_H
#define VE_INGEST_SOURCE_H

#include "event/control.h"
#include "event/event.h"
#include "series/schema.h"

#include <sys/types.h>

enum {
    SOURCE_GRACE_MS = 30 * 1000,    // an owned series outlives its source by this
    SOURCE_DATAGRAM_MS = 60 * 1000, // a source of datagrams counts as connected for this long
    SOURCE_LIVES = 16,              // lives that can be kept, for each source
};
#define SOURCE_FORGOTTEN_MS                                                                        \
    ((uint64_t)7 * 24 * 3600 * 1000) // not heard for this long: no longer known

struct source {
    _Atomic uint8_t state; // enum in source.c
    _Atomic uint64_t hash; // of component and instance
    uint64_t born;         // how many sources came before it; 0: a nameless one
    unsigned component;
    size_t instance_len; // 0: the nameless source of its component
    char instance[CONTROL_MAX_NAME];
    _Atomic uint64_t holder;      // the user that is connected as it << 32 | connections
    _Atomic uint64_t life;        // mark of the present life << 32 | connections
    _Atomic uint64_t heard_real;  // last line applied or refused, CLOCK_REALTIME ms; 0: none yet
    _Atomic uint64_t heard_mono;  // last line, connection or departure, CLOCK_MONOTONIC ms
    _Atomic uint64_t datagram_at; // last datagram, CLOCK_MONOTONIC ms; 0: no window is open
    _Atomic uint64_t lost;        // last `lost` that it reported
    _Atomic bool forgotten;       // it said forget: not known any more once it has gone
    struct record *record;        // what outlives the process; NULL: nothing does
    uint64_t restored_until;      // as if it was connected until then, CLOCK_MONOTONIC ms
};

struct sources;

// Room for `limit` named sources. Returns 0, -ENOMEM.
int sources_new(struct sources **ret, uint32_t limit);
void sources_free(struct sources *s);

// The marks that the series store must have room for.
uint32_t sources_life_from(uint32_t limit);
uint32_t sources_most_marks(uint32_t limit);

// A connection of the source of this name begins; the source is made when it is new, its record by the hand.
// Returns the source and the mark of its life, or NULL when the table is full.
struct source *source_enter(struct sources *s, struct arena_hand *hand, unsigned component,
                            struct slice instance, uint64_t now_ms, uint32_t *ret_life);
// The same for one that comes back with its session: the life it had goes on if it has not ended yet, and so
// nothing that it set goes.
struct source *source_return(struct sources *s, struct arena_hand *hand, unsigned component,
                             struct slice instance, uint64_t now_ms, uint32_t *ret_life);
// The nameless source of a component and the mark of its life, without a connection of it.
struct source *source_nameless(struct sources *s, unsigned component, uint32_t *ret_life);
// A further connection ends.
void source_leave(struct sources *s, struct source *src, uint64_t now_ms);
// A datagram of the source came: it counts as one connection until SOURCE_DATAGRAM_MS after the last one. Returns
// 0; -ENOSPC when the table is full; -EPERM when another user is connected as the source.
int source_datagram(struct sources *s, struct arena_hand *hand, unsigned component,
                    struct slice instance, uid_t user, uint64_t now_ms, struct source **ret,
                    uint32_t *ret_life);

// A named source is one user's for as long as somebody is connected as it: every connection holds it, after
// source_enter, and releases it before source_leave. Returns whether it is this user's now.
bool source_hold(struct source *src, uid_t user);
void source_release(struct source *src);

// Whether the life is one of the source with this base mark, for struct claimant.
bool sources_is_own(const void *sources, uint32_t base, uint32_t life);

// Takes a report of `lost` (cumulative). Returns by how much the account grows.
uint64_t source_lost(struct source *src, uint64_t lost);

uint32_t source_base(const struct sources *s, const struct source *src);
uint32_t source_named(const struct sources *s, const struct source *src);
static inline bool source_connected(const struct source *src)
{
    return (uint32_t)atomic_load_explicit(&src->life, memory_order_relaxed) > 0;
}

// A line of the source came. Several workers may serve it, so nothing is written that stands there already.
static inline void source_heard(struct source *src, uint64_t now_ms, uint64_t now_real_ms)
{
    if (atomic_load_explicit(&src->heard_real, memory_order_relaxed) != now_real_ms ||
        atomic_load_explicit(&src->heard_mono, memory_order_relaxed) != now_ms) {
        atomic_store_explicit(&src->heard_real, now_real_ms, memory_order_relaxed);
        atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    }
}

// Closes datagram windows, ends lives, forgets who was not heard for long; the oldest also when the table is
// full. Removes the series that hang on them.
void sources_tick(struct sources *s, struct series_store *store, uint64_t now_ms);

// For expire_old: whether a connected source's hello named the series.
bool sources_keep(void *sources, const struct table *t, const struct series *series);

// The known source of this name, or NULL.
const struct source *sources_find(const struct sources *s, unsigned component,
                                  struct slice instance);

// Walks the known sources with an instance; who said forget and has gone is none of them. *at starts at 0; NULL at the end.
const struct source *sources_next(const struct sources *s, uint32_t *at);

#endif
