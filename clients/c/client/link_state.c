// SPDX-License-Identifier: Apache-2.0
/*
 * A connection has lines in a queue and control lines (hello, sync) of its own, which are written between two lines of the
 * queue, so that lines can be counted, and kept for the next connection, by themselves. At most one sync is under way.
 *
 * Sessions: `base` is the session's position when the connection began. What was written stays in the queue until the
 *          answer
 * to a sync or to the next hello says that it was dealt with; then writing continues from there. When an answer is impossible
 * (an unknown session, a position before what was acknowledged or after what was written, another count of lines than ours),
 * a new session begins, and what was written and not acknowledged is lost. The same holds for a position of 0 after an answer
 * that was never read: that answer may have said that the session, with lines in it, was forgotten.
 *
 * Rolled back: an unknown session with a possible position. What was acknowledged after that position is no longer in any
 * count of the daemon, so it is lost too. Before another session begins, the old one is sent the sum of what was lost in it,
 * since what it was sent before may have been rolled back as well; when the connection breaks meanwhile, the next hello gets
 * the same answer.
 */
#include "client/link_state.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static void put_off(struct link *c)
{
    c->retry_at = link_now_ms() + c->retry_ms;
    c->retry_ms = c->retry_ms * 2 < c->retry_last_ms ? c->retry_ms * 2 : c->retry_last_ms;
}

// Ends the n oldest lines, which were dealt with.
static void end_lines(struct link *c, enum link_end end, uint64_t n)
{
    wire_queue_drop(&c->queue, n);
    if (c->on_end != NULL && n > 0) {
        c->on_end(c->arg, end, n);
    }
}

// Counts n lines as lost, which stand for more or for fewer if the caller says so.
static void lose(struct link *c, enum link_end end, uint64_t n)
{
    c->stats.lost += c->on_end != NULL && n > 0 ? c->on_end(c->arg, end, n) : n;
}

static void forget_connection(struct link *c)
{
    c->written = c->applied = c->rejected = c->refused = 0;
}

// Ends a connection. Without a session its account is settled: what was not begun stays for the
// next one. In a session all stays until the next hello's answer.
static void break_off(struct link *c, int error)
{
    close(c->fd);
    c->fd = -1;
    c->error = c->error == -EPERM ? -EPERM : error;
    c->hello_unread = c->hello_unread || (!c->ready && !c->fresh && !c->old_next);
    c->ready = c->reader.skip = false;
    c->control_at = c->control_len = c->reader.len = 0;
    c->control_last = false;
    c->forget = NULL;
    c->forget_at = c->forget_len = 0;
    c->answer_invalid = c->rolled_back = c->sync_waits = false;
    c->lost_sent = c->lost_acknowledged;
    if (link_has_session(c)) {
        wire_queue_rewind(&c->queue);
    } else {
        bool partial = wire_queue_is_partial(&c->queue);
        c->stats.unknown += link_unanswered(c) + partial;
        wire_queue_drop(&c->queue, partial);
        forget_connection(c);
    }
    if (c->old_next) {
        c->retry_at = link_now_ms();
    } else {
        put_off(c);
    }
}

// Ends the connection and begins another session.
static void renew_session(struct link *c)
{
    uint64_t n = link_unanswered(c);
    bool at_once = !c->ready && !c->fresh; // just forgotten, not lied to
    lose(c, LINK_LOST, n);
    wire_queue_drop(&c->queue, n);
    forget_connection(c);
    c->base = 0;
    c->lost_other = c->lost_acknowledged;
    c->sessions++;
    c->fresh = true;
    break_off(c, -ECONNRESET);
    c->hello_unread = false;
    if (at_once) {
        c->retry_at = link_now_ms();
    }
}

// Appends to the control lines. Their room always suffices: a sync is queued only when they are
// empty.
static void control_add(struct link *c, const char *key, uint64_t n, const char *end)
{
    size_t room = c->hello_len + LINK_CONTROL_ROOM - c->control_len;
    c->control_len += (size_t)snprintf(c->control + c->control_len, room, "%s%llu%s", key,
                                       (unsigned long long)n, end);
}

void link_queue_sync(struct link *c)
{
    if (c->control_len > 0 || c->sync_waits) {
        return;
    }
    if (c->hello_len > 0 && c->stats.lost > c->lost_sent) {
        control_add(c, "{\"hello\":{\"lost\":", c->stats.lost - c->lost_other, "}}\n");
        c->lost_sent = c->stats.lost;
    }
    control_add(c, "{\"sync\":", ++c->sync_id, "}\n");
    c->sync_waits = true;
    c->synced = c->written + wire_queue_is_partial(&c->queue); // it follows that line
    c->unsynced = 0;
    c->sync_at = link_now_ms();
}

