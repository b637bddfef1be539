// SPDX-License-Identifier: Apache-2.0
#include "source/source_record.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

// The payload.
struct source_saved {
    uint64_t heard_real;
    uint64_t heard_mono;
    _Atomic uint32_t leases[SOURCE_SAVED_LEASES]; // its latest ids, in a ring
    _Atomic uint32_t turn;                        // leases so far
    uint32_t forgotten;
};

struct record *source_record_new(struct series_store *store, struct arena_writer *writer,
                                 unsigned component, struct slice instance, uint32_t entry)
{
    const struct catalog *c = schema_current(store)->catalog;
    char room[2 * SOURCE_MAX_NAME + 1];
    struct buf text = {.p = room, .cap = sizeof room, .max = sizeof room};
    buf_str(&text, c->components[component]);
    buf_char(&text, '\0');
    buf_add(&text, instance.p, instance.len);
    struct record_spec spec = {
        .kind = RECORD_SOURCE,
        .payload = sizeof(struct source_saved),
        .slot = entry,
        .created_ms = clock_real_ms(),
        .text = text.p,
        .text_len = text.len,
    };
    uint32_t handle = text.failed ? 0 : record_new(store->share.arena, writer, &spec);
    if (handle == 0) {
        return NULL;
    }
    record_persist(store->share.base, handle);
    return record_at(store->share.base, handle);
}

void source_record_free(struct series_store *store, struct record *r)
{
    if (r != NULL) {
        record_free(store->share.arena, arena_handle(store->share.base, r), 0);
    }
}

void source_record_lease(struct record *r, uint32_t id)
{
    if (r != NULL) {
        struct source_saved *saved = record_payload(r);
        uint32_t turn = atomic_fetch_add(&saved->turn, 1);
        atomic_store(&saved->leases[turn % SOURCE_SAVED_LEASES], id);
    }
}

void source_record_heard(struct record *r, uint64_t heard_real, uint64_t heard_mono, bool forgotten)
{
    if (r != NULL) {
        struct source_saved *saved = record_payload(r);
        saved->heard_real = heard_real;
        saved->heard_mono = heard_mono;
        saved->forgotten = forgotten;
    }
}

bool source_record_read(const struct record *r, const struct catalog *c, struct source_past *ret)
{
    const struct source_saved *saved = record_payload(r);
    const char *text = record_text(r);
    const char *end = memchr(text, '\0', r->text_len);
    if (end == NULL || r->payload != sizeof *saved) {
        return false;
    }
    struct slice instance = {end + 1, (size_t)(r->text_len - (end + 1 - text))};
    int component = catalog_find_component(c, text, strlen(text));
    if (component < 0 || instance.len > SOURCE_MAX_NAME ||
        !text_is_utf8(instance.p, instance.len) || memchr(instance.p, '\0', instance.len) != NULL) {
        return false;
    }
    *ret = (struct source_past){
        .component = (unsigned)component,
        .instance = instance,
        .entry = r->slot,
        .heard_real = saved->heard_real,
        .heard_mono = saved->heard_mono,
        .lost = atomic_load_explicit(&r->word, memory_order_relaxed),
        .forgotten = saved->forgotten != 0,
        .lived = atomic_load(&saved->turn) != 0,
    };
    for (unsigned i = 0; i < SOURCE_SAVED_LEASES; i++) {
        ret->leases[i] = atomic_load(&saved->leases[i]);
    }
    return true;
}
