// SPDX-License-Identifier: Apache-2.0
#include "source/permission.h"

#include "base/invariant.h"
#include "base/text.h"
#include "series/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BURST_NS = 1000000000 };

bool permission_can_push_metric(const struct permission *p, size_t metric)
{
    return p == NULL || (p->denied == NULL && (p->metrics[metric / 8] >> metric % 8 & 1) != 0);
}

// Whether the escaped value of the label is the wanted one. A closed label that does not know it never has it.
static bool has_value(const struct label *l, struct slice escaped, const char *wanted)
{
    char room[2 * CATALOG_MAX_LABEL_VALUE];
    struct buf text = {.p = room, .cap = sizeof room, .max = sizeof room};
    size_t len;
    const char *value = catalog_find_value(l->def, wanted, strlen(wanted), &len);
    if (value == NULL) {
        return false;
    }
    text_label_value(&text, value, len);
    return !text.failed && text.len == escaped.len && memcmp(text.p, escaped.p, escaped.len) == 0;
}

const struct permission_label *permission_find_misfit(const struct permission *p,
                                                      const struct metric *m, const char *key)
{
    struct slice values[CATALOG_MAX_LABELS];
    if (p == NULL || p->n_labels == 0) {
        return NULL;
    }
    key_split(m, key, values);
    for (size_t k = 0; k < p->n_labels; k++) {
        for (size_t i = 0; i < m->n_labels; i++) {
            if (strcmp(m->labels[i].name, p->labels[k].name) == 0 &&
                !has_value(&m->labels[i], values[i], p->labels[k].value)) {
                return &p->labels[k];
            }
        }
    }
    return NULL;
}

bool permission_take_events(const struct permission *p, uint64_t now_ms, uint64_t n)
{
    if (p == NULL || p->interval_ns == 0 || n == 0) {
        return true;
    }
    return rate_limit_take(p->rate, now_ms * 1000000, n * p->interval_ns, BURST_NS);
}

void permission_return_events(const struct permission *p, uint64_t n)
{
    if (p != NULL && p->interval_ns != 0) {
        rate_limit_return(p->rate, n * p->interval_ns);
    }
}

void permission_set_quota(const struct permission *p, struct series_writer *writer)
{
    writer->quota_id = p != NULL ? p->quota_id : 0;
    writer->quota_limit = p != NULL ? p->series : 0;
}

// ---- Roles

enum { FIRST_NUMBER = 16 }; // below are those of no role

struct permission_roles *permission_roles_new(size_t n)
{
    struct permission_roles *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->entries = calloc(n > 0 ? n : 1, sizeof *r->entries);
    if (r->entries == NULL) {
        free(r);
        return NULL;
    }
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(r->entries[i].name, sizeof r->entries[i].name, "sources[%zu]", i);
    }
    return r;
}

void permission_roles_free(struct permission_roles *r)
{
    for (size_t i = 0; r != NULL && i < r->n; i++) {
        struct permission_role *e = &r->entries[i];
        for (size_t k = 0; k < e->n_labels; k++) {
            free(e->label_names[k]);
            free(e->label_values[k]);
        }
        free(e->members);
        free(e->unit);
        free(e->instance);
        free(e->metrics);
    }
    if (r != NULL) {
        free(r->entries);
        free(r);
    }
}

// What makes a role of a later configuration the same one. NULL: no memory.
static char *key_of(const struct permission_role *e)
{
    struct buf key = BUF_INIT;
    buf_addf(&key, "%d %lu %d %lu %u %s", e->by_user, (unsigned long)e->user, e->by_group,
             (unsigned long)e->group, e->component, e->instance != NULL ? e->instance : "");
    if (buf_string(&key) == NULL) {
        buf_free(&key);
    }
    return key.p;
}

static bool has_usage(const struct permission_roles *r, size_t n, uint16_t usage)
{
    for (size_t i = 0; r != NULL && i < n; i++) {
        if (r->entries[i].usage == usage) {
            return true;
        }
    }
    return false;
}

