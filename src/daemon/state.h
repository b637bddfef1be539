// SPDX-License-Identifier: Apache-2.0
/*
 * state: series that survive the process, as far as the daemon has to do with it.
 *
 * Shape:   the arena lives in a file (state/statefile). A thread of its own gives the file its name once it is on the
 *          disk, and writes it there every STATE_SYNC_MS. Where the file cannot grow or fails, memory takes its place,
 *          and the tick tries after STATE_RETRY_MS to get back to a file, and from the second failure in a row on after
 *          twice as long each time, up to STATE_RETRY_MOST_MS. Once a file had failed, the state counts as kept when
 *          the next one has the name. The tick also looks whether the name still leads to the file, and whether the
 *          time that it wrote there last is still there. If not, memory takes the place of the file and a new one is
 *          made.
 * Threads: the main thread; `shown` is read by any. The syncing thread and the main one have the file by turns.
 */
#ifndef VE_DAEMON_STATE_H
#define VE_DAEMON_STATE_H

#include "expose/expose.h"
#include "source/source_restore.h"
#include "state/statefile.h"

#include <pthread.h>

enum { STATE_SYNC_MS = 20 * 1000, STATE_RETRY_MS = 5 * 1000, STATE_RETRY_MOST_MS = 60 * 1000 };

struct state {
    struct self_state shown; // which the metrics and the status view show; any thread reads it
    struct statefile file;
    struct series_store *store;
    struct sources *sources;
    struct arena_writer writer; // of the main thread
    struct layout header;       // the file's, which its page may lose
    pthread_t syncer;
    bool syncing; // the thread runs
    int wake;     // eventfd of the syncer
    pthread_mutex_t
        lock; // of the file, which nobody waits for: the main thread comes again with the next tick
    _Atomic bool stop;      // what the syncer is woken for
    _Atomic int sync_error; // why another file is needed, -errno; 0: it is not
    _Atomic int
        name_error; // why the file has not got its name, -errno; 0: it has, or none failed before it
    int begin_error;             // why there is no file, -errno; 0: there is one
    _Atomic(const char *) why;   // these errors in words, where -errno does not say; else NULL
    _Atomic(const char *) place; // the file that the last one is about
    _Atomic(const char *) words; // why the state is not kept, for people; or NULL
    bool foreign;                // another process wrote to the file
    char logged_words[160];      // the trouble that was logged last; "": none
    uint64_t
        wrote_ms; // layout.mono_ms as it was written last: whoever else writes to the file changes it
    uint32_t n_failed; // tries to get back to a file since one did
    uint64_t logged_aside;
    uint64_t retry_at; // CLOCK_MONOTONIC ms
};

// Takes hold of the file; of none for path NULL. Returns 0, also when the disk fails; -errno after it said why when
// there can be no such file or another process uses it.
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

#endif
