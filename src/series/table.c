// SPDX-License-Identifier: Apache-2.0
#include "series/table.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "series/key.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

// ---- How many series there may be: of a metric, of all, and of a quota that the writer names

static bool reserve_own(struct table *t, const struct series_writer *writer, uint64_t n)
{
    uint64_t limit = writer->quota_limit > 0 ? writer->quota_limit : UINT64_MAX;
    return writer->quota_id == 0 || quota_add(&t->share->quotas[writer->quota_id], limit, n);
}

static void release_own(struct table *t, uint16_t quota_id, uint64_t n)
{
    if (quota_id != 0) {
        quota_subtract(&t->share->quotas[quota_id], n);
    }
}

int table_reserve(struct table *t, const struct series_writer *writer, uint64_t n)
{
    if (!reserve_own(t, writer, n)) {
        return -EDQUOT;
    }
    if (!quota_reserve(&t->quota, n)) {
        release_own(t, writer->quota_id, n);
        return -ENOSPC;
    }
    if (!quota_reserve(&t->share->quota, n)) {
        quota_release(&t->quota, n);
        release_own(t, writer->quota_id, n);
        return -ENOSPC;
    }
    return 0;
}

void table_release(struct table *t, uint16_t quota_id, uint64_t n)
{
    quota_release(&t->quota, n);
    quota_release(&t->share->quota, n);
    release_own(t, quota_id, n);
}

// ---- Find, make, remove

/*
 * Rounds in search of a key. Another one is made only where the series that was found is dead, which is unlinked first. So
 * each round needs a series that another thread has made and removed since the previous round. At the end of the rounds
 * the answer is that there is none, which was so a moment ago.
 */
enum { ROUNDS = 64 };

static void count_removal(struct table *t)
{
    atomic_fetch_add(&t->removals, 1);
    atomic_fetch_add(&t->share->removals, 1);
}

// Of several that unlink a series at once the index tells one that it did.
static void unlink_dead(struct table *t, struct series *s)
{
    count_removal(t); // before the key can be made again
    if (index_remove(&t->index, s)) {
        uint8_t was = atomic_exchange(&s->state, SERIES_UNLINKED);
        invariant(was == SERIES_DEAD, "only a DEAD series is unlinked");
    }
}

/*
 * Two may persist at once, which does no harm: it is the same check. A remover makes the series DEAD first and withdraws
 * the record then, so whoever persists it looks at the state once more.
 */
void table_persist(struct table *t, struct series *s)
{
    uint32_t handle = atomic_load_explicit(&s->handle, memory_order_relaxed);
    record_persist(t->share->base, handle);
    if (!series_is_alive(atomic_load(&s->state))) {
        record_withdraw(t->share->base, handle);
    }
}

// Numbers of scrapes end at UINT32_MAX, and from then on a scrape shows whatever it meets.
static uint32_t scrape_number(uint64_t scrapes)
{
    return scrapes < UINT32_MAX ? (uint32_t)scrapes : UINT32_MAX;
}

// The fence is for the walk's looks at the states: a series that the walk still meets was removed after it began, so
// the thread that makes its key again reads the new number.
uint32_t table_scrape(struct table_share *share)
{
    uint64_t scrapes = atomic_fetch_add(&share->scrapes, 1) + 1;
    atomic_thread_fence(memory_order_seq_cst);
    return scrape_number(scrapes);
}

// Persisted first: what a scrape has shown outlives the process. Of several that publish it the first sets its scrape, and
// none does once it is LIVE: a scrape that began meanwhile must not miss it.
void table_publish(struct table *t, struct series *s)
{
    uint8_t state = SERIES_READY;
    if (atomic_load(&s->state) == SERIES_READY) {
        uint32_t never = 0;
        table_persist(t, s);
        uint32_t since = scrape_number(atomic_load(&t->share->scrapes) + 1);
        atomic_compare_exchange_strong(&s->since, &never, since);
        atomic_compare_exchange_strong(&s->state, &state, SERIES_LIVE);
        invariant(state != SERIES_FREE, "a series that is published is not free");
    }
}

