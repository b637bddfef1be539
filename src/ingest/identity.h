// SPDX-License-Identifier: Apache-2.0
/*
 * identity: as whom a connection or a datagram speaks: what its peer may do, and the source that its lines are of.
 *
 * Threads: a worker, inside an RCU section.
 * Memory:  an identity owns its peer and the labels of its hello; identity_end gives them back.
 */
#ifndef VE_INGEST_IDENTITY_H
#define VE_INGEST_IDENTITY_H

#include "base/clock.h"
#include "event/event.h"
#include "ingest/rejected.h"
#include "source/permission.h"
#include "source/session.h"
#include "source/source.h"
#include "source/statistics.h"

// How a worker is woken by another one.
struct wakeup {
    int fd;                        // eventfd; -1: none
    _Atomic bool sessions_changed; // for connections whose session changes hands
};

// What a worker lends to whatever speaks the protocol in its thread.
struct protocol {
    struct series_store *store;
    struct sources *sources;
    struct permission_registry *permissions;
    struct event_reader *reader;
    struct statistics_worker *stats;
    struct rejected_lines *rejected_lines;
    struct slice rejected_text; // the line that is being rejected, as far as it is there
    struct sessions *sessions;
    struct statistics_lane statistics;
    struct redo redo;
    struct series_writer *writer;
    struct datagram *datagram; // the one that is dealt with; NULL: another worker reads datagrams
    unsigned worker;           // its number
    struct wakeup *wakeups;    // of all workers
    bool clocked;              // the clocks are set again by each read; else by the caller
    uint64_t now_ms;           // CLOCK_MONOTONIC of the last read, or later
    uint64_t now_real_ms;      // CLOCK_REALTIME
};

// What was read was sent before this moment: a process that was stopped between its wake-up and here does not take it
// for older than that.
static inline void identity_read_clock(struct protocol *p)
{
    uint64_t now_ms = p->clocked ? clock_coarse_ms() : 0;
    if (now_ms > p->now_ms) {
        p->now_ms = now_ms;
        p->now_real_ms = clock_real_ms();
    }
}

struct identity {
    struct permission_client client;
    bool by_datagram; // its source counts as connected for a while, and not until it ends
    bool entered;     // it counts as a connection of its source
    bool
        transient; // its hello names an instance that is no source: it is part of the anonymous one
    char *instance;        // that one; else NULL
    struct source *source; // the anonymous one until a hello says more
    struct origin_defaults defaults;
    struct origin origin;
};

// Begins for a peer, which is taken. Returns REJECT_NONE, or why the connection must end.
enum reject_reason identity_begin(struct identity *id, struct protocol *p, const struct peer *peer,
                                  bool by_datagram, struct rejection *why);
// Ends it; a datagram's source stays connected.
void identity_end(struct identity *id, struct protocol *p);

// A line is about to be handled. If nothing was entered it counts for the anonymous source, at once or, should it be a
// hello, not before identity_confirm.
void identity_prepare(struct identity *id, struct protocol *p, const char *line, size_t len);
// The line was applied: it is no hello.
void identity_confirm(struct identity *id, struct protocol *p);

// Keeps the hello's labels. Returns 0, -ENOMEM.
int identity_set_labels(struct identity *id, const struct control_hello *h);
// Whether the hello names just these labels.
bool identity_has_labels(const struct identity *id, const struct control_hello *h);
// The instance that its hello named.
struct slice identity_instance(const struct identity *id);
// Becomes whom a first hello names, if the client may be that. `returns` as in struct source_call. If not, returns
// why.
enum reject_reason identity_enter(struct identity *id, struct protocol *p,
                                  const struct control_hello *h, bool returns,
                                  struct rejection *why);
// The hello was rejected: its line is one of that component, if the user is known.
void identity_reject(struct identity *id, struct protocol *p, unsigned component);

// Takes over permissions that were put in force since the last call. `named`: it said hello.
void identity_renew(struct identity *id, struct protocol *p, bool named);
// The origin's clock.
void identity_set_time(struct identity *id, const struct protocol *p);

#endif
