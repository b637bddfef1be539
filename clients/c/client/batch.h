// SPDX-License-Identifier: Apache-2.0
/*
 * batch: the lines that were given to the link and are not acknowledged, and the calls that they stand for.
 *
 * Shape:   a store's series and chunks become lines, as many as fit into BATCH_BYTES and BATCH_LINES; the next batch is
 *          filled when this one has ended. A line ends as applied, refused, lost, or goes back to the store.
 * Older daemons: one that knows neither `count` nor `values` rejects a hello with newer keys, too, and gets one line for each
 *          call. To be sure, until the first line with them was applied on a connection, a batch ends with it and it
 *          stands for one call; rejected as unknown_field, it is sent in the other way. When the connection breaks before
 *          the answer, it is not sent again, and is `unknown`: the next daemon may be another one, and shows nothing of
 *          what this one did. Lines that were not dealt with go back to the store, since the next one may not know them.
 * Rolled back: how many calls each of the last BATCH_PAST lines stood for is kept, in case the daemon loses them.
 * Threads: the link's owner; it takes the store's mutex.
 * Memory:  of fixed size.
 */
#ifndef VE_CLIENT_BATCH_H
#define VE_CLIENT_BATCH_H

#include "client/link.h"
#include "client/store.h"

enum {
    BATCH_BYTES = 61440, // after which no line is added
    BATCH_LINES = 512,   // so that the replies to it fit into what the daemon keeps for a client
    BATCH_PAST = 65536
};

enum batch_kind { BATCH_SUM, BATCH_GAUGE, BATCH_COUNT, BATCH_VALUE, BATCH_VALUES, BATCH_EXEMPLAR };

struct batch_line {
    struct virtrigaud_series *series;
    enum batch_kind kind;
    bool merged;  // has count or values
    bool refused; // it was rejected, and that was reported
    bool again;   // because of count or values
    uint64_t calls;
    double value;
    struct chunk *chunk;             // BATCH_VALUES
    struct store_exemplar *exemplar; // BATCH_EXEMPLAR
};

struct batch_result {
    uint64_t applied;
    uint64_t refused;
    uint64_t lost;
    uint64_t unknown; // of applied
    uint64_t lines;
};

struct batch {
    struct store *store;
    struct link *link;
    uint64_t first; // number of the first line ever that is in `lines`, from 0
    size_t head;    // of lines: those before have ended
    size_t n;       // of lines
    bool merge;     // the daemon knows count and values, as far as is known
    bool confirmed; // it has applied a line with them
    bool drained;   // nothing was left in the store when it was filled, and nothing came back
    struct batch_result result;
    uint64_t n_past;  // lines whose calls are in `past`, at most BATCH_PAST
    uint64_t past_at; // lines ever
    uint32_t *past;   // a ring
    struct batch_line lines[BATCH_LINES];
};

// Returns 0; -ENOMEM.
int batch_init(struct batch *b, struct store *store);
void batch_close(struct batch *b);

static inline bool batch_is_empty(const struct batch *b)
{
    return b->head == b->n;
}

// A new connection: whether its daemon may know count and values.
void batch_connected(struct batch *b, bool merge);

// Gives what waits to the link. The batch is empty.
void batch_fill(struct batch *b);

// Notes a rejection of the link's line, counted from 1. Returns the line's series; NULL when it is none to report.
struct virtrigaud_series *batch_reject(struct batch *b, const struct wire_reply *r);

// Ends lines as the link says (see on_end there). Returns how many calls are lost.
uint64_t batch_end(struct batch *b, enum link_end end, uint64_t n);

// Ends all lines as lost.
void batch_abandon(struct batch *b);

#endif
