// SPDX-License-Identifier: Apache-2.0
// A table's beginning and end, and its index anew.
#include "base/clock.h"
#include "series/key.h"
#include "series/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

static struct cds_lfht_node *node_of(struct series *s)
{
    return (struct cds_lfht_node *)(void *)s->node;
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

// What the series mean: a metric with another signature begins anew.
static uint64_t signature_of(const struct metric *m)
{
    uint64_t hash = key_hash_with(m->name, strlen(m->name), (uint64_t)m->type + 1);
    for (size_t i = 0; i < m->n_labels; i++) {
        hash = key_hash_with(m->labels[i].name, strlen(m->labels[i].name), hash);
    }
    return key_hash_with(m->bounds, m->n_bounds * sizeof m->bounds[0], hash);
}

static bool open_account(struct table *t, const struct metric *m)
{
    struct record_spec spec = {
        .kind = RECORD_METRIC,
        .payload = sizeof *t->account,
        .signature = t->signature,
        .created_ms = clock_real_ms(),
        .text = m->name,
        .text_len = strlen(m->name),
    };
    t->account_handle = record_new(t->share->arena, &t->share->hand, &spec);
    if (t->account_handle == 0) {
        return false;
    }
    t->account = record_payload(record_at(t->share->base, t->account_handle));
    record_publish(t->share->base, t->account_handle);
    return true;
}

void table_mend_account(struct table *t, const struct metric *m)
{
    struct table_account *lost = t->account;
    uint32_t handle = t->account_handle;
    if (!record_is_whole(t->share->base, handle) && !open_account(t, m)) {
        t->account = lost; // it counts on, and does not outlive the process
        t->account_handle = handle;
    }
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
    t->index_size = buckets_for(limit);
    atomic_init(&t->limit, limit);
    t->index = cds_lfht_new(t->index_size, t->index_size, t->index_size, 0, NULL);
    if (t->index == NULL) {
        free(t);
        return -ENOMEM;
    }
    if (!open_account(t, m)) {
        cds_lfht_destroy(t->index, NULL);
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

void table_close(struct table *t)
{
    unlink_all(t);
    cds_lfht_destroy(t->index, NULL);
    slab_free_all(t);
    free(t);
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
    record_free(t->share->arena, t->account_handle, 0);
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
            const char *text = series_text(s, &len);
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
