// SPDX-License-Identifier: Apache-2.0
/*
 * state: series that survive the process, as far as the daemon has to do with it.
 *
 * Shape:   the arena lives in a file (series/statefile). A thread of its own gives the file its name once it is on
 *          the disk, and writes it there every STATE_SYNC_MS. Where the file cannot grow or fails, memory takes
 *          its place, and the tick tries every STATE_RETRY_MS to get back to a file.
 * Threads: the main thread; state_facts by any. The syncing thread and the main one take turns at the file.
 */
#ifndef VE_DAEMON_STATE_H
#define VE_DAEMON_STATE_H

#include "expose/self.h"
#include "ingest/source_state.h"
#include "series/statefile.h"

#include <pthread.h>

enum { STATE_SYNC_MS = 20 * 1000, STATE_RETRY_MS = 5 * 1000 };

struct state {
    bool kept; // there is to be a file at all
    struct statefile file;
    struct series_store *store;
    struct sources *sources;
    struct arena_hand hand; // of the main thread
    struct layout header;   // the file's, which its page may lose
    pthread_t syncer;
    bool syncing;             // the thread runs
    int wake;                 // eventfd of the syncer
    _Atomic uint8_t turn;     // enum in state.c
    _Atomic bool stop;        // what the syncer is woken for
    _Atomic int sync_error;   // of the syncer, -errno; 0: none
    int begin_error;          // why there is no file, -errno; 0: there is one
    _Atomic int error;        // why the state is not kept, -errno; 0: it is
    _Atomic uint64_t bytes;   // of the file
    _Atomic uint64_t n_aside; // files set aside
    int told_error;           // what the log said last
    uint64_t told_aside;
    uint64_t retry_at; // CLOCK_MONOTONIC ms
};

// Takes hold of the file; of none for path NULL. Returns 0, also when the disk fails; -errno after it said why when
// there can be no such file or another process has it.
int state_open(struct state *st, const char *path, struct series_store *store,
               struct sources *sources);
// Moves the store's arena into the file, with all that earlier processes left there. No worker runs yet. Returns 0,
// also when nothing could be read or written; -errno after it said why when there is no thread for it.
int state_load(struct state *st, struct ingest *ingest);
// Once a second; after the workers were made.
void state_tick(struct state *st, struct ingest *ingest, uint64_t now_ms);
// The last thing before the store is closed; the workers have ended. Completes the file.
void state_close(struct state *st);

// Why the state is not kept now, in words, or NULL.
const char *state_trouble(const struct state *st);
// For struct self.
void state_facts(const struct state *st, struct self_state *ret);

#endif
