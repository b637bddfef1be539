// SPDX-License-Identifier: Apache-2.0
/*
 * channel: a connection as its peer sees it: handshake, heads in, answers out, and the end.
 *
 * Shape:   the bytes of a peer come here and nowhere else, in clear or through TLS. A head that web/request
 *          finds good goes on to an exchange; every other one is answered here with what is wrong, and ends the
 *          connection. What follows a head without a body is the next request, and waits until the answer is
 *          sent. A request with a body is the last one of its connection, since only libmicrohttpd knows where a
 *          body ends.
 * Exchange: one request on its way through libmicrohttpd, and its answer's head on the way back. libmicrohttpd gets one end
 *          of a socket pair, in which there is one head, as web/request wrote it, and the bytes of its body as they come;
 *          what it writes there is read back when it is done. Each request has a pair of its own, so nothing of one can
 *          become part of another. When libmicrohttpd consumed another number of bytes as head, drops the request, or
 *          answers it unasked, the connection is answered without it. An exchange lives until both the connection and
 *          libmicrohttpd have finished with it. Descriptors: two for each request between its head and its answer; those
 *          of many requests that wait are bounded by `most_exchanges`.
 * Closing: a close with bytes that were not read sends a reset, by which the peer may lose the answer. So
 *          after the last answer the sending side alone is shut, and what still comes is thrown away, until the
 *          peer closes or CONN_LINGER_MS are over. A peer that has shut its own sending side gets its
 *          answers all the same, and is closed after them.
 * Threads: the web thread only.
 */
#ifndef VE_WEB_CHANNEL_H
#define VE_WEB_CHANNEL_H

#include "web/conn.h"

struct MHD_Connection;
struct MHD_Daemon;

enum { CHANNEL_BODY_MAX = 65536, CHANNEL_SCRATCH = 16 * 1024, CHANNEL_EXCHANGES_LEAST = 8 };

struct exchange;

struct channels {
    struct conns *conns;
    struct MHD_Daemon *library;
    struct exchange *starting; // given to libmicrohttpd, which has not said that it has them
    struct exchange *touched;  // something happened to them
    size_t n_exchanges;
    size_t most_exchanges;
    int epoll;
    size_t deferred; // connections whose request waits for a place in libmicrohttpd
    struct buf head; // the one that is being handed over
    char scratch[CHANNEL_SCRATCH];
};

// Begins with a socket that was accepted (takes it). `tls` NULL: in clear.
void channel_open(struct channels *x, int fd, const struct sockaddr_storage *address,
                  struct tls *tls);

// epoll says something of it.
void channel_event(struct channels *x, struct conn *c, uint32_t events);

// After libmicrohttpd's round: sends answers, hands over what waits.
void channel_serve(struct channels *x);

// Frees those that are over.
void channel_sweep(struct channels *x);

// Connections that are not of this kind (NULL: in clear) end after the current answer, those without one at once.
void channel_end_others(struct channels *x, const struct tls *tls);

void channels_destroy(struct channels *x);

// Callbacks of libmicrohttpd.
void channel_on_connection(struct channels *x, struct MHD_Connection *mhd, void **context,
                           int code);
void channel_on_completed(struct channels *x, struct MHD_Connection *mhd, bool good);

// Whose request it is; NULL: the connection does not wait for it any more.
struct conn *channel_conn(struct MHD_Connection *mhd);

// Whether libmicrohttpd read as head exactly what it was given as head.
bool channel_is_head_exact(struct MHD_Connection *mhd);

#endif
