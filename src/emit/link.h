// SPDX-License-Identifier: Apache-2.0
/*
 * link: a client's connection: what is written to it, what was answered, when to connect again, and, in a session,
 * from where. Private to client.c.
 *
 * Shape:   lines wait in the queue. Control lines (hello, sync) wait apart and go between two lines of it, so that its
 *          lines can be counted, and kept for the next connection, by themselves. At most one sync is under way.
 * Sessions: `base` is the session's position when the connection began. What was written stays in the queue until a
 *          sync or the next hello says that it was dealt with; then it is written again from there on. Of an answer
 *          that cannot be (an unknown session, a position before what was acknowledged or after what was written,
 *          another count of lines than ours) the way out is the same: a new session, and what was written and not
 *          acknowledged is lost. So it is of a position of 0 after an answer that was never read: that may have said
 *          that the session, with lines in it, was forgotten.
 * Threads: one at a time. Memory: client.c allocates and frees. Errors: -errno in `error`.
 */
#ifndef VE_EMIT_LINK_H
#define VE_EMIT_LINK_H

#include "emit/client.h"
#include "emit/queue.h"
#include "emit/stream.h"

enum {
    LINK_CONTROL_ROOM = 192, // bytes for a session, a sync and a late hello
    LINK_RETRY_FIRST = 100,  // milliseconds
    LINK_RETRY_LAST = 10000, // milliseconds
    LINK_SESSION_MAX = 64    // bytes of a session's ID with its NUL
};

struct client {
    char path[STREAM_PATH_SIZE];
    unsigned wait_ms;
    void (*on_refusal)(void *arg, const struct wire_reply *refusal);
    void *arg;
    int fd;           // -1: not connected
    int error;        // why not, -errno
    bool ready;       // lines may be written: the hello, if any, was answered
    size_t hello_len; // of the hello without session, "lost" and its closing braces; 0: no hello
    char *hello;      //
    char *
        control; // control lines, written between two lines of the queue; hello_len + LINK_CONTROL_ROOM
                 // bytes
    size_t control_at;           // written of it
    size_t control_len;          // bytes in it
    bool control_last;           // it goes behind all lines of the queue
    struct queue queue;          // lines
    struct stream_reader reader; // replies
    uint64_t retry_at;           // not to connect before
    uint64_t retry_ms;           // the next pause

    // The session; all 0 without one.
    uint64_t random[2];  // begins the ID; not both 0
    uint64_t sessions;   // the last one's number, which ends it
    bool fresh;          // its hello was never answered
    bool unheard;        // the answer to a later hello of it was never read
    uint64_t lost_other; // of stats.lost: what former sessions have told
    uint64_t base;       // its position when the connection began

    // The connection; in a session, until the next hello is answered, the one before.
    uint64_t origin;   // lines that were settled when it began
    uint64_t written;  // lines fully written to it
    uint64_t applied;  // of those, acknowledged
    uint64_t rejected; // of those, acknowledged
    uint64_t refused;  // refusals since the last answer to a sync
    uint64_t answers;  // to control lines

    uint64_t synced;     // of written, the ones before the last sync
    size_t unsynced;     // bytes written since
    uint64_t sync_at;    // when it was queued, or the session resumed
    uint64_t sync_id;    // last ID used, on any connection
    uint64_t sync_seen;  // last ID answered
    bool sync_waits;     // the last sync is not answered yet
    bool doubt;          // an answer was impossible: the session ends
    uint64_t lost_told;  // of stats.lost: what this connection was told
    uint64_t lost_known; // of stats.lost: what the daemon has acknowledged
    struct client_stats stats;
};

// CLOCK_MONOTONIC in milliseconds.
uint64_t link_now_ms(void);

// Connects now. On failure `error` says why and the next attempt is put off.
void link_connect(struct client *c);

// Queues a sync, and a hello before it when `lost` has risen, unless control lines wait or a sync is
// under way.
void link_queue_sync(struct client *c);

// When no control line waits and no sync is under way: one behind all lines that wait, in one piece with their end, so
// that a daemon that stops has both or neither.
void link_queue_last_sync(struct client *c);

// Lines written to this connection, or to the session's last one, that were not acknowledged.
uint64_t link_unanswered(const struct client *c);

// What to poll for, and how long at most before the next link_turn. Returns milliseconds; -1: no limit.
int link_wait(const struct client *c, struct pollfd *ret);

// One step: connects when it is time, waits for the socket until the deadline (of link_now_ms),
// writes and reads what can be.
void link_turn(struct client *c, uint64_t deadline);

#endif
