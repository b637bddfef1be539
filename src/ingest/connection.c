// SPDX-License-Identifier: Apache-2.0
#include "ingest/connection.h"

#include "ingest/fence.h"
#include "ingest/hello.h"
#include "ingest/identity.h"
#include "ingest/reply.h"
#include "series/rcu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLIES_KEEP = 512 };

void connection_free(struct connection *c, struct protocol *p)
{
    identity_end(c, p);
    hello_drop(&c->defaults);
    buf_free(&c->replies);
    free(c->tail);
    close(c->fd);
    fence_leave(c, p);
    free(c);
}

int connection_flush(struct connection *c)
{
    while (connection_waits(c)) {
        ssize_t n = send(c->fd, c->replies.p + c->replies_at, c->replies.len - c->replies_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        c->replies_at += (size_t)n;
        c->stuck = false;
    }
    buf_shrink(&c->replies, REPLIES_KEEP);
    c->replies_at = 0;
    return 0;
}

// Makes the reply the next to be sent. Returns whether there was room.
static bool queue_reply(struct connection *c, const struct buf *reply)
{
    if (!c->stuck && c->replies.len - c->replies_at + reply->len > CONNECTION_REPLIES) {
        connection_flush(c); // a broken connection shows itself at the next read
    }
    if (reply->failed || c->replies.len - c->replies_at + reply->len > CONNECTION_REPLIES) {
        c->stuck = true; // until the worker has sent some: asking for each refused line costs much
        return false;
    }
    buf_add(&c->replies, reply->p, reply->len);
    return !c->replies.failed;
}

static void answer(struct connection *c, struct buf *reply)
{
    if (!queue_reply(c, reply)) {
        c->replies.len = c->replies_at = 0;
        c->closing = true;
    }
    buf_free(reply);
}

static struct account *account_of(const struct connection *c, const struct protocol *p)
{
    return p->accounts.of[c->source->component];
}

static void refuse(struct connection *c, struct protocol *p, const struct event_verdict *v)
{
    _Atomic uint64_t *account = &account_of(c, p)->rejected[v->reason];
    bool control = v->kind == EVENT_CONTROL || v->reason == REJECT_bad_control;
    c->rejected++;
    if (c->origin.ledger != NULL && !control) {
        event_settle(&c->ledger, account);
    } else {
        count_add(account, 1);
    }
    refusal_put(p->refusals, c->source, &c->who, c->lines, v->reason, v->name, v->detail,
                p->refused);
    struct buf reply = BUF_INIT;
    reply_error(&reply, v, c->lines);
    if (!queue_reply(c, &reply)) {
        count_add(&p->stats->replies_dropped, 1);
    }
    buf_free(&reply);
}

struct connection *connection_new(int fd, struct protocol *p)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    struct event_verdict v = {.index = -1};
    c->fd = fd;
    rcu_enter();
    v.reason = identity_begin(c, p, v.detail);
    if (v.reason != REJECT_NONE) {
        p->refused = (struct slice){0};
        refuse(c, p, &v);
        c->closing = true;
    }
    rcu_leave();
    return c;
}

// Notes why a control line is refused; returns the reason.
static enum reject problem(struct event_verdict *v, enum reject reason, const char *detail)
{
    v->reason = reason;
    snprintf(v->detail, sizeof v->detail, "%s", detail);
    return reason;
}

static void refuse_control(struct connection *c, struct protocol *p, struct event_verdict *v)
{
    v->index = -1;
    refuse(c, p, v);
    if (v->was_hello) {
        c->closing = true;
    }
}

// Of a session it is counted once the session is held.
static void count_lost(struct connection *c, struct protocol *p, uint64_t lost)
{
    if (c->session == NULL) {
        uint64_t more = c->source->instance_len > 0 ? source_lost(c->source, lost) : lost - c->lost;
        count_add(&account_of(c, p)->lost, more);
    }
    c->lost = lost;
}

static enum reject first_hello(struct connection *c, struct protocol *p,
                               const struct control_hello *h, struct event_verdict *v)
{
    if (h->component == COMPONENT_UNKNOWN) {
        return problem(v, REJECT_bad_control, "hello names no component");
    }
    if (hello_defaults(&c->defaults, h) < 0) {
        return problem(v, REJECT_bad_control, "out of memory");
    }
    fence_find(c, p, h);
    enum reject reason = identity_claim(c, p, h, v->detail);
    if (reason != REJECT_NONE) {
        v->reason = reason;
        return reason;
    }
    c->named = true;
    atomic_store_explicit(&c->source->forgotten, false, memory_order_relaxed);
    event_precreate(p->reader, &c->defaults, &c->origin, source_named(p->sources, c->source));
    const char *wrong = fence_claim(c, p, h);
    return wrong == NULL ? REJECT_NONE : problem(v, REJECT_bad_control, wrong);
}

// A later hello may only raise `lost`; what else it says must be what the first one said.
static enum reject later_hello(struct connection *c, const struct control_hello *h,
                               struct event_verdict *v)
{
    const struct source *src = c->source;
    bool same =
        c->named && (h->component == COMPONENT_UNKNOWN || h->component == src->component) &&
        (h->instance.len == 0 || (h->instance.len == src->instance_len &&
                                  memcmp(h->instance.p, src->instance, h->instance.len) == 0)) &&
        (!h->has_labels || hello_same_labels(&c->defaults, h)) &&
        (h->session.len == 0 || (c->session != NULL && session_has_id(c->session, h->session)));
    return same && h->has_lost && h->lost >= c->lost
               ? REJECT_NONE
               : problem(v, REJECT_bad_control, "a later hello may only raise lost");
}

