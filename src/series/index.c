// SPDX-License-Identifier: Apache-2.0
#include "series/index.h"

#include "series/key.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

static_assert(sizeof(struct cds_lfht_node) == sizeof((struct series *)0)->node,
              "room for the node");

enum { INDEX_FIRST = 512, INDEX_CHAIN = 8 };
static const size_t INDEX_MOST = (size_t)1 << 22;

static struct cds_lfht_node *node_of(struct series *s)
{
    return (struct cds_lfht_node *)(void *)s->node;
}

static struct series *series_of(struct cds_lfht_node *node)
{
    return (struct series *)(void *)node;
}

/*
 * liburcu ends the process when it gets no memory for buckets. So the memory is asked for beforehand; while another
 * thread takes it in between, that may still happen, but these few bytes are then what the process ends without anyway.
 */
static struct cds_lfht *new_buckets(size_t size)
{
    enum { BUCKET = sizeof(struct cds_lfht_node), REST = 64 << 10 };
    void *room = malloc(size * BUCKET + REST);
    if (room == NULL) {
        return NULL;
    }
    free(room);
    return cds_lfht_new(size, size, size, 0, NULL);
}

int index_init(struct index *x)
{
    *x = (struct index){.buckets = new_buckets(INDEX_FIRST), .size = INDEX_FIRST};
    return x->buckets == NULL ? -ENOMEM : 0;
}

// In the order of the index, where each is the first of its chain when its turn comes.
static void remove_all(struct index *x)
{
    struct cds_lfht_iter iter;
    rcu_read_lock();
    cds_lfht_first(x->buckets, &iter);
    for (struct cds_lfht_node *node; (node = cds_lfht_iter_get_node(&iter)) != NULL;) {
        cds_lfht_next(x->buckets, &iter);
        cds_lfht_del(x->buckets, node);
    }
    rcu_read_unlock();
}

static void drop_wider(struct index *x)
{
    if (x->wider != NULL) {
        cds_lfht_destroy(x->wider, NULL);
        x->wider = NULL;
    }
}

void index_close(struct index *x)
{
    remove_all(x);
    cds_lfht_destroy(x->buckets, NULL);
    drop_wider(x);
}

struct key {
    const char *text;
    size_t len;
};

static int has_key(struct cds_lfht_node *node, const void *key)
{
    const struct key *want = key;
    struct series *s = series_of(node);
    if (atomic_load_explicit(&s->state, memory_order_acquire) == SERIES_FREE) {
        return 0;
    }
    size_t len;
    const char *text = series_text(s, &len);
    return len == want->len && memcmp(text, want->text, len) == 0;
}

static int has_key_of(struct cds_lfht_node *node, const void *series)
{
    struct key key;
    key.text = series_text(series, &key.len);
    return has_key(node, &key);
}

struct series *index_find(const struct index *x, const char *text, size_t len, uint64_t hash)
{
    const struct key key = {text, len};
    struct cds_lfht_iter iter;
    cds_lfht_lookup(x->buckets, hash, has_key, &key, &iter);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
    return node == NULL ? NULL : series_of(node);
}

struct series *index_add(struct index *x, struct series *s, uint64_t hash)
{
    cds_lfht_node_init(node_of(s));
    return series_of(cds_lfht_add_unique(x->buckets, hash, has_key_of, s, node_of(s)));
}

bool index_remove(struct index *x, struct series *s)
{
    return cds_lfht_del(x->buckets, node_of(s)) == 0;
}

// ---- A larger one

bool index_is_crowded(const struct index *x, uint64_t n)
{
    return n > x->size * INDEX_CHAIN && x->size < INDEX_MOST;
}

bool index_widen(struct index *x, uint64_t buckets)
{
    size_t size = x->size;
    drop_wider(x);
    while (size < buckets && size < INDEX_MOST) {
        size *= 2;
    }
    for (; x->wider == NULL && size > x->size; size /= 2) {
        x->wider = new_buckets(size);
        x->wider_size = size;
    }
    return x->wider != NULL;
}

bool index_take_wider(struct index *x)
{
    if (x->wider == NULL) {
        return false;
    }
    remove_all(x);
    synchronize_rcu();
    cds_lfht_destroy(x->buckets, NULL);
    *x = (struct index){.buckets = x->wider, .size = x->wider_size};
    return true;
}

enum { PARTS = 2048, AHEAD = 16 /* series that are prefetched */ };

// A node has room for it while it is in no index.
void index_keep_hash(struct series *s)
{
    size_t len;
    const char *text = series_text(s, &len);
    uint64_t hash = key_hash(text, len);
    memcpy(s->node, &hash, sizeof hash);
}

static uint64_t kept_hash(const struct series *s)
{
    uint64_t hash;
    memcpy(&hash, s->node, sizeof hash);
    return hash;
}

static bool is_alive(const struct series *s)
{
    return series_is_alive(atomic_load(&s->state));
}

// The slots of all living series, ordered by the part of the index that each belongs to, and within a part as they were.
// NULL: no memory.
static uint32_t *order_by_part(const struct index *x, const struct slab *slab, size_t *ret_n)
{
    uint32_t slots = atomic_load(&slab->slots);
    uint32_t *order = malloc((slots + (size_t)1) * sizeof *order);
    uint32_t next[PARTS + 1] = {0};
    size_t width = x->size > PARTS ? x->size / PARTS : 1;
    if (order == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < slots; i++) {
        const struct series *s = slab_at(slab, i);
        next[(kept_hash(s) & (x->size - 1)) / width + 1] += is_alive(s);
    }
    for (size_t i = 0; i < PARTS; i++) {
        next[i + 1] += next[i];
    }
    *ret_n = next[PARTS];
    for (uint32_t i = 0; i < slots; i++) {
        const struct series *s = slab_at(slab, i);
        if (is_alive(s)) {
            order[next[(kept_hash(s) & (x->size - 1)) / width]++] = i;
        }
    }
    return order;
}

// In an order in which neighbours in the index follow each other, a million series take a third of the time.
void index_add_all(struct index *x, const struct slab *slab,
                   bool (*choose)(void *ctx, struct series *there, struct series *s), void *ctx)
{
    size_t n = atomic_load(&slab->slots);
    uint32_t *order = order_by_part(x, slab, &n);
    rcu_read_lock();
    for (size_t k = 0; k < n; k++) {
        if (order != NULL && k + AHEAD < n) {
            __builtin_prefetch(slab_at(slab, order[k + AHEAD]), 1);
        }
        struct series *s = slab_at(slab, order != NULL ? order[k] : (uint32_t)k);
        uint64_t hash = kept_hash(s);
        struct series *there;
        do {
            there = is_alive(s) ? index_add(x, s, hash) : s;
        } while (there != s && choose(ctx, there, s));
    }
    rcu_read_unlock();
    free(order);
}