// Whether a series that the index gave is alive; a dead one is unlinked.
static bool is_usable(struct table *t, struct series *s)
{
    bool alive = series_is_alive(atomic_load(&s->state));
    if (!alive) {
        unlink_dead(t, s);
    }
    return alive;
}

struct series *table_peek(struct table *t, const char *text, size_t len, uint64_t hash)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct series *s = index_find(&t->index, text, len, hash);
        if (s == NULL || is_usable(t, s)) {
            return s;
        }
    }
    return NULL;
}

struct series *table_find(struct table *t, const char *text, size_t len, uint64_t hash)
{
    struct series *s = NULL;
    // Another round only where its maker took the series back meanwhile; see ROUNDS.
    for (unsigned round = 0; round < ROUNDS; round++) {
        s = table_peek(t, text, len, hash);
        if (s != NULL) {
            table_publish(t, s);
        }
        if (s == NULL || is_usable(t, s)) {
            return s;
        }
    }
    return NULL;
}

// A filled slot that no other thread knows. NULL: no memory.
static struct series *prepare(struct table *t, struct series_writer *writer,
                              const struct series_spec *what)
{
    struct record_spec spec = {
        .kind = RECORD_SERIES,
        .flags = what->folded ? SERIES_FOLDED : 0,
        .lanes = t->type == METRIC_GAUGE ? 0 : (uint8_t)t->share->lanes,
        .payload =
            (uint16_t)(sizeof(struct series_saved) +
                       (t->type == METRIC_HISTOGRAM ? native_lane_payload(t->share->lanes) : 0)),
        .signature = t->signature,
        .created_ms = what->created_ms,
        .text = what->text,
        .text_len = what->len,
    };
    struct series *s = slab_take(&t->slab, &spec.slot);
    if (s == NULL) {
        return NULL;
    }
    uint32_t handle = record_new(t->share->arena, &writer->arena, &spec);
    if (handle == 0) {
        slab_give(&t->slab, s, spec.slot);
        return NULL;
    }
    s->record = record_at(t->share->base, handle);
    s->quota_id = what->folded ? 0 : writer->quota_id;
    s->maker = writer->lane % LAYOUT_LANES;
    s->folded = what->folded;
    s->lost = false;
    atomic_store_explicit(&s->handle, handle, memory_order_relaxed);
    atomic_store_explicit(series_touched(s), what->touched_s, memory_order_relaxed);
    invariant(atomic_load_explicit(&s->state, memory_order_relaxed) == SERIES_FREE,
              "an allocated slot was FREE");
    atomic_store_explicit(&s->since, 0, memory_order_relaxed);
    atomic_store_explicit(&s->state, SERIES_READY, memory_order_release);
    return s;
}

// Puts a series into the index. Returns 1; 0 and the living one that has the key; -ESTALE at the end of the rounds.
static int add(struct table *t, struct series *s, uint64_t hash, struct series **ret_other)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct series *there = index_add(&t->index, s, hash);
        if (there == s) {
            return 1;
        }
        if (is_usable(t, there)) {
            *ret_other = there;
            return 0;
        }
    }
    return -ESTALE;
}

bool table_has_garbage(const struct table_share *share)
{
    return atomic_load_explicit(&share->dead, memory_order_relaxed) >= TABLE_DEAD_SOON;
}

// One more waits for its memory to be used again.
static void count_dead(struct table *t)
{
    atomic_fetch_add(&t->dead, 1);
    uint64_t n = atomic_fetch_add_explicit(&t->share->dead, 1, memory_order_relaxed) + 1;
    if (n % TABLE_DEAD_SOON == 0 && t->share->crowded >= 0) {
        eventfd_write(t->share->crowded, 1);
    }
}