// Under the lock: the usage of the key, or a free one (which is given the key), or 0. Takes the key.
static uint16_t usage_for(struct permission_registry *registry, char *key,
                          const struct permission_roles *fresh, size_t n,
                          const _Atomic uint64_t *made)
{
    const struct permission_roles *old = permission_current(registry);
    uint16_t spare = 0;
    for (uint16_t i = 1; i < TABLE_QUOTAS; i++) {
        struct permission_usage *a = &registry->usages[i];
        if (a->key != NULL && strcmp(a->key, key) == 0) {
            free(key);
            return i;
        }
        bool used = atomic_load(&made[i]) > 0 || a->connections > 0 || a->anonymous > 0;
        if (spare == 0 && !used && !has_usage(fresh, n, i) &&
            !has_usage(old, old != NULL ? old->n : 0, i)) {
            spare = i;
        }
    }
    if (spare == 0) {
        free(key);
        return 0;
    }
    free(registry->usages[spare].key);
    registry->usages[spare].key = key;
    atomic_store(&registry->usages[spare].events.full_ns, 0);
    return spare;
}

static void make_permission(struct permission_registry *registry, struct permission_role *e)
{
    struct permission *p = &e->permission;
    *p = (struct permission){
        .number = FIRST_NUMBER + ++registry->permissions,
        .name = e->name,
        .metrics = e->metrics,
        .interval_ns = e->events_per_second > 0 ? 1000000000 / e->events_per_second : 0,
        .rate = &registry->usages[e->usage].events,
        .quota_id = e->usage,
        .series = e->series,
    };
    for (; p->n_labels < e->n_labels; p->n_labels++) {
        p->labels[p->n_labels] =
            (struct permission_label){e->label_names[p->n_labels], e->label_values[p->n_labels]};
    }
}