void link_queue_last_sync(struct link *c)
{
    link_queue_sync(c);
    c->control_last = true;
    c->synced = c->written + c->queue.lines - (link_has_session(c) ? link_unanswered(c) : 0);
}

static void queue_hello(struct link *c)
{
    c->old = c->old_next;
    c->old_next = false; // the next daemon may be another one
    c->control_len = c->old ? c->old_len : c->hello_len;
    memcpy(c->control, c->old ? c->old_hello : c->hello, c->control_len);
    if (link_has_session(c)) {
        c->control_len += (size_t)snprintf(
            c->control + c->control_len, LINK_SESSION_ID_MAX + 16, ",\"session\":\"%016llx%016llx",
            (unsigned long long)c->random[0], (unsigned long long)c->random[1]);
        control_add(c, "-", c->sessions, "\"");
    }
    // A session that the daemon may have forgotten is sent `lost` only once it is known: else what it was
    // sent before would count again.
    if (!link_has_session(c) || c->fresh) {
        if (c->stats.lost > c->lost_other) {
            control_add(c, ",\"lost\":", c->stats.lost - c->lost_other, "");
        }
        c->lost_sent = c->stats.lost;
    }
    memcpy(c->control + c->control_len, "}}\n", 3);
    c->control_len += 3;
}

void link_open_connection(struct link *c)
{
    c->fd = wire_connect(c->path);
    if (c->fd < 0) {
        c->error = c->fd;
        c->fd = -1;
        c->old_next = false;
        put_off(c);
        return;
    }
    c->error = 0;
    c->ready = c->hello_len == 0;
    c->answers = c->unsynced = c->synced = c->rejected_controls = 0;
    c->origin = c->queue.first;
    if (c->hello_len > 0) {
        queue_hello(c);
    }
}

// Lines were dealt with when the connection broke: only a rejection that was read says how.
static void settle_unheard(struct link *c, uint64_t n)
{
    uint64_t refused = c->refused < n ? c->refused : n;
    c->stats.rejected += refused;
    c->stats.unknown += n - refused;
    end_lines(c, LINK_UNANSWERED, n);
}

// To a caller that makes its lines anew.
static void return_lines(struct link *c)
{
    uint64_t n = c->on_end == NULL ? 0 : c->queue.lines;
    c->stats.sent -= n;
    end_lines(c, LINK_RETURNED, n);
}

static void take_back(uint64_t *count, uint64_t *n)
{
    uint64_t part = *count < *n ? *count : *n;
    *count -= part;
    *n -= part;
}

// What was acknowledged and rolled back is lost now. The results of these lines are not known any more.
static void lose_acknowledged(struct link *c, uint64_t n)
{
    lose(c, LINK_ROLLED_BACK, n);
    take_back(&c->stats.applied, &n);
    take_back(&c->stats.unknown, &n);
    take_back(&c->stats.rejected, &n);
}

static void roll_back(struct link *c, uint64_t position, uint64_t acknowledged)
{
    if (position >= acknowledged) {
        settle_unheard(c, position - acknowledged);
    } else {
        lose_acknowledged(c, acknowledged - position);
    }
    uint64_t dealt_with = position > acknowledged ? position - acknowledged : 0;
    uint64_t open = link_unanswered(c) - dealt_with;
    lose(c, LINK_LOST, open);
    wire_queue_drop(&c->queue, open);
    forget_connection(c);
    c->base = position;
    control_add(c, "{\"hello\":{\"lost\":", c->stats.lost - c->lost_other, "}}\n");
    c->lost_sent = c->stats.lost;
    c->rolled_back = true;
}

// The first hello's answer in a session: what the daemon has dealt with leaves the queue, and the
// rest is written from there on.
static void resume(struct link *c, const struct wire_reply *r)
{
    uint64_t acknowledged = c->base + c->applied + c->rejected;
    uint64_t most = c->fresh ? 0 : link_unanswered(c);
    bool can_be = r->applied <= acknowledged || r->applied - acknowledged <= most;
    if (can_be && !r->known && !c->fresh && r->applied > 0) {
        roll_back(c, r->applied, acknowledged);
        return;
    }
    bool forgotten = (!r->known && !c->fresh) || (c->hello_unread && r->applied == 0 && most > 0);
    if (forgotten || !can_be || r->applied < acknowledged) {
        c->answer_invalid = true;
        return;
    }
    settle_unheard(c, r->applied - acknowledged);
    return_lines(c);
    forget_connection(c);
    c->base = r->applied;
    c->origin = c->queue.first;
    c->sync_at = link_now_ms();
    c->fresh = c->hello_unread = false;
    c->ready = true;
}

