// SPDX-License-Identifier: Apache-2.0
#include "ingest/source_table.h"

#include "base/clock.h"
#include "series/marks.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static uint32_t entries(uint32_t limit)
{
    return limit + CATALOG_MAX_COMPONENTS;
}

uint32_t sources_life_from(uint32_t limit)
{
    return 2 * entries(limit) + 1;
}

uint32_t sources_most_marks(uint32_t limit)
{
    return (2 + SOURCE_LIVES) * entries(limit);
}

uint32_t source_base(const struct sources *s, const struct source *src)
{
    return (uint32_t)(src - s->at) + 1;
}

uint32_t source_named(const struct sources *s, const struct source *src)
{
    return s->n + (uint32_t)(src - s->at) + 1;
}

int sources_new(struct sources **ret, uint32_t limit)
{
    struct sources *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->n = entries(limit);
    s->n_lives = s->n * SOURCE_LIVES;
    s->at = calloc(s->n, sizeof *s->at);
    s->lives = calloc(s->n_lives, sizeof *s->lives);
    s->marks = calloc(s->n_lives, sizeof *s->marks);
    if (s->at == NULL || s->lives == NULL || s->marks == NULL) {
        sources_free(s);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        s->at[i].component = i;
        atomic_init(&s->at[i].state, SOURCE_KNOWN);
    }
    *ret = s;
    return 0;
}

void sources_free(struct sources *s)
{
    if (s != NULL) {
        free(s->at);
        free(s->lives);
        free(s->marks);
        free(s);
    }
}

static bool is(const struct source *src, unsigned component, struct slice instance)
{
    return src->component == component && src->instance_len == instance.len &&
           memcmp(src->instance, instance.p, instance.len) == 0;
}

// Waits out an entry that somebody is writing. Returns whether it became a known source.
static bool settled(const struct source *src)
{
    uint8_t state;
    while ((state = atomic_load(&src->state)) == SOURCE_CLAIMED) {
        sched_yield();
    }
    return state == SOURCE_KNOWN;
}

static struct source *find(struct sources *s, uint64_t hash, unsigned component,
                           struct slice instance, uint32_t below)
{
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < below; i++) {
        struct source *src = &s->at[i];
        if (atomic_load(&src->hash) == hash && settled(src) && is(src, component, instance)) {
            return src;
        }
    }
    return NULL;
}

static struct source *claim(struct sources *s)
{
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < s->n; i++) {
        uint8_t state = SOURCE_FREE;
        if (atomic_load_explicit(&s->at[i].state, memory_order_relaxed) == SOURCE_FREE &&
            atomic_compare_exchange_strong(&s->at[i].state, &state, SOURCE_CLAIMED)) {
            return &s->at[i];
        }
    }
    return NULL;
}

static uint64_t hash_of(unsigned component, struct slice instance)
{
    return key_hash(instance.p, instance.len) * 31 + component + 1;
}

// The source of this name, made when it is new. NULL when the table is full.
static struct source *find_or_add(struct sources *s, struct arena_hand *hand, unsigned component,
                                  struct slice instance, uint64_t now_ms)
{
    if (instance.len == 0) {
        return &s->at[component];
    }
    uint64_t hash = hash_of(component, instance);
    struct source *src = find(s, hash, component, instance, s->n);
    if (src != NULL) {
        return src;
    }
    struct source *fresh = claim(s);
    if (fresh == NULL) {
        return NULL;
    }
    // The hash shows the claim. Whoever claims a lower entry for the same name wins; both sides write
    // their hash first and look then.
    atomic_store(&fresh->hash, hash);
    src = find(s, hash, component, instance, (uint32_t)(fresh - s->at));
    if (src != NULL) {
        atomic_store(&fresh->hash, 0);
        atomic_store(&fresh->state, SOURCE_FREE);
        return src;
    }
    source_begin(s, fresh, component, instance, hand, now_ms);
    return fresh;
}

