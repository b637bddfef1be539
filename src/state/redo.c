// SPDX-License-Identifier: Apache-2.0
#include "state/redo.h"

#include "base/invariant.h"

#include <errno.h>
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

static struct redo_word *word_at(const struct redo_area *area, char *base, uint64_t i)
{
    if (i < REDO_WORDS) {
        return (struct redo_word *)(uintptr_t)&area->words[i];
    }
    i -= REDO_WORDS;
    uint64_t more = load(&area->more[i / REDO_PIECE_WORDS]);
    return (struct redo_word *)(void *)(base + more) + i % REDO_PIECE_WORDS;
}

// How many pieces so many words reach into.
static unsigned pieces_of(uint64_t n)
{
    return n <= REDO_WORDS ? 0 : (unsigned)((n - REDO_WORDS - 1) / REDO_PIECE_WORDS + 1);
}

// How many pieces there are.
static unsigned pieces(const struct redo_area *area)
{
    unsigned n = 0;
    while (n < REDO_PIECES && load(&area->more[n]) != 0) {
        n++;
    }
    return n;
}

bool redo_has_room(const struct redo *r, size_t words)
{
    return words <= REDO_MOST && pieces_of(words) <= pieces(r->area);
}

int redo_reserve(struct redo *r, struct arena *arena, struct arena_writer *writer, size_t words)
{
    invariant(words <= REDO_MOST, "a redo record has room for the largest line");
    while (!redo_has_room(r, words)) {
        uint32_t piece = arena_alloc(arena, writer, REDO_PIECE_WORDS * sizeof(struct redo_word));
        if (piece == 0) {
            return -ENOMEM;
        }
        store(&r->area->more[pieces(r->area)],
              (uint64_t)((char *)arena_at(r->base, piece) - r->base));
    }
    return 0;
}

// What the record has of a word, or NULL. It has few words, and the latest are asked for most.
static struct redo_word *find(const struct redo *r, uint64_t at)
{
    for (unsigned i = r->n; i > 0; i--) {
        struct redo_word *w = word_at(r->area, r->base, i - 1);
        if (load(&w->offset) == at) {
            return w;
        }
    }
    return NULL;
}

struct redo_word *redo_next(struct redo *r)
{
    invariant(redo_has_room(r, r->n + (size_t)1),
              "a line changes at most the words that were reserved");
    return word_at(r->area, r->base, r->n++);
}

// What the record has of a word; of one that is new, what the word is.
static struct redo_word *find_or_add(struct redo *r, const _Atomic uint64_t *word)
{
    uint64_t at = place_of(r, word);
    struct redo_word *w = find(r, at);
    if (w == NULL) {
        w = redo_next(r);
        store(&w->offset, at);
        store(&w->value, load(word));
    }
    return w;
}

void redo_write(struct redo *r, _Atomic uint64_t *word, uint64_t value)
{
    store(&find_or_add(r, word)->value, value);
}

uint64_t redo_read(const struct redo *r, const _Atomic uint64_t *word)
{
    const struct redo_word *w = find(r, place_of(r, word));
    return load(w != NULL ? &w->value : word);
}

void redo_count(struct redo *r, _Atomic uint64_t *word, uint64_t n)
{
    struct redo_word *w = find_or_add(r, word);
    store(&w->value, load(&w->value) + n);
}

// A copy of the cell is updated as any cell is; what that changes is written.
void redo_counter(struct redo *r, struct cell_counter *c, double v)
{
    uint64_t whole = redo_read(r, &c->whole);
    struct cell_counter copy;
    atomic_init(&copy.whole, whole);
    atomic_init(&copy.rest, double_of(redo_read(r, word_of(&c->rest))));
    cell_count(&copy, v);
    if (load(&copy.whole) != whole) {
        redo_write(r, &c->whole, load(&copy.whole));
    } else {
        redo_write(r, word_of(&c->rest), load(word_of(&copy.rest)));
    }
}

void redo_histogram(struct redo *r, struct cell_histogram *c, size_t bucket, double v)
{
    // The sum goes first, as in cell_observe.
    struct redo_word *sum = find_or_add(r, word_of(&c->sum));
    store(&sum->value, bits_of(double_of(load(&sum->value)) + v));
    redo_count(r, &c->counts[bucket], 1);
}

