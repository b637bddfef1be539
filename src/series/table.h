// SPDX-License-Identifier: Apache-2.0
/*
 * table: the series of one metric.
 *
 * Shape:   an index finds a series by its key; a slab holds the series in the order of their slots, which is the order of the
 *          exposition. What must outlive the process
 *          (identity, creation time, numbers) is in a record and in cells in the arena; all else is derived.
 *
 * READERS  are in an RCU section. table_find and table_at give a series that stays readable until the section ends. A
 *          reader looks at a record only after it saw a state other than SERIES_FREE.
 * WRITERS  table_make fills a slot that no other thread knows, makes it SERIES_READY and adds it to the index. Of two
 *          that add the same key one wins, and the slot of the other becomes UNLINKED. A READY series is found but not
 *          exposed. Its maker publishes it when the line is applied, or takes it back when the line is rejected. Another
 *          thread that is about to update it publishes it first.
 * DELETES  LIVE -> DYING -> DEAD for what is removed on a condition: the remover announces it, looks at the condition
 *          again, and goes back to LIVE if that no longer holds. Whoever makes the condition false does so first and
 *          looks at the state then (table_is_still_alive). Both sides are seq_cst, so at least one sees the other.
 *          LIVE -> DEAD for what is removed at once. A DEAD series is unlinked by whoever meets it. Of several that try
 *          at once the index tells one that it did, and that one makes it UNLINKED: only then no thread has a way to it
 *          any more, and its memory is used again after a grace period (table_retire, rcu_wait, table_reclaim).
 *
 * Waits:   table_remove and table_is_still_alive wait while a series is DYING, which takes its remover one look at it.
 *          No mutex does, since the remover would have to take it for each series that it looks at.
 * Threads: any, each with its own writer; a lane belongs to one thread.
 * Memory:  a table owns its series. Counts are exact: a place within the quotas is reserved before a series is made.
 */
#ifndef VE_SERIES_TABLE_H
#define VE_SERIES_TABLE_H

#include "catalog/catalog.h"
#include "series/cell.h"
#include "series/idset.h"
#include "series/index.h"
#include "series/native.h"
#include "series/quota.h"
#include "series/slab.h"

enum {
    TABLE_QUOTAS =
        1024, // that a writer may name, besides those of the table and of all tables; 0 is none
    // Removed series of all tables whose memory waits for the tick: as many as there may be series, and this many more.
    // Then no new one is made before the tick has reclaimed some. It is asked to after each TABLE_DEAD_SOON.
    TABLE_DEAD_MORE = 65536,
    TABLE_DEAD_SOON = 32768,
};

enum { SERIES_FOLDED = 1 }; // flag of a record: a folded series, which is outside the quotas

// A metric's statistics, which outlive its series: the payload of a record.
struct table_stats {
    _Atomic uint64_t folded;
    _Atomic uint64_t expired;
    _Atomic uint64_t precreate_skipped;
};

// What all tables share.
struct table_share {
    struct arena *arena;
    char *base; // arena_base
    unsigned lanes;
    uint32_t lease_from;        // for the layers above: ids of series from here on are leases
    uint32_t max_id;            // greatest id of a series
    struct arena_writer writer; // of the thread that makes tables
    _Atomic uint64_t removals;  // of all tables
    _Atomic uint64_t scrapes;   // that have begun
    int crowded; // eventfd that is written to when an index becomes crowded, or many series wait; -1: none
    char apart[64];        // keeps what each new series changes off the cache line of the above
    struct quota quota;    // series of all tables, folded ones aside
    _Atomic uint64_t dead; // removed ones that wait for table_reclaim
    _Atomic uint64_t exemplars;            // kept
    _Atomic uint64_t quotas[TABLE_QUOTAS]; // places reserved by writers of each quota_id
};

// How fast its series grow, all together (series/rate).
struct table_rate {
    _Atomic bool known;
    _Atomic double per_second;
    double sum;        // the latest reading; this and all below of the ticking thread
    uint64_t at_ms;    // its time, CLOCK_MONOTONIC; 0: there was none
    uint64_t removals; // of the table, when it began
    _Atomic(struct rate_history *) history; // NULL: nothing was read yet, or there was no memory
};

struct table {
    struct table_share *share;
    struct index index;
    enum metric_type type;
    size_t n_bounds;
    size_t cell_size;          // bytes of a lane's cell; 0 for a gauge
    uint64_t signature;        // of the metric's name, type, labels and bounds
    bool owned;                // the metric's `owner: source`, for the layers above
    bool single;               // likewise, and it is an `_info` metric: one series per source
    _Atomic bool timed;        // the metric has a ttl
    struct quota quota;        // series, folded ones aside
    _Atomic uint64_t removals; // raised before a series is DEAD, and before it is unlinked
    _Atomic uint64_t dead;     // removed ones that wait for table_reclaim
    struct table_stats *stats; // in the arena
    uint32_t stats_handle;
    _Atomic bool crowded; // an event was written since the index is small for what it holds
    struct slab slab;
    struct table_rate rate; // of all series together; no gauge has one
};

