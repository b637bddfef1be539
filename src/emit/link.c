// SPDX-License-Identifier: Apache-2.0
#include "emit/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    SYNC_EVERY = 1000,   // lines between two syncs that nobody asked for
    SYNC_SHARE = 4,      // in a session: this part of the queue, too
    SYNC_IDLE_MS = 1000, // and this long after the last one when there is nothing else to write
    WAIT_MAX_MS = 60000  // of one poll
};

uint64_t link_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool has_session(const struct client *c)
{
    return c->sessions > 0;
}

uint64_t link_unanswered(const struct client *c)
{
    return c->written - (c->applied + c->rejected);
}

static void put_off(struct client *c)
{
    c->retry_at = link_now_ms() + c->retry_ms;
    c->retry_ms = c->retry_ms * 2 < LINK_RETRY_LAST ? c->retry_ms * 2 : LINK_RETRY_LAST;
}

static void forget_connection(struct client *c)
{
    c->written = c->applied = c->rejected = c->refused = 0;
}

// Ends a connection. Without a session its account is settled: what was not begun stays for the
// next one. In a session all stays until the next hello's answer.
static void break_off(struct client *c, int error)
{
    close(c->fd);
    c->fd = -1;
    c->error = c->error == -EPERM ? -EPERM : error;
    c->unheard = c->unheard || (!c->ready && !c->fresh);
    c->ready = c->reader.skip = false;
    c->control_at = c->control_len = c->reader.len = 0;
    c->control_last = false;
    c->doubt = c->sync_waits = false;
    c->lost_told = c->lost_known;
    if (has_session(c)) {
        queue_rewind(&c->queue);
    } else {
        bool torn = queue_is_torn(&c->queue);
        c->stats.unknown += link_unanswered(c) + torn;
        queue_drop(&c->queue, torn);
        forget_connection(c);
    }
    put_off(c);
}

// Ends the connection and begins another session.
static void renew_session(struct client *c)
{
    uint64_t n = link_unanswered(c);
    bool at_once = !c->ready && !c->fresh; // just forgotten, not lied to
    c->stats.lost += n;
    queue_drop(&c->queue, n);
    forget_connection(c);
    c->base = 0;
    c->lost_other = c->lost_known;
    c->sessions++;
    c->fresh = true;
    break_off(c, -ECONNRESET);
    c->unheard = false;
    if (at_once) {
        c->retry_at = link_now_ms();
    }
}

// Appends to the control lines. Their room always suffices: a sync is queued only when they are
// empty.
static void control_add(struct client *c, const char *key, uint64_t n, const char *end)
{
    size_t room = c->hello_len + LINK_CONTROL_ROOM - c->control_len;
    c->control_len += (size_t)snprintf(c->control + c->control_len, room, "%s%llu%s", key,
                                       (unsigned long long)n, end);
}

void link_queue_sync(struct client *c)
{
    if (c->control_len > 0 || c->sync_waits) {
        return;
    }
    if (c->hello_len > 0 && c->stats.lost > c->lost_told) {
        control_add(c, "{\"hello\":{\"lost\":", c->stats.lost - c->lost_other, "}}\n");
        c->lost_told = c->stats.lost;
    }
    control_add(c, "{\"sync\":", ++c->sync_id, "}\n");
    c->sync_waits = true;
    c->synced = c->written + queue_is_torn(&c->queue); // it follows that line
    c->unsynced = 0;
    c->sync_at = link_now_ms();
}

void link_queue_last_sync(struct client *c)
{
    link_queue_sync(c);
    c->control_last = true;
    c->synced = c->written + c->queue.lines; // without a session those are the ones that wait
}

