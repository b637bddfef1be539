// SPDX-License-Identifier: Apache-2.0
/*
 * session: how far each client has come, across its connections.
 *
 * Shape:   a fixed table of entries, and for each known session a record in the arena: its name and the words that must
 *          outlive a connection. The name of a session is whose it is (user, component, instance) and the ID that its
 *          client chose. One connection at a time has a session: each that comes takes it over, the latest takeover
 *          counts, and has it once the previous connection has left it.
 * Lock:    one mutex for the table: taken when a connection names its session, takes it over and leaves it, and by the
 *          tick; never for a line. A line only compares its takeover with the latest one, which is atomic.
 * Threads: any worker. sessions_tick: one thread. No entry goes while it has users. The words of a record are changed
 *          by the connection that has the session.
 * Rolled back: a session of a file that memory was ahead of. Its position is right for the series of that file, and
 *          lines behind it that were acknowledged are gone. It is kept so that its client learns that, however often it
 *          asks.
 * Memory:  bounded by the limit. When the table is full, or its holder keeps as many as it may, a session goes that has
 *          no connection (holder.h).
 */
#ifndef VE_SOURCE_SESSION_H
#define VE_SOURCE_SESSION_H

#include "series/record.h"
#include "source/source.h"

#include <stdatomic.h>
#include <sys/types.h>

#define SESSION_FORGOTTEN_MS ((uint64_t)24 * 3600 * 1000) // without a connection for this long

// The payload of its record; the record's word is the position, its text the name.
struct session_saved {
    _Atomic uint64_t lost;     // the most that its client said it lost
    _Atomic uint64_t heard_ms; // CLOCK_REALTIME
};

// A field is the lock's, unless it says who else may read it.
struct session {
    struct record *record;   // NULL: the entry is free; its users'
    uint32_t users;          // connections, and those who just look
    uint64_t current;        // the takeover of the connection that has it, or 0
    struct holder holder;    // for whom it is kept
    bool lost;               // its record was lost, and what it owned is not used again
    _Atomic uint64_t latest; // the latest takeover; its users'
    _Atomic uint64_t
        heard_ms; // CLOCK_MONOTONIC, below 0 when before the system's start; its users'
};

enum { SESSION_NO_WORKER = -1 };

enum { SESSION_ROLLED_BACK = 1 }; // in its record's flags

static inline bool session_is_rolled_back(const struct session *e)
{
    return (e->record->flags & SESSION_ROLLED_BACK) != 0;
}

struct session_name {
    size_t len;
    uint64_t hash;
    char bytes[12 + 3 * SOURCE_MAX_NAME];
};

struct sessions;

// Room for `limit` sessions. Returns 0, -ENOMEM.
int sessions_new(struct sessions **ret, uint32_t limit, struct arena *arena);
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

// The name of a session; none of its parts is longer than SOURCE_MAX_NAME.
void session_name(struct session_name *ret, uid_t uid, struct slice component,
                  struct slice instance, struct slice id);
// Whether that is its ID.
bool session_has_id(const struct session *e, struct slice id);

// The session of that name, with the caller as one more user; NULL when there is none.
struct session *session_find(struct sessions *s, const struct session_name *name);
// The same, made when there is none. Returns 1 when there was one, 0 when it is new, -ENOSPC when all have
// connections, -EDQUOT when all that the holder may keep have, -ENOMEM.
int session_make(struct sessions *s, struct arena_writer *writer, const struct session_name *name,
                 const struct holder *holder, uint64_t now_ms, uint64_t now_real_ms,
                 struct session **ret);

// Makes the sessions known that an earlier process left, up to the limit, or rolled back if the image is behind; before
// any connection comes. Not after a power cut, when position and series may be of different ages.
void sessions_restore(struct sessions *s, struct arena_writer *writer,
                      const struct record_image *image, uint64_t now_ms, uint64_t now_real_ms);

// Forgets the sessions whose records were lost with their pages (arena_is_corrupt), or all, and takes them from their
// connections; while no worker runs. Returns whether there was any: then every worker is to look at its connections.
bool sessions_repair(struct sessions *s, bool all);

// A connection of a worker takes the session over from any other one. Returns the takeover, which is never 0,
// and here as below the worker that the caller has to wake, since one of its connections may have the session now or no
// more; or SESSION_NO_WORKER.
uint64_t session_take_over(struct sessions *s, struct session *e, unsigned worker, int *ret_wake);

enum session_access {
    SESSION_ACQUIRED, // it is this connection's
    SESSION_BUSY, // the worker of the connection that has it is to be woken, and is going to wake the caller's
    SESSION_TAKEN_OVER, // a later takeover counts
};

enum session_access session_acquire(struct sessions *s, struct session *e, uint64_t takeover,
                                    int *ret_wake);
static inline bool session_is_taken_over(const struct session *e, uint64_t takeover)
{
    return atomic_load_explicit(&e->latest, memory_order_relaxed) != takeover;
}

void session_heard(struct session *e, uint64_t now_ms, uint64_t now_real_ms);
// Ends a use; the connection of a takeover (else 0) has it no more. Returns the worker that is to be woken.
int session_leave(struct sessions *s, struct session *e, uint64_t takeover);

// Forgets those that were silent for long.
void sessions_tick(struct sessions *s, uint64_t now_ms);

// How many are known.
uint32_t sessions_known(struct sessions *s);

#endif
