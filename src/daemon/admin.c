// SPDX-License-Identifier: Apache-2.0
#include "daemon/admin.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/admin_job.h"
#include "source/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 16,
    ACCEPTS = 8, // in one step
};

struct admin_client {
    int fd;
    bool skipping;   // the rest of a request that is too long
    bool ended;      // it sends nothing more
    uint32_t polled; // events that epoll waits for
    struct buf out;
    size_t sent;       // of `out`
    uint64_t moved_ms; // CLOCK_MONOTONIC: when some was sent last, or there was nothing to send
    size_t in_len;
    char in[ADMIN_REQUEST_MAX + 1];
    struct admin_request request;
    struct admin_job job;
};

// ---- Requests

// What came goes up to here; NULL: all of it.
static void drop_input(struct admin_client *c, const char *lf)
{
    const char *end = c->in + c->in_len;
    const char *rest = lf != NULL ? lf + 1 : end;
    c->in_len = (size_t)(end - rest);
    memmove(c->in, rest, c->in_len);
}

static bool has_request(const struct admin_client *c)
{
    return memchr(c->in, '\n', c->in_len) != NULL || c->in_len == sizeof c->in ||
           (c->skipping && c->in_len > 0);
}

// Takes the next line of what came, if there is a whole one.
static void take_request(struct admin *a, struct admin_client *c)
{
    char *lf = memchr(c->in, '\n', c->in_len);
    if (lf == NULL || c->skipping) {
        bool full = c->in_len == sizeof c->in;
        if (full && !c->skipping) {
            admin_job_fail(&c->job, "too_long", "a request of more than 16384 bytes");
        }
        if (full || c->skipping) {
            drop_input(c, lf);
            c->skipping = lf == NULL;
        }
        return;
    }
    struct buf detail = BUF_INIT;
    const char *reason =
        admin_request_read(&c->request, &a->parser, c->in, (size_t)(lf - c->in), &detail);
    drop_input(c, lf);
    if (reason != NULL) {
        const char *text = buf_string(&detail);
        admin_job_fail(&c->job, reason, text != NULL ? text : "out of memory");
    } else {
        admin_job_begin(&c->job, a->backend);
    }
    buf_free(&detail);
}

// A request or a step.
static void go_on(struct admin *a, struct admin_client *c)
{
    if (c->out.len >= ADMIN_JOB_ANSWER) {
        return;
    }
    if (c->job.state == ADMIN_JOB_FOLLOWS && has_request(c)) {
        admin_job_end(&c->job);
        admin_job_fail(&c->job, "interrupted", "another request came while this one followed");
    }
    if (c->job.state == ADMIN_JOB_NONE) {
        take_request(a, c);
    }
    if (c->job.state == ADMIN_JOB_RUNS) {
        c->job.telemetry_path = a->telemetry_path;
        admin_job_step(&c->job, a->backend);
    }
}

// ---- Connections

static void close_client(struct admin *a, struct admin_client *c)
{
    for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
        a->clients[i] = a->clients[i] == c ? NULL : a->clients[i];
    }
    admin_job_free(&c->job);
    close(c->fd);
    buf_free(&c->out);
    free(c);
}

// Sends what waits. Returns whether the connection is whole.
static bool flush(struct admin_client *c, uint64_t now_ms)
{
    if (c->sent < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        c->sent += (size_t)n;
        c->moved_ms = now_ms;
    }
    if (c->sent == c->out.len) {
        bool failed = c->out.failed;
        buf_clear(&c->out);
        buf_shrink(&c->out, ADMIN_JOB_ANSWER);
        c->sent = 0;
        c->moved_ms = now_ms;
        return !failed; // without memory there is no answer
    }
    return true;
}

static bool receive(struct admin_client *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    c->in_len += (size_t)n;
    c->ended = n == 0;
    return true;
}

// Waits for what the client can do next. Returns whether there is anything.
static bool wait_for(struct admin *a, struct admin_client *c)
{
    bool busy =
        c->job.state == ADMIN_JOB_RUNS || (c->job.state != ADMIN_JOB_RELOADS && has_request(c));
    uint32_t wanted = c->sent < c->out.len || busy ? EPOLLOUT : c->ended ? 0 : EPOLLIN;
    if (wanted == 0 && c->job.state != ADMIN_JOB_RELOADS) {
        return false; // it has sent everything, and has got everything
    }
    // What comes while a command runs is read after it, but for who follows, which its next request ends.
    struct epoll_event event = {.events = wanted, .data.ptr = c};
    if (c->polled != wanted && epoll_ctl(a->epoll, EPOLL_CTL_MOD, c->fd, &event) < 0) {
        return false;
    }
    c->polled = wanted;
    return true;
}

static void serve_client(struct admin *a, struct admin_client *c, uint32_t events)
{
    bool whole = (events & (EPOLLERR | EPOLLHUP)) == 0 || (events & EPOLLIN) != 0;
    if (whole && (events & EPOLLIN) != 0) {
        whole = receive(c);
    }
    if (whole) {
        go_on(a, c);
        whole = flush(c, clock_mono_ms());
    }
    if (!whole || !wait_for(a, c)) {
        close_client(a, c);
    }
}