// One thread's means of making series.
struct series_writer {
    unsigned lane;
    struct arena_writer arena;
    uint16_t quota_id;    // of the series that it makes; 0: none
    uint32_t quota_limit; // places that may be reserved with this quota_id; 0: any number
};

// A table for the metric. Returns 0, -ENOMEM. Needs no RCU section; the thread must have joined.
int table_new(struct table **ret, struct table_share *share, const struct metric *m,
              uint64_t limit);
// Frees a table that no other thread can reach, and releases its places.
void table_free(struct table *t);
// The same when the arena goes, too: what is in it is left as it is, which may be a file.
void table_close(struct table *t);
// Removes the series whose records were lost with their pages (arena_is_corrupt), and makes what is left of the others
// whole. While no other thread finds, makes or updates series. Returns how many were removed.
uint64_t table_repair(struct table *t, const struct metric *m);
// The index grows in two steps. table_widen makes a larger one when the present one is crowded, by the thread that replaces
// schemas: returns whether there is one, and false also without memory, when the old one is kept, with longer chains.
// table_swap puts it in place: only while no other thread finds, makes or removes series.
bool table_widen(struct table *t);
void table_swap(struct table *t);

// The series with this key, or NULL. table_find publishes it, if nobody has; table_peek finds it as it is.
struct series *table_peek(struct table *t, const char *text, size_t len, uint64_t hash);
struct series *table_find(struct table *t, const char *text, size_t len, uint64_t hash);

enum table_place {
    TABLE_WITHIN,   // reserves a place
    TABLE_RESERVED, // the caller has reserved it
    TABLE_FOLDED,   // a folded series, which needs none
};

// Finds or makes a series. Returns
//   1        and a READY series, which the caller must publish or undo;
//   0        and one that existed, as it is;
//   -EDQUOT  when all places of the writer's quota_id are reserved;
//   -ENOSPC  when all of the metric or of all metrics are, or too many removed series wait;
//   -ENOMEM;
//   -ESTALE  when each one that it found was removed at once.
// A place that the caller has reserved (TABLE_RESERVED) is released unless the result is 1.
int table_make(struct table *t, struct series_writer *writer, const char *text, size_t len,
               uint64_t hash, enum table_place place, struct series **ret);

// A series of an earlier process.
struct series_spec {
    const char *text;
    size_t len;
    bool folded;
    uint64_t created_ms;
    uint32_t touched_s;
};

// At the start, while no other thread finds, makes or removes series of the table: table_add makes a READY series, whatever
// the limits, without looking for others of its key (NULL: no memory). It is then published, or taken back by
// table_discard. At last table_index makes all of them findable. Of two with one key the one that was created later stays;
// returns how many were removed for that.
struct series *table_add(struct table *t, struct series_writer *writer,
                         const struct series_spec *what);
void table_discard(struct table *t, struct series *s);
uint64_t table_index(struct table *t);

// Makes a READY series LIVE.
void table_publish(struct table *t, struct series *s);
// A scrape begins. It shows the series that are LIVE now: those whose `since` is not above the returned number. So a
// series that is removed and made again while it is under way is met once at most, wherever its slots are.
uint32_t table_scrape(struct table_share *share);
// Persists the series' record, as table_publish does: from now on it outlives the process. For a line whose redo record
// must name it before it is published; the line can no longer be rejected.
void table_persist(struct table *t, struct series *s);
void table_undo(struct table *t, struct series *s);

// Reserves n places of the writer's quota_id, of the table and of all tables, or none. Returns 0, -EDQUOT, -ENOSPC.
int table_reserve(struct table *t, const struct series_writer *writer, uint64_t n);
void table_release(struct table *t, uint16_t quota_id, uint64_t n);

// Removes a series at once. Returns whether this call did it.
bool table_remove(struct table *t, struct series *s);
// Removes a series if `still(ctx, s)` holds, also after it was announced.
bool table_remove_if(struct table *t, struct series *s, bool (*still)(void *ctx, struct series *s),
                     void *ctx);
// For a thread that has made such a condition false: whether the series lives on. If not, it must be looked up again.
bool table_is_still_alive(struct series *s);

// Whether so many removed series wait that it is time for the next two.
bool table_has_garbage(const struct table_share *share);
// The two steps of using the memory of removed series again, with rcu_wait between them; one thread.
size_t table_retire(struct table *t);
void table_reclaim(struct table *t);

// The slot's series if it is exposed, or NULL.
struct series *table_at(const struct table *t, uint32_t slot);
// Asks for the memory that table_at is going to look at.
void table_fetch(const struct table *t, uint32_t slot);
uint32_t table_slots(const struct table *t);

// Where a series' set of ids may grow.
static inline struct idset_memory table_idset_memory(const struct table *t,
                                                     struct series_writer *writer)
{
    return (struct idset_memory){t->share->arena, &writer->arena, t->share->max_id};
}

// Where exemplars of a series are kept.
static inline struct exemplar_row table_exemplars(const struct table *t, struct series *s)
{
    return (struct exemplar_row){&s->exemplars, t->n_bounds + 1, &t->share->exemplars};
}

