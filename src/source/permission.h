// SPDX-License-Identifier: Apache-2.0
/*
 * permission: who may push what, from the config's `sources`: what the lines of one origin may push (permission), the
 * entries in force (roles), and what the client of a connection or the sender of a datagram may do (client).
 *
 * Permission: the metrics as bits by their place in the catalogue; values that labels must have where a metric declares
 *          them; a rate; a number of series, which count in the store for the permission's quota_id. No permission
 *          (NULL) is one for everything. A permission does not change, and borrows all that it points to.
 * Roles:   a list of entries that is made once and then only read. A role says whom it is for (user, group), as what
 *          they may speak (component, instance), and what and how much they may push. The first role that fits decides.
 *          What must outlive a reload, such as how many connections a role has, is in a usage of the registry; a role
 *          for the same people and the same source keeps its usage.
 * Client:  before a hello: the peer's only role, if it has just one; else none. From the hello on: the first role that
 *          fits. Connections that have not said hello are counted apart, for the first of the peer's roles that has
 *          room for one, so that they cannot take the places of those that have.
 * Lock:    one mutex for the registry: taken when a connection comes, says who it is and ends, by a reload, and by the
 *          first line of each connection after one; never for another line or by a scrape. A permission's rate is one
 *          atomic word.
 * Threads: permission_bind and permission_put by one thread, the latter while no worker deals with lines; all else by
 *          any, inside an RCU section. A client has one owner at a time, a worker.
 * Memory:  permission_roles_new returns new, permission_roles_free gives back all but the usages. The registry takes
 *          the roles that are put into it; the previous ones are the caller's again, for after a grace period. A client
 *          owns its peer; its permission is a role's, for as long as that is in force.
 */
#ifndef VE_SOURCE_PERMISSION_H
#define VE_SOURCE_PERMISSION_H

#include "base/rate_limit.h"
#include "catalog/catalog.h"
#include "series/table.h"
#include "source/holder.h"
#include "source/peer.h"
#include "source/reject.h"

#include <pthread.h>

// ---- What may be pushed

enum { PERMISSION_MAX_LABELS = 16 };

struct permission_label {
    const char *name;
    const char *value;
};

struct permission {
    uint64_t number;        // no two permissions that ever were have the same; not 0
    const char *name;       // who is spoken of, for people: "sources[1]"
    const char *denied;     // why nothing at all is permitted, for people; NULL: something is
    const uint8_t *metrics; // bit i: metric i of the catalogue
    size_t n_labels;
    struct permission_label labels[PERMISSION_MAX_LABELS];
    uint64_t interval_ns;    // between two events; 0: any number of events
    struct rate_limit *rate; // of one second's worth
    uint16_t quota_id;       // whom series count for; 0: nobody
    uint32_t series;         // as many may count; 0: any number
};

static inline uint64_t permission_number(const struct permission *p)
{
    return p != NULL ? p->number : 0;
}

// Whether the metric at this place in the catalogue may be pushed.
bool permission_can_push_metric(const struct permission *p, size_t metric);
// The label whose value in the key is not the wanted one, or NULL when there is none.
const struct permission_label *permission_find_misfit(const struct permission *p,
                                                      const struct metric *m, const char *key);

// Takes n events out of the bucket, or none. Returns whether it did.
bool permission_take_events(const struct permission *p, uint64_t now_ms, uint64_t n);
void permission_return_events(const struct permission *p, uint64_t n);

// Lets the writer make series for the permission's quota_id.
void permission_set_quota(const struct permission *p, struct series_writer *writer);

// ---- Roles

enum {
    PERMISSION_MAX_ROLES = 256,    // entries
    PERMISSION_MAX_STRANGERS = 16, // connections, all together, of those whom no role is for
};

struct permission_usage {
    char *key;                  // of the role that it is for; NULL: free
    struct rate_limit events;   // of the permission
    struct rate_limit rejected; // the same for its rejected lines
    uint32_t connections;       // that said hello; the lock's
    uint32_t anonymous;         // connections that did not; the lock's
} __attribute__((aligned(64)));

struct permission_role {
    char name[32]; // "sources[1]"
    bool by_user;
    bool by_group; // with both, both must fit
    uid_t user;
    gid_t group;
    size_t n_members; // users who are in the group, its own first group aside; for datagrams
    uid_t *members;   // as permission_sort_members leaves them
    char *unit;       // in which they should run; NULL: wherever
    unsigned component;
    char *instance;   // NULL: any
    uint8_t *metrics; // bits by place in the catalogue
    size_t n_labels;
    char *label_names[PERMISSION_MAX_LABELS];
    char *label_values[PERMISSION_MAX_LABELS];
    uint32_t events_per_second; // of these three 0 is any number
    uint32_t series;
    uint32_t connections;
    uint16_t usage; // place in the registry, from here on by permission_bind
    struct permission permission;
};

