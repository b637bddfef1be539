// SPDX-License-Identifier: Apache-2.0
/*
 * source: who pushes. A source is a component and an instance, as a hello names them; whoever says no hello belongs to
 * the anonymous source of the component `unknown`.
 *
 * Shape:   a fixed table. Each source has an id for as long as it is known (`base`), an id for what its hellos named
 *          (`named`), and an id for its present lease, from coming (its first connection) to going (its last one). When
 *          it comes back it gets a new lease; the old one ends SOURCE_GRACE_MS later, and takes with it the owned
 *          series that were not set again. An anonymous source represents many clients, and goes on with its last
 *          lease. When as many are known as may be, one that is not connected gives way to the next (holder.h). Its
 *          entry waits, with its leases, until it can be used for another one; there are as many spare entries as
 *          sources that may be known.
 * Lock:    one mutex for the registry: taken when a connection says who it is, when it ends, for each datagram, and by
 *          the tick; never while series are walked, and never by a scrape or for a line of a stream. Who looks only
 *          reads entries that are SOURCE_KNOWN, inside an RCU section: what an entry is called is written before that,
 *          and the entry is given to another source a grace period after it.
 * Threads: enter, leave, datagram, lost: any worker. tick: one thread, the same that removes series. find, next, and
 *          what of a source is atomic: any.
 * Memory:  bounded by the limit; entries are used again after their ids were taken out of all series.
 */
#ifndef VE_SOURCE_SOURCE_H
#define VE_SOURCE_SOURCE_H

#include "base/process.h"
#include "source/holder.h"
#include "source/source_record.h"

#include <sys/types.h>

enum {
    SOURCE_GRACE_MS = 30 * 1000,    // an owned series outlives its source by this
    SOURCE_DATAGRAM_MS = 60 * 1000, // a source of datagrams counts as connected for this long
    SOURCE_INTERVALS = 3,           // without a word, and a source is down though connected
    SOURCE_LEASES = 7,              // leases that can be kept, for each source
};
#define SOURCE_FORGOTTEN_MS                                                                        \
    ((uint64_t)7 * 24 * 3600 * 1000) // not heard for this long: no longer known

struct lease {
    uint64_t ends_ms; // of LEASE_GONE, CLOCK_MONOTONIC
    uint8_t state;    // enum in source.c
};

// Without a word on who reads it a field is the lock's.
struct source {
    _Atomic uint8_t state; // enum in source.c; any thread
    uint64_t born;       // how many sources came before it; 0: an anonymous one; who may look at it
    unsigned component;  // likewise
    size_t instance_len; // likewise; 0: the anonymous source of its component
    char instance[SOURCE_MAX_NAME]; // likewise
    struct holder holder;           // for whom it is kept
    uid_t user;                     // who is connected as it; of a named one
    uint32_t lease;                 // id of the present lease or the last one; 0: none
    struct lease leases[SOURCE_LEASES];
    uint64_t datagram_ms;         // last datagram, CLOCK_MONOTONIC ms; 0: no window is open
    uint64_t restored_until;      // as if it was connected until then, CLOCK_MONOTONIC ms
    struct record *record;        // what outlives the process; NULL: nothing does
    _Atomic uint32_t connections; // any thread may read it, as all below
    _Atomic uint64_t heard_real;  // last line applied or rejected, CLOCK_REALTIME ms; 0: none yet
    _Atomic uint64_t heard_mono;  // last line, connection or departure, CLOCK_MONOTONIC ms
    _Atomic uint64_t lost;        // last `lost` that it reported
    _Atomic uint64_t applied;     // its lines, in this process, since it is known
    _Atomic uint64_t rejected;    // likewise
    _Atomic double per_second;    // lines applied, of late; negative: not known yet
    uint64_t measured_ms;         // CLOCK_MONOTONIC, of the last reading; of the tick alone
    uint64_t measured_applied;    // likewise: what it read
    _Atomic uint32_t interval_s; // in which its last hello promised that it is heard; 0: no promise
    _Atomic uint64_t
        silent_mono;       // heard_mono, if nothing came for SOURCE_INTERVALS of these; else 0
    _Atomic pid_t process; // of its last hello on a stream; 0: not known
    _Atomic uint64_t
        process_start_ticks; // as in base/process; another one: the number is another process' now
    _Atomic uint64_t process_start_real_ms; // the same as CLOCK_REALTIME
    _Atomic bool forgotten;                 // it said forget: not known any more once it has gone
};