static void queue_hello(struct client *c)
{
    memcpy(c->control, c->hello, c->hello_len);
    c->control_len = c->hello_len;
    if (has_session(c)) {
        c->control_len += (size_t)snprintf(
            c->control + c->control_len, LINK_SESSION_MAX + 16, ",\"session\":\"%016llx%016llx",
            (unsigned long long)c->random[0], (unsigned long long)c->random[1]);
        control_add(c, "-", c->sessions, "\"");
    }
    // A session that the daemon may have forgotten is told only once it is known: else what it was
    // told before would count again.
    if (!has_session(c) || c->fresh) {
        if (c->stats.lost > c->lost_other) {
            control_add(c, ",\"lost\":", c->stats.lost - c->lost_other, "");
        }
        c->lost_told = c->stats.lost;
    }
    memcpy(c->control + c->control_len, "}}\n", 3);
    c->control_len += 3;
}

void link_connect(struct client *c)
{
    c->fd = stream_dial(c->path);
    if (c->fd < 0) {
        c->error = c->fd;
        c->fd = -1;
        put_off(c);
        return;
    }
    c->error = 0;
    c->ready = c->hello_len == 0;
    c->answers = c->unsynced = c->synced = 0;
    c->origin = c->queue.first;
    if (c->hello_len > 0) {
        queue_hello(c);
    }
}

// The first hello's answer in a session: what the daemon has dealt with leaves the queue, and the
// rest is written from there on. Of a line that was dealt with when the connection broke, only a
// refusal that was read says how.
static void resume(struct client *c, const struct wire_reply *r)
{
    uint64_t acknowledged = c->base + c->applied + c->rejected;
    uint64_t most = c->fresh ? 0 : link_unanswered(c);
    bool forgotten = (!r->known && !c->fresh) || (c->unheard && r->applied == 0 && most > 0);
    if (forgotten || r->applied < acknowledged || r->applied - acknowledged > most) {
        c->doubt = true;
        return;
    }
    uint64_t n = r->applied - acknowledged;
    uint64_t refused = c->refused < n ? c->refused : n;
    c->stats.rejected += refused;
    c->stats.unknown += n - refused;
    queue_drop(&c->queue, n);
    forget_connection(c);
    c->base = r->applied;
    c->origin = c->queue.first;
    c->sync_at = link_now_ms();
    c->fresh = c->unheard = false;
    c->ready = true;
}

static void take_hello(struct client *c, const struct wire_reply *r)
{
    c->answers++;
    if (c->ready) {
        return;
    }
    if (has_session(c)) {
        resume(c, r);
    } else {
        c->ready = true;
    }
    if (c->ready) {
        c->lost_known = c->lost_told;
        c->retry_ms = LINK_RETRY_FIRST;
    }
}

static void take_refusal(struct client *c, struct wire_reply *r)
{
    c->error = c->ready ? c->error : -EPERM;
    c->retry_ms = c->ready ? c->retry_ms : LINK_RETRY_LAST;
    c->stats.refused++;
    c->refused++;
    if (c->on_refusal != NULL) {
        r->line = c->ready && r->line > c->answers ? c->origin + r->line - c->answers : 0;
        c->on_refusal(c->arg, r);
    }
}

// Whether an answer to the last sync can be: no fewer lines than before, and in a session, where each line must be
// known to be counted, just the ones before the sync.
static bool is_possible(const struct client *c, const struct wire_reply *r)
{
    if (r->applied < c->applied || r->rejected < c->rejected || r->applied > c->synced) {
        return false;
    }
    uint64_t rest = c->synced - r->applied;
    return has_session(c) ? r->rejected == rest : r->rejected <= rest;
}

static void take_sync(struct client *c, const struct wire_reply *r)
{
    c->answers++;
    if (!c->sync_waits || strtoull(r->id, NULL, 10) != c->sync_id || !is_possible(c, r)) {
        c->doubt = has_session(c);
        return;
    }
    if (has_session(c)) {
        queue_drop(&c->queue, c->synced - (c->applied + c->rejected));
    }
    c->stats.applied += r->applied - c->applied;
    c->stats.rejected += r->rejected - c->rejected;
    c->applied = r->applied;
    c->rejected = r->rejected;
    c->refused = 0;
    c->lost_known = c->lost_told;
    c->retry_ms = LINK_RETRY_FIRST;
    c->sync_seen = c->sync_id;
    c->sync_waits = false;
}