struct permission_roles {
    uint64_t generation; // from 1, by permission_put
    bool open;           // whoever may open the socket may push everything; no roles
    size_t n;
    struct permission_role *entries;
};

struct permission_registry {
    pthread_mutex_t lock;                         // of what in the usages is not atomic
    _Atomic(struct permission_roles *) current;   // NULL is open
    uint64_t generation;                          // the latest one
    uint64_t permissions;                         // the number of the latest permission
    struct permission_usage usages[TABLE_QUOTAS]; // [0] is for strangers
};

void permission_sort_members(uid_t *users, size_t n);

// Without memory NULL.
struct permission_roles *permission_roles_new(size_t n);
void permission_roles_free(struct permission_roles *r);

// Gives every role its usage and its permission. `made` counts the series of each usage. Returns 0, -ENOMEM,
// -ENOSPC (too many usages have series or connections).
int permission_bind(struct permission_registry *registry, struct permission_roles *r,
                    const _Atomic uint64_t *made);
// Puts roles in force that were bound. Returns the previous ones, or NULL.
struct permission_roles *permission_put(struct permission_registry *registry,
                                        struct permission_roles *r);
// A registry without roles, which is zeroed.
void permission_open(struct permission_registry *registry);
// Frees the roles in force, and the usages.
void permission_close(struct permission_registry *registry);

static inline const struct permission_roles *
permission_current(const struct permission_registry *registry)
{
    return atomic_load_explicit(&registry->current, memory_order_acquire);
}

static inline uint64_t permission_generation(const struct permission_registry *registry)
{
    const struct permission_roles *r = permission_current(registry);
    return r != NULL ? r->generation : 0;
}

// Whether the role is for this peer.
bool permission_role_is_for(const struct permission_role *e, const struct peer *peer);
// The first role that lets the peer speak as this source, or NULL.
const struct permission_role *permission_find_role(const struct permission_roles *r,
                                                   const struct peer *peer, unsigned component,
                                                   struct slice instance);
// Whether whoever falls under `b` falls under `a`, so that an `a` that comes first leaves nothing to it.
bool permission_role_has_all_of(const struct permission_role *a, const struct permission_role *b);

// ---- A client

enum {
    PERMISSION_THROTTLE_MS = 1000, //
};

struct permission_client {
    struct peer peer;
    bool counts;                         // it is a connection, and not a datagram
    uint64_t generation;                 // of the roles that the following are of
    const struct permission_role *role;  // NULL: none, or there are no roles
    const struct permission *permission; // NULL: everything is permitted
    uint32_t *place;                     // the count that it is in; NULL: none
};

// Begins for a peer, which is taken. Returns REJECT_NONE, or REJECT_rate_limited when there is no room for
// another connection.
enum reject_reason permission_begin(struct permission_client *a, const struct peer *peer,
                                    bool counts, struct permission_registry *registry,
                                    struct rejection *why);
void permission_end(struct permission_client *a, struct permission_registry *registry);

// Looks up again what roles that were put in force since mean for it. `component` is COMPONENT_UNKNOWN when it
// said no hello. What is over its number of connections by this stays.
void permission_renew(struct permission_client *a, struct permission_registry *registry,
                      unsigned component, struct slice instance);

// It says that it is this source. Returns REJECT_NONE, REJECT_not_permitted or REJECT_rate_limited (too many
// connections); then nothing has changed.
enum reject_reason permission_hello(struct permission_client *a,
                                    struct permission_registry *registry, unsigned component,
                                    struct slice instance, struct rejection *why);

// Lines of it were rejected, for whatever reason. A role with a rate may have as many of them as events; until
// when (CLOCK_MONOTONIC ms, at most PERMISSION_THROTTLE_MS from now) no more of it is to be read, or 0.
uint64_t permission_throttle(const struct permission_client *a,
                             struct permission_registry *registry, uint64_t lines, uint64_t now_ms);

// For whom its sources and sessions are kept.
struct holder permission_holder(const struct permission_client *a);
// As which component a rejected hello counts that names this one: COMPONENT_UNKNOWN for a user whom no role knows.
unsigned permission_rejected_component(const struct permission_client *a,
                                       struct permission_registry *registry, unsigned component);
// As whom lines without a hello count.
unsigned permission_component(const struct permission_client *a);
// The unit in which it runs, into `ret`, when its role names another one; else NULL.
const char *permission_other_unit(const struct permission_client *a, char *ret, size_t size);

#endif
