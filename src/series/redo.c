// SPDX-License-Identifier: Apache-2.0
#include "series/redo.h"

#include <assert.h>
#include <string.h>

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static _Atomic uint64_t *word_of(_Atomic double *v)
{
    return (_Atomic uint64_t *)(void *)v;
}

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static uint64_t place_of(const struct redo *r, const _Atomic uint64_t *word)
{
    return (uint64_t)((const char *)word - r->base);
}

// The note on a word, or NULL. Few are noted, and the latest are asked for most.
static struct redo_word *find(const struct redo *r, uint64_t at)
{
    for (unsigned i = r->n; i > 0; i--) {
        if (load(&r->area->words[i - 1].at) == at) {
            return &r->area->words[i - 1];
        }
    }
    return NULL;
}

// The note on a word; of one that is new it holds what the word is.
static struct redo_word *note(struct redo *r, const _Atomic uint64_t *word)
{
    uint64_t at = place_of(r, word);
    struct redo_word *w = find(r, at);
    if (w == NULL) {
        assert(r->n < REDO_WORDS);
        w = &r->area->words[r->n++];
        store(&w->at, at);
        store(&w->value, load(word));
    }
    return w;
}

void redo_note(struct redo *r, _Atomic uint64_t *word, uint64_t value)
{
    store(&note(r, word)->value, value);
}

uint64_t redo_look(const struct redo *r, const _Atomic uint64_t *word)
{
    const struct redo_word *w = find(r, place_of(r, word));
    return load(w != NULL ? &w->value : word);
}

void redo_count(struct redo *r, _Atomic uint64_t *word, uint64_t n)
{
    struct redo_word *w = note(r, word);
    store(&w->value, load(&w->value) + n);
}

// A copy of the cell is updated as any cell is; what that changes is noted.
void redo_counter(struct redo *r, struct cell_counter *c, double v)
{
    uint64_t whole = redo_look(r, &c->whole);
    struct cell_counter copy;
    atomic_init(&copy.whole, whole);
    atomic_init(&copy.rest, double_of(redo_look(r, word_of(&c->rest))));
    cell_count(&copy, v);
    if (load(&copy.whole) != whole) {
        redo_note(r, &c->whole, load(&copy.whole));
    } else {
        redo_note(r, word_of(&c->rest), load(word_of(&copy.rest)));
    }
}

void redo_histogram(struct redo *r, struct cell_histogram *c, size_t bucket, double v)
{
    // The sum goes first, as in cell_observe.
    struct redo_word *sum = note(r, word_of(&c->sum));
    store(&sum->value, bits_of(double_of(load(&sum->value)) + v));
    redo_count(r, &c->counts[bucket], 1);
}

void redo_set(struct redo *r, _Atomic double *gauge, double v)
{
    redo_note(r, word_of(gauge), bits_of(v));
}

void redo_add(struct redo *r, _Atomic double *gauge, double v)
{
    struct redo_word *w = find(r, place_of(r, word_of(gauge)));
    if (w == NULL) {
        cell_add(gauge, v);
        return;
    }
    // The line sets it, too: to a value that nobody else knows yet.
    _Atomic double copy;
    atomic_init(&copy, double_of(load(&w->value)));
    cell_add(&copy, v);
    store(&w->value, load(word_of(&copy)));
}

void redo_commit(struct redo *r)
{
    struct redo_area *area = r->area;
    atomic_signal_fence(memory_order_seq_cst);
    store(&area->marked, r->n);
    atomic_signal_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < r->n; i++) {
        _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)(r->base + load(&area->words[i].at));
        atomic_store_explicit(word, load(&area->words[i].value), memory_order_release);
    }
    atomic_signal_fence(memory_order_seq_cst);
    store(&area->marked, 0);
    r->n = 0;
}

unsigned redo_replay(const struct redo_area *area, char *base, uint64_t from, uint64_t size)
{
    uint64_t n = load(&area->marked);
    if (n > REDO_WORDS || size < sizeof(uint64_t)) {
        return 0;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = load(&area->words[i].at);
        if (at % sizeof(uint64_t) != 0 || at < from || at > size - sizeof(uint64_t)) {
            return 0;
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t value = load(&area->words[i].value);
        memcpy(base + load(&area->words[i].at), &value, sizeof value);
    }
    return (unsigned)n;
}
