// SPDX-License-Identifier: Apache-2.0
#include "ingest/session.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum state {
    SESSION_FREE,
    SESSION_CLAIMED, // being made
    SESSION_ABORTED, // its maker has to look again
    SESSION_KNOWN,
    SESSION_GOING, // being taken away, perhaps
};

enum { WORKER_BITS = 8 }; // of a claim; above them its number

struct sessions {
    uint32_t n;
    _Atomic uint32_t known;
    struct arena *arena;
    char *base;
    void (*wake)(void *ctx, unsigned worker);
    void *ctx;
    struct session *at;
    _Atomic uint64_t *hashes; // of each entry; 0: none. Side by side, since all are looked through
};

int sessions_new(struct sessions **ret, uint32_t limit, struct arena *arena,
                 void (*wake)(void *ctx, unsigned worker), void *ctx)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->n = limit;
    s->arena = arena;
    s->base = arena_base(arena);
    s->wake = wake;
    s->ctx = ctx;
    s->at = calloc(limit + 1, sizeof *s->at);
    s->hashes = calloc(limit + 1, sizeof *s->hashes);
    if (s->at == NULL || s->hashes == NULL) {
        sessions_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void sessions_free(struct sessions *s)
{
    if (s != NULL) {
        free(s->at);
        free(s->hashes);
        free(s);
    }
}

static void add(struct session_name *n, const void *bytes, size_t len)
{
    memcpy(n->bytes + n->len, bytes, len);
    n->len += len;
}

// User and lengths go first, so that no two names read the same; the ID goes last.
void session_name(struct session_name *ret, uid_t uid, struct slice component,
                  struct slice instance, struct slice id)
{
    uint32_t head[] = {(uint32_t)uid, (uint32_t)component.len, (uint32_t)instance.len};
    ret->len = 0;
    add(ret, head, sizeof head);
    add(ret, component.p, component.len);
    add(ret, instance.p, instance.len);
    add(ret, id.p, id.len);
    uint64_t hash = key_hash(ret->bytes, ret->len);
    ret->hash = hash != 0 ? hash : 1;
}

bool session_has_id(const struct session *e, struct slice id)
{
    uint32_t head[3];
    memcpy(head, e->record->name, sizeof head);
    size_t at = sizeof head + head[1] + head[2];
    return e->record->name_len - at == id.len && memcmp(e->record->name + at, id.p, id.len) == 0;
}

static size_t record_size(size_t name_len)
{
    return sizeof(struct session_record) + name_len;
}

static bool is_named(const struct session *e, const struct session_name *name)
{
    return e->record->name_len == name->len && memcmp(e->record->name, name->bytes, name->len) == 0;
}

/*
 * As one more user of the entry, waits out whoever makes it or thinks of taking it away. Who makes an entry himself
 * does not wait for makers above it, who may wait for him: he has them look again. Returns whether it is known.
 */
static bool settled(struct session *e, bool wait_for_maker)
{
    for (;;) {
        uint8_t state = atomic_load(&e->state);
        if (!wait_for_maker &&
            (state == SESSION_ABORTED ||
             (state == SESSION_CLAIMED &&
              atomic_compare_exchange_strong(&e->state, &state, SESSION_ABORTED)))) {
            return false;
        }
        if (state == SESSION_FREE || state == SESSION_KNOWN) {
            return state == SESSION_KNOWN;
        }
        sched_yield();
    }
}

// Looks at all entries but the caller's own; s->n when he has none.
static struct session *find(struct sessions *s, const struct session_name *name, uint32_t own)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (i == own || atomic_load(&s->hashes[i]) != name->hash) {
            continue;
        }
        struct session *e = &s->at[i];
        atomic_fetch_add(&e->users, 1);
        if (settled(e, i < own) && is_named(e, name)) {
            return e;
        }
        atomic_fetch_sub(&e->users, 1);
    }
    return NULL;
}

struct session *session_find(struct sessions *s, const struct session_name *name)
{
    return find(s, name, s->n);
}

// Takes an entry away unless somebody uses it. Returns whether it did.
static bool let_go(struct sessions *s, struct session *e)
{
    uint8_t state = SESSION_KNOWN;
    if (!atomic_compare_exchange_strong(&e->state, &state, SESSION_GOING)) {
        return false;
    }
    if (atomic_load(&e->users) > 0) {
        atomic_store(&e->state, SESSION_KNOWN);
        return false;
    }
    arena_release(s->arena, e->handle, record_size(e->record->name_len));
    e->record = NULL;
    atomic_store(&s->hashes[e - s->at], 0);
    atomic_fetch_sub(&s->known, 1);
    atomic_store(&e->state, SESSION_FREE);
    return true;
}

static bool is_idle(const struct session *e)
{
    return atomic_load(&e->state) == SESSION_KNOWN && atomic_load(&e->users) == 0;
}

static int64_t heard(const struct session *e)
{
    return (int64_t)atomic_load_explicit(&e->heard_ms, memory_order_relaxed);
}

// Lets the one go that was silent for longest. Returns false when all have connections.
static bool evict(struct sessions *s)
{
    for (;;) {
        struct session *oldest = NULL;
        for (uint32_t i = 0; i < s->n; i++) {
            struct session *e = &s->at[i];
            if (is_idle(e) && (oldest == NULL || heard(e) < heard(oldest))) {
                oldest = e;
            }
        }
        if (oldest == NULL || let_go(s, oldest)) {
            return oldest != NULL;
        }
    }
}