// Whether not too many removed series wait.
static bool can_grow(const struct table_share *share)
{
    return atomic_load_explicit(&share->dead, memory_order_relaxed) <
           atomic_load_explicit(&share->quota.limit, memory_order_relaxed) + TABLE_DEAD_MORE;
}

// Tells once, after a series was made, that the index has become small for what it holds.
static void report_crowded(struct table *t)
{
    uint64_t used = atomic_load_explicit(&t->quota.used, memory_order_relaxed);
    if (index_is_crowded(&t->index, used) && !atomic_exchange(&t->crowded, true) &&
        t->share->crowded >= 0) {
        eventfd_write(t->share->crowded, 1);
    }
}

// The series is in no index. Another thread that walks the slots may be looking at it, so it waits as any removed one.
void table_discard(struct table *t, struct series *s)
{
    record_withdraw(t->share->base, atomic_load_explicit(&s->handle, memory_order_relaxed));
    uint8_t was = atomic_exchange(&s->state, SERIES_UNLINKED);
    invariant(series_is_alive(was), "a series is discarded once");
    table_release(t, s->quota_id, !s->folded);
    count_dead(t);
}

int table_make(struct table *t, struct series_writer *writer, const char *text, size_t len,
               uint64_t hash, enum table_place place, struct series **ret)
{
    bool reserves = place != TABLE_FOLDED;
    int rc = place == TABLE_WITHIN ? table_reserve(t, writer, 1) : 0;
    if (rc == 0 && !can_grow(t->share)) {
        table_release(t, writer->quota_id, reserves);
        rc = -ENOSPC;
    }
    if (rc < 0) {
        // The last place may just have been reserved for this very key.
        struct series *found = table_peek(t, text, len, hash);
        *ret = found != NULL ? found : *ret;
        return found != NULL ? 0 : rc;
    }
    const struct series_spec what = {.text = text,
                                     .len = len,
                                     .folded = place == TABLE_FOLDED,
                                     .created_ms = clock_real_ms(),
                                     .touched_s = (uint32_t)(clock_mono_ms() / 1000)};
    struct series *s = prepare(t, writer, &what);
    struct series *other = NULL;
    rc = s == NULL ? -ENOMEM : add(t, s, hash, &other);
    if (rc > 0) {
        report_crowded(t);
        *ret = s;
        return 1;
    }
    if (s != NULL) {
        table_discard(t, s);
    } else {
        table_release(t, writer->quota_id, reserves);
    }
    *ret = rc == 0 ? other : *ret;
    return rc;
}

// The one that turned a series DEAD unlinks it and gives its place back.
static void complete_removal(struct table *t, struct series *s)
{
    record_withdraw(t->share->base, atomic_load_explicit(&s->handle, memory_order_relaxed));
    unlink_dead(t, s);
    table_release(t, s->quota_id, !s->folded);
    count_dead(t);
}

void table_undo(struct table *t, struct series *s)
{
    uint8_t state = SERIES_READY;
    if (atomic_compare_exchange_strong(&s->state, &state, SERIES_DEAD)) {
        complete_removal(t, s);
    }
}

// The series' state when no remover is about to decide about it. Ends: the one that made it DYING looks at it once more
// and decides (table_remove_if).
static uint8_t wait_for_decision(struct series *s)
{
    uint8_t state;
    while ((state = atomic_load(&s->state)) == SERIES_DYING) {
        sched_yield();
    }
    return state;
}

// Another round only where another remover has looked at the series meanwhile, and has left it.
bool table_remove(struct table *t, struct series *s)
{
    count_removal(t);
    while (wait_for_decision(s) == SERIES_LIVE) {
        uint8_t state = SERIES_LIVE;
        if (atomic_compare_exchange_strong(&s->state, &state, SERIES_DEAD)) {
            complete_removal(t, s);
            return true;
        }
    }
    return false;
}

