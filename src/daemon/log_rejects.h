// SPDX-License-Identifier: Apache-2.0
/*
 * log_rejects: reports rejected lines to the log, at a bounded rate for each source, and the page.
 *
 * Shape:   of each source (its component, instance and user) the first LOG_REJECTS_LINES of each LOG_REJECTS_MS with
 *          all that is known of the line but its text, which is the source's business; then how many more there were.
 *          So much for LOG_REJECTS_SOURCES at a time; those of further sources are only counted, all together. The last
 *          LOG_REJECTS_RING of all that the workers reported are kept for the page.
 * Threads: the main thread; log_rejects_read and log_rejects_next: any. A mutex guards the ring while an entry is copied.
 * Memory:  fixed.
 */
#ifndef VE_DAEMON_LOG_REJECTS_H
#define VE_DAEMON_LOG_REJECTS_H

#include "catalog/catalog.h"
#include "ingest/ingest.h"

#include <pthread.h>

enum {
    LOG_REJECTS_LINES = 5,
    LOG_REJECTS_MS = 10000,
    LOG_REJECTS_SOURCES = 16,
    LOG_REJECTS_RING = 50
};
enum { LOG_REJECTS_NAME = SOURCE_MAX_NAME + 64 };

struct log_rejects_source {
    char name[LOG_REJECTS_NAME];
    uid_t user;
    uint64_t since_ms; // CLOCK_MONOTONIC, of the first one that was logged
    unsigned logged;   // since then; 0: nobody has this place
    uint64_t left_out; // since then
};

struct log_rejects_entry {
    struct rejected_line line;
    uint64_t at_ms; // CLOCK_REALTIME, when it was reported
};

struct log_rejects {
    struct log_rejects_source sources[LOG_REJECTS_SOURCES];
    struct log_rejects_source others; // `logged` is 1 while its time runs
    uint64_t missed;                  // ever, by the workers' rings
    _Atomic uint64_t more; // ever, counted with the entry of another line; any thread reads it
    pthread_mutex_t lock;  // of the ring
    uint64_t n;            // entries that ever were
    struct log_rejects_entry ring[LOG_REJECTS_RING];
};

// Zero it before.
void log_rejects_open(struct log_rejects *r);
void log_rejects_tick(struct log_rejects *r, struct ingest *ingest, const struct catalog *c,
                      uint64_t now_ms);
// The entry before *at, which starts at UINT64_MAX for the latest one. Returns whether there still is one.
bool log_rejects_read(struct log_rejects *r, uint64_t *at, struct log_rejects_entry *ret);
// The oldest entry that is kept, at or after number *next, which becomes that behind it. Returns whether there is one.
bool log_rejects_next(struct log_rejects *r, uint64_t *next, struct log_rejects_entry *ret);
// Logs how many were left out so far.
void log_rejects_end(struct log_rejects *r);

#endif