void connection_welcome(struct connection *c, struct protocol *p)
{
    struct buf reply = BUF_INIT;
    if (c->session != NULL) {
        fence_count_lost(c, account_of(c, p));
    }
    reply_hello(&reply, c->session != NULL ? session_position(c->session) : c->applied, !c->fresh);
    c->fresh = false;
    answer(c, &reply);
}

static void on_hello(struct connection *c, struct protocol *p, struct event_verdict *v, bool first)
{
    const struct control_hello *h = &v->control.hello;
    if ((first ? first_hello(c, p, h, v) : later_hello(c, h, v)) != REJECT_NONE) {
        refuse_control(c, p, v);
        return;
    }
    if (h->has_lost) {
        count_lost(c, p, h->lost);
    }
    if (fence_is_ours(c, p)) {
        connection_welcome(c, p);
    }
}

static bool may_forget(const struct connection *c, struct event_verdict *v)
{
    if (!c->named) {
        problem(v, REJECT_bad_control, "forget needs a hello before");
        return false;
    }
    if (c->who.permit != NULL && c->who.permit->nothing != NULL) {
        problem(v, REJECT_not_permitted, c->who.permit->nothing);
        return false;
    }
    return true;
}

static void on_control(struct connection *c, struct protocol *p, struct event_verdict *v,
                       bool first)
{
    const struct control *control = &v->control;
    struct buf reply = BUF_INIT;
    switch (control->kind) {
    case CONTROL_HELLO:
        on_hello(c, p, v, first);
        return;
    case CONTROL_SYNC:
        // What was applied is stored before the reply leaves; a scrape that begins after it sees all.
        atomic_thread_fence(memory_order_seq_cst);
        reply_sync(&reply, control->id, c->applied, c->rejected);
        break;
    case CONTROL_PING:
        reply_ping(&reply, control->id);
        break;
    case CONTROL_FORGET:
        if (!may_forget(c, v)) {
            refuse_control(c, p, v);
            return;
        }
        atomic_store_explicit(&c->source->forgotten, true, memory_order_relaxed);
        reply_forget(&reply, event_forget(p->reader, &control->forget, &c->origin));
        break;
    }
    answer(c, &reply);
}

bool connection_is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            return false;
        }
    }
    return true;
}

static void on_verdict(struct connection *c, struct protocol *p, struct event_verdict *v,
                       bool first)
{
    switch (v->kind) {
    case EVENT_APPLIED:
        c->applied++;
        if (c->origin.ledger == NULL) {
            count_add(&account_of(c, p)->applied, 1);
        }
        break;
    case EVENT_REFUSED:
        refuse(c, p, v);
        if (v->was_hello) {
            c->closing = true;
        }
        break;
    case EVENT_CONTROL:
        on_control(c, p, v, first);
        break;
    }
}

void connection_too_long(struct connection *c, struct protocol *p, struct slice text)
{
    struct event_verdict v = {.kind = EVENT_REFUSED, .reason = REJECT_too_long, .index = -1};
    snprintf(v.detail, sizeof v.detail, "longer than %d bytes", EVENT_MAX_LINE);
    c->lines++;
    c->begun = true;
    p->refused = text;
    refuse(c, p, &v);
}

static void tell_time(struct connection *c, const struct protocol *p)
{
    c->origin.now_ms = p->now_ms;
    c->origin.claimant.now_s = (uint32_t)(p->now_ms / 1000);
}

size_t connection_remembered(struct connection *c, struct protocol *p, struct event_line *lines,
                             size_t n)
{
    if (!c->entered) {
        return 0;
    }
    tell_time(c, p);
    n = event_remembered(p->reader, &c->origin, lines, n);
    c->lines += n;
    c->applied += n;
    if (c->origin.ledger == NULL) {
        count_add(&account_of(c, p)->applied, n);
    }
    count_add(&p->stats->memo_hits, n);
    return n;
}

void connection_line(struct connection *c, struct protocol *p, struct event_line *line)
{
    if (line->len > EVENT_MAX_LINE) {
        connection_too_long(c, p, (struct slice){line->at, line->len});
        return;
    }
    c->lines++;
    if (connection_is_blank(line->at, line->len)) {
        return;
    }
    bool first = !c->begun;
    c->begun = true;
    struct event_verdict v;
    if (!c->entered && !hello_is_likely(line->at, line->len)) {
        identity_enter_unnamed(c, p);
    }
    tell_time(c, p);
    event_judge(p->reader, &c->origin, line, &v);
    if (!c->entered && v.kind == EVENT_APPLIED) {
        identity_enter_unnamed(c, p); // it looked like a hello, and was none
    }
    count_add(v.remembered ? &p->stats->memo_hits : &p->stats->memo_misses, 1);
    if (v.kind != EVENT_APPLIED) {
        p->refused = (struct slice){line->at, line->len};
    }
    on_verdict(c, p, &v, first);
}