void redo_set(struct redo *r, _Atomic double *gauge, double v)
{
    redo_write(r, word_of(gauge), bits_of(v));
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

void redo_put_list(struct redo *r, const struct cell_histogram *c, const double *bounds,
                   size_t n_bounds, const double *values, size_t n)
{
    struct redo_word *added[CATALOG_MAX_BOUNDS + 1]; // of the buckets
    memset(added, 0, (n_bounds + 1) * sizeof added[0]);
    double sum = atomic_load_explicit(&c->sum, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    redo_put_double(r, &c->sum, sum);
    for (size_t i = 0; i < n; i++) {
        size_t bucket = cell_bucket(bounds, n_bounds, values[i]);
        struct redo_word *w = added[bucket];
        if (w != NULL) {
            store(&w->value, load(&w->value) + 1);
            continue;
        }
        redo_put_count(r, &c->counts[bucket], 1);
        added[bucket] = word_at(r->area, r->base, r->n - 1);
    }
}

void redo_native(struct redo *r, struct native_block *b, const uint16_t *slots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        redo_count(r, &b->slot[slots[i]].count, 1);
    }
}

void redo_put_native_list(struct redo *r, const struct native_block *b, const uint16_t *slots,
                          size_t n)
{
    struct redo_word *added[NATIVE_SLOTS_MOST + 1];
    memset(added, 0, (native_slots(b) + (size_t)1) * sizeof added[0]);
    for (size_t i = 0; i < n; i++) {
        struct redo_word *w = added[slots[i]];
        if (w != NULL) {
            store(&w->value, load(&w->value) + 1);
            continue;
        }
        redo_put_count(r, &b->slot[slots[i]].count, 1);
        added[slots[i]] = word_at(r->area, r->base, r->n - 1);
    }
}

// A word becomes what the record has of it. Returns where it is.
static uint64_t apply(const struct redo *r, const struct redo_word *w)
{
    uint64_t at = load(&w->offset);
    atomic_store_explicit((_Atomic uint64_t *)(void *)(r->base + at), load(&w->value),
                          memory_order_release);
    return at;
}

void redo_commit(struct redo *r)
{
    struct redo_area *area = r->area;
    invariant(load(&area->committed) == 0, "a redo record is committed once");
    atomic_signal_fence(memory_order_seq_cst);
    store(&area->committed, r->n);
    atomic_signal_fence(memory_order_seq_cst);
    unsigned own = r->n < REDO_WORDS ? r->n : REDO_WORDS;
    uint64_t places = 0;
    for (unsigned i = 0; i < own; i++) {
        places |= apply(r, &area->words[i]);
    }
    for (unsigned i = own; i < r->n; i++) {
        places |= apply(r, word_at(area, r->base, i));
    }
    invariant(places % sizeof(uint64_t) == 0, "the words of a redo record are aligned");
    atomic_signal_fence(memory_order_seq_cst);
    store(&area->committed, 0);
    r->n = 0;
}

static const uint64_t PIECE_BYTES = REDO_PIECE_WORDS * sizeof(struct redo_word);

// Whether the list's own words can be where it says.
static bool is_in_bounds(const struct redo_area *area, uint64_t n, uint64_t from, uint64_t size)
{
    if (n > REDO_MOST || size < sizeof(uint64_t)) {
        return false;
    }
    for (unsigned i = 0; i < pieces_of(n); i++) {
        uint64_t more = load(&area->more[i]);
        if (more % ARENA_GRANULE != 0 || more < from || size < PIECE_BYTES ||
            more > size - PIECE_BYTES) {
            return false;
        }
    }
    return true;
}

// A word of the list itself is none that a line changes: replaying it would change what is still to be replayed.
static bool is_own(const struct redo_area *area, uint64_t n, uint64_t at)
{
    for (unsigned i = 0; i < pieces_of(n); i++) {
        uint64_t more = load(&area->more[i]);
        if (at >= more && at < more + PIECE_BYTES) {
            return true;
        }
    }
    return false;
}

unsigned redo_replay(const struct redo_area *area, char *base, uint64_t from, uint64_t size)
{
    uint64_t n = load(&area->committed);
    if (!is_in_bounds(area, n, from, size)) {
        return 0;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = load(&word_at(area, base, i)->offset);
        if (at % sizeof(uint64_t) != 0 || at < from || at > size - sizeof(uint64_t) ||
            is_own(area, n, at)) {
            return 0;
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        const struct redo_word *w = word_at(area, base, i);
        uint64_t value = load(&w->value);
        memcpy(base + load(&w->offset), &value, sizeof value);
    }
    return (unsigned)n;
}
