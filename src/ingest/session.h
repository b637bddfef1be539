// SPDX-License-Identifier: Apache-2.0
/*
 * session: how far each client has come, across its connections.
 *
 * Shape:   a fixed table of entries, and for each known session a record in the arena: its name and the words
 *          that must outlive a connection. The name of a session is whose it is (user, component, instance) and
 *          the ID that its client chose. One connection at a time holds a session: each that comes claims it,
 *          the latest claim counts, and it is held once whoever held it before has let go.
 * Threads: any worker. sessions_tick: one thread. Who makes an entry took it by compare-and-swap, and of two
 *          that make the same session one gives way. Whoever looks at an entry counts as its user first and
 *          looks at its state then; whoever takes it away says so first and looks for users then, both seq_cst:
 *          so no entry goes while somebody uses it. The words of a record are changed by who holds the session.
 * Memory:  bounded by the limit. When the table is full, the session goes that has no connection and was silent
 *          for longest.
 */
#ifndef VE_INGEST_SESSION_H
#define VE_INGEST_SESSION_H

#include "event/control.h"
#include "series/record.h"

#include <stdatomic.h>
#include <sys/types.h>

#define SESSION_FORGOTTEN_MS ((uint64_t)24 * 3600 * 1000) // without a connection for this long

// The payload of its record; the record's word is the position, its text the name.
struct session_saved {
    _Atomic uint64_t lost;     // the most that its client said it lost
    _Atomic uint64_t heard_ms; // CLOCK_REALTIME
};

struct session {
    _Atomic uint8_t state;     // enum in session.c
    _Atomic uint32_t users;    // connections, and those who just look
    _Atomic uint64_t claim;    // the latest one
    _Atomic uint64_t held;     // the claim of the connection that holds it, or 0
    _Atomic uint64_t heard_ms; // CLOCK_MONOTONIC, below 0 when before the system's start
    uint32_t handle;           // of the record
    struct record *record;
};

struct session_name {
    size_t len;
    uint64_t hash;
    char bytes[12 + 3 * CONTROL_MAX_NAME];
};

struct sessions;

// Room for `limit` sessions. `wake` is called with a worker's number when one of its connections may find that it
// is the turn of another one, or its own. Returns 0, -ENOMEM.
int sessions_new(struct sessions **ret, uint32_t limit, struct arena *arena,
                 void (*wake)(void *ctx, unsigned worker), void *ctx);
void sessions_free(struct sessions *s);

static inline struct session_saved *session_saved(const struct session *e)
{
    return record_payload(e->record);
}
// Lines of the session that were dealt with.
static inline uint64_t session_position(const struct session *e)
{
    return atomic_load_explicit(&e->record->word, memory_order_relaxed);
}

// The name of a session; none of its parts is longer than CONTROL_MAX_NAME.
void session_name(struct session_name *ret, uid_t uid, struct slice component,
                  struct slice instance, struct slice id);
// Whether that is its ID.
bool session_has_id(const struct session *e, struct slice id);

// The session of that name, with the caller as one more user; NULL when there is none.
struct session *session_find(struct sessions *s, const struct session_name *name);
// The same, made when there is none. Returns 1 when there was one, 0 when it is new, -ENOSPC when all have
// connections, -ENOMEM.
int session_make(struct sessions *s, struct arena_hand *hand, const struct session_name *name,
                 uint64_t now_ms, uint64_t now_real_ms, struct session **ret);

// Makes the sessions known that an earlier process left, up to the limit; before any connection comes. Not after a
// power cut, which may have rolled back what they count.
void sessions_restore(struct sessions *s, struct arena_hand *hand, const struct record_image *image,
                      uint64_t now_ms, uint64_t now_real_ms);

// Forgets the sessions whose records were lost with their pages (arena_torn), and fences their connections; while
// no worker runs.
void sessions_mend(struct sessions *s);

// A connection of a worker wants the session; any other one is fenced from now on, and its worker woken. Returns
// the claim, which is never 0.
uint64_t session_claim(struct sessions *s, struct session *e, unsigned worker);

enum session_turn {
    SESSION_HELD,   // it is this connection's
    SESSION_WAIT,   // who holds it was woken, and is going to wake the claimer
    SESSION_FENCED, // a later claim counts
};

enum session_turn session_try(struct sessions *s, struct session *e, uint64_t claim);
static inline bool session_is_fenced(const struct session *e, uint64_t claim)
{
    return atomic_load_explicit(&e->claim, memory_order_relaxed) != claim;
}

void session_heard(struct session *e, uint64_t now_ms, uint64_t now_real_ms);
// Ends a use, and with a claim (else 0) the connection's hold of it.
void session_leave(struct sessions *s, struct session *e, uint64_t claim);

// Forgets those that were silent for long.
void sessions_tick(struct sessions *s, uint64_t now_ms);

// How many are known.
uint32_t sessions_known(const struct sessions *s);

#endif
