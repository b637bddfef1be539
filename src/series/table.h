// SPDX-License-Identifier: Apache-2.0
/*
 * table: the series of one metric.
 *
 * Shape:   an index (liburcu's lock-free hash table, sized once from the metric's limit) finds a series by
 *          its key; slabs hold the series in the order of their slots, which is the order of the exposition.
 *          What must outlive the process (identity, creation time, numbers) stands in a record and in cells
 *          in the arena; all else is derived.
 *
 * READERS  stand in an RCU section. table_find and table_at give a series that stays readable until the
 *          section ends. A reader looks at a record only after it saw a state other than SERIES_FREE.
 * WRITERS  table_make fills a slot that nobody else knows, publishes it as SERIES_READY and adds it to the
 *          index; of two that add the same key one wins and the other takes its slot back. A READY series is
 *          found but not exposed. Its maker shows it when the line is applied, or takes it back when the line
 *          is refused; whoever finds it shows it.
 * DELETES  LIVE -> DYING -> DEAD for what is removed on a condition (nobody owns it, not touched for its
 *          ttl): the remover announces, looks again, and goes back to LIVE when a claimer came in between. A
 *          claimer leaves its mark first and looks at the state then; both sides are seq_cst, so at least
 *          one sees the other. LIVE -> DEAD for `forget`. A DEAD series is unlinked by whoever meets it. Of
 *          several that try at once the index tells one that it is done, and that one says UNLINKED: only
 *          then has nobody a way to it any more, and its memory is used again after a grace period
 *          (table_retire, rcu_wait, table_reclaim).
 *
 * Threads: any, each with its own hand; a lane belongs to one thread.
 * Memory:  a table owns its series. Counts are exact: a place within the limits is taken before a series
 *          is made.
 */
#ifndef VE_SERIES_TABLE_H
#define VE_SERIES_TABLE_H

#include "catalog/catalog.h"
#include "series/cell.h"
#include "series/marks.h"
#include "series/rate.h"

enum {
    TABLE_SLABS = 27,      // slabs double in size: 2^32 slots
    TABLE_FIRST_SLAB = 64, // slots
    SERIES_MAX_LANES = 64,
    TABLE_PAYERS = 1024, // who series may count for; 0 is nobody
};

enum series_state {
    SERIES_FREE,     // nobody's
    SERIES_READY,    // in the index (or about to be), not yet exposed
    SERIES_LIVE,     // exposed
    SERIES_DYING,    // its remover looks once more
    SERIES_DEAD,     // removed, to be unlinked
    SERIES_UNLINKED, // out of the index
    SERIES_RETIRED,  // waits for the end of a grace period
};

enum { SERIES_BEYOND = 1 }; // flag of a record: a folded series, which stands outside the limits

// A metric's account, which outlives its series: the payload of a record.
struct table_account {
    _Atomic uint64_t folded;
    _Atomic uint64_t expired;
    _Atomic uint64_t precreate_skipped;
};

// A series' payload in its record.
struct series_saved {
    _Atomic uint64_t marks; // sources that have to do with it
};

// In a slab.
struct series {
    unsigned char node[16]; // of the index
    struct record *record;
    _Atomic uint32_t handle; // of the record; in a free slot: the next free one + 1
    _Atomic uint32_t uses;   // how often its slot was given back
    _Atomic uint8_t state;   // enum series_state
    uint16_t payer;          // whom it counts for, from its making to its removal; 0: nobody
    _Atomic(struct exemplars *) exemplars; // NULL: none
};

// What all tables share.
struct table_share {
    struct arena *arena;
    char *base; // arena_base
    unsigned lanes;
    uint32_t life_from;     // marks from here on stand for a source's life and keep an owned series
    uint32_t most_marks;    // greatest mark
    struct arena_hand hand; // of the thread that makes tables
    _Atomic uint64_t removals; // of all tables
    char apart[64];            // keeps what each new series changes off the cache line of the above
    _Atomic uint64_t count;    // series of all tables, folded ones aside
    _Atomic uint64_t limit;    // of count
    _Atomic uint64_t exemplars;          // kept
    _Atomic uint32_t made[TABLE_PAYERS]; // series that count for each payer
};

struct table {
    struct table_share *share;
    struct cds_lfht *index;
    enum metric_type type;
    size_t n_bounds;
    size_t cell_size;              // bytes of a lane's cell; 0 for a gauge
    uint64_t signature;            // of the metric's name, type, labels and bounds
    bool owned;                    // series live as long as their sources
    bool single;                   // an owned `_info` metric: one series per source
    _Atomic bool timed;            // the metric has a ttl
    _Atomic uint64_t limit;        // of count
    _Atomic uint64_t count;        // series, folded ones aside
    _Atomic uint64_t removals;     // raised before a series is DEAD, and before it is unlinked
    _Atomic uint64_t dead;         // removed ones that wait for table_reclaim
    struct table_account *account; // in the arena
    uint32_t account_handle;
    _Atomic uint32_t slots; // slots ever used
    _Atomic uint64_t free;  // head of the free slots: tag << 32 | slot + 1
    size_t index_size;      // buckets
    _Atomic(struct series *) slabs[TABLE_SLABS];
    struct rate rate; // of all series together; no gauge has one
};

