// SPDX-License-Identifier: Apache-2.0
/*
 * connection: one client of the stream socket, from bytes to lines and back to replies.
 *
 * Shape:   the worker's one input buffer serves all its connections; a connection keeps only the beginning of a line
 *          that is not complete yet. Replies wait in a buffer of at most 64 KiB: an error that finds no room is dropped
 *          and counted, any other reply closes the connection.
 * Session: a connection has its session alone. A later connection of the session makes the earlier one stop, also when
 *          that belongs to another worker; and it waits until that one was closed, before it is answered and read:
 *            1. take_over_session: the later one takes the session over. From then on the earlier one reads nothing
 *               more (connection_is_taken_over).
 *            2. acquire_session: another one has the session: its worker is woken, and this connection waits.
 *            3. That worker closes the earlier connection. leave_session then lets go of the session and wakes the
 *               worker of the latest takeover.
 *            4. connection_go_on: it has the session now, and is answered.
 * Threads: the worker that it belongs to.
 * Memory:  connection_new returns new; connection_free closes the socket. One that waits for nothing keeps 512 bytes of
 *          each buffer at most.
 */
#ifndef VE_INGEST_CONNECTION_H
#define VE_INGEST_CONNECTION_H

#include "ingest/identity.h"

enum {
    CONNECTION_READ = 64 << 10,     // bytes of one read
    CONNECTION_READ_LESS = 4 << 10, // bytes of one read of a client that is rejected often
    CONNECTION_THROTTLE_AT = 32,    // rejected lines of one read that make it so
    CONNECTION_SMALL_READS = 64,    // reads without any until it is so no more
    CONNECTION_REPLIES = 64 << 10,  // bytes of replies that may wait
    CONNECTION_LINGER_MS = 5000,    // for a client to take its last replies
    CONNECTION_FORGET = 2048,       // slots of series that a forget looks at in one go
};

struct connection {
    struct connection *next; // of the worker's list
    struct connection *prev;
    int fd;
    bool begun;                        // its first line was seen
    bool named;                        // it said hello
    uint32_t interval_s;               // that its hello promised; 0: none
    bool skipping;                     // inside a line that is too long
    bool closing;                      // nothing is read any more; closed once the replies are gone
    bool hello_rejected;               // of a datagram: so are the lines behind it
    bool waiting;                      // for its session; nothing is read meanwhile
    struct control_forgetting *forget; // under way; nothing is read meanwhile; NULL: none
    struct connection *next_forgetting; // of the worker's queue
    bool queued;                        // in it
    bool replies_full;                  // there was no room for a reply, and nothing was sent since
    uint8_t small_reads;                // reads without rejected lines until it is trusted again
    uint32_t polled;                    // events that the worker's epoll waits for
    uint64_t throttled_until; // CLOCK_MONOTONIC ms, while nothing is read of it; 0: it is read
    struct identity id;
    uint64_t lines;
    uint64_t applied;
    uint64_t rejected;
    uint64_t counted_applied;       // of these, so many were counted for its source
    uint64_t counted_rejected;      // likewise
    bool reported_lost;             // it said `lost`
    uint64_t lost;                  // the most that it said
    struct session *session;        // NULL: none
    uint64_t takeover;              // of the session
    bool fresh;                     // the session is new, and no reply has said so yet
    struct transaction transaction; // of the session
    uint64_t linger_until;          // CLOCK_MONOTONIC ms, once closing
    char *tail;                     // beginning of the next line
    size_t tail_len;
    size_t tail_cap;
    struct buf replies;
    size_t replies_sent; // what of them was sent
    uint64_t caught_up;  // the latest ingest.catch_up for which it was read
};

// What else speaks the protocol speaks as a connection without a socket: of a datagram (fd -1) nothing is answered, and
// its source counts as connected for a while (struct identity). Begins for a peer, which is taken, inside an RCU
// section.
void connection_begin(struct connection *c, struct protocol *p, int fd, const struct peer *peer);
void connection_end(struct connection *c, struct protocol *p);

// Before lines are handled: takes over what a reload or repair changed since.
void connection_renew(struct connection *c, struct protocol *p);
// Deals with the complete lines of the bytes, inside an RCU section, for as long as it is read. Returns where it
// stopped.
const char *connection_lines(struct connection *c, struct protocol *p, const char *at,
                             const char *end);
void connection_reject_too_long(struct connection *c, struct protocol *p, struct slice text);
// A step of the forget that is under way. Returns whether it was the last one, which is answered.
bool connection_step_forget(struct connection *c, struct protocol *p);

// Takes the descriptor when it does not return NULL (no memory). A client for which there is no room gets an error,
// and its connection is closing.
struct connection *connection_new(int fd, struct protocol *p);
void connection_free(struct connection *c, struct protocol *p);

// Reads once, at most CONNECTION_READ bytes, and deals with every line that this completes. `input` has room
// for EVENT_MAX_LINE + CONNECTION_READ bytes. Returns how many bytes were read: 0 at the end, when the
// connection closes by itself or when nothing was there; -errno when the connection is broken.
int connection_read(struct connection *c, struct protocol *p, char *input);

// Goes on with what came behind the hello, if the session that it waits for is its own now; or a step further with a
// forget, and with what came behind it once that is done. `input` as above.
void connection_go_on(struct connection *c, struct protocol *p, char *input);

// Sends what waits. Returns 0, also when some still waits; -errno when the connection is broken.
int connection_flush(struct connection *c);

// Counts for its source what became of its lines since the last call. Before it becomes another's, and after each read.
void connection_count(struct connection *c);

// Whether a line holds nothing but spaces, tabs and CR.
bool connection_is_blank(const char *line, size_t len);

// Whether another connection has taken its session over.
bool connection_is_taken_over(const struct connection *c);

// Whether its lines are dealt with; else it closes, or waits for its session or a forget.
static inline bool connection_is_read(const struct connection *c)
{
    return !c->closing && !c->waiting && c->forget == NULL;
}

static inline bool connection_is_waiting(const struct connection *c)
{
    return c->replies.len > c->replies_sent;
}

#endif
