// SPDX-License-Identifier: Apache-2.0
/*
 * ingest: the workers that read the sockets.
 *
 * Shape:   each worker is a thread with an epoll of its own. The first one accepts, and hands connections
 *          out in turn; it also reads the datagram socket, so that datagrams keep their order. A connection
 *          stays with its worker: its lines are applied in order, on the worker's own lane.
 * Threads: open, start, pause, resume, poke, answered, take_rejected, stop, free: one thread. Reading the figures: any.
 * Memory:  ingest_open returns new. Borrows store and sources. Takes the sockets' descriptors.
 */
#ifndef VE_INGEST_INGEST_H
#define VE_INGEST_INGEST_H

#include "base/unix_socket.h"
#include "ingest/rejected.h"
#include "source/permission.h"
#include "source/source.h"
#include "source/statistics.h"

enum {
    INGEST_DRAIN_MS = 4500,  // at most, when it stops
    INGEST_STILL_MS = 10000, // in one turn of its loop: the worker makes no progress
};

struct ingest;

struct ingest_settings {
    unsigned workers;
    uint64_t cache_bytes;        // of all workers together; 0: none
    uint32_t connections;        // at most
    uint32_t sessions;           // at most
    struct unix_socket stream;   // fd -1: none
    struct unix_socket datagram; // fd -1: none
};

enum { INGEST_BACKLOG = 4096 };

// As unix_socket_open, which unix_socket_close closes. A datagram socket reports who sends (source/peer).
int ingest_open_socket(struct unix_socket *ret, const struct unix_socket_settings *settings,
                       struct buf *problem);
// Takes a bound socket that another process made; of SOCK_STREAM, one that listens. Its file is left alone. Returns 0
// or -errno; then it is still the caller's.
int ingest_adopt_socket(struct unix_socket *ret, int fd);

int ingest_open(struct ingest **ret, const struct ingest_settings *settings,
                struct series_store *store, struct sources *sources);
// Starts the threads. Returns 0 or -errno; then none runs.
int ingest_start(struct ingest *in);
// Returns when no worker deals with lines any more, and lets them go on.
void ingest_pause(struct ingest *in);
void ingest_resume(struct ingest *in);
// Handles what waited in the sockets when it was called, for at most INGEST_DRAIN_MS, and ends the threads.
void ingest_stop(struct ingest *in);
// Closes the sockets. After ingest_stop, or when it was never started.
void ingest_free(struct ingest *in);

// A watchdog's two halves: ingest_poke makes every worker's loop go round once, ingest_has_answered says whether
// all did since. Without pokes an idle worker sleeps.
void ingest_poke(struct ingest *in);
bool ingest_has_answered(const struct ingest *in);

// Whether every worker makes progress. Any thread.
bool ingest_is_progressing(const struct ingest *in, uint64_t now_ms);

// When (CLOCK_MONOTONIC ms) all that waited in the sockets had been handled: what is to be old must be so by then,
// since lines may wait for a process that was stopped or is late. Now, when nothing waits there; else the workers are
// asked to read what does, and a later call returns when. Called now and then by one thread.
uint64_t ingest_caught_up(struct ingest *in, uint64_t now_ms);

// Takes the next rejected line that a worker reported. Returns whether there was one.
bool ingest_take_rejected(struct ingest *in, struct rejected_line *ret);
// How many were not reported, ever.
uint64_t ingest_missed_rejected(const struct ingest *in);

// Whether the text of rejected lines is kept too; it is not from the start. Any thread.
void ingest_keep_texts(struct ingest *in, bool on);

// Prepares permissions (permission_bind), and puts them in force while no worker deals with lines. Takes them then, and
// gives back those before (or NULL), which are to be freed after a grace period.
int ingest_bind_permissions(struct ingest *in, struct permission_roles *r);
struct permission_roles *ingest_put_permissions(struct ingest *in, struct permission_roles *r);

enum { INGEST_SOCKETS = 2 };

// The path of socket i when its file is gone or another's, else NULL: nobody new can come through it.
const char *ingest_lost_socket(const struct ingest *in, size_t i);

void ingest_set_connections(struct ingest *in, uint32_t most);

// Makes room for the statistics of a catalogue that is about to come; during a pause. Returns 0, -ENOMEM.
int ingest_adapt(struct ingest *in, const struct catalog *c);
// Repairs what pages that were lost (arena_is_corrupt) had of statistics and sessions, and forgets all sessions if they
// went back. Between pause and resume.
void ingest_repair(struct ingest *in, bool went_back);
// Takes over statistics and sessions that an earlier process left; before the threads start.
void ingest_restore(struct ingest *in, struct record_image *image, uint64_t now_ms,
                    uint64_t now_real_ms);
// Forgets sessions that were silent for long.
void ingest_tick(struct ingest *in, uint64_t now_ms);

// The statistics of a component, by its number.
uint64_t ingest_applied(const struct ingest *in, unsigned component);
uint64_t ingest_lost(const struct ingest *in, unsigned component);
uint64_t ingest_rejected(const struct ingest *in, unsigned component, enum reject_reason reason);

unsigned ingest_workers(const struct ingest *in);
const struct statistics_worker *ingest_statistics(const struct ingest *in, unsigned worker);
uint32_t ingest_connections(const struct ingest *in);

#endif