static void take_hello(struct link *c, const struct wire_reply *r)
{
    c->answers++;
    if (c->ready) {
        return;
    }
    if (c->rolled_back) { // it knows all that was lost in it
        c->lost_acknowledged = c->lost_sent;
        c->answer_invalid = true;
    } else if (link_has_session(c)) {
        resume(c, r);
    } else {
        c->ready = true;
    }
    if (c->ready) {
        c->lost_acknowledged = c->lost_sent;
        c->retry_ms = LINK_RETRY_FIRST_MS;
        if (c->on_ready != NULL) {
            c->on_ready(c->arg);
        }
    }
}

// The daemon has dealt with what it was to forget.
static void take_forgotten(struct link *c, const struct wire_reply *refusal)
{
    bool asked = c->forget != NULL;
    c->answers++;
    c->forget = NULL;
    c->forget_at = c->forget_len = 0;
    if (asked && c->on_forgotten != NULL) {
        c->on_forgotten(c->arg, refusal);
    }
}

static void take_rejection(struct link *c, struct wire_reply *r)
{
    if (c->forget != NULL && link_unanswered(c) == 0) { // there is no line that it could be about
        c->rejected_controls++;
        take_forgotten(c, r);
        return;
    }
    if (!c->ready && !c->old && c->old_len > 0 && strcmp(r->reason, "bad_control") == 0) {
        c->old_next = true; // the daemon closes the connection
        return;
    }
    c->error = c->ready ? c->error : -EPERM;
    c->retry_ms = c->ready ? c->retry_ms : c->retry_last_ms;
    c->stats.refused++;
    c->refused++;
    if (c->on_rejection != NULL) {
        r->line = c->ready && r->line > c->answers ? c->origin + r->line - c->answers : 0;
        c->on_rejection(c->arg, r);
    }
}

// Whether an answer to the last sync can be: no fewer lines than before, and in a session, where each line must be
// known to be counted, just the ones before the sync.
static bool is_possible(const struct link *c, const struct wire_reply *r)
{
    if (r->applied < c->applied || r->rejected < c->rejected || r->applied > c->synced) {
        return false;
    }
    uint64_t rest = c->synced - r->applied;
    return link_has_session(c) ? r->rejected == rest : r->rejected <= rest;
}

static void take_sync(struct link *c, struct wire_reply *r)
{
    c->answers++;
    r->rejected -= c->rejected_controls < r->rejected ? c->rejected_controls : r->rejected;
    if (!c->sync_waits || strtoull(r->id, NULL, 10) != c->sync_id || !is_possible(c, r)) {
        c->answer_invalid = link_has_session(c);
        return;
    }
    if (link_has_session(c)) {
        end_lines(c, LINK_ANSWERED, c->synced - (c->applied + c->rejected));
    }
    c->stats.applied += r->applied - c->applied;
    c->stats.rejected += r->rejected - c->rejected;
    c->applied = r->applied;
    c->rejected = r->rejected;
    c->refused = 0;
    c->lost_acknowledged = c->lost_sent;
    c->retry_ms = LINK_RETRY_FIRST_MS;
    c->sync_seen = c->sync_id;
    c->sync_waits = false;
}

static void take_reply(void *arg, const char *line, size_t len)
{
    struct link *c = arg;
    struct wire_reply r;
    if (c->answer_invalid || wire_reply_parse(&r, line, len) < 0) {
        return;
    }
    if (r.kind == WIRE_REPLY_ERROR) {
        take_rejection(c, &r);
    } else if (r.kind == WIRE_REPLY_HELLO) {
        take_hello(c, &r);
    } else if (r.kind == WIRE_REPLY_SYNC) {
        take_sync(c, &r);
    } else if (r.kind == WIRE_REPLY_FORGET) {
        take_forgotten(c, NULL);
    }
}

static void read_replies(struct link *c)
{
    int error = wire_read(&c->reader, c->fd, take_reply, c);
    if (c->answer_invalid) {
        renew_session(c);
    } else if (error < 0) {
        break_off(c, error);
    }
}

