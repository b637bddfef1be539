// SPDX-License-Identifier: Apache-2.0
#include "series/table.h"

#include "base/clock.h"
#include "series/key.h"
#include "series/marks.h"
#include "series/slab.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

static_assert(sizeof(struct cds_lfht_node) == sizeof((struct series *)0)->node,
              "room for the node");

static struct cds_lfht_node *node_of(struct series *s)
{
    return (struct cds_lfht_node *)(void *)s->node;
}

static struct series *series_of(struct cds_lfht_node *node)
{
    return (struct series *)(void *)node;
}

// Chains of about four at the limit: short enough, and the buckets stay small beside the series.
static size_t buckets_for(uint64_t limit)
{
    size_t n = 64;
    while (n < limit / 4 && n < (size_t)1 << 20) {
        n *= 2;
    }
    return n;
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
    size_t values = sizeof(double);
    if (m->type != METRIC_GAUGE) {
        values = (share->lanes * sizeof(uint32_t) + 7) / 8 * 8;
        t->cell_size = m->type == METRIC_COUNTER ? sizeof(struct cell_counter)
                                                 : cell_histogram_size(m->n_bounds);
    }
    t->text_at = sizeof(struct series_record) + values;
    t->index_size = buckets_for(limit);
    atomic_init(&t->limit, limit);
    t->index = cds_lfht_new(t->index_size, t->index_size, t->index_size, 0, NULL);
    if (t->index == NULL) {
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

static void unlink_all(struct table *t)
{
    rcu_read_lock();
    for (uint32_t i = 0; i < atomic_load(&t->slots); i++) {
        struct series *s = slab_at(t, i);
        uint8_t state = atomic_load(&s->state);
        if (state == SERIES_LIVE || state == SERIES_READY) {
            cds_lfht_del(t->index, node_of(s));
        }
    }
    rcu_read_unlock();
}

void table_free(struct table *t)
{
    if (t == NULL) {
        return;
    }
    unlink_all(t);
    for (uint32_t i = 0; i < atomic_load(&t->slots); i++) {
        struct series *s = slab_at(t, i);
        uint8_t state = atomic_load(&s->state);
        if (state == SERIES_LIVE || state == SERIES_READY) {
            table_refund(t, s->payer, 1);
        }
        if (state != SERIES_FREE) {
            slab_release(t, s);
        }
    }
    cds_lfht_destroy(t->index, NULL);
    slab_free_all(t);
    free(t);
}

int table_resize(struct table *t, uint64_t limit)
{
    atomic_store(&t->limit, limit);
    size_t size = buckets_for(limit);
    if (size <= t->index_size) {
        return 0;
    }
    struct cds_lfht *index = cds_lfht_new(size, size, size, 0, NULL);
    if (index == NULL) {
        return -ENOMEM;
    }
    unlink_all(t);
    synchronize_rcu();
    rcu_read_lock();
    for (uint32_t i = 0; i < atomic_load(&t->slots); i++) {
        struct series *s = slab_at(t, i);
        uint8_t state = atomic_load(&s->state);
        if (state == SERIES_LIVE || state == SERIES_READY) {
            size_t len;
            const char *text = series_text(t, s, &len);
            cds_lfht_node_init(node_of(s));
            cds_lfht_add(index, key_hash(text, len), node_of(s));
        }
    }
    rcu_read_unlock();
    cds_lfht_destroy(t->index, NULL);
    t->index = index;
    t->index_size = size;
    return 0;
}

struct wanted {
    const struct table *table;
    const char *text;
    size_t len;
};

static int match(struct cds_lfht_node *node, const void *key)
{
    const struct wanted *want = key;
    struct series *s = series_of(node);
    if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_FREE) {
        return 0;
    }
    size_t len;
    const char *text = series_text(want->table, s, &len);
    return len == want->len && memcmp(text, want->text, len) == 0;
}

// Two that unlink a series at once are both told at once that it is being done, but only one that it is.
static void unlink_dead(struct table *t, struct series *s)
{
    atomic_fetch_add(&t->removals, 1); // before the key can be made anew
    if (cds_lfht_del(t->index, node_of(s)) == 0) {
        atomic_store(&s->state, SERIES_UNLINKED);
    }
}

// What to do with a series that the index gave: false when it is dead and was unlinked.
static bool usable(struct table *t, struct series *s)
{
    uint8_t state = SERIES_READY;
    if (atomic_compare_exchange_strong(&s->state, &state, SERIES_LIVE) || state == SERIES_LIVE ||
        state == SERIES_DYING) {
        return true;
    }
    unlink_dead(t, s);
    return false;
}

struct series *table_find(struct table *t, const char *text, size_t len, uint64_t hash)
{
    struct wanted want = {t, text, len};
    for (;;) {
        struct cds_lfht_iter iter;
        cds_lfht_lookup(t->index, hash, match, &want, &iter);
        struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
        if (node == NULL) {
            return NULL;
        }
        struct series *s = series_of(node);
        if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_LIVE || usable(t, s)) {
            return s;
        }
    }
}

