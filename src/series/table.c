// SPDX-License-Identifier: Apache-2.0
#include "series/slab.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
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

struct wanted {
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
    const char *text = series_text(s, &len);
    return len == want->len && memcmp(text, want->text, len) == 0;
}

static void count_removal(struct table *t)
{
    atomic_fetch_add(&t->removals, 1);
    atomic_fetch_add(&t->share->removals, 1);
}

// Two that unlink a series at once are both told at once that it is being done, but only one that it is.
static void unlink_dead(struct table *t, struct series *s)
{
    count_removal(t); // before the key can be made anew
    if (cds_lfht_del(t->index, node_of(s)) == 0) {
        atomic_store(&s->state, SERIES_UNLINKED);
    }
}

/*
 * Two may publish at once, which does no harm: it is the same check. Who removes the series says DEAD first and
 * withdraws then; so whoever publishes looks at the state once more.
 */
void table_publish(struct table *t, struct series *s)
{
    uint32_t handle = atomic_load_explicit(&s->handle, memory_order_relaxed);
    record_publish(t->share->base, handle);
    uint8_t state = atomic_load(&s->state);
    if (state != SERIES_READY && state != SERIES_LIVE && state != SERIES_DYING) {
        record_withdraw(t->share->base, handle);
    }
}

// Published first: what a scrape has shown survives.
void table_show(struct table *t, struct series *s)
{
    uint8_t state = SERIES_READY;
    if (atomic_load(&s->state) == SERIES_READY) {
        table_publish(t, s);
        atomic_compare_exchange_strong(&s->state, &state, SERIES_LIVE);
    }
}

// What to do with a series that the index gave: false when it is dead and was unlinked.
static bool usable(struct table *t, struct series *s)
{
    uint8_t state = atomic_load(&s->state);
    if (state == SERIES_READY) {
        table_show(t, s);
        state = atomic_load(&s->state);
    }
    if (state == SERIES_LIVE || state == SERIES_DYING) {
        return true;
    }
    unlink_dead(t, s);
    return false;
}

struct series *table_find(struct table *t, const char *text, size_t len, uint64_t hash)
{
    struct wanted want = {text, len};
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
    struct record_spec spec = {
        .kind = RECORD_SERIES,
        .flags = flags,
        .lanes = t->type == METRIC_GAUGE ? 0 : (uint8_t)t->share->lanes,
        .payload = sizeof(struct series_saved),
        .signature = t->signature,
        .created_ms = clock_real_ms(),
        .text = text,
        .text_len = len,
    };
    struct series *s = slab_take(t, &spec.slot);
    if (s == NULL) {
        return NULL;
    }
    uint32_t handle = record_new(t->share->arena, &hand->arena, &spec);
    if (handle == 0) {
        slab_give(t, s, spec.slot);
        return NULL;
    }
    s->record = record_at(t->share->base, handle);
    s->payer = (flags & SERIES_BEYOND) != 0 ? 0 : hand->payer;
    atomic_store_explicit(&s->handle, handle, memory_order_relaxed);
    atomic_store_explicit(series_touched(s), (uint32_t)(clock_mono_ms() / 1000),
                          memory_order_relaxed);
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
    struct wanted want = {text, len};
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

// The one that turned a series DEAD unlinks it and gives its place back.
static void bury(struct table *t, struct series *s)
{
    record_withdraw(t->share->base, atomic_load_explicit(&s->handle, memory_order_relaxed));
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
    count_removal(t);
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
    count_removal(t);
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
