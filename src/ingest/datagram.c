// SPDX-License-Identifier: Apache-2.0
#include "ingest/datagram.h"

#include "ingest/hello.h"
#include "series/rcu.h"

#include <errno.h>
#include <sys/socket.h>

// One datagram, and who it speaks for.
struct datagram {
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
    count_add(&p->stats->rejected[d->source->component][reason], 1);
    refusal_put(p->refusals, d->source, 0, reason, metric, detail);
}

static bool enter(struct datagram *d, struct protocol *p, unsigned component, struct slice instance)
{
    uint32_t life;
    struct source *src = source_datagram(p->sources, component, instance, p->now_ms, &life);
    if (src == NULL) {
        return false;
    }
    d->entered = true;
    d->source = src;
    d->origin = hello_origin(p, src, life, &d->defaults);
    d->origin.claimant.now_s = (uint32_t)(p->now_ms / 1000);
    return true;
}

static bool on_hello(struct datagram *d, struct protocol *p, const struct control_hello *h)
{
    if (h->component == COMPONENT_UNKNOWN || hello_defaults(&d->defaults, h) < 0 ||
        !enter(d, p, h->component, h->instance)) {
        return false;
    }
    d->named = true;
    atomic_store_explicit(&d->source->forgotten, false, memory_order_relaxed);
    if (h->has_lost && d->source->instance_len > 0) {
        count_add(&p->stats->lost[d->source->component], source_lost(d->source, h->lost));
    }
    event_precreate(p->reader, &d->defaults, &d->origin, source_named(p->sources, d->source));
    return true;
}

static void on_control(struct datagram *d, struct protocol *p, const struct control *control,
                       bool first)
{
    if (control->kind == CONTROL_HELLO) {
        d->refused = !first || !on_hello(d, p, &control->hello);
        if (d->refused) {
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
    if (d->refused) {
        refuse(d, p, REJECT_bad_control, "", "the hello of its datagram was refused");
        return;
    }
    if (!d->entered && !hello_is_likely(line, len)) {
        enter(d, p, COMPONENT_UNKNOWN, (struct slice){0}); // always known
    }
    struct event_verdict v;
    event_line(p->reader, &d->origin, line, len, &v);
    if (!d->entered && v.kind == EVENT_APPLIED) {
        enter(d, p, COMPONENT_UNKNOWN, (struct slice){0}); // it looked like a hello, and was none
    }
    count_add(v.remembered ? &p->stats->memo_hits : &p->stats->memo_misses, 1);
    if (v.kind == EVENT_APPLIED) {
        count_add(&p->stats->applied[d->source->component], 1);
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
    ssize_t n = recv(fd, input, EVENT_MAX_LINE + 1, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    count_add(&p->stats->bytes, (uint64_t)n);
    struct datagram d = {0};
    uint32_t life;
    d.source = source_nameless(p->sources, COMPONENT_UNKNOWN, &life); // until a hello says more
    d.origin = hello_origin(p, d.source, life, &d.defaults);
    rcu_enter();
    on_datagram(&d, p, input, (size_t)n);
    rcu_leave();
    atomic_store_explicit(&d.source->heard_real, p->now_real_ms, memory_order_relaxed);
    atomic_store_explicit(&d.source->heard_mono, p->now_ms, memory_order_relaxed);
    hello_drop(&d.defaults);
    return 1;
}