static void log_refused(struct admin *a, const struct peer *peer)
{
    uint64_t now_ms = clock_mono_ms();
    a->refused++;
    if (now_ms < a->refused_next_ms) {
        return;
    }
    char user[24];
    char process[24];
    char count[24];
    snprintf(user, sizeof user, "%ld", peer->uid == PEER_NOBODY ? -1L : (long)peer->uid);
    snprintf(process, sizeof process, "%ld", (long)peer->pid);
    snprintf(count, sizeof count, "%" PRIu64, a->refused);
    log_write_kind(LOG_KIND_admin_refused, LOG_LEVEL_WARN,
                   "a user who may not do so connected to the admin socket", "socket",
                   a->socket.path, "uid", user, "pid", process, "count", count, NULL);
    a->refused = 0;
    a->refused_next_ms = now_ms + ADMIN_LOG_MS;
}

// Tells who is not served why not. What does not fit into an empty socket need not be sent.
static void refuse_client(int fd, const char *line)
{
    send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool is_permitted(const struct peer *peer)
{
    return peer->uid == 0 || (peer->uid != PEER_NOBODY && peer->uid == geteuid());
}

static struct admin_client **find_place(struct admin *a)
{
    size_t i = 0;
    while (i < ADMIN_CLIENTS && a->clients[i] != NULL) {
        i++;
    }
    return i < ADMIN_CLIENTS ? &a->clients[i] : NULL;
}

static void accept_client(struct admin *a, int fd)
{
    struct peer peer;
    peer_of_stream(&peer, fd);
    struct admin_client **place = find_place(a);
    struct admin_client *c = NULL;
    bool permitted = is_permitted(&peer);
    if (!permitted) {
        log_refused(a, &peer);
        refuse_client(fd, "{\"error\":\"not_permitted\",\"detail\":\"only root and the user of the "
                          "exporter may use its admin socket\"}\n");
    } else if (place == NULL || (c = calloc(1, sizeof *c)) == NULL) {
        refuse_client(fd, "{\"error\":\"busy\",\"detail\":\"too many connections to the admin "
                          "socket\"}\n");
    } else {
        c->fd = fd;
        c->job.request = &c->request;
        c->job.out = &c->out;
        c->job.user = peer.uid;
        c->job.process = peer.pid;
        c->moved_ms = clock_mono_ms();
        c->polled = EPOLLIN;
        *place = c;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            close_client(a, c);
        }
    }
    peer_drop(&peer);
}

static void accept_some(struct admin *a)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(a->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        accept_client(a, fd);
    }
}

// ---- Beginning and end

int admin_open(struct admin *a, const char *path, struct backend *backend, struct buf *problem)
{
    struct unix_socket_settings settings = {
        .path = path, .type = SOCK_STREAM, .backlog = BACKLOG, .mode = 0600};
    struct admin new = ADMIN_NONE;
    new.backend = backend;
    int rc = unix_socket_open(&new.socket, &settings, problem);
    if (rc < 0) {
        return rc;
    }
    new.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (new.epoll < 0 || epoll_ctl(new.epoll, EPOLL_CTL_ADD, new.socket.fd, &event) < 0) {
        rc = -errno;
        buf_addf(problem, "%s: %s", path, strerror(-rc));
        admin_close(&new);
        return rc;
    }
    *a = new;
    return 0;
}

void admin_close(struct admin *a)
{
    for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
        if (a->clients[i] != NULL) {
            close_client(a, a->clients[i]);
        }
    }
    if (a->socket.fd >= 0) {
        unix_socket_close(&a->socket);
    }
    if (a->epoll >= 0) {
        close(a->epoll);
    }
    parse_free(&a->parser);
    *a = ADMIN_NONE;
}

void admin_serve(struct admin *a, const char *telemetry_path)
{
    struct epoll_event events[ADMIN_CLIENTS + 1];
    int n = epoll_wait(a->epoll, events, ADMIN_CLIENTS + 1, 0);
    a->telemetry_path = telemetry_path;
    bool comes = false;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr != NULL) {
            serve_client(a, events[i].data.ptr, events[i].events);
        } else {
            comes = true;
        }
    }
    // Last, since the memory of a client that has gone may be the next one's.
    if (comes) {
        accept_some(a);
    }
}

void admin_tick(struct admin *a, uint64_t now_ms)
{
    for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
        struct admin_client *c = a->clients[i];
        if (c == NULL) {
            continue;
        }
        bool whole = c->out.len == 0 || now_ms - c->moved_ms < ADMIN_SILENT_MS;
        if (whole && c->job.state == ADMIN_JOB_FOLLOWS) {
            c->job.state = ADMIN_JOB_RUNS;
            go_on(a, c);
            whole = flush(c, now_ms);
        }
        if (!whole || !wait_for(a, c)) {
            close_client(a, c);
        }
    }
}

bool admin_wants_reload(const struct admin *a)
{
    for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
        if (a->clients[i] != NULL && a->clients[i]->job.state == ADMIN_JOB_RELOADS) {
            return true;
        }
    }
    return false;
}

void admin_reloaded(struct admin *a, bool ok, const char *report)
{
    for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
        struct admin_client *c = a->clients[i];
        if (c == NULL || c->job.state != ADMIN_JOB_RELOADS) {
            continue;
        }
        admin_job_reloaded(&c->job, ok, report);
        if (!flush(c, clock_mono_ms()) || !wait_for(a, c)) {
            close_client(a, c);
        }
    }
}