void source_begin(struct sources *s, struct source *fresh, unsigned component,
                  struct slice instance, struct arena_hand *hand, uint64_t now_ms)
{
    atomic_store(&fresh->hash, hash_of(component, instance));
    fresh->born = atomic_fetch_add(&s->births, 1) + 1;
    fresh->component = component;
    fresh->instance_len = instance.len;
    memcpy(fresh->instance, instance.p, instance.len);
    atomic_store(&fresh->life, 0);
    atomic_store(&fresh->holder, 0);
    atomic_store(&fresh->heard_real, 0);
    atomic_store(&fresh->heard_mono, now_ms);
    atomic_store(&fresh->datagram_at, 0);
    atomic_store(&fresh->lost, 0);
    atomic_store(&fresh->forgotten, false);
    fresh->restored_until = 0;
    source_record(s, hand, fresh);
    atomic_fetch_add(&s->known, 1);
    atomic_store(&fresh->state, SOURCE_KNOWN);
}

bool source_known(struct sources *s, unsigned component, struct slice instance)
{
    return instance.len > 0 &&
           find(s, hash_of(component, instance), component, instance, s->n) != NULL;
}

// A free life for the source, or 0. The first ones belong to the nameless sources.
static uint32_t take_life(struct sources *s, const struct source *src)
{
    for (uint32_t tries = CATALOG_MAX_COMPONENTS; tries < s->n_lives; tries++) {
        uint32_t turn = atomic_fetch_add_explicit(&s->next_life, 1, memory_order_relaxed);
        uint32_t i = CATALOG_MAX_COMPONENTS + turn % (s->n_lives - CATALOG_MAX_COMPONENTS);
        uint8_t state = LIFE_FREE;
        if (atomic_compare_exchange_strong(&s->lives[i].state, &state, LIFE_USED)) {
            atomic_store(&s->lives[i].source, (uint32_t)(src - s->at));
            return life_mark(s, i);
        }
    }
    return 0;
}

/*
 * The nameless ones are a crowd, of which nobody comes back: each has one life for good, which ends its series
 * as any other does. The tick that is just ending it is waited for.
 */
static uint32_t nameless_life(struct sources *s, const struct source *src)
{
    struct life *life = &s->lives[src - s->at];
    for (;;) {
        uint8_t state = atomic_load(&life->state);
        if (state == LIFE_USED || (state != LIFE_ENDING && atomic_compare_exchange_strong(
                                                               &life->state, &state, LIFE_USED))) {
            return life_mark(s, (uint32_t)(src - s->at));
        }
        sched_yield();
    }
}

uint32_t source_new_life(struct sources *s, struct source *src)
{
    return src->instance_len == 0 ? nameless_life(s, src) : take_life(s, src);
}

static void end_life(struct sources *s, uint32_t mark, uint64_t at_ms)
{
    atomic_store(&life_of(s, mark)->ends_ms, at_ms);
    atomic_store(&life_of(s, mark)->state, LIFE_GONE);
}

// Whether the life that ended last can go on: the tick has not begun to take its series away.
static bool revive(struct sources *s, uint32_t mark)
{
    uint8_t state = LIFE_GONE;
    return mark != 0 && atomic_compare_exchange_strong(&life_of(s, mark)->state, &state, LIFE_USED);
}

// Counts a connection. Returns the mark of the life that it belongs to, or 0 when no life is free.
static uint32_t connect_source(struct sources *s, struct source *src, bool returns, uint64_t now_ms)
{
    atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    bool nameless = src->instance_len == 0;
    uint64_t seen = atomic_load(&src->life);
    for (;;) {
        uint32_t old = (uint32_t)(seen >> 32);
        if ((uint32_t)seen > 0) {
            if (atomic_compare_exchange_weak(&src->life, &seen, seen + 1)) {
                return old;
            }
            continue;
        }
        bool revived = returns && !nameless && revive(s, old);
        uint32_t mark = revived ? old : source_new_life(s, src);
        if (mark == 0) {
            return 0;
        }
        if (atomic_compare_exchange_strong(&src->life, &seen, (uint64_t)mark << 32 | 1)) {
            if (old != 0 && old != mark) {
                // It came back: what the old life set has as long again to be set anew.
                atomic_store(&life_of(s, old)->ends_ms, now_ms + SOURCE_GRACE_MS);
            }
            if (!revived) {
                source_record_life(src, mark);
            }
            return mark;
        }
        // Another connection came first, or the life was just disowned.
        if (revived) {
            end_life(s, mark, now_ms + SOURCE_GRACE_MS);
        } else if (!nameless) {
            atomic_store(&life_of(s, mark)->state, LIFE_FREE);
        }
    }
}

