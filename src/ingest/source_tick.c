// SPDX-License-Identifier: Apache-2.0
// What time does to sources: windows close, lives end, the silent are forgotten.
#include "ingest/source_table.h"
#include "series/expire.h"

static void close_windows(struct sources *s, uint64_t now_ms)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct source *src = &s->at[i];
        uint64_t at = atomic_load(&src->datagram_at);
        if (at != 0 && now_ms >= at + SOURCE_DATAGRAM_MS &&
            atomic_compare_exchange_strong(&src->datagram_at, &at, 0)) {
            source_release(src);
            source_leave(s, src, now_ms);
        }
    }
}

// The source must not take the mark for its own once another one may have it.
static void disown(struct sources *s, uint32_t mark)
{
    uint64_t life = (uint64_t)mark << 32;
    if (life_index(s, mark) >= CATALOG_MAX_COMPONENTS) {
        atomic_compare_exchange_strong(&s->at[atomic_load(&life_of(s, mark)->source)].life, &life,
                                       0);
    }
}

static void end_lives(struct sources *s, struct series_store *store, uint64_t now_ms)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_lives; i++) {
        struct life *life = &s->lives[i];
        uint8_t state = LIFE_GONE;
        if (atomic_load_explicit(&life->state, memory_order_acquire) == LIFE_GONE &&
            now_ms >= atomic_load(&life->ends_ms) &&
            atomic_compare_exchange_strong(&life->state, &state, LIFE_ENDING)) {
            s->marks[n++] = life_mark(s, i);
        }
    }
    if (n > 0) {
        expire_marks(store, s->marks, n, true);
        for (size_t i = 0; i < n; i++) {
            disown(s, s->marks[i]);
            atomic_store(&life_of(s, s->marks[i])->state, LIFE_FREE);
        }
    }
}

// Whether the source has gone, and its last life with it.
static bool at_rest(const struct source *src)
{
    return atomic_load(&src->life) == 0;
}

// The source that was silent for longest and is not connected, if the table is full.
static struct source *oldest_if_full(struct sources *s, uint64_t now_ms)
{
    struct source *oldest = NULL;
    if (atomic_load(&s->known) < s->n - CATALOG_MAX_COMPONENTS) {
        return NULL;
    }
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < s->n; i++) {
        struct source *src = &s->at[i];
        if (atomic_load(&src->state) == SOURCE_KNOWN && at_rest(src) &&
            (oldest == NULL ||
             now_ms - atomic_load(&src->heard_mono) > now_ms - atomic_load(&oldest->heard_mono))) {
            oldest = src;
        }
    }
    return oldest;
}

// A source that goes says so first and is looked at once more; whoever enters looks at that afterwards.
static bool let_go(struct source *src)
{
    atomic_store(&src->state, SOURCE_GOING);
    if (!at_rest(src)) {
        atomic_store(&src->state, SOURCE_KNOWN);
        return false;
    }
    return true;
}

static void forget_idle(struct sources *s, struct series_store *store, uint64_t now_ms)
{
    struct source *oldest = oldest_if_full(s, now_ms);
    size_t n = 0;
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < s->n; i++) {
        struct source *src = &s->at[i];
        if (atomic_load(&src->state) != SOURCE_KNOWN || !at_rest(src)) {
            continue;
        }
        uint64_t idle = now_ms - atomic_load(&src->heard_mono);
        if ((src == oldest || atomic_load(&src->forgotten) || idle >= SOURCE_FORGOTTEN_MS) &&
            let_go(src)) {
            s->marks[n++] = source_base(s, src);
            s->marks[n++] = source_named(s, src);
        }
    }
    if (n == 0) {
        return;
    }
    expire_marks(store, s->marks, n, false);
    for (size_t i = 0; i < n; i += 2) {
        struct source *src = &s->at[s->marks[i] - 1];
        atomic_store(&src->hash, 0);
        source_unrecord(s, src);
        atomic_fetch_sub(&s->known, 1);
        atomic_store(&src->state, SOURCE_FREE);
    }
}

void sources_tick(struct sources *s, struct series_store *store, uint64_t now_ms)
{
    s->tick_ms = now_ms;
    close_windows(s, now_ms);
    end_lives(s, store, now_ms);
    forget_idle(s, store, now_ms);
}
