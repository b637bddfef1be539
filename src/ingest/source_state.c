// SPDX-License-Identifier: Apache-2.0
#include "ingest/source_state.h"

#include "base/clock.h"
#include "base/text.h"
#include "ingest/source_table.h"

#include <errno.h>
#include <stdlib.h>

// ---- Writing

static struct source_saved *saved_of(const struct source *src)
{
    return src->record == NULL ? NULL : record_payload(src->record);
}

void source_record(struct sources *s, struct arena_hand *hand, struct source *src)
{
    src->record = NULL;
    if (s->store == NULL || hand == NULL) {
        return;
    }
    const struct catalog *c = schema_current(s->store)->catalog;
    char room[2 * CONTROL_MAX_NAME + 1];
    struct buf text = {.p = room, .cap = sizeof room, .max = sizeof room};
    buf_str(&text, c->components[src->component]);
    buf_char(&text, '\0');
    buf_add(&text, src->instance, src->instance_len);
    struct record_spec spec = {
        .kind = RECORD_SOURCE,
        .payload = sizeof(struct source_saved),
        .slot = (uint32_t)(src - s->at),
        .created_ms = clock_real_ms(),
        .text = text.p,
        .text_len = text.len,
    };
    uint32_t handle = text.failed ? 0 : record_new(s->store->share.arena, hand, &spec);
    if (handle != 0) {
        src->record = record_at(s->store->share.base, handle);
        record_publish(s->store->share.base, handle);
    }
}

void source_unrecord(struct sources *s, struct source *src)
{
    if (src->record != NULL) {
        record_free(s->store->share.arena, arena_handle(s->store->share.base, src->record), 0);
        src->record = NULL;
    }
}

void source_record_life(const struct source *src, uint32_t mark)
{
    struct source_saved *saved = saved_of(src);
    if (saved != NULL) {
        uint32_t turn = atomic_fetch_add(&saved->turn, 1);
        atomic_store(&saved->lives[turn % SOURCE_SAVED_LIVES], mark);
    }
}

void sources_bind(struct sources *s, struct series_store *store, struct arena_hand *hand)
{
    s->store = store;
    for (unsigned i = 0; i < schema_current(store)->catalog->n_components; i++) {
        if (s->at[i].record == NULL) {
            source_record(s, hand, &s->at[i]);
        }
    }
}

void sources_mend(struct sources *s, struct arena_hand *hand)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct source *src = &s->at[i];
        if (src->record == NULL ||
            record_is_whole(s->store->share.base,
                            arena_handle(s->store->share.base, src->record))) {
            continue;
        }
        source_record(s, hand, src);
        source_record_life(src, (uint32_t)(atomic_load(&src->life) >> 32));
        source_set_lost(src, atomic_load(&src->lost));
    }
}

void sources_save(struct sources *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct source *src = &s->at[i];
        if (atomic_load_explicit(&src->state, memory_order_acquire) != SOURCE_KNOWN) {
            continue;
        }
        struct source_saved *saved = saved_of(src);
        if (saved != NULL) {
            saved->heard_real = atomic_load_explicit(&src->heard_real, memory_order_relaxed);
            saved->heard_mono = atomic_load_explicit(&src->heard_mono, memory_order_relaxed);
            saved->forgotten = atomic_load_explicit(&src->forgotten, memory_order_relaxed);
        }
    }
}

// ---- Reading

struct past_life {
    uint32_t old;
    uint32_t now;
};

struct sources_past {
    struct sources *sources;
    uint32_t n;              // entries of the old table
    uint32_t *now;           // the new entry of each + 1, or 0
    struct past_life *lives; // by `old`
    size_t n_lives;
};

