// SPDX-License-Identifier: Apache-2.0
#include "ingest/refusal.h"

#include "base/count.h"

#include <stdio.h>

void refusal_put(struct refusals *r, const struct source *src, const struct admission *who,
                 uint64_t line, enum reject reason, const char *metric, const char *detail,
                 struct slice text)
{
    uint32_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
    if (at - atomic_load_explicit(&r->taken, memory_order_acquire) == REFUSAL_RING) {
        count_add(&r->missed, 1);
        return;
    }
    struct refusal *e = &r->ring[at % REFUSAL_RING];
    e->reason = reason;
    e->component = src->component;
    memcpy(e->instance, src->instance, src->instance_len);
    e->instance[src->instance_len] = '\0';
    e->user = who->peer.uid;
    snprintf(e->entry, sizeof e->entry, "%s", who->entry != NULL ? who->entry->name : "");
    e->line = line;
    snprintf(e->metric, sizeof e->metric, "%s", metric);
    snprintf(e->detail, sizeof e->detail, "%s", detail);
    e->line_len = text.len;
    e->text_len = 0;
    if (text.len > 0 && atomic_load_explicit(&r->texts, memory_order_relaxed)) {
        e->text_len = text.len < REFUSAL_TEXT ? text.len : REFUSAL_TEXT;
        memcpy(e->text, text.p, e->text_len);
    }
    atomic_store_explicit(&r->written, at + 1, memory_order_release);
}

bool refusal_take(struct refusals *r, struct refusal *ret)
{
    uint32_t at = atomic_load_explicit(&r->taken, memory_order_relaxed);
    if (at == atomic_load_explicit(&r->written, memory_order_acquire)) {
        return false;
    }
    *ret = r->ring[at % REFUSAL_RING];
    atomic_store_explicit(&r->taken, at + 1, memory_order_release);
    return true;
}
