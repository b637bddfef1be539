// SPDX-License-Identifier: Apache-2.0
/*
 * conn: all connections, by what they wait for and since when.
 *
 * Shape:   one list for each state, the one that entered it first at the head. libmicrohttpd
 *          knows only inactivity; here are the absolute deadlines, and which connection is cut when there
 *          is no room.
 * Ending:  a connection that is over is in CONN_CUT and counts for nothing; the server closes it at the end of
 *          the round, when nothing refers to it any more.
 * Answers: the body of an answer to GET is sent from where it was written, so that it is copied once, into the socket;
 *          libmicrohttpd has its length, and the bytes too when they are `inside`.
 * Peers:   a number for who is at the other end, so that what is scarce can be shared among peers. IPv4 by its address,
 *          also when mapped into IPv6; IPv6 by its first 64 bits, since a host may use any address of its network,
 *          link-local ones whole; Unix sockets by the user of the process.
 * Replies: from an answer in words to a response on its way. Every response says X-Content-Type-Options: nosniff, and
 *          what the web configuration in force adds; none names the server.
 * Threads: the web thread only.
 * Memory:  conn_open returns new, conn_close takes it back. Answers are counted; several connections may send one. The
 *          texts of replies are copied.
 */
#ifndef VE_WEB_CONN_H
#define VE_WEB_CONN_H

#include "base/buf.h"
#include "expose/negotiate.h"
#include "web/request.h"
#include "web/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct MHD_Connection;
struct MHD_Response;
struct exchange;
struct auth_attempt;
struct tls;
struct tls_session;
struct webconf;
struct status_view_form;
struct sd_request;

enum { CONN_SEND_MAX = 256 * 1024, CONN_RECORD = 16 * 1024 };

struct conn_answer {
    unsigned refs;
    struct MHD_Response *response;
    const char *bytes;
    size_t len;
    void (*done)(void *arg); // called once, when no connection sends it any more
    void *arg;
};

enum conn_state {
    CONN_HEAD,        // its first request is not complete
    CONN_IDLE,        // after a response; its next request is not complete
    CONN_AUTH,        // suspended: its password is being tried
    CONN_SCRAPE,      // suspended: waits for a place
    CONN_QUEUE,       // suspended: has a place, and waits for the renderer
    CONN_RENDER,      // suspended: is being rendered
    CONN_RELOAD,      // suspended: waits for the reload that is under way
    CONN_RELOAD_NEXT, // suspended: waits for the reload after that
    CONN_BODY,        // a rendering is being sent
    CONN_OTHER,       // another response is being sent
    CONN_LINGER,      // all was sent; waits for the peer to close, so that it can read the end
    CONN_CUT,         // over
    CONN_STATES
};

// What web/channel does with the socket.
enum conn_phase {
    CONN_HANDSHAKE, // of TLS
    CONN_READING,   // reads a request's head
    CONN_INSIDE,    // libmicrohttpd has the request
    CONN_SENDING,   // sends the answer
    CONN_CLOSING    // has sent its end, and reads what still comes
};

enum {
    CONN_LINGER_MS = 2000,
    CONN_HEAD_MS = 10000,
    CONN_IDLE_MS = 90000,
    CONN_ANSWER_MS = 60000,
    CONN_SLOW_BYTES =
        128 *
        1024, // a body that comes on by less in a second is slow, and may be cut to make room:
    CONN_CREDIT_MAX = 512 * 1024,  // what it was ahead of that rate is kept for a pause up to here,
    CONN_CREDIT_FIRST = 64 * 1024, // and given to begin with
    CONN_BODY_BYTES =
        1024 * 1024,     // what a body must come on by in a second, after its first CONN_ANSWER_MS
    CONN_SAMPLE_MS = 100 // how often the progress of bodies is looked at
};

