// SPDX-License-Identifier: Apache-2.0
#include "series/exemplar.h"

#include <stdlib.h>
#include <string.h>

// Words, since bytes that are written while they are read must be atomic.
struct exemplar {
    _Atomic uint32_t sequence; // odd while it is written
    _Atomic uint32_t len;      // of the labels
    _Atomic double value;
    _Atomic uint64_t ms;
    _Atomic uint64_t labels[EXEMPLAR_LABELS / sizeof(uint64_t)];
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

static void store_word(struct exemplar *e, size_t i, const char *from, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, from, len);
    atomic_store_explicit(&e->labels[i], word, memory_order_relaxed);
}

static bool write_exemplar(struct exemplar *e, const char *labels, size_t len, double value,
                           uint64_t ms)
{
    uint32_t sequence = atomic_load_explicit(&e->sequence, memory_order_relaxed);
    if (sequence % 2 != 0 ||
        !atomic_compare_exchange_strong(&e->sequence, &sequence, sequence + 1)) {
        return false;
    }
    atomic_thread_fence(memory_order_release); // odd before any of what follows
    atomic_store_explicit(&e->len, (uint32_t)len, memory_order_relaxed);
    atomic_store_explicit(&e->value, value, memory_order_relaxed);
    atomic_store_explicit(&e->ms, ms, memory_order_relaxed);
    size_t words = len / sizeof(uint64_t);
    for (size_t i = 0; i < words; i++) {
        store_word(e, i, labels + i * sizeof(uint64_t), sizeof(uint64_t));
    }
    if (len % sizeof(uint64_t) != 0) {
        store_word(e, words, labels + words * sizeof(uint64_t), len % sizeof(uint64_t));
    }
    atomic_store_explicit(&e->sequence, sequence + 2, memory_order_release);
    return true;
}

bool exemplar_keep(struct exemplar_row of_series, size_t place, const char *labels, size_t len,
                   double value, uint64_t ms)
{
    struct exemplar *e = len > 0 && len <= EXEMPLAR_LABELS ? place_of(of_series, place) : NULL;
    return e != NULL && write_exemplar(e, labels, len, value, ms);
}

// What was read of one.
struct copy {
    uint32_t len;
    double value;
    uint64_t ms;
    uint64_t labels[EXEMPLAR_LABELS / sizeof(uint64_t)];
};

// Reads once. Returns whether it was not written meanwhile.
static bool try_read(const struct exemplar *e, struct copy *ret)
{
    uint32_t sequence = atomic_load_explicit(&e->sequence, memory_order_acquire);
    ret->len = atomic_load_explicit(&e->len, memory_order_relaxed);
    ret->value = atomic_load_explicit(&e->value, memory_order_relaxed);
    ret->ms = atomic_load_explicit(&e->ms, memory_order_relaxed);
    for (size_t i = 0; i * sizeof ret->labels[0] < ret->len; i++) {
        ret->labels[i] = atomic_load_explicit(&e->labels[i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire); // all of it before the second look
    return sequence % 2 == 0 &&
           atomic_load_explicit(&e->sequence, memory_order_relaxed) == sequence;
}

static size_t write_text(char *out, const struct copy *read)
{
    if (read->len == 0) { // nothing was written yet
        return 0;
    }
    char *p = out;
    memcpy(p, read->labels, read->len);
    p += read->len;
    p += num_double(p, read->value);
    *p++ = ' ';
    p += num_seconds(p, read->ms);
    return (size_t)(p - out);
}

size_t exemplar_read(const struct exemplars *row, size_t place, char *out)
{
    const struct exemplar *e = atomic_load_explicit(&row->places[place], memory_order_acquire);
    struct copy read;
    for (int tries = 0; e != NULL && tries < EXEMPLAR_TRIES; tries++) {
        if (try_read(e, &read)) {
            return write_text(out, &read);
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