// The next bytes to write: control lines where a line of the queue has just ended, or all have, else lines. While there is
// something to forget, there are no lines.
static size_t next_bytes(const struct link *c, const char **ret)
{
    size_t control = c->control_len - c->control_at;
    if (c->forget_at < c->forget_len && (control == 0 || c->control_at == 0)) {
        *ret = c->forget + c->forget_at;
        return c->forget_len - c->forget_at;
    }
    if (control > 0 && (c->control_last ? !wire_queue_has_waiting(&c->queue)
                                        : !wire_queue_is_partial(&c->queue))) {
        *ret = c->control + c->control_at;
        return control;
    }
    if (control > 0 && !c->control_last) {
        return wire_queue_line_rest(&c->queue, ret);
    }
    return c->ready ? wire_queue_next(&c->queue, ret) : 0;
}

// When an automatic sync is due; 0: now; UINT64_MAX: never.
static uint64_t sync_due(const struct link *c)
{
    if (!c->ready || c->control_len > 0 || c->sync_waits) {
        return UINT64_MAX;
    }
    if (c->written - c->synced >= LINK_SYNC_EVERY ||
        (link_has_session(c) && c->unsynced >= c->queue.size / LINK_SYNC_SHARE)) {
        return 0;
    }
    bool news = c->written > c->synced || c->stats.lost > c->lost_sent;
    return link_has_session(c) && news ? c->sync_at + LINK_SYNC_IDLE_MS : UINT64_MAX;
}

static void note_written(struct link *c, const char *p, size_t n)
{
    const char *waiting;
    if (c->forget_at < c->forget_len && p == c->forget + c->forget_at) {
        c->forget_at += n;
    } else if (p == c->control + c->control_at) {
        c->control_at += n;
    } else {
        size_t most = wire_queue_next(&c->queue, &waiting);
        size_t of_lines = n < most ? n : most;
        uint64_t lines = wire_queue_wrote(&c->queue, of_lines);
        c->control_at += n - of_lines;
        c->written += lines;
        c->unsynced += of_lines;
        if (!link_has_session(c)) {
            wire_queue_drop(&c->queue, lines);
        }
    }
    if (c->control_at == c->control_len) {
        c->control_at = c->control_len = 0;
        c->control_last = false;
    }
}

// Writes bytes of next_bytes, and with all lines that wait the control lines that go behind them.
static ssize_t send_some(const struct link *c, const char *p, size_t n)
{
    bool both = c->control_last && wire_queue_has_waiting(&c->queue);
    struct iovec parts[2] = {{(char *)(uintptr_t)p, n},
                             {c->control + c->control_at, c->control_len - c->control_at}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = both ? 2 : 1};
    return sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

static void write_lines(struct link *c)
{
    const char *p;
    for (size_t n; (n = next_bytes(c, &p)) > 0;) {
        ssize_t sent = send_some(c, p, n);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (sent < 0) {
            int error = -errno;
            read_replies(c); // the daemon's last words may say why
            if (c->fd >= 0) {
                break_off(c, error);
            }
            return;
        }
        note_written(c, p, (size_t)sent);
        if (sync_due(c) == 0) {
            link_queue_sync(c);
        }
    }
}

int link_next(const struct link *c, struct pollfd *ret)
{
    const char *p;
    *ret = (struct pollfd){.fd = c->fd, .events = POLLIN};
    uint64_t at = c->retry_at;
    if (c->fd >= 0) {
        ret->events |= next_bytes(c, &p) > 0 ? POLLOUT : 0;
        at = sync_due(c);
    }
    uint64_t now = link_now_ms();
    return at == UINT64_MAX ? -1 : at <= now ? 0 : (int)(at - now);
}

void link_step(struct link *c, uint64_t deadline)
{
    uint64_t now = link_now_ms();
    if (c->fd < 0 && now >= c->retry_at) {
        link_open_connection(c);
    }
    if (c->fd >= 0 && sync_due(c) <= now) {
        link_queue_sync(c);
    }
    struct pollfd pfd;
    int wait = link_next(c, &pfd);
    int left = deadline <= now                     ? 0
               : deadline - now > LINK_WAIT_MAX_MS ? LINK_WAIT_MAX_MS
                                                   : (int)(deadline - now);
    if (poll(&pfd, 1, wait >= 0 && wait < left ? wait : left) <= 0) {
        return;
    }
    if (pfd.revents & POLLOUT) {
        write_lines(c);
    }
    if (c->fd >= 0 && pfd.revents & ~POLLOUT) {
        read_replies(c);
    }
}