bool table_remove_if(struct table *t, struct series *s, bool (*still)(void *ctx, struct series *s),
                     void *ctx)
{
    uint8_t state = SERIES_LIVE;
    if (!still(ctx, s) || !atomic_compare_exchange_strong(&s->state, &state, SERIES_DYING)) {
        return false;
    }
    bool gone = still(ctx, s);
    count_removal(t);
    uint8_t was = atomic_exchange(&s->state, gone ? SERIES_DEAD : SERIES_LIVE);
    invariant(was == SERIES_DYING, "only its remover changes a DYING series");
    if (gone) {
        complete_removal(t, s);
    }
    return gone;
}

// A series whose condition was made false before does not become DYING again for want of it.
bool table_is_still_alive(struct series *s)
{
    return series_is_alive(wait_for_decision(s));
}

size_t table_retire(struct table *t)
{
    if (atomic_load(&t->dead) == 0) {
        return 0;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(&t->slab, i);
        if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_UNLINKED) {
            atomic_store(&s->state, SERIES_RETIRED);
            n++;
        }
    }
    return n;
}

static void free_series(struct table *t, struct series *s)
{
    uint32_t slot = slab_slot(&t->slab, s);
    if (!s->lost) {
        idset_free(t->share->arena, series_ids(s));
        native_lane_free(t->share->arena, s->record);
        record_free(t->share->arena, atomic_load_explicit(&s->handle, memory_order_relaxed),
                    t->cell_size);
    }
    exemplars_free(table_exemplars(t, s));
    s->record = NULL;
    atomic_fetch_add_explicit(&s->uses, 1, memory_order_relaxed);
    uint8_t was = atomic_exchange_explicit(&s->state, SERIES_FREE, memory_order_release);
    invariant(was != SERIES_FREE, "a slot is freed once");
    slab_give(&t->slab, s, slot);
}

void table_reclaim(struct table *t)
{
    size_t n = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(&t->slab, i);
        if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_RETIRED) {
            free_series(t, s);
            n++;
        }
    }
    uint64_t dead = atomic_fetch_sub(&t->dead, n);
    uint64_t all = atomic_fetch_sub(&t->share->dead, n);
    invariant(dead >= n && all >= n, "each removed series is counted once");
}

// ---- What a scrape reads, and the cells that a worker writes

uint32_t table_slots(const struct table *t)
{
    return atomic_load_explicit(&t->slab.slots, memory_order_acquire);
}

struct series *table_at(const struct table *t, uint32_t slot)
{
    struct series *s = slab_at(&t->slab, slot);
    uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    return series_is_exposed(state) && record_is_there(s->record) ? s : NULL;
}

void table_fetch(const struct table *t, uint32_t slot)
{
    __builtin_prefetch(slab_at(&t->slab, slot), 1);
}

void *table_cell(struct table *t, struct series_writer *writer, struct series *s)
{
    return record_cell(t->share->arena, &writer->arena,
                       atomic_load_explicit(&s->handle, memory_order_relaxed), writer->lane,
                       t->cell_size);
}

void table_read_counter(const struct table *t, const struct series *s, uint64_t *ret_whole,
                        double *ret_rest)
{
    uint64_t whole = 0;
    double rest = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        struct cell_counter *c = record_cell_made(t->share->base, s->record, i);
        if (c != NULL) {
            whole += atomic_load_explicit(&c->whole, memory_order_relaxed);
            rest += atomic_load_explicit(&c->rest, memory_order_relaxed);
        }
    }
    *ret_whole = whole;
    *ret_rest = rest;
}

void table_read_histogram(const struct table *t, const struct series *s, uint64_t *ret_counts,
                          double *ret_sum)
{
    memset(ret_counts, 0, (t->n_bounds + 1) * sizeof *ret_counts);
    double sum = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        struct cell_histogram *c = record_cell_made(t->share->base, s->record, i);
        if (c == NULL) {
            continue;
        }
        for (size_t b = 0; b <= t->n_bounds; b++) {
            ret_counts[b] += atomic_load_explicit(&c->counts[b], memory_order_acquire);
        }
        sum += atomic_load_explicit(&c->sum, memory_order_relaxed);
    }
    *ret_sum = sum;
}

