// SPDX-License-Identifier: Apache-2.0
/*
 * admit: what the client of a connection, or the sender of a datagram, may do under the rights in force.
 *
 * Shape:   before a hello: the peer's only entry, if it has just one; else nothing. From the hello on: the first
 *          entry that fits. Connections that have not said hello are counted apart, for the first of the peer's
 *          entries that has room for one, so that they cannot take the places of those that have.
 * Threads: one owner at a time, a worker, inside an RCU section.
 * Memory:  an admission owns its peer; its permit is the rights', for as long as they are in force.
 */
#ifndef VE_INGEST_ADMIT_H
#define VE_INGEST_ADMIT_H

#include "event/reject.h"
#include "ingest/rights.h"

enum {
    ADMIT_DETAIL = 160,   // bytes of a text for people
    ADMIT_REST_MS = 1000, //
};

struct admission {
    struct peer peer;
    bool counts;                      // it is a connection, and not a datagram
    uint64_t generation;              // of the rights that the following are of
    const struct rights_entry *entry; // NULL: none, or the rights are open
    const struct permit *permit;      // NULL: everything is permitted
    _Atomic uint32_t *place;          // the count that it is in; NULL: none
};

// Begins for a peer, which is taken. Returns REJECT_NONE, or REJECT_rate_limited when there is no room for
// another connection.
enum reject admit_begin(struct admission *a, const struct peer *peer, bool counts,
                        struct rights_book *book, char detail[ADMIT_DETAIL]);
void admit_end(struct admission *a);

// Looks up again what rights that were put in force since mean for it. `component` is COMPONENT_UNKNOWN when it
// said no hello. What is over its number of connections by this stays.
void admit_again(struct admission *a, struct rights_book *book, unsigned component,
                 struct slice instance);

// It says that it is this source. Returns REJECT_NONE, REJECT_not_permitted or REJECT_rate_limited (too many
// connections); then nothing has changed.
enum reject admit_hello(struct admission *a, struct rights_book *book, unsigned component,
                        struct slice instance, char detail[ADMIT_DETAIL]);

// Lines of it were refused, for whatever reason. An entry with a rate may have as many of them as events; until
// when (CLOCK_MONOTONIC ms, at most ADMIT_REST_MS from now) no more of it is to be read, or 0.
uint64_t admit_refused(const struct admission *a, struct rights_book *book, uint64_t lines,
                       uint64_t now_ms);

// As whom lines without a hello count.
unsigned admit_component(const struct admission *a);
// The unit in which it runs, into `ret`, when its entry names another one; else NULL.
const char *admit_other_unit(const struct admission *a, char *ret, size_t size);

#endif
