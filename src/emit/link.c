// SPDX-License-Identifier: Apache-2.0
#include "emit/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SYNC_EVERY = 1000, // lines between two syncs that nobody asked for
    READS_AT_ONCE = 16 // a daemon that never stops talking does not hold the caller
};

uint64_t link_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t link_count_lines(const char *p, size_t len)
{
    uint64_t n = 0;
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        n++;
    }
    return n;
}

int link_path(char out[LINK_PATH_SIZE], const char *path)
{
    const char *env = getenv(CLIENT_SOCKET_ENV);
    if (path == NULL) {
        path = env != NULL && *env != '\0' ? env : CLIENT_SOCKET;
    }
    size_t len = strlen(path);
    if (len >= LINK_PATH_SIZE) {
        return -ENAMETOOLONG;
    }
    memcpy(out, path, len + 1);
    return 0;
}

int client_dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (link_path(addr.sun_path, path) < 0) {
        return -ENAMETOOLONG;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void put_off(struct client *c)
{
    c->retry_at = link_now_ms() + c->retry_ms;
    c->retry_ms = c->retry_ms * 2 < LINK_RETRY_LAST ? c->retry_ms * 2 : LINK_RETRY_LAST;
}

// Settles the account of a connection that is over. What was not begun stays for the next one.
static void break_off(struct client *c, int error)
{
    close(c->fd);
    c->fd = -1;
    c->error = c->error == -EPERM ? -EPERM : error;
    c->stats.unknown += c->written - (c->stats.applied + c->stats.rejected) + c->torn;
    if (c->torn) {
        const char *lf = memchr(c->buf + c->head, '\n', c->len - c->head);
        c->head = (size_t)(lf - c->buf) + 1;
    }
    c->ready = c->torn = c->reader.skip = false;
    c->control_at = c->control_len = c->reader.len = 0;
    c->written = c->synced = c->stats.applied = c->stats.rejected = 0;
    put_off(c);
}

// Appends to the control lines. Their room always suffices: a sync is queued only when they are
// empty.
static void control_add(struct client *c, const char *key, uint64_t n, const char *end)
{
    size_t room = c->hello_len + LINK_CONTROL_ROOM - c->control_len;
    c->control_len += (size_t)snprintf(c->control + c->control_len, room, "%s%llu%s\n", key,
                                       (unsigned long long)n, end);
}

void link_queue_sync(struct client *c)
{
    if (c->hello_len > 0 && c->stats.lost > c->lost_told) {
        control_add(c, "{\"hello\":{\"lost\":", c->stats.lost, "}}");
        c->lost_told = c->stats.lost;
    }
    control_add(c, "{\"sync\":", ++c->sync_id, "}");
    c->synced = c->written;
}

void link_connect(struct client *c)
{
    c->fd = client_dial(c->path);
    if (c->fd < 0) {
        c->error = c->fd;
        c->fd = -1;
        put_off(c);
        return;
    }
    c->error = 0;
    c->ready = c->hello_len == 0;
    if (c->hello_len > 0) {
        memcpy(c->control, c->hello, c->hello_len);
        c->control_len = c->hello_len;
        if (c->stats.lost > 0) {
            control_add(c, ",\"lost\":", c->stats.lost, "}}");
        } else {
            memcpy(c->control + c->control_len, "}}\n", 3);
            c->control_len += 3;
        }
        c->lost_told = c->stats.lost;
    }
}

static void take_reply(void *arg, const char *line, size_t len)
{
    struct client *c = arg;
    struct wire_reply r;
    if (wire_reply_parse(&r, line, len) < 0) {
        return;
    }
    if (r.kind == WIRE_REPLY_ERROR) {
        c->error = c->ready ? c->error : -EPERM;
        c->retry_ms = c->ready ? c->retry_ms : LINK_RETRY_LAST;
        c->stats.refused++;
        if (c->on_refusal != NULL) {
            c->on_refusal(c->arg, &r);
        }
    } else if (r.kind == WIRE_REPLY_HELLO) {
        c->ready = true;
        c->retry_ms = LINK_RETRY_FIRST;
    } else if (r.kind == WIRE_REPLY_SYNC && r.applied <= c->written &&
               r.rejected <= c->written - r.applied) {
        c->sync_seen = strtoull(r.id, NULL, 10);
        c->stats.applied = r.applied;
        c->stats.rejected = r.rejected;
        c->retry_ms = LINK_RETRY_FIRST;
    }
}

static void take_bytes(struct link_reader *r, size_t n,
                       void (*take)(void *arg, const char *line, size_t len), void *arg)
{
    char *start = r->in;
    char *end = r->in + r->len + n;
    for (char *lf; (lf = memchr(start, '\n', (size_t)(end - start))) != NULL; start = lf + 1) {
        if (!r->skip) {
            take(arg, start, (size_t)(lf - start));
        }
        r->skip = false;
    }
    r->len = (size_t)(end - start);
    memmove(r->in, start, r->len);
    if (r->len == sizeof r->in) {
        r->skip = true;
        r->len = 0;
    }
}

int link_read(struct link_reader *r, int fd, void (*take)(void *arg, const char *line, size_t len),
              void *arg)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = recv(fd, r->in + r->len, sizeof r->in - r->len, 0);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        take_bytes(r, (size_t)n, take, arg);
    }
    return 0;
}

static void read_replies(struct client *c)
{
    int error = link_read(&c->reader, c->fd, take_reply, c);
    if (error < 0) {
        break_off(c, error);
    }
}

// The next bytes to write: control lines where a line of buf has just ended, else lines.
static size_t next_bytes(const struct client *c, const char **ret)
{
    size_t control = c->control_len - c->control_at;
    if (control > 0 && !c->torn) {
        *ret = c->control + c->control_at;
        return control;
    }
    *ret = c->buf + c->head;
    if (control > 0) {
        return (size_t)((char *)memchr(*ret, '\n', c->len - c->head) - *ret) + 1;
    }
    return c->ready ? c->len - c->head : 0;
}

static void write_lines(struct client *c)
{
    const char *p;
    for (size_t n; (n = next_bytes(c, &p)) > 0;) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
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
        if (p == c->control + c->control_at) {
            c->control_at += (size_t)sent;
        } else {
            c->written += link_count_lines(p, (size_t)sent);
            c->torn = p[sent - 1] != '\n';
            c->head += (size_t)sent;
        }
        if (c->control_at == c->control_len) {
            c->control_at = c->control_len = 0;
            if (c->written - c->synced >= SYNC_EVERY) {
                link_queue_sync(c);
            }
        }
    }
}

void link_turn(struct client *c, uint64_t deadline)
{
    uint64_t now = link_now_ms();
    if (c->fd < 0 && now >= c->retry_at) {
        link_connect(c);
    }
    uint64_t until = c->fd < 0 && c->retry_at < deadline ? c->retry_at : deadline;
    int wait = until <= now ? 0 : until - now > 60000 ? 60000 : (int)(until - now);
    const char *p;
    struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
    pfd.events |= c->fd >= 0 && next_bytes(c, &p) > 0 ? POLLOUT : 0;
    if (poll(&pfd, 1, wait) <= 0) {
        return;
    }
    if (pfd.revents & POLLOUT) {
        write_lines(c);
    }
    if (c->fd >= 0 && pfd.revents & ~POLLOUT) {
        read_replies(c);
    }
}
