// SPDX-License-Identifier: Apache-2.0
/*
 * ingest: the workers that read the sockets.
 *
 * Shape:   each worker is a thread with an epoll of its own. The first one accepts, and hands connections
 *          out in turn; it also reads the datagram socket, so that datagrams keep their order. A connection
 *          stays with its worker: its lines are applied in order, on the worker's own lane.
 * Threads: open, start, pause, resume, poke, answered, refusals, stop, free: one thread. Reading the figures: any.
 * Memory:  ingest_open returns new. Borrows store and sources. Takes the sockets' descriptors.
 */
#ifndef VE_INGEST_INGEST_H
#define VE_INGEST_INGEST_H

#include "ingest/refusal.h"
#include "ingest/rights.h"
#include "ingest/sockets.h"
#include "ingest/source.h"
#include "ingest/stats.h"

enum { INGEST_DRAIN_MS = 5000 }; // at most, when it stops

struct ingest;

struct ingest_settings {
    unsigned workers;
    uint64_t memo_bytes;    // of all workers together; 0: none
    uint32_t connections;   // at most
    uint32_t sessions;      // at most
    struct socket stream;   // fd -1: none
    struct socket datagram; // fd -1: none
};

int ingest_open(struct ingest **ret, const struct ingest_settings *settings,
                struct series_store *store, struct sources *sources);
// Starts the threads. Returns 0 or -errno; then none runs.
int ingest_start(struct ingest *in);
// Returns when no worker deals with lines any more, and lets them go on.
void ingest_pause(struct ingest *in);
void ingest_resume(struct ingest *in);
// Deals with what stood in the sockets when it was called, for at most INGEST_DRAIN_MS, and ends the threads.
void ingest_stop(struct ingest *in);
// Closes the sockets. After ingest_stop, or when it was never started.
void ingest_free(struct ingest *in);

// A watchdog's two halves: ingest_poke makes every worker's loop go round once, ingest_answered says whether
// all did since. Without pokes an idle worker sleeps.
void ingest_poke(struct ingest *in);
bool ingest_answered(const struct ingest *in);

// Takes the next refusal that a worker told of. Returns whether there was one.
bool ingest_take_refusal(struct ingest *in, struct refusal *ret);
// How many were not told, ever.
uint64_t ingest_missed_refusals(const struct ingest *in);

// Whether the text of refused lines is told too; it is not from the start. Any thread.
void ingest_tell_texts(struct ingest *in, bool on);

// Prepares rights (rights_bind), and puts them in force while no worker deals with lines. Takes them then, and
// gives back those before (or NULL), which are to be freed after a grace period.
int ingest_bind_rights(struct ingest *in, struct rights *r);
struct rights *ingest_put_rights(struct ingest *in, struct rights *r);

void ingest_set_connections(struct ingest *in, uint32_t most);

// Makes room for the accounts of a catalogue that is about to come; during a pause. Returns 0, -ENOMEM.
int ingest_adapt(struct ingest *in, const struct catalog *c);
// Makes good what pages that were lost (arena_torn) had of accounts and sessions. Between pause and resume.
void ingest_mend(struct ingest *in);
// Takes over accounts and sessions that an earlier process left; before the threads start.
void ingest_restore(struct ingest *in, struct record_image *image, uint64_t now_ms,
                    uint64_t now_real_ms);
// Forgets sessions that were silent for long.
void ingest_tick(struct ingest *in, uint64_t now_ms);

// The account of a component, by its number.
uint64_t ingest_applied(const struct ingest *in, unsigned component);
uint64_t ingest_lost(const struct ingest *in, unsigned component);
uint64_t ingest_rejected(const struct ingest *in, unsigned component, enum reject reason);

unsigned ingest_workers(const struct ingest *in);
const struct ingest_stats *ingest_stats_of(const struct ingest *in, unsigned worker);
uint32_t ingest_connections(const struct ingest *in);

#endif
