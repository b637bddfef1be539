// SPDX-License-Identifier: Apache-2.0
/*
 * rights: who may push what, from the config's `sources`.
 *
 * Shape:   a list of entries that is made once and then only read. An entry says whom it is for (user, group),
 *          as what they may speak (component, instance), and what and how much they may push. The first entry
 *          that fits decides. What must outlive a reload, such as how many connections an entry has, stands in
 *          an account of the book; an entry for the same people and the same source keeps its account.
 * Threads: rights_bind and rights_put by one thread, the latter while no worker deals with lines; all else by any, inside an RCU section.
 * Memory:  rights_new returns new, rights_free gives back all but the accounts. The book takes the rights that
 *          are put into it; the ones before them are the caller's again, for after a grace period.
 */
#ifndef VE_INGEST_RIGHTS_H
#define VE_INGEST_RIGHTS_H

#include "event/permit.h"
#include "ingest/peer.h"

enum {
    RIGHTS_MOST = 256,     // entries
    RIGHTS_STRANGERS = 16, // connections, all together, of those whom no entry is for
};

struct rights_account {
    char *key;                    // of the entry that it is for; NULL: free
    _Atomic uint64_t full_ns;     // of the permit
    _Atomic uint64_t refused_ns;  // the same for its refused lines
    _Atomic uint32_t connections; // that said hello
    _Atomic uint32_t unsaid;      // connections that did not
} __attribute__((aligned(64)));

struct rights_entry {
    char name[32]; // "sources[1]"
    bool by_user;
    bool by_group; // with both, both must fit
    uid_t user;
    gid_t group;
    size_t n_members; // users who are in the group, its own first group aside; for datagrams
    uid_t *members;   // ascending
    char *unit;       // in which they should run; NULL: wherever
    unsigned component;
    char *instance;   // NULL: any
    uint8_t *metrics; // bits by place in the catalogue
    size_t n_labels;
    char *label_names[PERMIT_MAX_LABELS];
    char *label_values[PERMIT_MAX_LABELS];
    uint32_t events_per_second; // of these three 0 is any number
    uint32_t series;
    uint32_t connections;
    uint16_t account; // place in the book, from here on by rights_bind
    struct permit permit;
};

struct rights {
    uint64_t generation; // from 1, by rights_put
    bool open;           // whoever may open the socket may push everything; no entries
    size_t n;
    struct rights_entry *entries;
};

struct rights_book {
    _Atomic(struct rights *) current;       // NULL is open
    uint64_t generation;                    // the latest one
    uint64_t permits;                       // the number of the latest permit
    struct rights_account at[TABLE_PAYERS]; // [0] is for strangers
};

// Without memory NULL.
struct rights *rights_new(size_t n);
void rights_free(struct rights *r);

// Gives every entry its account and its permit. `made` counts the series of each account. Returns 0, -ENOMEM,
// -ENOSPC (too many accounts have series or connections).
int rights_bind(struct rights_book *book, struct rights *r, const _Atomic uint32_t *made);
// Puts rights in force that were bound. Returns those before, or NULL.
struct rights *rights_put(struct rights_book *book, struct rights *r);
// Frees the rights in force, and the accounts.
void rights_close(struct rights_book *book);

static inline const struct rights *rights_current(const struct rights_book *book)
{
    return atomic_load_explicit(&book->current, memory_order_acquire);
}

static inline uint64_t rights_generation(const struct rights_book *book)
{
    const struct rights *r = rights_current(book);
    return r != NULL ? r->generation : 0;
}

// Whether the entry is for this peer.
bool rights_fits(const struct rights_entry *e, const struct peer *peer);
// The first entry that lets the peer speak as this source, or NULL.
const struct rights_entry *rights_find(const struct rights *r, const struct peer *peer,
                                       unsigned component, struct slice instance);
// The next entry for the peer, from place *at on; NULL at the end.
const struct rights_entry *rights_next(const struct rights *r, const struct peer *peer, size_t *at);
// Whether whoever falls under `b` falls under `a`, so that an `a` that comes first leaves nothing to it.
bool rights_covers(const struct rights_entry *a, const struct rights_entry *b);

#endif
