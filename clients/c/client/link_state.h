// SPDX-License-Identifier: Apache-2.0
/*
 * link_state: the connection and the session of a link; `link` has the calls.
 *
 * Threads, memory, errors: as link.h says.
 */
#ifndef VE_CLIENT_LINK_STATE_H
#define VE_CLIENT_LINK_STATE_H

#include "client/link_types.h"

#include <poll.h>
#include <time.h>

enum {
    LINK_CONTROL_ROOM = 192,    // bytes for a session, a sync and a late hello
    LINK_SESSION_ID_MAX = 64,   // bytes of a session's ID with its NUL
    LINK_RETRY_FIRST_MS = 100,  // pause before the second attempt to connect,
    LINK_RETRY_LAST_MS = 10000, // and at most
    LINK_SYNC_EVERY = 1000,     // lines between two automatic syncs
    LINK_SYNC_SHARE = 4,        // in a session: this part of the queue, too
    LINK_SYNC_IDLE_MS =
        1000,                // and this long after the last one when there is nothing else to write
    LINK_WAIT_MAX_MS = 60000 // of one poll
};

struct link {
    char path[WIRE_PATH_SIZE];
    unsigned wait_ms;
    void (*on_rejection)(void *arg, const struct wire_reply *rejection);
    uint64_t (*on_end)(void *arg, enum link_end end, uint64_t n);
    void (*on_ready)(void *arg);
    void (*on_forgotten)(void *arg, const struct wire_reply *refusal);
    void *arg;
    int fd;           // -1: not connected
    int error;        // why not, -errno
    bool ready;       // lines may be written: the hello, if any, was answered
    size_t hello_len; // of the hello without session, "lost" and its closing braces; 0: no hello
    char *hello;
    size_t old_len;    // of the same for a daemon that does not know its newer keys; 0: it has none
    char *old_hello;   // in the memory of hello
    bool old;          // the connection's hello is that one
    bool old_next;     // the next one's is
    char *control;     // lines between two of the queue; hello_len + LINK_CONTROL_ROOM bytes
    size_t control_at; // written of it
    size_t control_len;        // bytes in it
    bool control_last;         // it goes behind all lines of the queue
    const char *forget;        // a control line that is not answered yet; NULL: none
    size_t forget_at;          // written of it
    size_t forget_len;         // bytes in it
    struct wire_queue queue;   // lines
    struct wire_reader reader; // replies
    uint64_t retry_at;         // not to connect before
    uint64_t retry_ms;         // the next pause
    uint64_t retry_last_ms;    // the longest one

    // The session; all 0 without one.
    uint64_t random[2];  // begins the ID; not both 0
    uint64_t sessions;   // the last one's number, which ends it
    bool fresh;          // its hello was never answered
    bool hello_unread;   // the answer to a later hello of it was never read
    uint64_t lost_other; // of stats.lost: what former sessions have sent
    uint64_t base;       // its position when the connection began

    // The connection; in a session, until the next hello is answered, the one before.
    uint64_t origin;   // lines that were settled when it began
    uint64_t written;  // lines fully written to it
    uint64_t applied;  // of those, acknowledged
    uint64_t rejected; // of those, acknowledged
    uint64_t refused;  // rejections since the last answer to a sync
    uint64_t answers;  // to control lines
    uint64_t
        rejected_controls; // rejections that the answers to a sync count, and that are of no line

    uint64_t synced;            // of written, the ones before the last sync
    size_t unsynced;            // bytes written since
    uint64_t sync_at;           // when it was queued, or the session resumed
    uint64_t sync_id;           // last ID used, on any connection
    uint64_t sync_seen;         // last ID answered
    bool sync_waits;            // the last sync is not answered yet
    bool answer_invalid;        // an answer was impossible: the session ends
    bool rolled_back;           // the session is sent what was lost in it, and ends at the answer
    uint64_t lost_sent;         // of stats.lost: what this connection was sent
    uint64_t lost_acknowledged; // of stats.lost: what the daemon has acknowledged
    struct link_stats stats;
};

static inline uint64_t link_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline bool link_has_session(const struct link *c)
{
    return c->sessions > 0;
}

static inline uint64_t link_unanswered(const struct link *c)
{
    return c->written - (c->applied + c->rejected);
}

// Connects, and queues the hello. link_wait says when it is due.
void link_open_connection(struct link *c);

// Queues a sync, unless one is under way, with what was lost: after the line that is being written, or behind all lines.
void link_queue_sync(struct link *c);
void link_queue_last_sync(struct link *c);

// What to poll for, as link_wait says.
int link_next(const struct link *c, struct pollfd *ret);

// Does what is due, and waits until something is, at most until the deadline.
void link_step(struct link *c, uint64_t deadline);

#endif
