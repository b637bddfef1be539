// SPDX-License-Identifier: Apache-2.0
#include "ingest/identity.h"

#include "ingest/hello.h"

#include <errno.h>
#include <stdio.h>

static void be_nameless(struct connection *c, struct protocol *p, unsigned component)
{
    uint32_t life;
    c->source = source_nameless(p->sources, component, &life);
    c->origin = hello_origin(p, c->source, life, &c->defaults, c->who.permit);
}

enum reject identity_begin(struct connection *c, struct protocol *p, char *detail)
{
    struct peer peer;
    peer_of_stream(&peer, c->fd);
    enum reject reason = admit_begin(&c->who, &peer, true, p->rights, detail);
    be_nameless(c, p, admit_component(&c->who));
    return reason;
}

static void leave(struct connection *c, struct protocol *p)
{
    if (c->entered) {
        source_release(c->source);
        source_leave(p->sources, c->source, p->now_ms);
    }
}

void identity_end(struct connection *c, struct protocol *p)
{
    leave(c, p);
    admit_end(&c->who);
}

int identity_enter(struct connection *c, struct protocol *p, unsigned component,
                   struct slice instance)
{
    uint32_t life;
    struct arena_hand *hand = &p->hand->arena;
    struct source *src =
        c->session != NULL ? source_return(p->sources, hand, component, instance, p->now_ms, &life)
                           : source_enter(p->sources, hand, component, instance, p->now_ms, &life);
    if (src == NULL) {
        return -ENOSPC;
    }
    if (!source_hold(src, c->who.peer.uid)) {
        source_leave(p->sources, src, p->now_ms);
        return -EPERM;
    }
    leave(c, p);
    c->entered = true;
    c->source = src;
    c->origin = hello_origin(p, src, life, &c->defaults, c->who.permit);
    return 0;
}

void identity_enter_unnamed(struct connection *c, struct protocol *p)
{
    identity_enter(c, p, admit_component(&c->who), (struct slice){0});
}

static enum reject enter_as(struct connection *c, struct protocol *p, const struct control_hello *h,
                            char *detail)
{
    switch (identity_enter(c, p, h->component, h->instance)) {
    case -ENOSPC:
        snprintf(detail, ADMIT_DETAIL, "too many sources");
        return REJECT_bad_control;
    case -EPERM:
        snprintf(detail, ADMIT_DETAIL, "another user is connected as this source");
        return REJECT_not_permitted;
    default:
        return REJECT_NONE;
    }
}

static void tell_other_unit(const struct connection *c, struct protocol *p)
{
    char unit[ADMIT_DETAIL];
    if (admit_other_unit(&c->who, unit, sizeof unit) != NULL) {
        refusal_put(p->refusals, c->source, &c->who, c->lines, REJECT_NONE, "", unit,
                    (struct slice){0});
    }
}

enum reject identity_claim(struct connection *c, struct protocol *p, const struct control_hello *h,
                           char *detail)
{
    enum reject reason = admit_hello(&c->who, p->rights, h->component, h->instance, detail);
    if (reason == REJECT_NONE) {
        reason = enter_as(c, p, h, detail);
    }
    if (reason == REJECT_NONE) {
        tell_other_unit(c, p);
    } else if (reason != REJECT_bad_control) {
        be_nameless(c, p, h->component);
    }
    return reason;
}

void identity_renew(struct connection *c, struct protocol *p)
{
    struct slice instance = {c->source->instance, c->source->instance_len};
    if (c->who.generation != rights_generation(p->rights)) {
        admit_again(&c->who, p->rights, c->named ? c->source->component : COMPONENT_UNKNOWN,
                    instance);
        struct event_ledger *ledger = c->origin.ledger;
        c->origin =
            hello_origin(p, c->source, c->origin.claimant.life, &c->defaults, c->who.permit);
        c->origin.ledger = ledger;
    }
}
