// SPDX-License-Identifier: Apache-2.0
/*
 * server: the loop of the web thread. It accepts connections itself, so that it decides who
 * gives way, and gives them to libmicrohttpd, whose epoll descriptors it watches beside the
 * listening sockets: one daemon of it has the connections with TLS, one those without.
 *
 * Shape:   a round is: wait, accept, let libmicrohttpd read and write, answer what waits, cut
 *          what is late. It sleeps until the next deadline and not less.
 * Threads: server_wake from any, server_run on the web thread, the rest before and after that.
 * Memory:  server_init fills a struct in place, server_destroy gives back all but the struct.
 */
#ifndef VE_WEB_SERVER_H
#define VE_WEB_SERVER_H

#include "web/guard.h"
#include "web/listen.h"
#include "web/routes.h"

struct MHD_Daemon;

enum {
    SERVER_CONNECTIONS_MAX = 512,
    SERVER_MEMORY = 16 * 1024, // of one connection: request head and response head
    SERVER_ACCEPTS = 64,       // in one round, so that requests are read in between
    SERVER_PAUSE_MS = 100,     // how long nothing is accepted when descriptors have run out
    SERVER_STOP_MS = 1000      // how long responses may go on being sent at the end
};

// What may change while the server runs.
struct server_live {
    char *telemetry_path;
    char *external_address; // or NULL
    bool lifecycle;
    unsigned max_requests;
};

struct server {
    struct MHD_Daemon *plain;   // has the connections without TLS,
    struct MHD_Daemon *secure;  // and those with it; NULL in a build without
    int epoll;                  // watches both, `wake` and the listeners
    int wake;                   // eventfd
    struct listener *listeners; // borrowed
    size_t n_listeners;
    struct conns conns;
    struct stats stats;
    struct scrape scrape;
    struct reload reload;
    struct gate gate;
    struct sd sd;
    struct routes routes;
    struct guard *guard;                // in force, may be NULL; of the web thread
    _Atomic(struct guard *) next_guard; // likewise from the next round on
    struct server_live *live;           // in force; of the web thread
    _Atomic(struct server_live *) next; // to be in force from the next round on
    bool listening;                     // the listeners are in `epoll`
    uint64_t paused_ms;                 // until when nothing is accepted; 0: not paused
    uint64_t stop_ms;                   // when the loop ends at the latest; 0: not stopping
    _Atomic bool stopping;              // asked to stop
    _Atomic uint64_t rounds;            // of the loop, so far
};

// Expects scrape, routes, listeners and next to be filled in. Returns 0 or -errno.
int server_init(struct server *s);
void server_destroy(struct server *s);

// Runs until `stopping`, and a second longer at most.
void server_run(struct server *s);

// Hands new settings over (takes them): they hold from the loop's next round on. Any thread.
void server_change(struct server *s, struct server_live *live);
// The same with a web configuration.
void server_guard(struct server *s, struct guard *guard);
void server_live_free(struct server_live *live);

// Makes the loop go round.
void server_wake(struct server *s);

#endif