struct conn {
    struct MHD_Connection *mhd; // has the current request, else NULL
    int fd;
    enum conn_state state;
    enum conn_phase phase;
    uint32_t watched;           // events that epoll is asked for
    struct buf in;              // bytes that came and are not yet taken
    struct request_scan scan;   // of the head that `in` begins with
    bool deferred;              // its head is complete and waits for a place in libmicrohttpd
    bool ended;                 // the peer sends no more
    bool last;                  // the current request is its last one
    bool closing;               // ends after the current answer
    bool body_wanted;           // the method is GET: the body is sent too
    bool get_or_head;           // GET or HEAD
    bool replied;               // the current request was given an answer
    bool body_expected;         // a body follows the current head
    uint64_t body_left;         // bytes of it to come; UINT64_MAX: not known
    uint64_t body_seen;         // bytes after the head so far
    struct exchange *exchange;  // of the current request; or NULL
    struct buf out;             // the answer's head, or all of it
    struct conn_answer *answer; // what follows `out`; or NULL
    size_t sent;                // bytes of both
    bool suspended;             // libmicrohttpd leaves it alone until it is resumed
    uint64_t since_ms;          // when it entered the state
    struct conn *next;          // younger one of the same state
    struct conn *prev;
    char *text; // of the request: what follows points into it; NULL between requests
    size_t text_len;
    char *target;
    char *authorization;                 // value of Authorization; NULL: none
    char *host;                          // of the Host or the target; NULL: none
    char *path;                          // decoded, in target
    char *raw_path;                      // of a path below /source/: as it came; else NULL
    char *query;                         // still encoded, in target; NULL when there is none
    struct tls *tls;                     // what its session needs; NULL: without TLS
    struct tls_session *session;         // likewise
    bool peeked;                         // its first byte was seen to be that of a handshake
    struct sockaddr_storage address;     // its other end
    uint64_t peer;                       // who is at its other end (web/conn)
    uint64_t user;                       // as which user it was authenticated, likewise; 0: none
    struct auth_attempt *attempt;        // its password is being tried
    bool authenticated;                  // its password was good
    bool checked;                        // the request's head was found good
    uint64_t discarded;                  // bytes of the request's body so far
    struct request_filter *filter;       // of a scrape that waits; NULL: all
    const struct status_view_form *view; // waits for a view in this form; NULL: for the exposition
    char *view_metric;                   // and it is the page of this metric; owned
    unsigned view_refresh_s;             // after which the page is loaded again; 0: not
    struct sd_request *targets;          // and it is a list of targets; owned
    struct negotiate_form form;          // of what a scrape is answered with
    uint64_t timeout_ns;                 // how long a scrape is waited for; UINT64_MAX: not said
    uint64_t arrived_ns;                 // when the scrape came
    uint64_t deadline_ns;                // when its client stops waiting; UINT64_MAX: not known
    uint64_t denied_ms; // since when there is no place, or no memory, for it; 0: there is
    uint64_t start_tag; // its number in the fair queue; the lowest is next
    bool extra;         // its body was begun although the memory of bodies was taken
    uint64_t progress;  // of it: a number that moves when bytes do
    int64_t credit;     // bytes by which it is ahead of CONN_SLOW_BYTES; below 0: it is slow
    uint64_t credit_ms; // when that was so
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
    uint64_t key[2];            // of the numbers of peers and users
    const struct webconf *conf; // in force; NULL: none
    bool resumed; // libmicrohttpd has to look at resumed ones, although epoll reports nothing
    struct stats *stats;
};

void conn_answer_unref(struct conn_answer *a); // NULL is fine

// Returns the number of bytes, 0 at the end, or -errno. At least CONN_RECORD bytes must fit, since what TLS keeps back
// wakes nobody.
ssize_t conn_recv(struct conn *c, void *bytes, size_t n);

// Sends some of two pieces, which may be fewer bytes than the socket takes. Returns how many, or -errno.
ssize_t conn_send(struct conn *c, const char *first, size_t first_len, const char *second,
                  size_t second_len);

// `key` is of siphash, so that no peer can choose another one's number.
uint64_t conn_address_id(const uint64_t key[2], const struct sockaddr_storage *a);
// `a` is what accept4 said of `fd`: later the peer may be gone, and the socket has no address any more.
uint64_t conn_peer_id(const uint64_t key[2], const struct sockaddr_storage *a, int fd);
// Never 0, which means no user.
uint64_t conn_user_id(const uint64_t key[2], const char *user);