// Whether each update of a series of the table renews what it lives by, and not only the first one of a source.
static inline bool table_has_expiry(const struct table *t)
{
    return t->owned || atomic_load_explicit(&t->timed, memory_order_relaxed);
}

// The writer's own cell of a counter or histogram series, made when it is not there. NULL: no memory.
void *table_cell(struct table *t, struct series_writer *writer, struct series *s);

// Sums over all lanes.
void table_read_counter(const struct table *t, const struct series *s, uint64_t *ret_whole,
                        double *ret_rest);
// The lane's fractional or observed sum, and the sum of the magnitudes of those of all other lanes: no sum of them is
// beyond the magnitude of the one and the other.
double table_magnitude(const struct table *t, const struct series *s, unsigned lane,
                       double *ret_own);
// `counts` has n_bounds + 1 places.
void table_read_histogram(const struct table *t, const struct series *s, uint64_t *ret_counts,
                          double *ret_sum);

// Of a histogram with the bounds and the native form of the catalogue at hand:
// Makes sure that the writer's lane, whose cell is there, has a native bucket for a value. Returns 0 or -ENOMEM.
int table_reserve_native(struct table *t, struct series_writer *writer, struct series *s,
                         const double *bounds, const struct native_form *form, double v);
// Adds up the native buckets of all lanes. Returns how many observations they have.
uint64_t table_read_native(const struct table *t, const struct series *s, const double *bounds,
                           const struct native_form *form, struct native_sum *ret);

/*
 * table_walk: the exposed series of a table, in the order of their slots: those that a scrape shows, or all.
 *
 * Shape:   a series, its record and its cells lie far apart, so that a plain loop would wait for memory three
 *          times for each. The walk is a few series ahead of what it returns, and prefetches their memory.
 * Threads: any, inside an RCU section that lasts as long as the walk.
 * Memory:  borrows the table.
 */

enum { TABLE_WALK_AHEAD = 16, TABLE_WALK_LINE = 64 /* bytes that memory gives at once */ };

#define TABLE_WALK_ALL UINT32_MAX // for `scrape`

struct table_walk {
    const struct table *table;
    uint32_t scrape; // of table_scrape
    uint32_t slot;   // to be looked at next
    uint32_t end;
    uint32_t given;
    uint32_t found;
    unsigned part;            // of the slab, to be looked at after the present one
    const struct series *run; // the present one, and its slots
    uint32_t run_first;
    uint32_t run_end;
    const struct series *ahead[TABLE_WALK_AHEAD]; // found and not given, in a ring
};

static inline struct table_walk table_walk_begin(const struct table *t, uint32_t scrape)
{
    return (struct table_walk){.table = t, .scrape = scrape, .end = table_slots(t)};
}

static inline void table_walk_fetch(const void *p, size_t size)
{
    for (size_t at = 0; at < size; at += TABLE_WALK_LINE) {
        __builtin_prefetch((const char *)p + at);
    }
}

// Prefetches the numbers of a series, whose record has been loaded meanwhile.
static inline void table_walk_fetch_cells(const struct table *t, const struct series *s)
{
    for (unsigned i = 0; t->cell_size > 0 && i < t->share->lanes; i++) {
        uint32_t handle = atomic_load_explicit(&record_lanes(s->record)[i], memory_order_relaxed);
        if (handle != 0) {
            table_walk_fetch(arena_at(t->share->base, handle), t->cell_size);
        }
    }
}

static inline void table_walk_look_ahead(struct table_walk *w)
{
    while (w->slot < w->end && w->found - w->given < TABLE_WALK_AHEAD) {
        while (w->slot >= w->run_end) { // several times where the walk does not begin at slot 0
            w->run = atomic_load_explicit(&w->table->slab.parts[w->part++], memory_order_acquire);
            w->run_first = w->run_end;
            w->run_end = w->run_first == 0 ? SLAB_FIRST : 2 * w->run_first;
        }
        const struct series *s = &w->run[w->slot++ - w->run_first];
        uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        if (series_is_exposed(state) &&
            atomic_load_explicit(&s->since, memory_order_relaxed) <= w->scrape) {
            table_walk_fetch(s->record, 3 * TABLE_WALK_LINE);
            w->ahead[w->found++ % TABLE_WALK_AHEAD] = s;
        }
    }
}

// The next one, or NULL at the end.
static inline const struct series *table_walk_next(struct table_walk *w)
{
    for (;;) {
        table_walk_look_ahead(w);
        if (w->given == w->found) {
            return NULL;
        }
        if (w->found - w->given > TABLE_WALK_AHEAD / 2) {
            table_walk_fetch_cells(w->table,
                                   w->ahead[(w->given + TABLE_WALK_AHEAD / 2) % TABLE_WALK_AHEAD]);
        }
        const struct series *s = w->ahead[w->given++ % TABLE_WALK_AHEAD];
        if (record_is_there(s->record)) {
            return s;
        }
    }
}

#endif