int table_reserve_native(struct table *t, struct series_writer *writer, struct series *s,
                         const double *bounds, const struct native_form *form, double v)
{
    const struct cell_histogram *c = record_cell_made(t->share->base, s->record, writer->lane);
    const struct native_classic classic = {bounds, t->n_bounds, c->counts};
    return native_lane_reserve(t->share->arena, &writer->arena,
                               atomic_load_explicit(&s->handle, memory_order_relaxed), writer->lane,
                               form, &classic, v);
}

uint64_t table_read_native(const struct table *t, const struct series *s, const double *bounds,
                           const struct native_form *form, struct native_sum *ret)
{
    native_sum_begin(ret, form);
    for (unsigned i = 0; i < t->share->lanes; i++) {
        const struct native_block *b = native_lane_block(t->share->base, s->record, i);
        const struct cell_histogram *c = record_cell_made(t->share->base, s->record, i);
        if (b != NULL) {
            native_sum_add(ret, b);
        } else if (c != NULL) {
            native_sum_add_classic(ret, bounds, t->n_bounds, c->counts);
        }
    }
    return native_sum_end(ret, form->max_buckets);
}

double table_magnitude(const struct table *t, const struct series *s, unsigned lane,
                       double *ret_own)
{
    double others = 0;
    *ret_own = 0;
    for (unsigned i = 0; i < t->share->lanes; i++) {
        void *cell = record_cell_made(t->share->base, s->record, i);
        if (cell == NULL) {
            continue;
        }
        _Atomic double *part = t->type == METRIC_COUNTER ? &((struct cell_counter *)cell)->rest
                                                         : &((struct cell_histogram *)cell)->sum;
        double sum = atomic_load_explicit(part, memory_order_relaxed);
        *ret_own = i == lane ? sum : *ret_own;
        others += i == lane ? 0 : fabs(sum);
    }
    return others;
}

// ---- Beginning and end, and a larger index

// What the series mean: a metric with another signature starts over.
static uint64_t signature_of(const struct metric *m)
{
    uint64_t hash = key_hash_with(m->name, strlen(m->name), (uint64_t)m->type + 1);
    for (size_t i = 0; i < m->n_labels; i++) {
        hash = key_hash_with(m->labels[i].name, strlen(m->labels[i].name), hash);
    }
    return key_hash_with(m->bounds, m->n_bounds * sizeof m->bounds[0], hash);
}

static bool open_stats(struct table *t, const struct metric *m)
{
    struct record_spec spec = {
        .kind = RECORD_METRIC,
        .payload = sizeof *t->stats,
        .signature = t->signature,
        .created_ms = clock_real_ms(),
        .text = m->name,
        .text_len = strlen(m->name),
    };
    t->stats_handle = record_new(t->share->arena, &t->share->writer, &spec);
    if (t->stats_handle == 0) {
        return false;
    }
    t->stats = record_payload(record_at(t->share->base, t->stats_handle));
    record_persist(t->share->base, t->stats_handle);
    return true;
}

