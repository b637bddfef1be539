// SPDX-License-Identifier: Apache-2.0
/*
 * connection: one client of the stream socket, from bytes to lines and back to replies.
 *
 * Shape:   the worker's one input buffer serves all its connections; a connection keeps only the beginning
 *          of a line that is not complete yet. Replies wait in a buffer of at most 64 KiB: an error that
 *          finds no room is dropped and counted, any other reply closes the connection.
 * Threads: the worker that it belongs to.
 * Memory:  connection_new returns new; connection_free closes the socket.
 */
#ifndef VE_INGEST_CONNECTION_H
#define VE_INGEST_CONNECTION_H

#include "event/event.h"
#include "ingest/account.h"
#include "ingest/admit.h"
#include "ingest/refusal.h"
#include "ingest/session.h"
#include "ingest/source.h"
#include "ingest/stats.h"

enum {
    CONNECTION_READ = 64 << 10,     // bytes of one read
    CONNECTION_READ_LESS = 4 << 10, // bytes of one read of a client that is refused often
    CONNECTION_DOUBT = 32,          // refused lines of one read that make it so
    CONNECTION_TRUST = 64,          // reads without any until it is so no more
    CONNECTION_REPLIES = 64 << 10,  // bytes of replies that may wait
    CONNECTION_LINGER_MS = 5000,    // for a client to take its last replies
};

// What a worker lends to whatever speaks the protocol in its thread.
struct protocol {
    struct series_store *store;
    struct sources *sources;
    struct rights_book *rights;
    struct event_reader *reader;
    struct ingest_stats *stats;
    struct refusals *refusals;
    struct slice refused; // the line that is being refused, as far as it is there
    struct sessions *sessions;
    struct accounts accounts;
    struct redo redo;
    struct series_hand *hand;
    unsigned worker;      // its number
    uint64_t now_ms;      // CLOCK_MONOTONIC at the last wake-up
    uint64_t now_real_ms; // CLOCK_REALTIME
};

struct connection {
    struct connection *next; // of the worker's list
    struct connection *prev;
    int fd;
    bool begun;          // its first line was seen
    bool named;          // it said hello
    bool skipping;       // inside a line that is too long
    bool closing;        // nothing is read any more; closed once the replies are gone
    bool waiting;        // for its session; nothing is read meanwhile
    bool stuck;          // there was no room for a reply, and nothing was sent since
    uint8_t doubt;       // reads without refused lines until it is trusted again
    uint32_t polled;     // events that the worker's epoll waits for
    uint64_t rest_until; // CLOCK_MONOTONIC ms, while nothing is read of it; 0: it is read
    struct admission who;
    struct source *source; // the nameless one until a hello says more
    bool entered;          // it counts as a connection of its source
    struct event_defaults defaults;
    struct event_origin origin;
    uint64_t lines;
    uint64_t applied;
    uint64_t rejected;
    uint64_t lost;              // last `lost` that it told
    struct session *session;    // NULL: none
    uint64_t claim;             // of the session
    bool fresh;                 // the session is new, which nobody was told yet
    struct event_ledger ledger; // of the session
    uint64_t linger_until;      // CLOCK_MONOTONIC ms, once closing
    char *tail;                 // beginning of the next line
    size_t tail_len;
    size_t tail_cap;
    struct buf replies;
    size_t replies_at; // what of them was sent
};

// Takes the descriptor when it does not return NULL (no memory). A client for whom there is no room is told so,
// and its connection is closing.
struct connection *connection_new(int fd, struct protocol *p);
void connection_free(struct connection *c, struct protocol *p);

// Reads once, at most CONNECTION_READ bytes, and deals with every line that this completes. `input` has room
// for EVENT_MAX_LINE + CONNECTION_READ bytes. Returns how many bytes were read: 0 at the end, when the
// connection closes by itself or when nothing was there; -errno when the connection is broken.
int connection_read(struct connection *c, struct protocol *p, char *input);

// What input.c makes of the bytes: lines that may be remembered, of which as many as are so are dealt with and counted
// in the result; any line; and one that is too long.
size_t connection_remembered(struct connection *c, struct protocol *p, struct event_line *lines,
                             size_t n);
void connection_line(struct connection *c, struct protocol *p, struct event_line *line);
void connection_too_long(struct connection *c, struct protocol *p, struct slice text);
// Answers a hello.
void connection_welcome(struct connection *c, struct protocol *p);

// Goes on with what came behind the hello, if the session that it waits for is its own now.
// `input` as above.
void connection_go_on(struct connection *c, struct protocol *p, char *input);

// Sends what waits. Returns 0, also when some still waits; -errno when the connection is broken.
int connection_flush(struct connection *c);

// Whether a line holds nothing but spaces, tabs and CR.
bool connection_is_blank(const char *line, size_t len);

static inline bool connection_waits(const struct connection *c)
{
    return c->replies.len > c->replies_at;
}

#endif