struct sources;

// Room for `limit` named sources. Returns 0, -ENOMEM.
int sources_new(struct sources **ret, uint32_t limit);
void sources_free(struct sources *s);

// The ids that the series store must have room for.
uint32_t sources_lease_from(uint32_t limit);
uint32_t sources_max_id(uint32_t limit);

// Who comes, and as what.
struct source_call {
    unsigned component;
    struct slice instance;
    struct holder holder;
    bool
        returns; // with its session: the lease it had goes on if it has not ended yet, and so nothing that it set goes
    uint64_t now_ms;
};

// A connection of the source of this name begins; the source is made when it is new, its record by the writer. Returns
// 0 with the source and the id of its lease; -ENOSPC when all that may be known are connected; -EDQUOT when all that
// the holder may keep are; -EPERM when another user is connected as the source.
int source_enter(struct sources *s, struct arena_writer *writer, const struct source_call *call,
                 struct source **ret, uint32_t *ret_lease);
// A datagram of the source came: it counts as one connection until SOURCE_DATAGRAM_MS after the last one. Returns as
// source_enter.
int source_datagram(struct sources *s, struct arena_writer *writer, const struct source_call *call,
                    struct source **ret, uint32_t *ret_lease);
// One more connection, of a source that is connected.
void source_add_connection(struct sources *s, struct source *src);
// A connection ends.
void source_leave(struct sources *s, struct source *src, uint64_t now_ms);

// The anonymous source of a component, without a connection of it.
struct source *source_anonymous(struct sources *s, unsigned component);
// The id of the lease that is the anonymous one's, or is going to be with its next connection.
uint32_t source_anonymous_lease(struct sources *s, struct source *src, uint64_t now_ms);

// Whose report of `lost` (cumulative) it is: a connection's first one, a further one, or that of a datagram, each of which is
// the first line of its sender.
enum source_report { SOURCE_LOST_FIRST, SOURCE_LOST_MORE, SOURCE_LOST_DATAGRAM };
// Takes a report; `before` is what the connection reported before, else 0. Each connection has a count of its own; one that is
// alone goes on with that of the previous one. Returns by how much the count of the component grows.
uint64_t source_report_lost(struct sources *s, struct source *src, enum source_report how,
                            uint64_t before, uint64_t lost);

uint32_t source_updater_id(const struct sources *s, const struct source *src);
uint32_t source_namer_id(const struct sources *s, const struct source *src);
uint32_t source_precreator_id(const struct sources *s, const struct source *src);
// The first of the SOURCE_LEASES ids that its leases have.
uint32_t source_first_lease(const struct sources *s, const struct source *src);

// Notes the process that said hello (peer_start_ticks). Workers that serve one source may do this at once: then number
// and start may be of different processes, and whoever reads them finds no such process.
static inline void source_set_process(struct source *src, pid_t pid, uint64_t start_ticks)
{
    if (atomic_load(&src->process) == pid &&
        atomic_load(&src->process_start_ticks) == start_ticks) {
        return;
    }
    atomic_store(&src->process_start_ticks, start_ticks);
    atomic_store(&src->process_start_real_ms, process_start_real_ms(start_ticks));
    atomic_store(&src->process, start_ticks > 0 ? pid : 0);
}

static inline bool source_is_connected(const struct source *src)
{
    return atomic_load_explicit(&src->connections, memory_order_relaxed) > 0;
}

// Whether it is connected and keeps its promise to be heard. Once it is heard again it is up at once.
static inline bool source_is_up(const struct source *src)
{
    uint64_t silent = atomic_load_explicit(&src->silent_mono, memory_order_relaxed);
    return source_is_connected(src) &&
           (silent == 0 || silent != atomic_load_explicit(&src->heard_mono, memory_order_relaxed));
}

