// SPDX-License-Identifier: Apache-2.0
/*
 * worker: one ingest thread. For ingest/ only.
 *
 * Shape:   a loop around epoll_wait: it reads each ready connection once, then takes one step of one forget, so that
 *          those who forget take turns and others are served in between. Orders and handed connections come by its
 *          eventfd.
 * Threads: worker_main is the thread. What is atomic is read by others; `handed` is pushed to by the first worker.
 */
#ifndef VE_INGEST_WORKER_H
#define VE_INGEST_WORKER_H

#include "base/unix_socket.h"
#include "ingest/connection.h"

#include <pthread.h>

enum worker_order { WORKER_RUN, WORKER_PAUSE, WORKER_STOP };

// What the workers share.
struct ingest {
    unsigned n_workers;
    uint64_t cache_bytes;        // of all workers together; 0: none
    struct unix_socket stream;   // fd -1: none
    struct unix_socket datagram; // fd -1: none
    struct series_store *store;
    struct sources *sources;
    struct permission_registry permissions;
    struct sessions *sessions;
    struct statistics_records statistics;
    struct worker *workers;
    struct wakeup *wakeups; // of each
    unsigned started;       // threads that run
    int acks;               // eventfd, counting: workers that have paused
    _Atomic uint32_t most;  // connections
    _Atomic uint32_t open;  // connections
    _Atomic uint8_t order;  // enum worker_order
    unsigned turn;          // who gets the next connection; the acceptor's own
    uint64_t stop_at;       // CLOCK_MONOTONIC ms, when the draining must be over
    _Atomic uint64_t
        catch_up; // how often the workers were asked to read what waits in their sockets
    _Atomic uint64_t accepted; // the latest one for which all that waited was accepted
    uint64_t asked_ms;         // when they were asked last, CLOCK_MONOTONIC; 0: all have done so
    uint64_t caught_up_ms;     // ingest_caught_up
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
    struct wakeup *wakeup; // says: look at `order` and `handed`
    int resume;            // eventfd, blocking: the end of a pause
    _Atomic(struct handed *) handed;
    struct connection *connections; // list
    size_t n_lingering;             // closing ones with replies that wait
    size_t n_throttled;             // those that are left alone for a while
    struct connection *forgetting;  // queue of those with a forget under way
    struct connection **forgetting_end;
    uint64_t throttle_checked_ms; // when it was last checked whether they may be read again
    struct protocol protocol;
    struct series_writer writer;
    struct statistics_worker stats;
    struct rejected_lines rejected_lines;
    _Atomic bool asleep;        // it waits for its sockets
    _Atomic uint64_t caught_up; // the latest ingest.catch_up that it has answered
    uint64_t asked;             // stats.turns when ingest_poke asked
    bool accept_paused;         // the acceptor does not listen, for want of descriptors
    uint64_t listen_at;         // until then, CLOCK_MONOTONIC ms
    char input[EVENT_MAX_LINE + CONNECTION_READ];
};

int worker_open(struct worker *w, struct ingest *in, unsigned number);
// Makes sure that it has statistics of each of the catalogue's components. Returns 0, -ENOMEM.
int worker_open_statistics(struct worker *w, const struct catalog *c);
void worker_close(struct worker *w);
void *worker_main(void *worker);
// Makes the loop of each that was started go round.
void worker_wake_all(struct ingest *in);
// Handles what waits in the sockets; by the worker at its end, or by another thread after it.
void worker_drain(struct worker *w);

// Whether it is asleep, and nothing waits in its sockets.
bool worker_is_idle(const struct worker *w);

#endif
