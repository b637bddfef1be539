// SPDX-License-Identifier: Apache-2.0
#include "ingest/connection.h"

#include "base/rcu.h"
#include "ingest/reply.h"
#include "ingest/split.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLIES_KEEP = 512, TAIL_LEAST = 512 };

// ---- Replies

int connection_flush(struct connection *c)
{
    while (connection_is_waiting(c)) {
        ssize_t n = send(c->fd, c->replies.p + c->replies_sent, c->replies.len - c->replies_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        c->replies_sent += (size_t)n;
        c->replies_full = false;
    }
    buf_shrink(&c->replies, REPLIES_KEEP);
    c->replies_sent = 0;
    return 0;
}

// Makes the reply the next to be sent. Returns whether there was room.
static bool queue_reply(struct connection *c, const struct buf *reply)
{
    if (!c->replies_full && c->replies.len - c->replies_sent + reply->len > CONNECTION_REPLIES) {
        connection_flush(c); // a broken connection shows itself at the next read
    }
    if (reply->failed || c->replies.len - c->replies_sent + reply->len > CONNECTION_REPLIES) {
        c->replies_full =
            true; // until the worker has sent some: asking for each rejected line takes long
        return false;
    }
    buf_add(&c->replies, reply->p, reply->len);
    return !c->replies.failed;
}

static void answer(struct connection *c, struct buf *reply)
{
    if (!c->id.by_datagram && !queue_reply(c, reply)) {
        c->replies.len = c->replies_sent = 0;
        c->closing = true;
    }
    buf_free(reply);
}

static struct statistics *statistics_of(const struct connection *c, const struct protocol *p)
{
    return p->statistics.cells[c->id.source->component];
}

void connection_renew(struct connection *c, struct protocol *p)
{
    identity_renew(&c->id, p, c->named);
    c->transaction.applied = &statistics_of(c, p)->applied;
}

static void reject(struct connection *c, struct protocol *p, const struct event_result *v)
{
    _Atomic uint64_t *count = &statistics_of(c, p)->rejected[v->rejection.reason];
    bool control = v->kind == EVENT_CONTROL || v->rejection.reason == REJECT_bad_control;
    c->rejected++;
    if (c->id.origin.transaction != NULL && !control) {
        apply_commit(&c->transaction, count);
    } else {
        count_add(count, 1);
    }
    rejected_put(p->rejected_lines, c->id.source, &c->id.client, c->id.by_datagram ? 0 : c->lines,
                 &v->rejection, p->rejected_text);
    if (c->id.by_datagram) {
        return;
    }
    struct buf reply = BUF_INIT;
    reply_error(&reply, &v->rejection, c->lines);
    if (!queue_reply(c, &reply)) {
        count_add(&p->stats->replies_dropped, 1);
    }
    buf_free(&reply);
}

// ---- Its session

static void wake(const struct protocol *p, int worker)
{
    if (worker != SESSION_NO_WORKER) {
        atomic_store(&p->wakeups[worker].sessions_changed, true);
        eventfd_write(p->wakeups[worker].fd, 1);
    }
}

static void name_of(struct session_name *ret, const struct connection *c, const struct protocol *p,
                    const struct control_hello *h)
{
    const char *component = schema_current(p->store)->catalog->components[h->component];
    session_name(ret, c->id.client.peer.uid, (struct slice){component, strlen(component)},
                 h->instance, h->session);
}

// Looks whether the session that a first hello names is known; makes the connection a user of it if so.
static void find_session(struct connection *c, struct protocol *p, const struct control_hello *h)
{
    struct session_name name;
    if (h->session.len > 0) {
        name_of(&name, c, p, h);
        c->session = session_find(p->sessions, &name);
    }
}

// Makes it where it is not. Returns NULL, or what is wrong. Does nothing without a session.
static const char *make_session(struct connection *c, struct protocol *p,
                                const struct control_hello *h)
{
    if (h->session.len == 0 || c->session != NULL) {
        return NULL;
    }
    struct session_name name;
    name_of(&name, c, p, h);
    struct holder holder = permission_holder(&c->id.client);
    int rc = session_make(p->sessions, &p->writer->arena, &name, &holder, p->now_ms, p->now_real_ms,
                          &c->session);
    if (rc < 0) {
        return rc == -ENOSPC   ? "too many sessions"
               : rc == -EDQUOT ? "too many sessions of this user"
                               : "out of memory";
    }
    c->fresh = rc == 0;
    return NULL;
}

// Does nothing without a session.
static void take_over_session(struct connection *c, struct protocol *p)
{
    if (c->session == NULL) {
        return;
    }
    int other;
    c->takeover = session_take_over(p->sessions, c->session, p->worker, &other);
    wake(p, other);
    c->transaction =
        (struct transaction){.redo = &p->redo,
                             .position = &c->session->record->word,
                             .applied = &p->statistics.cells[c->id.source->component]->applied};
    c->id.origin.transaction = &c->transaction;
    session_heard(c->session, p->now_ms, p->now_real_ms);
}

// Whether the connection may speak: without a session it always may. Else it waits, or closes when another one has
// taken the session over since.
static bool acquire_session(struct connection *c, struct protocol *p)
{
    int other = SESSION_NO_WORKER;
    enum session_access access = c->session != NULL
                                     ? session_acquire(p->sessions, c->session, c->takeover, &other)
                                     : SESSION_ACQUIRED;
    wake(p, other);
    c->waiting = access == SESSION_BUSY;
    c->closing |= access == SESSION_TAKEN_OVER;
    return access == SESSION_ACQUIRED;
}

bool connection_is_taken_over(const struct connection *c)
{
    return c->takeover != 0 && session_is_taken_over(c->session, c->takeover);
}

// Raises what the session has lost, and the component's count with it, to what the client reported. Only while the
// connection has the session.
static void count_session_lost(struct connection *c, struct statistics *statistics)
{
    _Atomic uint64_t *lost = &session_saved(c->session)->lost;
    uint64_t before = atomic_load_explicit(lost, memory_order_relaxed);
    if (c->lost > before) {
        redo_write(c->transaction.redo, lost, c->lost);
        redo_count(c->transaction.redo, &statistics->lost, c->lost - before);
        redo_commit(c->transaction.redo);
    }
}

// At the end of the connection, once its socket was closed.
static void leave_session(struct connection *c, struct protocol *p)
{
    if (c->session == NULL) {
        return;
    }
    if (c->takeover != 0 && !connection_is_taken_over(c)) {
        session_heard(c->session, p->now_ms, p->now_real_ms);
    }
    wake(p, session_leave(p->sessions, c->session, c->takeover));
}

// ---- Lines

// A hello that is rejected ends its connection, or rejects what follows it in its datagram.
static void reject_line(struct connection *c, struct protocol *p, struct event_result *v)
{
    reject(c, p, v);
    if (v->was_hello) {
        c->hello_rejected = c->id.by_datagram;
        c->closing = !c->id.by_datagram;
    }
}

static void reject_control(struct connection *c, struct protocol *p, struct event_result *v)
{
    v->rejection.element = -1;
    reject_line(c, p, v);
}

// Of a session it is counted once the connection has the session.
static void count_lost(struct connection *c, struct protocol *p, uint64_t lost)
{
    if (c->session == NULL) {
        enum source_report how = c->id.by_datagram  ? SOURCE_LOST_DATAGRAM
                                 : c->reported_lost ? SOURCE_LOST_MORE
                                                    : SOURCE_LOST_FIRST;
        uint64_t more = 0;
        if (c->id.source->instance_len > 0) {
            more = source_report_lost(p->sources, c->id.source, how, c->lost, lost);
        } else if (!c->id.by_datagram && lost > c->lost) {
            more = lost - c->lost;
        }
        count_add(&statistics_of(c, p)->lost, more);
    }
    c->reported_lost = true;
    c->lost = lost > c->lost ? lost : c->lost;
}

static void report_other_unit(const struct connection *c, struct protocol *p)
{
    struct rejection why = {.reason = REJECT_NONE};
    bool other = !c->id.by_datagram &&
                 permission_other_unit(&c->id.client, why.detail, sizeof why.detail) != NULL;
    if (other) {
        rejected_put(p->rejected_lines, c->id.source, &c->id.client, c->lines, &why,
                     (struct slice){0});
    }
}

static enum reject_reason first_hello(struct connection *c, struct protocol *p,
                                      const struct control_hello *h, struct event_result *v)
{
    if (h->component == COMPONENT_UNKNOWN) {
        return reject_set(&v->rejection, REJECT_bad_control, "hello names no component");
    }
    if (c->id.by_datagram && h->session.len > 0) {
        return reject_set(&v->rejection, REJECT_bad_control, "a datagram has no session");
    }
    if (identity_set_labels(&c->id, h) < 0) {
        return reject_set(&v->rejection, REJECT_bad_control, "out of memory");
    }
    find_session(c, p, h);
    bool returns = c->session != NULL && !session_is_rolled_back(c->session);
    enum reject_reason reason = identity_enter(&c->id, p, h, returns, &v->rejection);
    if (reason != REJECT_NONE) {
        if (reason != REJECT_bad_control) {
            identity_reject(&c->id, p, h->component);
        }
        return reason;
    }
    report_other_unit(c, p);
    c->named = true;
    const char *wrong = make_session(c, p, h);
    if (wrong != NULL) {
        return reject_set(&v->rejection, REJECT_bad_control, "%s", wrong);
    }
    atomic_store_explicit(&c->id.source->interval_s, h->transient ? 0 : h->interval_s,
                          memory_order_relaxed);
    c->interval_s = h->interval_s;
    if (!c->id.by_datagram && !h->transient) {
        const struct peer *peer = &c->id.client.peer;
        source_set_process(c->id.source, peer->pid, peer_start_ticks(peer, c->fd));
    }
    atomic_store_explicit(&c->id.source->forgotten, false, memory_order_relaxed);
    event_precreate(p->reader, &c->id.defaults, &c->id.origin, h->component,
                    source_namer_id(p->sources, c->id.source));
    take_over_session(c, p);
    return REJECT_NONE;
}

// A later hello may say `lost`, of which only a higher one counts; what else it says must be what the first one said.
static enum reject_reason later_hello(struct connection *c, const struct control_hello *h,
                                      struct event_result *v)
{
    if (c->id.by_datagram) {
        return reject_set(&v->rejection, REJECT_bad_control,
                          "a hello must be the first line of its datagram");
    }
    const struct source *src = c->id.source;
    struct slice instance = identity_instance(&c->id);
    bool same =
        c->named && (h->component == COMPONENT_UNKNOWN || h->component == src->component) &&
        (h->instance.len == 0 || (h->instance.len == instance.len &&
                                  memcmp(h->instance.p, instance.p, instance.len) == 0)) &&
        (!h->has_transient || h->transient == c->id.transient) &&
        (h->interval_s == 0 || h->interval_s == c->interval_s) &&
        (!h->has_labels || identity_has_labels(&c->id, h)) &&
        (h->session.len == 0 || (c->session != NULL && session_has_id(c->session, h->session)));
    return same ? REJECT_NONE
                : reject_set(&v->rejection, REJECT_bad_control,
                             "a later hello may only repeat the first or say lost");
}

// Answers a hello.
static void answer_hello(struct connection *c, struct protocol *p)
{
    struct buf reply = BUF_INIT;
    uint64_t applied = c->applied;
    bool known = !c->fresh;
    if (c->session != NULL) {
        count_session_lost(c, statistics_of(c, p));
        applied = session_position(c->session);
        known = known && !session_is_rolled_back(c->session);
    }
    reply_hello(&reply, applied, known);
    c->fresh = false;
    answer(c, &reply);
}

static void on_hello(struct connection *c, struct protocol *p, struct event_result *v, bool first)
{
    const struct control_hello *h = &v->control.hello;
    if ((first ? first_hello(c, p, h, v) : later_hello(c, h, v)) != REJECT_NONE) {
        reject_control(c, p, v);
        return;
    }
    if (h->has_lost) {
        count_lost(c, p, h->lost);
    }
    if (acquire_session(c, p)) {
        answer_hello(c, p);
    }
}

static bool may_forget(const struct connection *c, const struct protocol *p, struct event_result *v)
{
    if (!c->named) {
        reject_set(&v->rejection, REJECT_bad_control, "forget needs a hello before");
        return false;
    }
    if (c->id.client.permission != NULL && c->id.client.permission->denied != NULL) {
        reject_set(&v->rejection, REJECT_not_permitted, "%s", c->id.client.permission->denied);
        return false;
    }
    if (!permission_take_events(c->id.client.permission, p->now_ms, 1)) {
        reject_set(&v->rejection, REJECT_rate_limited,
                   "a forget counts as an event, and those of this second are pushed");
        return false;
    }
    return true;
}

// It walks all series, so it is done in steps, between which others have their access (connection_go_on).
static void begin_forget(struct connection *c, struct protocol *p, struct event_result *v)
{
    c->forget = may_forget(c, p, v) ? control_forget_new(&v->control.forget) : NULL;
    if (c->forget != NULL) {
        atomic_store_explicit(&c->id.source->forgotten, true, memory_order_relaxed);
        return;
    }
    if (v->kind == EVENT_CONTROL && v->rejection.detail[0] == '\0') {
        reject_set(&v->rejection, REJECT_bad_control, "out of memory");
    }
    reject_control(c, p, v);
}

bool connection_step_forget(struct connection *c, struct protocol *p)
{
    identity_set_time(&c->id, p);
    if (!control_forget_step(c->forget, p->store, &c->id.origin, CONNECTION_FORGET)) {
        return false;
    }
    struct buf reply = BUF_INIT;
    reply_forget(&reply, control_forget_end(c->forget));
    c->forget = NULL;
    answer(c, &reply);
    return true;
}

static void on_control(struct connection *c, struct protocol *p, struct event_result *v, bool first)
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
        begin_forget(c, p, v);
        return;
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

static void on_result(struct connection *c, struct protocol *p, struct event_result *v, bool first)
{
    switch (v->kind) {
    case EVENT_APPLIED:
        c->applied++;
        if (c->id.origin.transaction == NULL) {
            count_add(&statistics_of(c, p)->applied, 1);
        }
        break;
    case EVENT_REJECTED:
        reject_line(c, p, v);
        break;
    case EVENT_CONTROL:
        on_control(c, p, v, first);
        break;
    }
}

void connection_reject_too_long(struct connection *c, struct protocol *p, struct slice text)
{
    struct event_result v = {.kind = EVENT_REJECTED,
                             .rejection = {.reason = REJECT_too_long, .element = -1}};
    snprintf(v.rejection.detail, sizeof v.rejection.detail, "longer than %d bytes", EVENT_MAX_LINE);
    c->lines++;
    c->begun = true;
    p->rejected_text = text;
    reject(c, p, &v);
}

// Deals with lines of the beginning that are apply_cached. Returns how many these are.
static size_t apply_cached(struct connection *c, struct protocol *p, struct line *lines, size_t n)
{
    if (!c->id.entered || c->hello_rejected) {
        return 0;
    }
    identity_set_time(&c->id, p);
    n = event_apply_cached(p->reader, &c->id.origin, lines, n);
    c->lines += n;
    c->applied += n;
    if (c->id.origin.transaction == NULL) {
        count_add(&statistics_of(c, p)->applied, n);
    }
    count_add(&p->stats->cache_hits, n);
    return n;
}

static void reject_behind_hello(struct connection *c, struct protocol *p, const struct line *line)
{
    struct event_result v = {.kind = EVENT_REJECTED};
    reject_clear(&v.rejection);
    reject_set(&v.rejection, REJECT_bad_control, "the hello of its datagram was rejected");
    p->rejected_text = (struct slice){line->bytes, line->len};
    reject(c, p, &v);
}

static void on_line(struct connection *c, struct protocol *p, struct line *line)
{
    if (line->len > EVENT_MAX_LINE) {
        connection_reject_too_long(c, p, (struct slice){line->bytes, line->len});
        return;
    }
    c->lines++;
    if (connection_is_blank(line->bytes, line->len)) {
        return;
    }
    if (c->hello_rejected) {
        reject_behind_hello(c, p, line);
        return;
    }
    bool first = !c->begun;
    c->begun = true;
    struct event_result v;
    identity_prepare(&c->id, p, line->bytes, line->len);
    identity_set_time(&c->id, p);
    event_handle(p->reader, &c->id.origin, line, &v);
    if (v.kind == EVENT_APPLIED) {
        identity_confirm(&c->id, p);
    }
    count_add(v.hit ? &p->stats->cache_hits : &p->stats->cache_misses, 1);
    if (v.kind != EVENT_APPLIED) {
        p->rejected_text = (struct slice){line->bytes, line->len};
    }
    on_result(c, p, &v, first);
}

// ---- Bytes

// The end of a line that is too long. In a session it counts only now, as any line does.
static void end_skipping(struct connection *c, struct protocol *p)
{
    c->skipping = false;
    if (c->session != NULL) {
        connection_reject_too_long(c, p, (struct slice){0}); // its beginning is gone
    }
}

const char *connection_lines(struct connection *c, struct protocol *p, const char *at,
                             const char *end)
{
    struct line lines[EVENT_LINES];
    size_t n;
    while (connection_is_read(c) && (n = split_lines(at, end, lines)) > 0) {
        event_prefetch(p->reader, &c->id.origin, lines, n);
        for (size_t i = 0; i < n && connection_is_read(c);) {
            size_t known = c->skipping ? 0 : apply_cached(c, p, &lines[i], n - i);
            if (c->skipping) {
                end_skipping(c, p);
            } else if (known == 0) {
                on_line(c, p, &lines[i]);
            }
            i += known > 0 ? known : 1;
            at = lines[i - 1].bytes + lines[i - 1].len + 1;
        }
    }
    return at;
}

static int keep_tail(struct connection *c, const char *from, size_t len)
{
    if (len > c->tail_cap) {
        size_t cap = len < TAIL_LEAST ? TAIL_LEAST : len;
        char *grown = realloc(c->tail, cap);
        if (grown == NULL) {
            return -ENOMEM;
        }
        c->tail = grown;
        c->tail_cap = cap;
    } else if (len == 0 && c->tail_cap > TAIL_LEAST) {
        free(c->tail);
        c->tail = NULL;
        c->tail_cap = 0;
    }
    if (len > 0) {
        memcpy(c->tail, from, len);
    }
    c->tail_len = len;
    return 0;
}

// Takes the rest of a read: the beginning of a line, or the middle of one that is too long.
static int on_rest(struct connection *c, struct protocol *p, const char *from, size_t len)
{
    if (!c->skipping && len > EVENT_MAX_LINE) {
        if (c->session == NULL) {
            connection_reject_too_long(c, p, (struct slice){from, len});
        }
        c->skipping = true;
    }
    return keep_tail(c, from, c->skipping ? 0 : len);
}

static void on_end(struct connection *c, struct protocol *p)
{
    if (c->tail_len > 0 && !c->skipping && c->session == NULL) {
        struct line line = {.bytes = c->tail, .len = (uint32_t)c->tail_len};
        event_prefetch(p->reader, &c->id.origin, &line, 1);
        on_line(c, p, &line);
    }
    c->tail_len = 0;
    c->closing = true;
}

void connection_count(struct connection *c)
{
    source_count(c->id.source, c->applied - c->counted_applied, c->rejected - c->counted_rejected);
    c->counted_applied = c->applied;
    c->counted_rejected = c->rejected;
}

static void heard(struct connection *c, struct protocol *p, uint64_t lines_before)
{
    if (c->lines != lines_before) {
        connection_count(c);
        source_heard(c->id.source, p->now_ms, p->now_real_ms);
        if (c->session != NULL) {
            session_heard(c->session, p->now_ms, p->now_real_ms);
        }
    }
}

// Deals with all bytes of a read. Returns 0, -ENOMEM.
static int handle_bytes(struct connection *c, struct protocol *p, const char *at, const char *end)
{
    const char *rest = connection_lines(c, p, at, end);
    size_t len = (size_t)(end - rest);
    // Of who waits whole lines may be left.
    return c->closing              ? 0
           : connection_is_read(c) ? on_rest(c, p, rest, len)
                                   : keep_tail(c, rest, len);
}

// Rejecting takes longer than applying: who is rejected often is read in pieces that keep nobody waiting.
static void choose_read_size(struct connection *c, uint64_t rejected)
{
    if (rejected >= CONNECTION_THROTTLE_AT) {
        c->small_reads = CONNECTION_SMALL_READS;
    } else if (rejected == 0 && c->small_reads > 0) {
        c->small_reads--;
    }
}

void connection_go_on(struct connection *c, struct protocol *p, char *input)
{
    bool waits = c->waiting || c->forget != NULL;
    if (!waits || c->closing || (c->waiting && !acquire_session(c, p)) ||
        connection_is_taken_over(c)) {
        return;
    }
    if (c->forget == NULL) {
        answer_hello(c, p);
    }
    uint64_t lines = c->lines;
    uint64_t rejected = c->rejected;
    size_t len = c->tail_len;
    if (len > 0) {
        memcpy(input, c->tail, len);
    }
    rcu_enter();
    connection_renew(c, p);
    if ((c->forget == NULL || connection_step_forget(c, p)) &&
        handle_bytes(c, p, input, input + len) < 0) {
        c->closing = true;
    }
    rcu_leave();
    heard(c, p, lines);
    choose_read_size(c, c->rejected - rejected);
}

int connection_read(struct connection *c, struct protocol *p, char *input)
{
    if (c->waiting || c->forget != NULL || connection_is_taken_over(c)) {
        return 0;
    }
    if (c->tail_len > 0) {
        memcpy(input, c->tail, c->tail_len);
    }
    size_t most = c->small_reads > 0 ? CONNECTION_READ_LESS : CONNECTION_READ;
    ssize_t n = recv(c->fd, input + c->tail_len, most, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    identity_read_clock(p);
    count_add(&p->stats->bytes, (uint64_t)n);
    uint64_t lines = c->lines;
    uint64_t rejected = c->rejected;
    int rc = (int)n;
    rcu_enter();
    connection_renew(c, p);
    if (n == 0) {
        on_end(c, p);
    } else {
        int problem = handle_bytes(c, p, input, input + c->tail_len + n);
        rc = problem < 0 ? problem : rc;
    }
    rcu_leave();
    heard(c, p, lines);
    choose_read_size(c, c->rejected - rejected);
    return rc;
}

// ---- Beginning and end

void connection_begin(struct connection *c, struct protocol *p, int fd, const struct peer *peer)
{
    *c = (struct connection){.fd = fd};
    struct event_result v = {.kind = EVENT_REJECTED};
    reject_clear(&v.rejection);
    if (identity_begin(&c->id, p, peer, fd < 0, &v.rejection) != REJECT_NONE) {
        p->rejected_text = (struct slice){0};
        reject(c, p, &v);
        c->closing = true;
    }
}

void connection_end(struct connection *c, struct protocol *p)
{
    identity_end(&c->id, p);
    buf_free(&c->replies);
    free(c->tail);
    if (c->forget != NULL) {
        control_forget_end(c->forget);
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    leave_session(c, p);
}

struct connection *connection_new(int fd, struct protocol *p)
{
    struct connection *c = malloc(sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    struct peer peer;
    rcu_enter();
    peer_of_stream(&peer, fd);
    connection_begin(c, p, fd, &peer);
    rcu_leave();
    return c;
}

void connection_free(struct connection *c, struct protocol *p)
{
    connection_end(c, p);
    free(c);
}