// A filled slot that nobody else knows. NULL: no memory.
static struct series *prepare(struct table *t, struct series_hand *hand, const char *text,
                              size_t len, uint8_t flags)
{
    size_t size = t->text_at + len;
    uint32_t handle = size <= ARENA_MAX_PIECE && len <= UINT16_MAX
                          ? arena_alloc(t->share->arena, &hand->arena, size)
                          : 0;
    if (handle == 0) {
        return NULL;
    }
    uint32_t slot;
    struct series *s = slab_take(t, &slot);
    if (s == NULL) {
        arena_release(t->share->arena, handle, size);
        return NULL;
    }
    struct series_record *r = arena_at(t->share->base, handle);
    r->created_ms = clock_real_ms();
    r->slot = slot;
    r->text_len = (uint16_t)len;
    r->lanes = t->type == METRIC_GAUGE ? 0 : (uint8_t)t->share->lanes;
    r->flags = flags;
    memcpy((char *)r + t->text_at, text, len);
    s->record = r;
    s->handle = handle;
    s->payer = (flags & SERIES_BEYOND) != 0 ? 0 : hand->payer;
    atomic_store_explicit(&s->marks, 0, memory_order_relaxed);
    atomic_store_explicit(&s->touched, (uint32_t)(clock_mono_ms() / 1000), memory_order_relaxed);
    cds_lfht_node_init(node_of(s));
    atomic_store_explicit(&s->state, SERIES_READY, memory_order_release);
    return s;
}

static int take_place(struct table *t, const struct series_hand *hand)
{
    if (!table_charge(t, hand, 1)) {
        return -EDQUOT;
    }
    if (!table_take(t, 1)) {
        table_refund(t, hand->payer, 1);
        return -ENOSPC;
    }
    return 0;
}

int table_make(struct table *t, struct series_hand *hand, const char *text, size_t len,
               uint64_t hash, enum table_place place, struct series **ret)
{
    int rc = place == TABLE_WITHIN ? take_place(t, hand) : 0;
    if (rc < 0) {
        // The last place may just have gone to this very key.
        struct series *found = table_find(t, text, len, hash);
        *ret = found != NULL ? found : *ret;
        return found != NULL ? 0 : rc;
    }
    struct series *s = prepare(t, hand, text, len, place == TABLE_BEYOND ? SERIES_BEYOND : 0);
    struct wanted want = {t, text, len};
    while (s != NULL) {
        struct cds_lfht_node *node = cds_lfht_add_unique(t->index, hash, match, &want, node_of(s));
        if (node == node_of(s)) {
            *ret = s;
            return 1;
        }
        if (usable(t, series_of(node))) {
            // The same key came in before. Nobody has seen this slot: it goes back at once.
            *ret = series_of(node);
            break;
        }
        cds_lfht_node_init(node_of(s));
    }
    if (place != TABLE_BEYOND) {
        table_give(t, 1);
        table_refund(t, hand->payer, 1);
    }
    if (s == NULL) {
        return -ENOMEM;
    }
    slab_release(t, s);
    return 0;
}

void table_show(struct series *s)
{
    uint8_t state = SERIES_READY;
    atomic_compare_exchange_strong(&s->state, &state, SERIES_LIVE);
}

// The one that turned a series DEAD unlinks it and gives its place back.
static void bury(struct table *t, struct series *s)
{
    unlink_dead(t, s);
    if ((s->record->flags & SERIES_BEYOND) == 0) {
        table_give(t, 1);
        table_refund(t, s->payer, 1);
    }
    atomic_fetch_add(&t->dead, 1);
}

void table_undo(struct table *t, struct series *s)
{
    uint8_t state = SERIES_READY;
    if (atomic_compare_exchange_strong(&s->state, &state, SERIES_DEAD)) {
        bury(t, s);
    }
}

bool table_remove(struct table *t, struct series *s)
{
    atomic_fetch_add(&t->removals, 1);
    for (;;) {
        uint8_t state = SERIES_LIVE;
        if (atomic_compare_exchange_strong(&s->state, &state, SERIES_DEAD)) {
            bury(t, s);
            return true;
        }
        if (state != SERIES_DYING) {
            return false;
        }
        sched_yield();
    }
}

bool table_remove_if(struct table *t, struct series *s, bool (*still)(void *ctx, struct series *s),
                     void *ctx)
{
    uint8_t state = SERIES_LIVE;
    if (!still(ctx, s) || !atomic_compare_exchange_strong(&s->state, &state, SERIES_DYING)) {
        return false;
    }
    bool gone = still(ctx, s);
    atomic_fetch_add(&t->removals, 1);
    atomic_store(&s->state, gone ? SERIES_DEAD : SERIES_LIVE);
    if (gone) {
        bury(t, s);
    }
    return gone;
}

bool table_survives(struct series *s)
{
    for (;;) {
        uint8_t state = atomic_load(&s->state);
        if (state != SERIES_DYING) {
            return state == SERIES_READY || state == SERIES_LIVE;
        }
        sched_yield();
    }
}

size_t table_retire(struct table *t)
{
    if (atomic_load(&t->dead) == 0) {
        return 0;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(t, i);
        if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_UNLINKED) {
            atomic_store(&s->state, SERIES_RETIRED);
            n++;
        }
    }
    return n;
}

void table_reclaim(struct table *t)
{
    size_t n = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(t, i);
        if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_RETIRED) {
            slab_release(t, s);
            n++;
        }
    }
    atomic_fetch_sub(&t->dead, n);
}
