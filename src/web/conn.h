// SPDX-License-Identifier: Apache-2.0
/*
 * conn: all connections, by what they wait for and since when.
 *
 * Shape:   one list for each state, the one that entered it first at the head. libmicrohttpd
 *          knows only inactivity; here are the absolute deadlines, and who gives way when there
 *          is no room.
 * Cutting: a connection is not closed here (its descriptor belongs to libmicrohttpd) but shut
 *          down, which libmicrohttpd meets in its next round. Until then it stands in CONN_CUT
 *          and counts for nothing.
 * Threads: the web thread only.
 * Memory:  conn_open returns new, conn_close takes it back.
 */
#ifndef VE_WEB_CONN_H
#define VE_WEB_CONN_H

#include "expose/negotiate.h"
#include "web/query.h"
#include "web/stats.h"

struct MHD_Connection;
struct login_try;
struct tls;
struct webconf;
struct view_form;

enum conn_state {
    CONN_HEAD,        // its first request is not complete
    CONN_IDLE,        // after a response; its next request is not complete
    CONN_LOGIN,       // suspended: its password is being tried
    CONN_SCRAPE,      // suspended: waits for a rendering
    CONN_RELOAD,      // suspended: waits for the reload that is under way
    CONN_RELOAD_NEXT, // suspended: waits for the reload after that
    CONN_BODY,        // a rendering is being sent
    CONN_OTHER,       // another response is being sent
    CONN_CUT,         // shut down
    CONN_STATES
};

enum {
    CONN_HEAD_MS = 10000,
    CONN_IDLE_MS = 90000,
    CONN_ANSWER_MS = 60000,
    CONN_STALL_MS = 250, // a response that has not moved for so long may be cut to make room
    CONN_SAMPLE_MS = 100 // how often the progress of responses is looked at
};

struct conn {
    struct MHD_Connection *mhd;
    int fd; // libmicrohttpd's
    enum conn_state state;
    bool suspended;    // libmicrohttpd leaves it alone until it is resumed
    uint64_t since_ms; // when it entered the state
    struct conn *next; // younger one of the same state
    struct conn *prev;
    char *target;                 // of the request, NULL between requests
    char *path;                   // decoded, in target
    char *query;                  // still encoded, in target; NULL when there is none
    struct tls *tls;              // what its session needs; NULL: without TLS
    struct login_try *login;      // its password is being tried
    bool admitted;                // its password was good
    bool checked;                 // the request's head was found good
    uint64_t discarded;           // bytes of the request's body so far
    struct web_filter *filter;    // of a scrape that waits; NULL: all
    const struct view_form *view; // waits for a view in this form; NULL: for the exposition
    struct negotiated form;       // of what a scrape is answered with
    uint64_t arrived_ns;          // when the scrape came
    uint64_t deadline_ns;         // when nobody waits for it any more; UINT64_MAX: not said
    uint64_t progress;    // of the response that is being sent: a number that moves when bytes do
    uint64_t progress_ms; // when it was last seen to move
};

struct conn_list {
    struct conn *head;
    struct conn *tail;
    size_t n;
};

struct conns {
    struct conn_list list[CONN_STATES];
    uint64_t now_ms;            // monotonic; set once a round
    uint64_t sampled_ms;        // when progress was last looked at
    size_t limit;               // connections at once
    const struct webconf *conf; // in force; NULL: none
    bool resumed; // libmicrohttpd has to look at resumed ones, without being told by epoll
    struct stats *stats;
};

// A new connection, in CONN_HEAD. Returns NULL when there is no memory.
struct conn *conn_open(struct conns *cs, struct MHD_Connection *mhd, int fd);
void conn_close(struct conns *cs, struct conn *c);

// Puts it at the end of another state's list.
void conn_move(struct conns *cs, struct conn *c, enum conn_state to);

// Ends the request in hand: frees what belongs to it alone.
void conn_clear(struct conn *c);

// Hands it back to libmicrohttpd when it was suspended.
void conn_resume(struct conns *cs, struct conn *c);

// Shuts it down. `hard` throws away what the peer has not taken.
void conn_cut(struct conns *cs, struct conn *c, bool hard);

// Connections that count.
size_t conns_live(const struct conns *cs);

// Makes room for one more connection. Returns false when none can give way.
bool conns_make_room(struct conns *cs);

// Cuts the response that has not moved for longest. Returns false when all have moved lately.
bool conns_cut_stalled(struct conns *cs);

// Looks at the progress of responses when it is time.
void conns_sample(struct conns *cs);

// When a connection must be looked at next, UINT64_MAX: never.
uint64_t conns_deadline(const struct conns *cs);

// Cuts those that are late, but for reloads, which get an answer (reload.c).
void conns_expire(struct conns *cs);

// Whether its time is over.
bool conn_is_late(const struct conns *cs, const struct conn *c);

#endif
