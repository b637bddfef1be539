// SPDX-License-Identifier: Apache-2.0
#include "ingest/admit.h"

#include <stdio.h>

static const struct permit no_entry = {
    .number = 1, .name = "sources", .nothing = "no entry of sources is for this user"};
static const struct permit many_entries = {
    .number = 2,
    .name = "sources",
    .nothing = "several entries of sources are for this user; a hello must say which"};
static const struct permit no_such_source = {
    .number = 3,
    .name = "sources",
    .nothing = "no entry of sources lets this user push as this source any more"};

static bool take(_Atomic uint32_t *count, uint32_t most)
{
    uint32_t now = atomic_load_explicit(count, memory_order_relaxed);
    do {
        if (most > 0 && now >= most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(count, &now, now + 1));
    return true;
}

// Moves it to another count. With `most` 0 there is always room.
static bool move(struct admission *a, _Atomic uint32_t *to, uint32_t most)
{
    if (!a->counts || a->place == to) {
        return true;
    }
    if (to != NULL && !take(to, most)) {
        return false;
    }
    if (a->place != NULL) {
        atomic_fetch_sub(a->place, 1);
    }
    a->place = to;
    return true;
}

// What it may do without a hello.
static void look(struct admission *a, const struct rights *r)
{
    size_t at = 0;
    a->generation = r != NULL ? r->generation : 0;
    a->entry = NULL;
    a->permit = NULL;
    if (r == NULL || r->open) {
        return;
    }
    const struct rights_entry *only = rights_next(r, &a->peer, &at);
    if (only == NULL) {
        a->permit = &no_entry;
    } else if (rights_next(r, &a->peer, &at) != NULL) {
        a->permit = &many_entries;
    } else {
        a->entry = only;
        a->permit = &only->permit;
    }
}

// Finds a place among those that said no hello. With `force` there is one.
static bool wait_for_hello(struct admission *a, struct rights_book *book, const struct rights *r,
                           bool force)
{
    if (r == NULL || r->open) {
        return move(a, NULL, 0);
    }
    const struct rights_entry *e;
    const struct rights_entry *first = NULL;
    size_t at = 0;
    while ((e = rights_next(r, &a->peer, &at)) != NULL) {
        first = first == NULL ? e : first;
        if (move(a, &book->at[e->account].unsaid, force ? 0 : e->connections)) {
            return true;
        }
    }
    return first == NULL && move(a, &book->at[0].unsaid, force ? 0 : RIGHTS_STRANGERS);
}

enum reject admit_begin(struct admission *a, const struct peer *peer, bool counts,
                        struct rights_book *book, char detail[ADMIT_DETAIL])
{
    const struct rights *r = rights_current(book);
    *a = (struct admission){.peer = *peer, .counts = counts};
    look(a, r);
    if (!wait_for_hello(a, book, r, false)) {
        snprintf(detail, ADMIT_DETAIL, "too many connections that have not said hello");
        return REJECT_rate_limited;
    }
    return REJECT_NONE;
}

void admit_end(struct admission *a)
{
    move(a, NULL, 0);
    peer_drop(&a->peer);
}

void admit_again(struct admission *a, struct rights_book *book, unsigned component,
                 struct slice instance)
{
    const struct rights *r = rights_current(book);
    look(a, r);
    if (component == COMPONENT_UNKNOWN || r == NULL || r->open) {
        wait_for_hello(a, book, r, true);
        return;
    }
    a->entry = rights_find(r, &a->peer, component, instance);
    a->permit = a->entry != NULL ? &a->entry->permit : &no_such_source;
    move(a, &book->at[a->entry != NULL ? a->entry->account : 0].connections, 0);
}

enum reject admit_hello(struct admission *a, struct rights_book *book, unsigned component,
                        struct slice instance, char detail[ADMIT_DETAIL])
{
    const struct rights *r = rights_current(book);
    if (r == NULL || r->open) {
        return REJECT_NONE;
    }
    const struct rights_entry *e = rights_find(r, &a->peer, component, instance);
    if (e == NULL) {
        snprintf(detail, ADMIT_DETAIL, "no entry of sources lets this user be instance \"%.*s\"",
                 (int)(instance.len > 64 ? 64 : instance.len),
                 instance.p != NULL ? instance.p : "");
        return REJECT_not_permitted;
    }
    if (!move(a, &book->at[e->account].connections, e->connections)) {
        snprintf(detail, ADMIT_DETAIL, "%s has its %u connections", e->name, e->connections);
        return REJECT_rate_limited;
    }
    a->entry = e;
    a->permit = &e->permit;
    return REJECT_NONE;
}

uint64_t admit_refused(const struct admission *a, struct rights_book *book, uint64_t lines,
                       uint64_t now_ms)
{
    if (lines == 0 || a->entry == NULL || a->permit->interval_ns == 0) {
        return 0;
    }
    _Atomic uint64_t *full = &book->at[a->entry->account].refused_ns;
    uint64_t now = now_ms * 1000000;
    uint64_t seen = atomic_load_explicit(full, memory_order_relaxed);
    uint64_t next;
    do {
        next = (seen > now ? seen : now) + lines * a->permit->interval_ns;
    } while (!atomic_compare_exchange_weak_explicit(full, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    uint64_t wait_ms = (next - now) / 1000000;
    return wait_ms <= 1000
               ? 0
               : now_ms + (wait_ms - 1000 < ADMIT_REST_MS ? wait_ms - 1000 : ADMIT_REST_MS);
}

unsigned admit_component(const struct admission *a)
{
    return a->entry != NULL ? a->entry->component : COMPONENT_UNKNOWN;
}

const char *admit_other_unit(const struct admission *a, char *ret, size_t size)
{
    if (a->entry == NULL || a->entry->unit == NULL) {
        return NULL;
    }
    if (!peer_unit(a->peer.pid, ret, size)) {
        snprintf(ret, size, "no unit");
    }
    return strcmp(ret, a->entry->unit) == 0 ? NULL : ret;
}