static int component_named(const struct catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_components; i++) {
        if (strcmp(c->components[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

// A free entry for the source, at best the one that it had, so that sources keep their order.
static struct source *entry_for(struct sources *s, uint32_t slot, int component, size_t len)
{
    if (len == 0) {
        return &s->at[component];
    }
    if (slot >= CATALOG_MAX_COMPONENTS && slot < s->n &&
        atomic_load(&s->at[slot].state) == SOURCE_FREE) {
        return &s->at[slot];
    }
    for (uint32_t i = CATALOG_MAX_COMPONENTS; i < s->n; i++) {
        if (atomic_load(&s->at[i].state) == SOURCE_FREE) {
            return &s->at[i];
        }
    }
    return NULL;
}

// The lives that the source had are one from now on, which ends if it does not come back.
static void take_lives(struct sources_past *past, struct source *src,
                       const struct source_saved *saved, uint64_t now_ms)
{
    struct sources *s = past->sources;
    uint32_t n = atomic_load(&saved->turn);
    uint32_t mark = n == 0 ? 0 : source_new_life(s, src);
    if (mark == 0) {
        return;
    }
    atomic_store(&src->life, (uint64_t)mark << 32);
    atomic_store(&life_of(s, mark)->ends_ms, now_ms + SOURCE_GRACE_MS);
    atomic_store(&life_of(s, mark)->state, LIFE_GONE);
    source_record_life(src, mark);
    for (unsigned i = 0; i < SOURCE_SAVED_LIVES; i++) {
        uint32_t old = atomic_load(&saved->lives[i]);
        if (old != 0) {
            past->lives[past->n_lives++] = (struct past_life){old, mark};
        }
    }
}

static void take_source(struct sources_past *past, const struct record_image *image,
                        uint32_t handle, struct arena_hand *hand, uint64_t now_ms)
{
    struct sources *s = past->sources;
    const struct record *r = record_at(image->base, handle);
    const struct source_saved *saved = record_payload(r);
    const char *text = record_text(r);
    const char *end = memchr(text, '\0', r->text_len);
    if (end == NULL || r->payload != sizeof *saved || r->slot >= past->n) {
        return;
    }
    struct slice instance = {end + 1, (size_t)(r->text_len - (end + 1 - text))};
    int component = component_named(schema_current(s->store)->catalog, text);
    if (component < 0 || instance.len > CONTROL_MAX_NAME ||
        !text_is_utf8(instance.p, instance.len) || memchr(instance.p, '\0', instance.len) != NULL ||
        source_known(s, (unsigned)component, instance)) {
        return;
    }
    struct source *src = entry_for(s, r->slot, component, instance.len);
    if (src == NULL) {
        return;
    }
    if (instance.len > 0) {
        source_begin(s, src, (unsigned)component, instance, hand, now_ms);
    }
    past->now[r->slot] = (uint32_t)(src - s->at) + 1;
    atomic_store(&src->heard_real, saved->heard_real);
    atomic_store(&src->heard_mono, saved->heard_mono + (uint64_t)(int32_t)image->shift_s * 1000);
    atomic_store(&src->forgotten, saved->forgotten != 0);
    source_set_lost(src, atomic_load_explicit(&r->word, memory_order_relaxed));
    src->restored_until = now_ms + SOURCE_GRACE_MS;
    take_lives(past, src, saved, now_ms);
}

static int compare_lives(const void *a, const void *b)
{
    const struct past_life *x = a;
    const struct past_life *y = b;
    return (x->old > y->old) - (x->old < y->old);
}

int sources_restore(struct sources *s, struct record_image *image, struct arena_hand *hand,
                    uint64_t now_ms, struct sources_past **ret)
{
    struct sources_past *past = calloc(1, sizeof *past);
    if (past == NULL) {
        return -ENOMEM;
    }
    past->sources = s;
    past->n = image->life_from / 2;
    size_t n = record_count(image, RECORD_SOURCE);
    size_t at = 0;
    past->now = calloc(past->n + 1, sizeof *past->now);
    past->lives = calloc(n * SOURCE_SAVED_LIVES + 1, sizeof *past->lives);
    if (past->now == NULL || past->lives == NULL) {
        sources_past_free(past);
        return -ENOMEM;
    }
    for (uint32_t handle; (handle = record_next(image, RECORD_SOURCE, &at)) != 0;) {
        take_source(past, image, handle, hand, now_ms);
    }
    qsort(past->lives, past->n_lives, sizeof *past->lives, compare_lives);
    *ret = past;
    return 0;
}

void sources_past_free(struct sources_past *past)
{
    if (past != NULL) {
        free(past->now);
        free(past->lives);
        free(past);
    }
}

static uint32_t translate(void *ctx, uint32_t mark)
{
    const struct sources_past *past = ctx;
    const struct sources *s = past->sources;
    if (mark <= 2 * past->n) {
        uint32_t now = past->now[(mark - 1) % past->n];
        return now == 0 ? 0 : mark <= past->n ? now : s->n + now;
    }
    struct past_life want = {.old = mark};
    const struct past_life *found =
        past->n_lives == 0 ? NULL
                           : bsearch(&want, past->lives, past->n_lives, sizeof want, compare_lives);
    return found == NULL ? 0 : found->now;
}

static uint32_t life_of_base(void *ctx, uint32_t base)
{
    const struct sources_past *past = ctx;
    return (uint32_t)(atomic_load(&past->sources->at[base - 1].life) >> 32);
}

struct restore_marks sources_past_marks(struct sources_past *past)
{
    return (struct restore_marks){translate, life_of_base, past};
}
