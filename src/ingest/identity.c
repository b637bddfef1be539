// SPDX-License-Identifier: Apache-2.0
#include "ingest/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void identity_set_time(struct identity *id, const struct protocol *p)
{
    id->origin.now_ms = p->now_ms;
    id->origin.owner.now_s = (uint32_t)(p->now_ms / 1000);
}

// The lines that follow are those of this source, in this lease.
static void set_source(struct identity *id, const struct protocol *p, struct source *src,
                       uint32_t lease)
{
    uint32_t first_lease = id->transient ? 0 : source_first_lease(p->sources, src);
    id->source = src;
    id->origin = (struct origin){
        .defaults = id->defaults.n > 0 ? &id->defaults : NULL,
        .permission = id->client.permission,
        .owner = {.updater_id = source_updater_id(p->sources, src),
                  .precreator_id = source_precreator_id(p->sources, src),
                  .lease = lease,
                  .first_lease = first_lease,
                  .last_lease = id->transient ? 0 : first_lease + SOURCE_LEASES - 1},
    };
    identity_set_time(id, p);
    id->origin.context = event_origin_number(p->reader, &id->origin, src->born);
}

static void become_anonymous(struct identity *id, struct protocol *p, unsigned component)
{
    set_source(id, p, source_anonymous(p->sources, component), 0);
}

enum reject_reason identity_begin(struct identity *id, struct protocol *p, const struct peer *peer,
                                  bool by_datagram, struct rejection *why)
{
    *id = (struct identity){.by_datagram = by_datagram};
    enum reject_reason reason =
        permission_begin(&id->client, peer, !by_datagram, p->permissions, why);
    become_anonymous(id, p, permission_component(&id->client));
    return reason;
}

static void leave(struct identity *id, struct protocol *p)
{
    if (id->entered && !id->by_datagram && !id->transient) {
        source_leave(p->sources, id->source, p->now_ms);
    }
}

static void drop_labels(struct origin_defaults *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->names[i]);
        free(d->values[i]);
    }
    d->n = 0;
}

void identity_end(struct identity *id, struct protocol *p)
{
    leave(id, p);
    permission_end(&id->client, p->permissions);
    drop_labels(&id->defaults);
    free(id->instance);
}

// Returns 0, or as source_enter.
static int enter(struct identity *id, struct protocol *p, unsigned component, struct slice instance,
                 bool returns)
{
    uint32_t lease;
    struct source *src;
    struct source_call call = {.component = component,
                               .instance = instance,
                               .holder = permission_holder(&id->client),
                               .returns = returns,
                               .now_ms = p->now_ms};
    struct arena_writer *writer = &p->writer->arena;
    int rc = id->by_datagram ? source_datagram(p->sources, writer, &call, &src, &lease)
                             : source_enter(p->sources, writer, &call, &src, &lease);
    if (rc < 0) {
        return rc;
    }
    leave(id, p);
    id->entered = true;
    set_source(id, p, src, lease);
    return 0;
}

// For lines without a hello; there is always room.
static void enter_anonymous(struct identity *id, struct protocol *p)
{
    enter(id, p, permission_component(&id->client), (struct slice){0}, false);
}

static bool is_likely_hello(const char *line, size_t len)
{
    return memmem(line, len, "\"hello\"", 7) != NULL;
}

void identity_prepare(struct identity *id, struct protocol *p, const char *line, size_t len)
{
    if (!id->entered && is_likely_hello(line, len)) {
        set_source(id, p, id->source, source_anonymous_lease(p->sources, id->source, p->now_ms));
    } else if (!id->entered) {
        enter_anonymous(id, p);
    }
}

void identity_confirm(struct identity *id, struct protocol *p)
{
    if (!id->entered) {
        enter_anonymous(id, p);
    }
}

int identity_set_labels(struct identity *id, const struct control_hello *h)
{
    struct origin_defaults d = {0};
    for (; d.n < h->n_labels; d.n++) {
        const struct control_pair *pair = &h->labels[d.n];
        d.names[d.n] = strdup(pair->name);
        d.values[d.n] = strndup(pair->value.p, pair->value.len);
        if (d.names[d.n] == NULL || d.values[d.n] == NULL) {
            d.n++;
            drop_labels(&d);
            return -ENOMEM;
        }
    }
    id->defaults = d;
    return 0;
}

bool identity_has_labels(const struct identity *id, const struct control_hello *h)
{
    const struct origin_defaults *d = &id->defaults;
    size_t same = 0;
    for (size_t i = 0; i < h->n_labels; i++) {
        struct slice value = h->labels[i].value;
        for (size_t k = 0; k < d->n; k++) {
            same += strcmp(d->names[k], h->labels[i].name) == 0 &&
                    strlen(d->values[k]) == value.len &&
                    memcmp(d->values[k], value.p, value.len) == 0;
        }
    }
    return same == d->n && same == h->n_labels;
}

struct slice identity_instance(const struct identity *id)
{
    return id->instance != NULL ? (struct slice){id->instance, strlen(id->instance)}
                                : (struct slice){id->source->instance, id->source->instance_len};
}

// Part of the anonymous source, and no connection of it: that it is there keeps nothing which others set.
static enum reject_reason become_transient(struct identity *id, struct protocol *p,
                                           const struct control_hello *h, struct rejection *why)
{
    if (h->instance.len > 0) {
        id->instance = strndup(h->instance.p, h->instance.len);
        if (id->instance == NULL) {
            return reject_set(why, REJECT_bad_control, "out of memory");
        }
    }
    leave(id, p);
    id->transient = true;
    id->entered = true;
    become_anonymous(id, p, h->component);
    return REJECT_NONE;
}

enum reject_reason identity_enter(struct identity *id, struct protocol *p,
                                  const struct control_hello *h, bool returns,
                                  struct rejection *why)
{
    enum reject_reason reason =
        permission_hello(&id->client, p->permissions, h->component, h->instance, why);
    if (reason != REJECT_NONE) {
        return reason;
    }
    if (h->transient) {
        return become_transient(id, p, h, why);
    }
    switch (enter(id, p, h->component, h->instance, returns)) {
    case -ENOSPC:
        return reject_set(why, REJECT_bad_control, "too many sources");
    case -EDQUOT:
        return reject_set(why, REJECT_rate_limited, "too many sources of this user");
    case -EPERM:
        return reject_set(why, REJECT_not_permitted, "another user is connected as this source");
    default:
        return REJECT_NONE;
    }
}

void identity_reject(struct identity *id, struct protocol *p, unsigned component)
{
    become_anonymous(id, p, permission_rejected_component(&id->client, p->permissions, component));
}

void identity_renew(struct identity *id, struct protocol *p, bool named)
{
    struct slice instance = identity_instance(id);
    if (id->client.generation != permission_generation(p->permissions)) {
        permission_renew(&id->client, p->permissions,
                         named ? id->source->component : COMPONENT_UNKNOWN, instance);
        struct transaction *transaction = id->origin.transaction;
        set_source(id, p, id->source, id->origin.owner.lease);
        id->origin.transaction = transaction;
    }
}
