// SPDX-License-Identifier: Apache-2.0
/*
 * worker: one ingest thread. For ingest/ only.
 */
#ifndef VE_INGEST_WORKER_H
#define VE_INGEST_WORKER_H

#include "ingest/connection.h"
#include "ingest/ingest.h"

#include <pthread.h>

enum worker_order { WORKER_RUN, WORKER_PAUSE, WORKER_STOP };

// What the workers share.
struct ingest {
    struct ingest_settings settings;
    struct series_store *store;
    struct sources *sources;
    struct rights_book rights;
    struct sessions *sessions;
    struct account_records accounts;
    struct worker *workers;
    unsigned started;      // threads that run
    int acks;              // eventfd, counting: workers that stand still
    _Atomic uint32_t most; // connections
    _Atomic uint32_t open; // connections
    _Atomic uint8_t order; // enum worker_order
    unsigned turn;         // who gets the next connection; the acceptor's own
    uint64_t stop_at;      // CLOCK_MONOTONIC ms, when the draining must be over
};

// A connection on its way to another worker.
struct handed {
    struct handed *next;
    int fd;
};

struct worker {
    struct ingest *in;
    unsigned number;
    pthread_t thread;
    int epoll;
    int wake;   // eventfd: look at `order` and `handed`
    int resume; // eventfd, blocking: the end of a pause
    _Atomic(struct handed *) handed;
    struct connection *connections; // list
    size_t n_lingering;             // closing ones with replies that wait
    size_t n_resting;               // those that are left alone for a while
    uint64_t looked_ms;             // when it was last looked whether they have rested
    _Atomic bool look;              // for connections whose session changes hands
    struct protocol protocol;
    struct series_hand hand;
    struct ingest_stats stats;
    struct refusals refusals;
    uint64_t asked;     // stats.turns when ingest_poke asked
    bool deaf;          // the acceptor does not listen, for want of descriptors
    uint64_t listen_at; // until then, CLOCK_MONOTONIC ms
    char input[EVENT_MAX_LINE + CONNECTION_READ];
};

int worker_open(struct worker *w, struct ingest *in, unsigned number);
// Makes sure that it has an account of each of the catalogue's components. Returns 0, -ENOMEM.
int worker_open_accounts(struct worker *w, const struct catalog *c);
void worker_close(struct worker *w);
void *worker_main(void *worker);
// Deals with what stands in the sockets; by the worker at its end, or by another thread after it.
void worker_drain(struct worker *w);

// connect.c: taking connections in and letting them go.
void worker_accept(struct worker *w);
void worker_take_handed(struct worker *w);
void worker_adopt(struct worker *w, int fd);
void worker_drop(struct worker *w, struct connection *c);
void worker_listen_again(struct worker *w);

#endif