int permission_bind(struct permission_registry *registry, struct permission_roles *r,
                    const _Atomic uint64_t *made)
{
    for (size_t i = 0; i < r->n; i++) {
        char *key = key_of(&r->entries[i]);
        if (key == NULL) {
            return -ENOMEM;
        }
        pthread_mutex_lock(&registry->lock);
        r->entries[i].usage = usage_for(registry, key, r, i, made);
        pthread_mutex_unlock(&registry->lock);
        if (r->entries[i].usage == 0) {
            return -ENOSPC;
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        make_permission(registry, &r->entries[i]);
    }
    return 0;
}

struct permission_roles *permission_put(struct permission_registry *registry,
                                        struct permission_roles *r)
{
    r->generation = ++registry->generation;
    return atomic_exchange(&registry->current, r);
}

void permission_open(struct permission_registry *registry)
{
    registry->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

void permission_close(struct permission_registry *registry)
{
    permission_roles_free(atomic_exchange(&registry->current, NULL));
    for (size_t i = 0; i < TABLE_QUOTAS; i++) {
        free(registry->usages[i].key);
        registry->usages[i].key = NULL;
    }
}

static int compare_users(const void *a, const void *b)
{
    uid_t x = *(const uid_t *)a;
    uid_t y = *(const uid_t *)b;
    return x < y ? -1 : x > y;
}

void permission_sort_members(uid_t *users, size_t n)
{
    if (n > 0) {
        qsort(users, n, sizeof *users, compare_users);
    }
}

// Of a datagram the kernel reports one group only; then those count who were members when the config was loaded.
static bool is_in_group(const struct permission_role *e, const struct peer *peer)
{
    return peer_is_in_group(peer, e->group) ||
           (!peer->has_groups && e->n_members > 0 &&
            bsearch(&peer->uid, e->members, e->n_members, sizeof peer->uid, compare_users) != NULL);
}

bool permission_role_is_for(const struct permission_role *e, const struct peer *peer)
{
    return peer->uid != PEER_NOBODY && (!e->by_user || peer->uid == e->user) &&
           (!e->by_group || is_in_group(e, peer));
}

static const struct permission_role *next_role(const struct permission_roles *r,
                                               const struct peer *peer, size_t *at)
{
    while (*at < r->n) {
        const struct permission_role *e = &r->entries[(*at)++];
        if (permission_role_is_for(e, peer)) {
            return e;
        }
    }
    return NULL;
}

const struct permission_role *permission_find_role(const struct permission_roles *r,
                                                   const struct peer *peer, unsigned component,
                                                   struct slice instance)
{
    const struct permission_role *e;
    size_t at = 0;
    while ((e = next_role(r, peer, &at)) != NULL) {
        if (e->component == component &&
            (e->instance == NULL || (strlen(e->instance) == instance.len &&
                                     memcmp(e->instance, instance.p, instance.len) == 0))) {
            return e;
        }
    }
    return NULL;
}

bool permission_role_has_all_of(const struct permission_role *a, const struct permission_role *b)
{
    return a->component == b->component &&
           (a->instance == NULL ||
            (b->instance != NULL && strcmp(a->instance, b->instance) == 0)) &&
           (!a->by_user || (b->by_user && a->user == b->user)) &&
           (!a->by_group || (b->by_group && a->group == b->group));
}

// ---- A client

static const struct permission no_role = {
    .number = 1, .name = "sources", .denied = "no entry of sources is for this user"};
static const struct permission many_roles = {
    .number = 2,
    .name = "sources",
    .denied = "several entries of sources are for this user; a hello must say which"};
static const struct permission no_such_source = {
    .number = 3,
    .name = "sources",
    .denied = "no entry of sources lets this user push as this source any more"};

// Moves it to another count. With `most` 0 there is always room.
static bool move(struct permission_client *a, struct permission_registry *registry, uint32_t *to,
                 uint32_t most)
{
    if (!a->counts || a->place == to) {
        return true;
    }
    pthread_mutex_lock(&registry->lock);
    bool room = to == NULL || most == 0 || *to < most;
    if (room) {
        if (to != NULL) {
            ++*to;
        }
        if (a->place != NULL) {
            invariant(*a->place > 0, "a released place of a connection was reserved");
            --*a->place;
        }
        a->place = to;
    }
    pthread_mutex_unlock(&registry->lock);
    return room;
}

static bool is_open(const struct permission_roles *r)
{
    return r == NULL || r->open;
}

// What it may do without a hello.
static void look_up(struct permission_client *a, const struct permission_roles *r)
{
    size_t at = 0;
    a->generation = r != NULL ? r->generation : 0;
    a->role = NULL;
    a->permission = NULL;
    if (is_open(r)) {
        return;
    }
    const struct permission_role *only = next_role(r, &a->peer, &at);
    if (only == NULL) {
        a->permission = &no_role;
    } else if (next_role(r, &a->peer, &at) != NULL) {
        a->permission = &many_roles;
    } else {
        a->role = only;
        a->permission = &only->permission;
    }
}

// Finds a place among those that said no hello. With `force` there is one.
static bool count_anonymous(struct permission_client *a, struct permission_registry *registry,
                            const struct permission_roles *r, bool force)
{
    if (is_open(r)) {
        return move(a, registry, NULL, 0);
    }
    const struct permission_role *e;
    const struct permission_role *first = NULL;
    size_t at = 0;
    while ((e = next_role(r, &a->peer, &at)) != NULL) {
        first = first == NULL ? e : first;
        if (move(a, registry, &registry->usages[e->usage].anonymous, force ? 0 : e->connections)) {
            return true;
        }
    }
    return first == NULL &&
           move(a, registry, &registry->usages[0].anonymous, force ? 0 : PERMISSION_MAX_STRANGERS);
}

enum reject_reason permission_begin(struct permission_client *a, const struct peer *peer,
                                    bool counts, struct permission_registry *registry,
                                    struct rejection *why)
{
    const struct permission_roles *r = permission_current(registry);
    *a = (struct permission_client){.peer = *peer, .counts = counts};
    look_up(a, r);
    if (!count_anonymous(a, registry, r, false)) {
        return reject_set(why, REJECT_rate_limited,
                          "too many connections that have not said hello");
    }
    return REJECT_NONE;
}

void permission_end(struct permission_client *a, struct permission_registry *registry)
{
    move(a, registry, NULL, 0);
    peer_drop(&a->peer);
}

void permission_renew(struct permission_client *a, struct permission_registry *registry,
                      unsigned component, struct slice instance)
{
    const struct permission_roles *r = permission_current(registry);
    look_up(a, r);
    if (component == COMPONENT_UNKNOWN || is_open(r)) {
        count_anonymous(a, registry, r, true);
        return;
    }
    a->role = permission_find_role(r, &a->peer, component, instance);
    a->permission = a->role != NULL ? &a->role->permission : &no_such_source;
    move(a, registry, &registry->usages[a->role != NULL ? a->role->usage : 0].connections, 0);
}

enum reject_reason permission_hello(struct permission_client *a,
                                    struct permission_registry *registry, unsigned component,
                                    struct slice instance, struct rejection *why)
{
    const struct permission_roles *r = permission_current(registry);
    if (is_open(r)) {
        return REJECT_NONE;
    }
    const struct permission_role *e = permission_find_role(r, &a->peer, component, instance);
    if (e == NULL) {
        return reject_set(
            why, REJECT_not_permitted, "no entry of sources lets this user be instance \"%.*s\"",
            (int)(instance.len > 64 ? 64 : instance.len), instance.p != NULL ? instance.p : "");
    }
    if (!move(a, registry, &registry->usages[e->usage].connections, e->connections)) {
        return reject_set(why, REJECT_rate_limited, "%s has its %u connections", e->name,
                          e->connections);
    }
    a->role = e;
    a->permission = &e->permission;
    return REJECT_NONE;
}

uint64_t permission_throttle(const struct permission_client *a,
                             struct permission_registry *registry, uint64_t lines, uint64_t now_ms)
{
    if (lines == 0 || a->role == NULL || a->permission->interval_ns == 0) {
        return 0;
    }
    uint64_t wait_ms = rate_limit_charge(&registry->usages[a->role->usage].rejected,
                                         now_ms * 1000000, lines * a->permission->interval_ns) /
                       1000000;
    return wait_ms <= 1000
               ? 0
               : now_ms + (wait_ms - 1000 < PERMISSION_THROTTLE_MS ? wait_ms - 1000
                                                                   : PERMISSION_THROTTLE_MS);
}

struct holder permission_holder(const struct permission_client *a)
{
    struct holder h = {.user = a->peer.uid};
    if (a->role != NULL) {
        h.usage = a->role->usage;
        h.most = a->role->connections * HOLDER_KEEPS;
    }
    return h;
}

unsigned permission_rejected_component(const struct permission_client *a,
                                       struct permission_registry *registry, unsigned component)
{
    const struct permission_roles *r = permission_current(registry);
    size_t at = 0;
    bool known = is_open(r) || next_role(r, &a->peer, &at) != NULL;
    return known ? component : COMPONENT_UNKNOWN;
}

unsigned permission_component(const struct permission_client *a)
{
    return a->role != NULL ? a->role->component : COMPONENT_UNKNOWN;
}

const char *permission_other_unit(const struct permission_client *a, char *ret, size_t size)
{
    if (a->role == NULL || a->role->unit == NULL) {
        return NULL;
    }
    if (!peer_unit(a->peer.pid, ret, size)) {
        snprintf(ret, size, "no unit");
    }
    return strcmp(ret, a->role->unit) == 0 ? NULL : ret;
}
