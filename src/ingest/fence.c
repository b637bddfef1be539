// SPDX-License-Identifier: Apache-2.0
#include "ingest/fence.h"

#include <errno.h>

static void name_of(struct session_name *ret, const struct connection *c, const struct protocol *p,
                    const struct control_hello *h)
{
    const char *component = schema_current(p->store)->catalog->components[h->component];
    session_name(ret, c->who.peer.uid, (struct slice){component, strlen(component)}, h->instance,
                 h->session);
}

void fence_find(struct connection *c, struct protocol *p, const struct control_hello *h)
{
    struct session_name name;
    if (h->session.len > 0) {
        name_of(&name, c, p, h);
        c->session = session_find(p->sessions, &name);
    }
}

const char *fence_claim(struct connection *c, struct protocol *p, const struct control_hello *h)
{
    if (h->session.len == 0) {
        return NULL;
    }
    if (c->session == NULL) {
        struct session_name name;
        name_of(&name, c, p, h);
        int rc = session_make(p->sessions, &p->hand->arena, &name, p->now_ms, p->now_real_ms,
                              &c->session);
        if (rc < 0) {
            return rc == -ENOSPC ? "too many sessions" : "out of memory";
        }
        c->fresh = rc == 0;
    }
    c->claim = session_claim(p->sessions, c->session, p->worker);
    c->ledger = (struct event_ledger){.redo = &p->redo,
                                      .position = &c->session->record->word,
                                      .applied = &p->accounts.of[c->source->component]->applied};
    c->origin.ledger = &c->ledger;
    session_heard(c->session, p->now_ms, p->now_real_ms);
    return NULL;
}

bool fence_is_ours(struct connection *c, struct protocol *p)
{
    enum session_turn turn =
        c->session != NULL ? session_try(p->sessions, c->session, c->claim) : SESSION_HELD;
    c->waiting = turn == SESSION_WAIT;
    c->closing |= turn == SESSION_FENCED;
    return turn == SESSION_HELD;
}

bool fence_is_lost(const struct connection *c)
{
    return c->claim != 0 && session_is_fenced(c->session, c->claim);
}

void fence_count_lost(struct connection *c, struct account *account)
{
    _Atomic uint64_t *lost = &session_saved(c->session)->lost;
    uint64_t before = atomic_load_explicit(lost, memory_order_relaxed);
    if (c->lost > before) {
        redo_note(c->ledger.redo, lost, c->lost);
        redo_count(c->ledger.redo, &account->lost, c->lost - before);
        redo_commit(c->ledger.redo);
    }
}

void fence_leave(struct connection *c, struct protocol *p)
{
    if (c->session == NULL) {
        return;
    }
    if (c->claim != 0 && !fence_is_lost(c)) {
        session_heard(c->session, p->now_ms, p->now_real_ms);
    }
    session_leave(p->sessions, c->session, c->claim);
}
