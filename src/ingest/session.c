// SPDX-License-Identifier: Apache-2.0
#include "ingest/session_table.h"

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
    if (len > 0) {
        memcpy(n->bytes + n->len, bytes, len);
        n->len += len;
    }
}

static void hash_name(struct session_name *n)
{
    uint64_t hash = key_hash(n->bytes, n->len);
    n->hash = hash != 0 ? hash : 1;
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
    hash_name(ret);
}

bool session_has_id(const struct session *e, struct slice id)
{
    uint32_t head[3];
    const char *name = record_text(e->record);
    memcpy(head, name, sizeof head);
    size_t at = sizeof head + head[1] + head[2];
    return e->record->text_len - at == id.len && memcmp(name + at, id.p, id.len) == 0;
}

static bool is_named(const struct session *e, const struct session_name *name)
{
    return e->record->text_len == name->len &&
           memcmp(record_text(e->record), name->bytes, name->len) == 0;
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
    record_free(s->arena, e->handle, 0);
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

// The one without a connection that was silent for longest, or NULL.
static struct session *find_oldest(const struct sessions *s)
{
    struct session *oldest = NULL;
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->at[i];
        if (is_idle(e) && (oldest == NULL || heard(e) < heard(oldest))) {
            oldest = e;
        }
    }
    return oldest;
}

// Lets that one go. Returns false when all have connections.
static bool evict(struct sessions *s)
{
    struct session *oldest;
    do {
        oldest = find_oldest(s);
    } while (oldest != NULL && !let_go(s, oldest));
    return oldest != NULL;
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

static bool make_record(struct sessions *s, struct arena_hand *hand, struct session *e,
                        const struct session_name *name, uint64_t now_real_ms)
{
    struct record_spec spec = {
        .kind = RECORD_SESSION,
        .payload = sizeof(struct session_saved),
        .created_ms = now_real_ms,
        .text = name->bytes,
        .text_len = name->len,
    };
    e->handle = record_new(s->arena, hand, &spec);
    if (e->handle != 0) {
        e->record = record_at(s->base, e->handle);
        atomic_init(&session_saved(e)->heard_ms, now_real_ms);
    }
    return e->handle != 0;
}

// Gives an entry back that never became known.
static void unmake(struct sessions *s, struct session *e)
{
    record_free(s->arena, e->handle, 0);
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
    record_publish(s->base, e->handle);
    if (other == NULL && atomic_compare_exchange_strong(&e->state, &state, SESSION_KNOWN)) {
        atomic_fetch_add(&s->known, 1);
        *ret = e;
        return 0;
    }
    unmake(s, e);
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
        if (!make_record(s, hand, e, name, now_real_ms)) {
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

// A session of an earlier process has no connection yet.
static void take_over(struct sessions *s, struct arena_hand *hand, const struct record *r,
                      uint64_t now_ms, uint64_t now_real_ms)
{
    struct session_name name;
    const struct session_saved *saved = record_payload(r);
    uint32_t head[3];
    if (r->payload != sizeof *saved || r->text_len < sizeof head ||
        r->text_len > sizeof name.bytes) {
        return;
    }
    memcpy(head, record_text(r), sizeof head);
    if ((uint64_t)head[1] + head[2] > r->text_len - sizeof head) {
        return;
    }
    name.len = 0;
    add(&name, record_text(r), r->text_len);
    hash_name(&name);
    uint64_t idle_ms = now_real_ms - atomic_load_explicit(&saved->heard_ms, memory_order_relaxed);
    idle_ms = (int64_t)idle_ms < 0 ? 0 : idle_ms; // the clock was set back
    struct session *e = sessions_known(s) < s->n ? NULL : find_oldest(s);
    if (idle_ms >= SESSION_FORGOTTEN_MS || (e != NULL && heard(e) >= (int64_t)(now_ms - idle_ms)) ||
        session_make(s, hand, &name, now_ms - idle_ms, now_real_ms - idle_ms, &e) < 0) {
        return;
    }
    uint64_t position = atomic_load_explicit(&r->word, memory_order_relaxed);
    if (position >= session_position(e)) {
        atomic_store(&e->record->word, position);
        atomic_store(&session_saved(e)->lost, atomic_load(&saved->lost));
    }
    session_leave(s, e, 0);
}

void sessions_restore(struct sessions *s, struct arena_hand *hand, const struct record_image *image,
                      uint64_t now_ms, uint64_t now_real_ms)
{
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(image, RECORD_SESSION, &at)) != 0;) {
        take_over(s, hand, record_at(image->base, handle), now_ms, now_real_ms);
    }
}

void sessions_mend(struct sessions *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->at[i];
        if (atomic_load(&e->state) == SESSION_KNOWN && !record_is_whole(s->base, e->handle)) {
            atomic_store(&s->hashes[i], 1); // no name's, and the entry is not free
            atomic_fetch_add(&e->users, 1);
            session_leave(s, e, session_claim(s, e, 0)); // which wakes whoever has it
            atomic_store(&e->heard_ms, (uint64_t)-SESSION_FORGOTTEN_MS); // the next tick takes it
        }
    }
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
