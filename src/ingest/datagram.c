// SPDX-License-Identifier: Apache-2.0
#include "ingest/datagram.h"

#include "ingest/hello.h"
#include "series/rcu.h"

#include <errno.h>

// One datagram, and who it speaks for.
struct datagram {
    struct admission who;
    struct source *source;
    struct event_defaults defaults;
    struct event_origin origin;
    bool entered; // it holds its source for a while
    bool named;
    bool refused; // its hello was: so is all that follows
};

static void refuse(struct datagram *d, struct protocol *p, enum reject reason, const char *metric,
                   const char *detail)
{
    count_add(&p->accounts.of[d->source->component]->rejected[reason], 1);
    refusal_put(p->refusals, d->source, &d->who, 0, reason, metric, detail, p->refused);
}

static void be(struct datagram *d, struct protocol *p, struct source *src, uint32_t life)
{
    d->source = src;
    d->origin = hello_origin(p, src, life, &d->defaults, d->who.permit);
    d->origin.claimant.now_s = (uint32_t)(p->now_ms / 1000);
}

// Returns 0, -ENOSPC, -EPERM as source_datagram.
static int enter(struct datagram *d, struct protocol *p, unsigned component, struct slice instance)
{
    uint32_t life;
    struct source *src;
    int rc = source_datagram(p->sources, &p->hand->arena, component, instance, d->who.peer.uid,
                             p->now_ms, &src, &life);
    if (rc == 0) {
        d->entered = true;
        be(d, p, src, life);
    }
    return rc;
}

static void enter_unnamed(struct datagram *d, struct protocol *p)
{
    enter(d, p, admit_component(&d->who), (struct slice){0}); // there is always room
}

// Whether the sender may be who it says it is. If not, it is refused as one of that component.
static enum reject claim(struct datagram *d, struct protocol *p, const struct control_hello *h)
{
    uint32_t life;
    char detail[ADMIT_DETAIL] = "another user is connected as this source";
    enum reject reason = admit_hello(&d->who, p->rights, h->component, h->instance, detail);
    int rc = reason == REJECT_NONE ? enter(d, p, h->component, h->instance) : -EPERM;
    if (rc == -EPERM) {
        struct source *src = source_nameless(p->sources, h->component, &life);
        be(d, p, src, life);
        refuse(d, p, REJECT_not_permitted, "", detail);
    }
    return rc == 0 ? REJECT_NONE : rc == -EPERM ? REJECT_not_permitted : REJECT_bad_control;
}

static enum reject on_hello(struct datagram *d, struct protocol *p, const struct control_hello *h)
{
    if (h->component == COMPONENT_UNKNOWN || h->session.len > 0 ||
        hello_defaults(&d->defaults, h) < 0) {
        return REJECT_bad_control;
    }
    enum reject reason = claim(d, p, h);
    if (reason != REJECT_NONE) {
        return reason;
    }
    d->named = true;
    atomic_store_explicit(&d->source->forgotten, false, memory_order_relaxed);
    if (h->has_lost && d->source->instance_len > 0) {
        count_add(&p->accounts.of[d->source->component]->lost, source_lost(d->source, h->lost));
    }
    event_precreate(p->reader, &d->defaults, &d->origin, source_named(p->sources, d->source));
    return REJECT_NONE;
}

static void on_control(struct datagram *d, struct protocol *p, const struct control *control,
                       bool first)
{
    if (control->kind == CONTROL_HELLO) {
        enum reject reason = first ? on_hello(d, p, &control->hello) : REJECT_bad_control;
        d->refused = reason != REJECT_NONE;
        if (reason == REJECT_bad_control) {
            refuse(d, p, REJECT_bad_control, "",
                   "a hello that is not the first line, or that names too much");
        }
    } else if (control->kind == CONTROL_FORGET) {
        if (d->named) {
            atomic_store_explicit(&d->source->forgotten, true, memory_order_relaxed);
            event_forget(p->reader, &control->forget, &d->origin);
        } else {
            refuse(d, p, REJECT_bad_control, "", "forget needs a hello before");
        }
    }
}

static void on_line(struct datagram *d, struct protocol *p, const char *line, size_t len,
                    bool first)
{
    p->refused = (struct slice){line, len};
    if (d->refused) {
        refuse(d, p, REJECT_bad_control, "", "the hello of its datagram was refused");
        return;
    }
    if (!d->entered && !hello_is_likely(line, len)) {
        enter_unnamed(d, p);
    }
    struct event_verdict v;
    event_line(p->reader, &d->origin, line, len, &v);
    if (!d->entered && v.kind == EVENT_APPLIED) {
        enter_unnamed(d, p); // it looked like a hello, and was none
    }
    count_add(v.remembered ? &p->stats->memo_hits : &p->stats->memo_misses, 1);
    if (v.kind == EVENT_APPLIED) {
        count_add(&p->accounts.of[d->source->component]->applied, 1);
    } else if (v.kind == EVENT_REFUSED) {
        refuse(d, p, v.reason, v.name, v.detail);
        d->refused = v.was_hello;
    } else {
        on_control(d, p, &v.control, first);
    }
}

static void on_datagram(struct datagram *d, struct protocol *p, const char *at, size_t len)
{
    if (len > EVENT_MAX_LINE) {
        p->refused = (struct slice){at, len};
        refuse(d, p, REJECT_too_long, "", "a datagram of more than 65536 bytes");
        return;
    }
    const char *end = at + len;
    bool first = true;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        if (!connection_is_blank(at, (size_t)(stop - at))) {
            on_line(d, p, at, (size_t)(stop - at), first);
            first = false;
        }
        at = stop + 1;
    }
}

int datagram_read(int fd, struct protocol *p, char *input)
{
    struct peer peer;
    ssize_t n = peer_receive(fd, input, EVENT_MAX_LINE + 1, &peer);
    if (n < 0) {
        return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
    }
    count_add(&p->stats->bytes, (uint64_t)n);
    struct datagram d = {0};
    uint32_t life;
    char detail[ADMIT_DETAIL];
    rcu_enter();
    admit_begin(&d.who, &peer, false, p->rights, detail); // takes no place
    struct source *src = source_nameless(p->sources, admit_component(&d.who), &life);
    be(&d, p, src, life); // until a hello says more
    on_datagram(&d, p, input, (size_t)n);
    rcu_leave();
    source_heard(d.source, p->now_ms, p->now_real_ms);
    hello_drop(&d.defaults);
    return 1;
}
