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
    _Atomic(struct exemplar *) places[];
};

static struct exemplars *row_of(struct exemplar_row of_series)
{
    struct exemplars *row = atomic_load_explicit(of_series.row, memory_order_acquire);
    struct exemplars *none = NULL;
    if (row != NULL) {
        return row;
    }
    row = calloc(1, sizeof *row + of_series.n_places * sizeof row->places[0]);
    if (row == NULL) {
        return NULL;
    }
    row->n = of_series.n_places;
    if (atomic_compare_exchange_strong(of_series.row, &none, row)) {
        return row;
    }
    free(row);
    return none;
}

// One more, which is within the bound. Returns the one that is at the place then, and whether it is this one.
static struct exemplar *fill_place(struct exemplar_row of_series, size_t place, bool *ret_new)
{
    struct exemplars *row = row_of(of_series);
    struct exemplar *none = NULL;
    struct exemplar *e = row == NULL ? NULL : calloc(1, sizeof *e);
    *ret_new = e != NULL && atomic_compare_exchange_strong(&row->places[place], &none, e);
    if (*ret_new) {
        return e;
    }
    free(e);
    return none;
}

// The exemplar at the place, with memory for its row and itself only if there may be one more of all.
static struct exemplar *place_of(struct exemplar_row of_series, size_t place)
{
    _Atomic uint64_t *kept = of_series.kept;
    const struct exemplars *row = atomic_load_explicit(of_series.row, memory_order_acquire);
    struct exemplar *e =
        row == NULL ? NULL : atomic_load_explicit(&row->places[place], memory_order_acquire);
    if (e != NULL) {
        return e;
    }
    bool is_new = false;
    if (atomic_fetch_add_explicit(kept, 1, memory_order_relaxed) < EXEMPLARS_MOST) {
        e = fill_place(of_series, place, &is_new);
    }
    if (!is_new) {
        atomic_fetch_sub_explicit(kept, 1, memory_order_relaxed);
    }
    return e;
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

bool exemplar_keep(struct exemplar_row of_series, size_t place, const char *text, size_t len)
{
    struct exemplar *e = len > 0 && len <= EXEMPLAR_TEXT ? place_of(of_series, place) : NULL;
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

size_t exemplar_read(const struct exemplars *row, size_t place, char *out)
{
    const struct exemplar *e = atomic_load_explicit(&row->places[place], memory_order_acquire);
    for (int tries = 0; e != NULL && tries < EXEMPLAR_TRIES; tries++) {
        long len = try_read(e, out);
        if (len >= 0) {
            return (size_t)len;
        }
    }
    return 0;
}

void exemplars_free(struct exemplar_row of_series)
{
    struct exemplars *row = atomic_exchange(of_series.row, NULL);
    for (size_t i = 0; row != NULL && i < row->n; i++) {
        struct exemplar *e = atomic_load_explicit(&row->places[i], memory_order_relaxed);
        if (e != NULL) {
            atomic_fetch_sub_explicit(of_series.kept, 1, memory_order_relaxed);
            free(e);
        }
    }
    free(row);
}