static void take_reply(void *arg, const char *line, size_t len)
{
    struct client *c = arg;
    struct wire_reply r;
    if (c->doubt || wire_reply_parse(&r, line, len) < 0) {
        return;
    }
    if (r.kind == WIRE_REPLY_ERROR) {
        take_refusal(c, &r);
    } else if (r.kind == WIRE_REPLY_HELLO) {
        take_hello(c, &r);
    } else if (r.kind == WIRE_REPLY_SYNC) {
        take_sync(c, &r);
    }
}

static void read_replies(struct client *c)
{
    int error = stream_read(&c->reader, c->fd, take_reply, c);
    if (c->doubt) {
        renew_session(c);
    } else if (error < 0) {
        break_off(c, error);
    }
}

// The next bytes to write: control lines where a line of the queue has just ended, or all have, else lines.
static size_t next_bytes(const struct client *c, const char **ret)
{
    size_t control = c->control_len - c->control_at;
    if (control > 0 && (c->control_last ? !queue_waits(&c->queue) : !queue_is_torn(&c->queue))) {
        *ret = c->control + c->control_at;
        return control;
    }
    if (control > 0 && !c->control_last) {
        return queue_rest_of_line(&c->queue, ret);
    }
    return c->ready ? queue_next(&c->queue, ret) : 0;
}

// Whether a sync that nobody asked for is due, or, at 0, when it will be; UINT64_MAX: never.
static uint64_t sync_due(const struct client *c)
{
    if (!c->ready || c->control_len > 0 || c->sync_waits) {
        return UINT64_MAX;
    }
    if (c->written - c->synced >= SYNC_EVERY ||
        (has_session(c) && c->unsynced >= c->queue.size / SYNC_SHARE)) {
        return 0;
    }
    bool news = c->written > c->synced || c->stats.lost > c->lost_told;
    return has_session(c) && news ? c->sync_at + SYNC_IDLE_MS : UINT64_MAX;
}

static void note_written(struct client *c, const char *p, size_t n)
{
    const char *waiting;
    if (p == c->control + c->control_at) {
        c->control_at += n;
    } else {
        size_t most = queue_next(&c->queue, &waiting);
        size_t of_lines = n < most ? n : most;
        uint64_t lines = queue_wrote(&c->queue, of_lines);
        c->control_at += n - of_lines;
        c->written += lines;
        c->unsynced += of_lines;
        if (!has_session(c)) {
            queue_drop(&c->queue, lines);
        }
    }
    if (c->control_at == c->control_len) {
        c->control_at = c->control_len = 0;
        c->control_last = false;
    }
}

// Writes bytes of next_bytes, and with all lines that wait the control lines that go behind them.
static ssize_t send_some(const struct client *c, const char *p, size_t n)
{
    bool both = c->control_last && queue_waits(&c->queue);
    struct iovec parts[2] = {{(char *)(uintptr_t)p, n},
                             {c->control + c->control_at, c->control_len - c->control_at}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = both ? 2 : 1};
    return sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

static void write_lines(struct client *c)
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

int link_wait(const struct client *c, struct pollfd *ret)
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

void link_turn(struct client *c, uint64_t deadline)
{
    uint64_t now = link_now_ms();
    if (c->fd < 0 && now >= c->retry_at) {
        link_connect(c);
    }
    if (c->fd >= 0 && sync_due(c) <= now) {
        link_queue_sync(c);
    }
    struct pollfd pfd;
    int wait = link_wait(c, &pfd);
    int left = deadline <= now                ? 0
               : deadline - now > WAIT_MAX_MS ? WAIT_MAX_MS
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