// One thread's means of making series.
struct series_hand {
    unsigned lane;
    struct arena_hand arena;
    uint16_t payer;     // of the series that it makes
    uint32_t most_made; // series that may count for the payer; 0: any number
};

// A table for the metric. Returns 0, -ENOMEM. Needs no RCU section; the thread must have joined.
int table_new(struct table **ret, struct table_share *share, const struct metric *m,
              uint64_t limit);
// Frees a table that no other thread can reach.
void table_free(struct table *t);
// The same when the arena goes, too: what stands in it is left as it is, which may be a file.
void table_close(struct table *t);
// Makes the account anew if its record was lost.
void table_mend_account(struct table *t, const struct metric *m);
// Rebuilds the index for another limit. Only while no other thread finds, makes or removes series.
int table_resize(struct table *t, uint64_t limit);

// The series with this key, or NULL.
struct series *table_find(struct table *t, const char *text, size_t len, uint64_t hash);

enum table_place {
    TABLE_WITHIN,   // takes a place within the limits
    TABLE_RESERVED, // the caller has taken it already, by table_charge and table_take
    TABLE_BEYOND,   // a folded series
};

// Finds or makes. Returns 1 and a READY series that the caller must show or undo; 0 and one that existed;
// -EDQUOT when the payer has as many as it may; -ENOSPC at a limit; -ENOMEM. With TABLE_RESERVED the place is
// given back unless the result is 1. A folded series counts for nobody.
int table_make(struct table *t, struct series_hand *hand, const char *text, size_t len,
               uint64_t hash, enum table_place place, struct series **ret);
void table_show(struct table *t, struct series *s);
// Publishes the series' record, as table_show does: from now on it outlives the process. For a line whose redo
// record must name it before it is shown; the line can no longer be refused.
void table_publish(struct table *t, struct series *s);
void table_undo(struct table *t, struct series *s);

// Takes n places within both limits, or none. Returns whether it did.
bool table_take(struct table *t, uint64_t n);
void table_give(struct table *t, uint64_t n);
// Takes a place whatever the limits say.
void table_take_anyway(struct table *t);
// Counts n series that are about to be made for the hand's payer, or none. Returns whether it did.
bool table_charge(struct table *t, const struct series_hand *hand, uint64_t n);
void table_refund(struct table *t, uint16_t payer, uint64_t n);

// Removes a series at once. Returns whether this call did it.
bool table_remove(struct table *t, struct series *s);
// Removes a series if `still(ctx, s)` holds, also after it was announced.
bool table_remove_if(struct table *t, struct series *s, bool (*still)(void *ctx, struct series *s),
                     void *ctx);
// The claimer's half: true when the series lives on, false when it is gone and must be looked up again.
bool table_survives(struct series *s);

// Step one and two of giving dead series' memory back, with rcu_wait between them; one thread.
size_t table_retire(struct table *t);
void table_reclaim(struct table *t);

// The slot's series if it is exposed, or NULL.
struct series *table_at(const struct table *t, uint32_t slot);
// Asks for the memory that table_at is going to look at.
void table_fetch(const struct table *t, uint32_t slot);
uint32_t table_slots(const struct table *t);

static inline const char *series_text(const struct series *s, size_t *ret_len)
{
    *ret_len = s->record->text_len;
    return record_text(s->record);
}

static inline _Atomic double *series_gauge(const struct series *s)
{
    return &s->record->number;
}

static inline _Atomic uint64_t *series_marks(const struct series *s)
{
    return &((struct series_saved *)record_payload(s->record))->marks;
}

static inline _Atomic uint32_t *series_touched(const struct series *s)
{
    return &s->record->touched;
}

// Where a series' set of marks may grow.
static inline struct marks_room table_room(const struct table *t, struct series_hand *hand)
{
    return (struct marks_room){t->share->arena, &hand->arena, t->share->most_marks};
}

// Whether who updates a series of the table has to claim it each time, and not once.
static inline bool table_claims(const struct table *t)
{
    return t->owned || atomic_load_explicit(&t->timed, memory_order_relaxed);
}

// The hand's own cell of a counter or histogram series, made when it is not there. NULL: no memory.
void *table_cell(struct table *t, struct series_hand *hand, struct series *s);

// Sums over all lanes.
void table_read_counter(const struct table *t, const struct series *s, uint64_t *ret_whole,
                        double *ret_rest);
// The sum of the magnitudes of the lanes' fractional or observed sums: what bounds any sum of them.
double table_magnitude(const struct table *t, const struct series *s);
// `counts` has n_bounds + 1 places.
void table_read_histogram(const struct table *t, const struct series *s, uint64_t *ret_counts,
                          double *ret_sum);

#endif