struct source *source_nameless(struct sources *s, unsigned component, uint32_t *ret_life)
{
    *ret_life = life_mark(s, component);
    return &s->at[component];
}

void source_leave(struct sources *s, struct source *src, uint64_t now_ms)
{
    atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    uint64_t before = atomic_fetch_sub(&src->life, 1);
    if ((uint32_t)before != 1) {
        return;
    }
    uint32_t mark = (uint32_t)(before >> 32);
    end_life(s, mark, now_ms + SOURCE_GRACE_MS);
    // The nameless ones keep their mark: one may have come meanwhile.
    uint64_t now = atomic_load(&src->life);
    uint8_t state = LIFE_GONE;
    if ((uint32_t)now > 0 && (uint32_t)(now >> 32) == mark) {
        atomic_compare_exchange_strong(&life_of(s, mark)->state, &state, LIFE_USED);
    }
}

static struct source *come(struct sources *s, struct arena_hand *hand, unsigned component,
                           struct slice instance, bool returns, uint64_t now_ms, uint32_t *ret_life)
{
    for (;;) {
        struct source *src = find_or_add(s, hand, component, instance, now_ms);
        if (src == NULL) {
            return NULL;
        }
        uint32_t life = connect_source(s, src, returns, now_ms);
        if (life == 0) {
            return NULL;
        }
        if (atomic_load(&src->state) == SOURCE_KNOWN) {
            *ret_life = life;
            return src;
        }
        source_leave(s, src, now_ms); // it was just being forgotten
    }
}

struct source *source_enter(struct sources *s, struct arena_hand *hand, unsigned component,
                            struct slice instance, uint64_t now_ms, uint32_t *ret_life)
{
    return come(s, hand, component, instance, false, now_ms, ret_life);
}

struct source *source_return(struct sources *s, struct arena_hand *hand, unsigned component,
                             struct slice instance, uint64_t now_ms, uint32_t *ret_life)
{
    return come(s, hand, component, instance, true, now_ms, ret_life);
}

void source_set_lost(struct source *src, uint64_t lost)
{
    atomic_store(&src->lost, lost);
    if (src->record != NULL) {
        atomic_store_explicit(&src->record->word, lost, memory_order_relaxed);
    }
}

uint64_t source_lost(struct source *src, uint64_t lost)
{
    uint64_t before = atomic_exchange(&src->lost, lost);
    source_set_lost(src, lost);
    return lost >= before ? lost - before : lost; // less than before: the client began anew
}

bool sources_keep(void *sources, const struct table *t, const struct series *series)
{
    const struct sources *s = sources;
    uint32_t from = s->n + 1;
    uint32_t to = 2 * s->n;
    for (uint32_t mark = marks_next(t->share->base, series_marks(series), from, to);
         mark != 0 && mark <= to;
         mark = mark < to ? marks_next(t->share->base, series_marks(series), mark + 1, to) : 0) {
        const struct source *src = &s->at[mark - s->n - 1];
        if (source_connected(src) || s->tick_ms < src->restored_until) {
            return true;
        }
    }
    return false;
}

bool sources_is_own(const void *sources, uint32_t base, uint32_t life)
{
    const struct sources *s = sources;
    uint32_t i = life_index(s, life);
    uint32_t owner = i < CATALOG_MAX_COMPONENTS ? i : atomic_load(&s->lives[i].source);
    return source_base(s, &s->at[owner]) == base;
}

const struct source *sources_next(const struct sources *s, uint32_t *at)
{
    uint32_t i = *at < CATALOG_MAX_COMPONENTS ? CATALOG_MAX_COMPONENTS : *at;
    for (; i < s->n; i++) {
        const struct source *src = &s->at[i];
        bool known = atomic_load_explicit(&src->state, memory_order_acquire) == SOURCE_KNOWN;
        // Who said forget and left stays in the table until its last life has ended.
        if (known && (source_connected(src) || !atomic_load(&src->forgotten))) {
            *at = i + 1;
            return &s->at[i];
        }
    }
    return NULL;
}

const struct source *sources_find(const struct sources *s, unsigned component,
                                  struct slice instance)
{
    const struct source *src;
    uint32_t at = 0;
    while ((src = sources_next(s, &at)) != NULL && !is(src, component, instance)) {
    }
    return src;
}