// A new connection, in CONN_HEAD. Returns NULL when there is no memory.
struct conn *conn_open(struct conns *cs, int fd, const struct sockaddr_storage *address);
// Closes its descriptor too.
void conn_close(struct conns *cs, struct conn *c);

// Puts it at the end of another state's list.
void conn_move(struct conns *cs, struct conn *c, enum conn_state to);

// Ends the current request: frees what belongs to it alone.
void conn_clear(struct conn *c);

// Hands it back to libmicrohttpd when it was suspended.
void conn_resume(struct conns *cs, struct conn *c);

// It is over: what was sent last still reaches the peer.
void conn_end(struct conns *cs, struct conn *c);

// Cuts it off. `hard` throws away what the peer has not taken.
void conn_cut(struct conns *cs, struct conn *c, bool hard);

// Connections that count.
size_t conns_live(const struct conns *cs);

// Makes room for one more connection. Returns false when none can be cut.
bool conns_make_room(struct conns *cs);

// Whether both were asked for by the same peer as the same user.
static inline bool conn_is_of_same(const struct conn *a, const struct conn *b)
{
    return a->peer == b->peer && a->user == b->user;
}

// Whether its body moves too slowly to keep its place when another one waits for that.
bool conn_is_slow(const struct conn *c);

// Which of the bodies are meant.
enum conn_kind { CONN_EXPOSITIONS, CONN_VIEWS, CONN_ANY };
bool conn_is_kind(const struct conn *c, enum conn_kind kind);

// The slowest of these bodies that are slow, or NULL.
struct conn *conns_slowest(const struct conns *cs, enum conn_kind kind);

// Looks at the progress of bodies when it is time.
void conns_sample(struct conns *cs);

// When a connection must be looked at next, UINT64_MAX: never.
uint64_t conns_deadline(const struct conns *cs);

// Cuts those that are late, but for reloads, which get an answer (web/routes).
void conns_expire(struct conns *cs);

// Whether its time is over.
bool conn_is_late(const struct conns *cs, const struct conn *c);

// ---- Replies

#define CONN_REPLY_TYPE_TEXT "text/plain; charset=utf-8"
#define CONN_REPLY_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

// A short answer.
struct conn_reply {
    unsigned status;
    const char *text;  // the body
    const char *type;  // of it; NULL: CONN_REPLY_TYPE_TEXT
    const char *allow; // value of Allow, or NULL
    bool closing;      // the connection ends with it
    bool retry_later;  // says Retry-After: 1
    bool authenticate; // says WWW-Authenticate: Basic
    bool bare;         // without the headers of the web configuration
};

// Sends it; at once, or when the connection is suspended by resuming it. Returns 0; or -ENOMEM, and
// the connection must end.
int conn_reply(struct conns *cs, struct conn *c, const struct conn_reply *r);

// What a response with a body of its own says of it.
struct conn_reply_form {
    const char *type;
    bool gzip;          // the body is compressed
    bool negotiated;    // other requests may get another form
    const char *policy; // Content-Security-Policy, of what is shown at once and not kept; or NULL
};

// An answer with a body of `len` bytes, sent from where they are. `done(arg)` is called once: when
// the last connection is through with them, or before NULL is returned (no memory).
struct conn_answer *conn_reply_body(const struct conns *cs, const struct conn_reply_form *form,
                                    char *bytes, size_t len, void (*done)(void *arg), void *arg);

// Sends a shared answer as the rendering that a suspended connection waits for; the caller keeps
// its reference.
void conn_reply_shared(struct conns *cs, struct conn *c, struct conn_answer *answer);

// Appends an answer that ends the connection, for a request that libmicrohttpd is not given. `body`: with the text.
void conn_reply_write(struct buf *out, const struct conn_reply *r, const struct webconf *conf,
                      bool body);

#endif
