// SPDX-License-Identifier: Apache-2.0
#include "ingest/rejected.h"

#include "base/count.h"

#include <stdio.h>

// Counts one more with an entry. Returns false when the entry has been taken. The loop ends: the reader changes
// `more` once, and nobody else does but this writer.
static bool add_more(_Atomic uint32_t *more)
{
    uint32_t n = atomic_load_explicit(more, memory_order_relaxed);
    while (n < REJECTED_TAKEN - 1) {
        if (atomic_compare_exchange_weak_explicit(more, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

// Whether there is a place for one more of this source; where there is not, it is counted.
static bool has_room(struct rejected_lines *r, const struct source *src, uid_t user)
{
    uint32_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    uint32_t taken = atomic_load_explicit(&r->taken, memory_order_acquire);
    unsigned share = 0;
    uint32_t last = 0;
    for (uint32_t at = taken; at != written; at++) {
        const struct rejected_line *e = &r->ring[at % REJECTED_RING];
        if (e->source == src && e->user == user) {
            share++;
            last = at;
        }
    }
    if (share < REJECTED_SHARE && written - taken < REJECTED_RING) {
        return true;
    }
    if (share == 0 || !add_more(&r->more[last % REJECTED_RING])) {
        count_add(&r->missed, 1);
    }
    return false;
}

void rejected_put(struct rejected_lines *r, const struct source *src,
                  const struct permission_client *who, uint64_t line, const struct rejection *why,
                  struct slice text)
{
    if (!has_room(r, src, who->peer.uid)) {
        return;
    }
    uint32_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
    struct rejected_line *e = &r->ring[at % REJECTED_RING];
    atomic_store_explicit(&r->more[at % REJECTED_RING], 0, memory_order_relaxed);
    e->source = src;
    e->reason = why->reason;
    e->is_event = why->names_event;
    e->component = src->component;
    memcpy(e->instance, src->instance, src->instance_len);
    e->instance[src->instance_len] = '\0';
    e->user = who->peer.uid;
    snprintf(e->entry, sizeof e->entry, "%s", who->role != NULL ? who->role->name : "");
    e->line = line;
    snprintf(e->metric, sizeof e->metric, "%s", why->name);
    snprintf(e->detail, sizeof e->detail, "%s", why->detail);
    e->line_len = text.len;
    e->text_len = 0;
    if (text.len > 0 && atomic_load_explicit(&r->texts, memory_order_relaxed)) {
        e->text_len = text.len < REJECTED_TEXT ? text.len : REJECTED_TEXT;
        memcpy(e->text, text.p, e->text_len);
    }
    atomic_store_explicit(&r->written, at + 1, memory_order_release);
}

bool rejected_take(struct rejected_lines *r, struct rejected_line *ret)
{
    uint32_t at = atomic_load_explicit(&r->taken, memory_order_relaxed);
    if (at == atomic_load_explicit(&r->written, memory_order_acquire)) {
        return false;
    }
    *ret = r->ring[at % REJECTED_RING];
    ret->more = atomic_exchange_explicit(&r->more[at % REJECTED_RING], REJECTED_TAKEN,
                                         memory_order_relaxed);
    atomic_store_explicit(&r->taken, at + 1, memory_order_release);
    return true;
}
