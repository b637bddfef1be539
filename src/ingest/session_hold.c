// SPDX-License-Identifier: Apache-2.0
// Which of a session's connections holds it.
#include "ingest/session_table.h"

enum { WORKER_BITS = 8 }; // of a claim; above them its number

static void wake(struct sessions *s, uint64_t claim)
{
    s->wake(s->ctx, claim & ((1u << WORKER_BITS) - 1));
}

uint64_t session_claim(struct sessions *s, struct session *e, unsigned worker)
{
    uint64_t before = atomic_load(&e->claim);
    uint64_t claim;
    do {
        claim = ((before >> WORKER_BITS) + 1) << WORKER_BITS | worker;
    } while (!atomic_compare_exchange_weak(&e->claim, &before, claim));
    // Who claimed it last, and may still wait for it, waits in vain.
    if (before != 0 && atomic_load(&e->users) > 1) {
        wake(s, before);
    }
    return claim;
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
    atomic_store_explicit(&session_saved(e)->heard_ms, now_real_ms, memory_order_relaxed);
}

void session_leave(struct sessions *s, struct session *e, uint64_t claim)
{
    if (claim != 0 && atomic_load(&e->held) == claim) {
        release(s, e, claim);
    }
    atomic_fetch_sub(&e->users, 1);
}
