// SPDX-License-Identifier: Apache-2.0
#include "series/exemplar.h"

#include <stdlib.h>
#include <string.h>

// Words, since bytes that are written while they are read must be atomic.
struct exemplar {
    _Atomic uint32_t sequence; // odd while it is written
    _Atomic uint32_t len;
    _Atomic uint64_t words[EXEMPLAR_TEXT / sizeof(uint64_t)];
};

struct exemplars {
    size_t n;
    _Atomic(struct exemplar *) at[];
};

static struct exemplars *row_of(const struct table *t, struct series *s)
{
    struct exemplars *row = atomic_load_explicit(&s->exemplars, memory_order_acquire);
    if (row != NULL) {
        return row;
    }
    struct exemplars *none = NULL;
    row = calloc(1, sizeof *row + (t->n_bounds + 1) * sizeof row->at[0]);
    if (row == NULL) {
        return NULL;
    }
    row->n = t->n_bounds + 1;
    if (atomic_compare_exchange_strong(&s->exemplars, &none, row)) {
        return row;
    }
    free(row);
    return none;
}

static struct exemplar *fill_place(struct table_share *share, _Atomic(struct exemplar *) *place)
{
    if (atomic_fetch_add_explicit(&share->exemplars, 1, memory_order_relaxed) < EXEMPLARS_MOST) {
        struct exemplar *none = NULL;
        struct exemplar *e = calloc(1, sizeof *e);
        if (e != NULL && atomic_compare_exchange_strong(place, &none, e)) {
            return e;
        }
        free(e);
        e = none;
        atomic_fetch_sub_explicit(&share->exemplars, 1, memory_order_relaxed);
        return e;
    }
    atomic_fetch_sub_explicit(&share->exemplars, 1, memory_order_relaxed);
    return NULL;
}

static bool write_text(struct exemplar *e, const char *text, size_t len)
{
    uint64_t words[EXEMPLAR_TEXT / sizeof(uint64_t)];
    size_t n = (len + sizeof words[0] - 1) / sizeof words[0];
    words[n - 1] = 0;
    memcpy(words, text, len);
    uint32_t sequence = atomic_load_explicit(&e->sequence, memory_order_relaxed);
    if (sequence % 2 != 0 ||
        !atomic_compare_exchange_strong(&e->sequence, &sequence, sequence + 1)) {
        return false;
    }
    atomic_thread_fence(memory_order_release); // odd before any of what follows
    atomic_store_explicit(&e->len, (uint32_t)len, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        atomic_store_explicit(&e->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&e->sequence, sequence + 2, memory_order_release);
    return true;
}

bool exemplar_keep(struct table *t, struct series *s, size_t bucket, const char *text, size_t len)
{
    struct exemplars *row = len > 0 && len <= EXEMPLAR_TEXT ? row_of(t, s) : NULL;
    if (row == NULL) {
        return false;
    }
    struct exemplar *e = atomic_load_explicit(&row->at[bucket], memory_order_acquire);
    if (e == NULL) {
        e = fill_place(t->share, &row->at[bucket]);
    }
    return e != NULL && write_text(e, text, len);
}

// Reads once. Returns -1 when it was written meanwhile.
static long try_read(const struct exemplar *e, char *out)
{
    uint64_t words[EXEMPLAR_TEXT / sizeof(uint64_t)];
    uint32_t sequence = atomic_load_explicit(&e->sequence, memory_order_acquire);
    uint32_t len = atomic_load_explicit(&e->len, memory_order_relaxed);
    for (size_t i = 0; i * sizeof words[0] < len; i++) {
        words[i] = atomic_load_explicit(&e->words[i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire); // all of it before the second look
    if (sequence % 2 != 0 || atomic_load_explicit(&e->sequence, memory_order_relaxed) != sequence) {
        return -1;
    }
    memcpy(out, words, len);
    return (long)len;
}

size_t exemplar_read(const struct exemplars *all, size_t bucket, char *out)
{
    const struct exemplar *e = atomic_load_explicit(&all->at[bucket], memory_order_acquire);
    for (int tries = 0; e != NULL && tries < EXEMPLAR_TRIES; tries++) {
        long len = try_read(e, out);
        if (len >= 0) {
            return (size_t)len;
        }
    }
    return 0;
}

void exemplars_drop(struct table_share *share, struct series *s)
{
    struct exemplars *row = atomic_exchange(&s->exemplars, NULL);
    for (size_t i = 0; row != NULL && i < row->n; i++) {
        struct exemplar *e = atomic_load_explicit(&row->at[i], memory_order_relaxed);
        if (e != NULL) {
            atomic_fetch_sub_explicit(&share->exemplars, 1, memory_order_relaxed);
            free(e);
        }
    }
    free(row);
}