// A free entry, now the caller's; NULL when there is none.
static struct session *claim_entry(struct sessions *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint8_t state = SESSION_FREE;
        if (atomic_load(&s->hashes[i]) == 0 &&
            atomic_compare_exchange_strong(&s->at[i].state, &state, SESSION_CLAIMED)) {
            return &s->at[i];
        }
    }
    return NULL;
}

static struct session_record *make_record(struct sessions *s, struct arena_hand *hand,
                                          const struct session_name *name, uint64_t now_real_ms,
                                          uint32_t *ret_handle)
{
    uint32_t handle = arena_alloc(s->arena, hand, record_size(name->len));
    if (handle == 0) {
        return NULL;
    }
    struct session_record *r = arena_at(s->base, handle);
    atomic_init(&r->heard_ms, now_real_ms);
    r->name_len = (uint32_t)name->len;
    memcpy(r->name, name->bytes, name->len);
    *ret_handle = handle;
    return r;
}

// Gives an entry back that never became known.
static void unmake(struct sessions *s, struct session *e, const struct session_name *name)
{
    arena_release(s->arena, e->handle, record_size(name->len));
    e->record = NULL;
    atomic_store(&s->hashes[e - s->at], 0);
    atomic_fetch_sub(&e->users, 1);
    atomic_store(&e->state, SESSION_FREE);
}

/*
 * The hash shows the entry, and only then its maker looks for another one of that name, so that of two makers one
 * sees the other. The one below goes on.
 */
static int try_make(struct sessions *s, struct session *e, const struct session_name *name,
                    struct session **ret)
{
    atomic_fetch_add(&e->users, 1);
    atomic_store(&s->hashes[e - s->at], name->hash);
    struct session *other = find(s, name, (uint32_t)(e - s->at));
    uint8_t state = SESSION_CLAIMED;
    if (other == NULL && atomic_compare_exchange_strong(&e->state, &state, SESSION_KNOWN)) {
        atomic_fetch_add(&s->known, 1);
        *ret = e;
        return 0;
    }
    unmake(s, e, name);
    *ret = other;
    return other != NULL ? 1 : -EAGAIN;
}

int session_make(struct sessions *s, struct arena_hand *hand, const struct session_name *name,
                 uint64_t now_ms, uint64_t now_real_ms, struct session **ret)
{
    for (;;) {
        *ret = session_find(s, name);
        if (*ret != NULL) {
            return 1;
        }
        struct session *e = claim_entry(s);
        if (e == NULL && !evict(s)) {
            return -ENOSPC;
        }
        if (e == NULL) {
            continue;
        }
        e->record = make_record(s, hand, name, now_real_ms, &e->handle);
        if (e->record == NULL) {
            atomic_store(&e->state, SESSION_FREE);
            return -ENOMEM;
        }
        atomic_store(&e->claim, 0);
        atomic_store(&e->held, 0);
        atomic_store(&e->heard_ms, now_ms);
        int rc = try_make(s, e, name, ret);
        if (rc != -EAGAIN) {
            return rc;
        }
    }
}

uint64_t session_claim(struct session *e, unsigned worker)
{
    uint64_t before = atomic_load(&e->claim);
    uint64_t claim;
    do {
        claim = ((before >> WORKER_BITS) + 1) << WORKER_BITS | worker;
    } while (!atomic_compare_exchange_weak(&e->claim, &before, claim));
    return claim;
}

static void wake(struct sessions *s, uint64_t claim)
{
    s->wake(s->ctx, claim & ((1u << WORKER_BITS) - 1));
}

// Nobody holds it any more. Who claimed it meanwhile may not have seen that.
static void release(struct sessions *s, struct session *e, uint64_t claim)
{
    atomic_store(&e->held, 0);
    uint64_t latest = atomic_load(&e->claim);
    if (latest != claim) {
        wake(s, latest);
    }
}

enum session_turn session_try(struct sessions *s, struct session *e, uint64_t claim)
{
    uint64_t holder = 0;
    if (atomic_load(&e->claim) != claim) {
        return SESSION_FENCED;
    }
    if (!atomic_compare_exchange_strong(&e->held, &holder, claim) && holder != claim) {
        wake(s, holder);
        return SESSION_WAIT;
    }
    if (atomic_load(&e->claim) != claim) {
        release(s, e, claim);
        return SESSION_FENCED;
    }
    return SESSION_HELD;
}

void session_heard(struct session *e, uint64_t now_ms, uint64_t now_real_ms)
{
    atomic_store_explicit(&e->heard_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&e->record->heard_ms, now_real_ms, memory_order_relaxed);
}

void session_leave(struct sessions *s, struct session *e, uint64_t claim)
{
    if (claim != 0 && atomic_load(&e->held) == claim) {
        release(s, e, claim);
    }
    atomic_fetch_sub(&e->users, 1);
}

void sessions_tick(struct sessions *s, uint64_t now_ms)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->at[i];
        if (is_idle(e) && (int64_t)now_ms - heard(e) >= (int64_t)SESSION_FORGOTTEN_MS) {
            let_go(s, e);
        }
    }
}

uint32_t sessions_known(const struct sessions *s)
{
    return atomic_load(&s->known);
}