int table_new(struct table **ret, struct table_share *share, const struct metric *m, uint64_t limit)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return -ENOMEM;
    }
    t->share = share;
    t->type = m->type;
    t->n_bounds = m->n_bounds;
    t->signature = signature_of(m);
    if (m->type != METRIC_GAUGE) {
        t->cell_size = m->type == METRIC_COUNTER ? sizeof(struct cell_counter)
                                                 : cell_histogram_size(m->n_bounds);
    }
    atomic_init(&t->quota.limit, limit);
    if (index_init(&t->index) < 0) {
        free(t);
        return -ENOMEM;
    }
    if (!open_stats(t, m)) {
        index_close(&t->index);
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

// Its record is withdrawn when a series is removed, and so nothing says whether its page is lost.
static bool repair_one(struct table *t, struct series *s)
{
    char *base = t->share->base;
    uint32_t handle = atomic_load(&s->handle);
    bool removed = !series_is_alive(atomic_load(&s->state));
    s->lost = removed || !record_is_whole(base, handle);
    if (!s->lost) {
        record_repair_cells(base, handle);
        native_lane_repair(base, handle, t->n_bounds);
        idset_repair(base, series_ids(s));
    }
    return !removed && s->lost && table_remove(t, s);
}

uint64_t table_repair(struct table *t, const struct metric *m)
{
    uint64_t gone = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        gone += repair_one(t, slab_at(&t->slab, i));
    }
    struct table_stats *lost = t->stats;
    uint32_t handle = t->stats_handle;
    if (!record_is_whole(t->share->base, handle) && !open_stats(t, m)) {
        t->stats = lost; // it counts on, and does not outlive the process
        t->stats_handle = handle;
    }
    return gone;
}

void table_close(struct table *t)
{
    index_close(&t->index);
    for (uint32_t i = 0; i < table_slots(t); i++) {
        exemplars_free(table_exemplars(t, slab_at(&t->slab, i)));
    }
    slab_close(&t->slab);
    free(atomic_load(&t->rate.history));
    free(t);
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    index_close(&t->index);
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(&t->slab, i);
        uint8_t state = atomic_load(&s->state);
        if (series_is_alive(state)) {
            release_own(t, s->quota_id, 1);
        }
        if (state != SERIES_FREE) {
            free_series(t, s);
        }
    }
    atomic_fetch_sub(&t->share->dead, atomic_load(&t->dead));
    quota_release(&t->share->quota, atomic_load(&t->quota.used));
    slab_close(&t->slab);
    record_free(t->share->arena, t->stats_handle, 0);
    free(atomic_load(&t->rate.history));
    free(t);
}

// ---- A larger index, and series of an earlier process

bool table_widen(struct table *t)
{
    uint64_t used = atomic_load_explicit(&t->quota.used, memory_order_relaxed);
    return index_is_crowded(&t->index, used) && index_widen(&t->index, used * 2);
}

static bool never(void *ctx, struct series *there, struct series *s)
{
    (void)ctx;
    invariant(there == s, "an index has each key once");
    return false;
}

void table_swap(struct table *t)
{
    if (index_take_wider(&t->index)) {
        for (uint32_t i = 0; i < table_slots(t); i++) {
            struct series *s = slab_at(&t->slab, i);
            if (series_is_alive(atomic_load(&s->state))) {
                index_keep_hash(s);
            }
        }
        index_add_all(&t->index, &t->slab, never, NULL);
        atomic_store(&t->crowded, false);
    }
}

struct series *table_add(struct table *t, struct series_writer *writer,
                         const struct series_spec *what)
{
    struct series *s = prepare(t, writer, what);
    if (s != NULL) {
        index_keep_hash(s);
    }
    if (s != NULL && !what->folded) {
        quota_reserve_anyway(&t->quota);
        quota_reserve_anyway(&t->share->quota);
    }
    return s;
}

// Of two series with one key.
struct doubles {
    struct table *table;
    uint64_t removed;
};

static bool remove_earlier(void *ctx, struct series *there, struct series *s)
{
    struct doubles *d = ctx;
    bool goes = there->record->created_ms < s->record->created_ms;
    d->removed++;
    if (goes) {
        table_remove(d->table, there);
    } else {
        table_discard(d->table, s);
    }
    return goes;
}

uint64_t table_index(struct table *t)
{
    struct doubles d = {.table = t};
    uint64_t used = atomic_load(&t->quota.used);
    if (index_is_crowded(&t->index, used) && index_widen(&t->index, used)) {
        index_take_wider(&t->index);
    }
    index_add_all(&t->index, &t->slab, remove_earlier, &d);
    return d.removed;
}
