// SPDX-License-Identifier: Apache-2.0
/*
 * store: what was recorded and is not sent yet, by series.
 *
 * Shape:   a series is one name with one combination of labels, and is kept until the store ends. What waits of it: a sum, a
 *          count, a gauge's value, the newest observation with an exemplar, and a chunk of observations. Full chunks are in a queue, oldest first. Series with
 *          anything that waits are in a list, in order of their first call.
 * Bounds:  max_series series; max_chunks chunks in the queue, beyond which the oldest is dropped and counted as lost.
 * Threads: any. One mutex, held for moments; `batch` takes it too, to take what waits.
 * Memory:  copies names and labels.
 * Errors:  a call that records has none: what is invalid is counted, and noted for a message.
 */
#ifndef VE_CLIENT_STORE_H
#define VE_CLIENT_STORE_H

#include "client/wire.h"

#include <pthread.h>

enum store_kind { STORE_COUNTER, STORE_GAUGE, STORE_HISTOGRAM, STORE_EVENT };

enum {
    STORE_CHUNK_VALUES = 64,
    STORE_MANY_BYTES = 65536, // of text that are sent without delay
    STORE_INVALIDS = 24,      // invalid calls noted until they are taken
    STORE_INVALIDS_EACH = 2,  // of these, for one reason
    STORE_FORGET_LABELS = 16, // of a forget, which the daemon takes
    STORE_EXEMPLAR_MAX = 2048 // bytes of the text of an exemplar
};

struct store;

// Observations of one series: v[begin..end).
struct chunk {
    struct chunk *next;
    struct virtrigaud_series *series;
    unsigned begin;
    unsigned end;
    double v[STORE_CHUNK_VALUES];
};

// An observation with an exemplar.
struct store_exemplar {
    double value;
    uint64_t ms; // its time
    size_t len;
    size_t bare_len; // of text up to its time
    char text[];     // that part of its line
};

// What the daemon is to forget: see forgets.
struct store_forget {
    struct store_forget *next;
    struct wire_label *labels; // n of them, in the memory of this struct, as is line
    size_t n;
    char *line; // the control line, with its LF and a NUL
    size_t len; // of it, with its LF
};

struct virtrigaud_series {
    struct store *store;
    struct virtrigaud_series *next; // in its bucket
    struct virtrigaud_series *next_waiting;
    uint64_t hash;
    enum store_kind kind;
    bool waits;         // is in the list
    bool known;         // a gauge: it was set
    bool send;          // a gauge: the value is to be sent
    double value;       // of a gauge the newest, of a counter what was added and not sent
    uint64_t calls;     // that value stands for
    uint64_t count;     // of an event: occurrences without value
    struct chunk *held; // observations; NULL: none
    struct store_exemplar *exemplar; // an observation of its own; NULL: none
    size_t key_len;                  // of key
    size_t prefix_len;               // of prefix
    char *key;                       // kind, name and labels, as they are compared
    char *prefix;                    // the line up to what waits, without closing brace
};

// A call that was not recorded.
struct store_invalid {
    bool lost; // there was no room for its series
    const char *why;
    char what[160]; // the begin of its line, or of its name
};

struct store {
    pthread_mutex_t mutex; // guards all that follows
    size_t max_series;
    size_t max_chunks;
    struct virtrigaud_series **buckets;
    size_t n_buckets; // a power of two
    size_t n_series;
    size_t series_bytes; // that they take, at most SERIES_BYTES for each of max_series
    struct virtrigaud_series *first_waiting;
    struct virtrigaud_series *last_waiting;
    struct chunk *oldest; // the queue
    struct chunk *newest;
    size_t n_chunks; // in the queue
    struct chunk *spare;
    size_t n_spare;
    struct store_forget *forgets; // in order
    size_t bytes;                 // of text of observations since the last take, about
    uint64_t sent;
    uint64_t forgotten; // of sent: gauges' values that were of no interest any more
    uint64_t dropped;
    uint64_t invalid;
    struct store_invalid invalids[STORE_INVALIDS];
    size_t n_invalids;
    uint64_t not_noted; // invalid calls since then that were like those noted
    void (*wake)(
        void *arg); // called without the mutex when something begins to wait, or much waits
    void *arg;
};

// Returns 0; -ENOMEM.
int store_init(struct store *s, void (*wake)(void *arg), void *arg);
void store_free(struct store *s);

// Sets the bounds; 0: the default.
void store_limit(struct store *s, size_t max_bytes, size_t max_series);

// Finds a series, or makes it. Returns NULL when that is not possible; the call is counted then if `calls`.
struct virtrigaud_series *store_find(struct store *s, enum store_kind kind, const char *name,
                                     const struct wire_label *labels, size_t n, bool calls);

void store_add(struct virtrigaud_series *x, double by);
void store_set(struct virtrigaud_series *x, double to);
void store_observe(struct virtrigaud_series *x, double value);
void store_count(struct virtrigaud_series *x, uint64_t n);
// An exemplar that the daemon would reject is left out, and noted.
void store_observe_with_exemplar(struct virtrigaud_series *x, double value,
                                 const struct wire_label *labels, size_t n);

bool store_has_waiting(struct store *s);

// Has the value of each gauge that was set sent again.
void store_resend(struct store *s);

// Drops what waits, what is to be forgotten too, except for the values of gauges. Returns how many calls that were.
uint64_t store_discard(struct store *s);

// The values of gauges are another process' from now on: none is sent before it is set.
void store_forget_gauges(struct store *s);

/* For batch, forgets and recorder, with the mutex held. */

// Finds a series. NULL: there is none.
struct virtrigaud_series *store_look_up(const struct store *s, enum store_kind kind,
                                        const char *name, const struct wire_label *labels,
                                        size_t n);

// The wall clock, since 1970.
uint64_t store_wall_ms(void);
// Notes a call that is not recorded.
void store_note_invalid(struct store *s, const char *why, const char *what);
// Puts a series into the list of those that wait.
void store_mark(struct virtrigaud_series *x);
// Takes the oldest series off the list, or the oldest chunk off the queue. NULL: none.
struct virtrigaud_series *store_take_series(struct store *s);
struct chunk *store_take_chunk(struct store *s);
// Drops the oldest chunks where there are too many.
void store_drop_oldest(struct store *s);
// Gives a chunk back, to the queue's beginning or its end, or to those that are free. None is dropped for it.
void store_return_chunk(struct store *s, struct chunk *c);
void store_queue_chunk(struct store *s, struct chunk *c);
void store_free_chunk(struct store *s, struct chunk *c);
// Gives one observation back to the beginning of the queue.
void store_return_value(struct virtrigaud_series *x, double value);
// Gives one with an exemplar back, which it loses when there is a newer one.
void store_return_exemplar(struct virtrigaud_series *x, struct store_exemplar *e);
// A gauge's value that was not sent.
void store_return_gauge(struct virtrigaud_series *x, uint64_t calls);

#endif