// By the tick. What waits in sockets is not processed yet, so `now_ms` may be before what was heard last.
static inline void source_check_silence(struct source *src, uint64_t now_ms)
{
    uint64_t heard = atomic_load_explicit(&src->heard_mono, memory_order_relaxed);
    uint64_t most_ms = (uint64_t)SOURCE_INTERVALS * 1000 *
                       atomic_load_explicit(&src->interval_s, memory_order_relaxed);
    bool silent = most_ms > 0 && (int64_t)(now_ms - heard) > (int64_t)most_ms;
    atomic_store_explicit(&src->silent_mono, silent ? heard : 0, memory_order_relaxed);
}

// A line of the source came. Several workers may serve it, so nothing is written that is there already.
static inline void source_heard(struct source *src, uint64_t now_ms, uint64_t now_real_ms)
{
    if (atomic_load_explicit(&src->heard_real, memory_order_relaxed) != now_real_ms ||
        atomic_load_explicit(&src->heard_mono, memory_order_relaxed) != now_ms) {
        atomic_store_explicit(&src->heard_real, now_real_ms, memory_order_relaxed);
        atomic_store_explicit(&src->heard_mono, now_ms, memory_order_relaxed);
    }
}

// So many lines of the source were applied and rejected: once for each read of its connection, so that no line takes longer.
static inline void source_count(struct source *src, uint64_t applied, uint64_t rejected)
{
    if (applied > 0) {
        atomic_fetch_add_explicit(&src->applied, applied, memory_order_relaxed);
    }
    if (rejected > 0) {
        atomic_fetch_add_explicit(&src->rejected, rejected, memory_order_relaxed);
    }
}

enum { SOURCE_RATE_MS = 10 * 1000 }; // from one reading of `applied` to the next

// By the tick, with the time of the clock: sets `per_second`, now and then.
static inline void source_measure(struct source *src, uint64_t now_ms)
{
    uint64_t applied = atomic_load_explicit(&src->applied, memory_order_relaxed);
    uint64_t ms = now_ms - src->measured_ms;
    // Else another source has had the entry, or this is its first reading.
    bool goes_on = src->measured_ms != 0 && applied >= src->measured_applied;
    if (goes_on && ms < SOURCE_RATE_MS) {
        return;
    }
    if (goes_on) {
        double per_second = 1000 * (double)(applied - src->measured_applied) / (double)ms;
        atomic_store_explicit(&src->per_second, per_second, memory_order_relaxed);
    }
    src->measured_ms = now_ms;
    src->measured_applied = applied;
}

// Closes datagram windows, finds out who is silent, ends leases, forgets who was not heard for long or gave way. Removes the
// series that depend on them. `now_ms` may be a while ago, when not all that came since has been dealt with.
void sources_tick(struct sources *s, struct series_store *store, uint64_t now_ms);

// Whether a connected source's hello named the series.
bool sources_has_named(const struct sources *s, const struct table *t, const struct series *series);

// The known source of this name, or NULL.
const struct source *sources_find(const struct sources *s, unsigned component,
                                  struct slice instance);

// Walks the known sources with an instance; who said forget and has gone is none of them. *at starts at 0; NULL at the
// end.
const struct source *sources_next(const struct sources *s, uint32_t *at);

// The source of this name is retired: it is not known any more once it has gone, as if it had said forget itself. Returns 0;
// 1 when it is still connected; -ENOENT when it is not known.
int source_forget(struct sources *s, unsigned component, struct slice instance);

// ---- What outlives the process

// Sets where records are stored and what components are called: at the start, and after each reload; while no worker
// runs or all are paused.
void sources_bind(struct sources *s, struct series_store *store, struct arena_writer *writer);
// Makes new records for those that were lost with their pages (arena_is_corrupt); while no worker runs.
void sources_repair(struct sources *s, struct arena_writer *writer);
// Writes down what changes with every line. The main thread.
void sources_save(struct sources *s);
// Makes a source known that an earlier process knew, as one that went just now. NULL: there is no room, or it is known.
const struct source *source_recall(struct sources *s, struct arena_writer *writer,
                                   const struct source_past *past, uint64_t now_ms);
// How many sources may ever be known at once, the anonymous ones included: the ids from 1 on that represent sources.
uint32_t sources_entries(const struct sources *s);

#endif
