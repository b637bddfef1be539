// SPDX-License-Identifier: Apache-2.0
/*
 * fake_daemon: a thread that speaks the daemon's side of the protocol to one connection after the other,
 * as badly as a test asks for, and writes down every line.
 *
 * Rules:   a metric or event whose name starts with no_such is refused, and so is what is no object.
 * Sessions: kept over fake_stop and fake_listen, as by a daemon with a state file. `dealt` is what was dealt with.
 * Threads: settings before fake_start; `log` and `dealt` after fake_stop; what is atomic at any time.
 */
#ifndef VE_TESTS_FAKE_DAEMON_H
#define VE_TESTS_FAKE_DAEMON_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

struct fake_session {
    char id[80];
    uint64_t position;
    uint64_t lost;
    bool rolled_back;
};

struct fake {
    char dir[32];
    char path[64];
    unsigned close_after; // lines of a connection after which it is closed; 0: never
    bool refuse_hello;    // and close
    bool silent;          // no replies
    bool lies;            // about the position of each session
    bool by_bytes;        // replies go out byte by byte, reads take one byte too
    atomic_bool stalled;  // reads nothing
    atomic_bool stands;   // it has seen that
    atomic_bool stop;
    atomic_uint lines;       // all connections
    atomic_uint connections; //
    char *log;               // lines of all connections
    size_t log_len;
    char *dealt;      // lines of all sessions, without control lines
    size_t dealt_len; //
    struct fake_session sessions[64];
    struct fake_session *session; // of this connection
    atomic_uint n_sessions;
    atomic_uint total_applied;  // of all sessions
    atomic_uint total_rejected; // of all sessions
    atomic_bool forget;         // the next hello finds no session
    atomic_uint swallow;        // hellos to come that are dealt with and not answered
    atomic_uint swallow_later;  // of those, hellos that are no connection's first line
    atomic_uint roll_back;      // the next hello finds its session back there; 0: it does not
    atomic_int drift;           // added to the position in the next hello's answer
    atomic_int drift_sync;      // added to `applied` in the next sync's answer
    unsigned die_one_in; // lines after one of so many the connection is closed, its replies unsent
    uint64_t random;     // state, for that
    int listener;
    pthread_t thread;
    bool mute;                        // no reply to this line
    unsigned line, applied, rejected; // this connection
};

static void fake_reply(struct fake *f, int fd, const char *text)
{
    size_t step = f->by_bytes ? 1 : strlen(text);
    for (; !f->mute && *text != '\0'; text += step) {
        if (send(fd, text, step, MSG_NOSIGNAL) < 0) {
            return;
        }
    }
}

static void fake_refuse(struct fake *f, int fd, const char *reason)
{
    char text[128];
    f->rejected++;
    snprintf(text, sizeof text, "{\"error\":\"%s\",\"line\":%u,\"detail\":\"a \\\"b\\\"\"}\n",
             reason, f->line);
    fake_reply(f, fd, text);
}

// What stands between `before` and the next quote.
static void fake_text(const char *line, const char *before, char *out, size_t size)
{
    const char *p = strstr(line, before);
    size_t n = p == NULL ? 0 : strcspn(p + strlen(before), "\"");
    ck_assert_uint_lt(n, size);
    memcpy(out, p == NULL ? "" : p + strlen(before), n);
    out[n] = '\0';
}

static uint64_t fake_number(const char *line, const char *before)
{
    const char *p = strstr(line, before);
    return p == NULL ? 0 : strtoull(p + strlen(before), NULL, 10);
}

// Finds or makes the session that a hello names. Returns whether it was there.
static bool fake_find(struct fake *f, const char *line)
{
    char id[80];
    fake_text(line, "\"session\":\"", id, sizeof id);
    f->session = NULL;
    if (id[0] == '\0') {
        return true;
    }
    unsigned n = f->n_sessions;
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(f->sessions[i].id, id) == 0) {
            f->session = &f->sessions[i];
        }
    }
    bool known = f->session != NULL && !atomic_exchange(&f->forget, false);
    if (!known) {
        ck_assert_uint_lt(n, sizeof f->sessions / sizeof *f->sessions);
        if (f->session != NULL) {
            f->session->id[0] = '\0';
        }
        f->session = &f->sessions[n];
        strcpy(f->session->id, id);
        f->n_sessions = n + 1;
    }
    unsigned back = atomic_exchange(&f->roll_back, 0);
    if (known && back > 0) { // all lines behind it were applied
        f->total_applied -= (unsigned)f->session->position - back;
        f->session->position = back;
        f->session->lost = 0;
        f->session->rolled_back = true;
    }
    return known && !f->session->rolled_back;
}

static bool fake_hello(struct fake *f, int fd, const char *line)
{
    char text[128];
    if (f->refuse_hello) {
        fake_refuse(f, fd, "bad_control");
        return false;
    }
    bool known = true;
    uint64_t lost = fake_number(line, "\"lost\":");
    if (f->line == 1) {
        known = fake_find(f, line);
    }
    if (f->session != NULL && lost > f->session->lost) {
        f->session->lost = lost;
    }
    uint64_t at = f->session == NULL ? 0 : f->session->position;
    at += f->lies ? 5 : f->line == 1 ? (uint64_t)atomic_exchange(&f->drift, 0) : 0;
    snprintf(text, sizeof text, "{\"hello\":{\"protocol\":1,\"applied\":%llu,\"known\":%s}}\n",
             (unsigned long long)at, known ? "true" : "false");
    fake_reply(f, fd, text);
    return true;
}

// Twice the memory when it is full: under a sanitizer each realloc copies all.
static void fake_keep(char **text, size_t *text_len, const char *line, size_t len)
{
    size_t size = 1;
    while (size <= *text_len) {
        size *= 2;
    }
    size_t wanted = size;
    while (wanted <= *text_len + len) {
        wanted *= 2;
    }
    *text = wanted > size ? realloc(*text, wanted) : *text;
    memcpy(*text + *text_len, line, len);
    *text_len += len;
    (*text)[*text_len] = '\0';
}

static void fake_deal(struct fake *f, int fd, const char *line, size_t len)
{
    unsigned rejected = f->rejected;
    if (strncmp(line, "{\"metric\":\"no_such", 18) == 0) {
        fake_refuse(f, fd, "unknown_metric");
    } else if (strncmp(line, "{\"event\":\"no_such", 17) == 0) {
        fake_refuse(f, fd, "unknown_event");
    } else if (line[0] != '{' && line[0] != '\n' && (line[0] != '[' || f->session != NULL)) {
        fake_refuse(f, fd, "bad_json");
    } else {
        f->applied += line[0] == '{' || line[0] == '[';
    }
    if (f->session != NULL) {
        f->session->position++;
        f->total_applied += f->rejected == rejected;
        f->total_rejected += f->rejected - rejected;
        fake_keep(&f->dealt, &f->dealt_len, line, len);
    }
}

// Deals with one line (with its LF). Returns whether the connection goes on.
static bool fake_line(struct fake *f, int fd, const char *line, size_t len)
{
    char text[256];
    bool on = true;
    f->line++;
    fake_keep(&f->log, &f->log_len, line, len);
    bool dies = f->die_one_in > 0 && unit_random(&f->random) % f->die_one_in == 0;
    if (f->swallow > 0 && strncmp(line, "{\"hello\":", 9) == 0) {
        f->swallow--;
        dies = true;
    }
    if (f->line > 1 && f->swallow_later > 0 && strncmp(line, "{\"hello\":", 9) == 0) {
        f->swallow_later--;
        dies = true;
    }
    f->mute = f->silent || dies;
    if (strncmp(line, "{\"hello\":", 9) == 0) {
        on = fake_hello(f, fd, line);
    } else if (strncmp(line, "{\"sync\":", 8) == 0) {
        snprintf(text, sizeof text, "{\"sync\":%.*s,\"applied\":%u,\"rejected\":%u}\n",
                 (int)len - 10, line + 8, f->applied + (unsigned)atomic_exchange(&f->drift_sync, 0),
                 f->rejected);
        fake_reply(f, fd, text);
    } else if (strncmp(line, "{\"ping\":", 8) == 0) {
        fake_reply(f, fd, line);
    } else {
        fake_deal(f, fd, line, len);
    }
    f->lines++;
    return on && !dies && (f->close_after == 0 || f->line < f->close_after);
}

static void fake_serve(struct fake *f, int fd)
{
    size_t cap = 1 << 20;
    size_t len = 0;
    char *buf = malloc(cap + 1);
    f->line = f->applied = f->rejected = 0;
    f->session = NULL;
    f->connections++;
    for (bool on = true; on && !f->stop;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        bool stands = f->stalled;
        f->stands = stands;
        if (stands || poll(&p, 1, 10) <= 0) {
            usleep(1000);
            continue;
        }
        ssize_t n = recv(fd, buf + len, f->by_bytes ? 1 : cap - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        char *start = buf;
        for (char *lf; on && (lf = memchr(start, '\n', len - (size_t)(start - buf))) != NULL;) {
            char end = lf[1];
            lf[1] = '\0';
            on = fake_line(f, fd, start, (size_t)(lf - start) + 1);
            lf[1] = end;
            start = lf + 1;
        }
        len -= (size_t)(start - buf);
        memmove(buf, start, len);
        len = len == cap ? 1 : len; // the middle of an endless line says nothing
    }
    free(buf);
    close(fd);
}

static void *fake_run(void *arg)
{
    struct fake *f = arg;
    while (!f->stop) {
        struct pollfd p = {.fd = f->listener, .events = POLLIN};
        if (poll(&p, 1, 10) > 0) {
            fake_serve(f, accept(f->listener, NULL, NULL));
        }
    }
    close(f->listener);
    return NULL;
}

static void fake_listen(struct fake *f)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, f->path, sizeof f->path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(f->path);
    ck_assert_int_eq(bind(f->listener, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(listen(f->listener, 8), 0);
    f->stop = false;
    ck_assert_int_eq(pthread_create(&f->thread, NULL, fake_run, f), 0);
}

// Names the socket, which nobody listens on yet.
static void fake_name(struct fake *f)
{
    strcpy(f->dir, "/tmp/ve-fake-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/events.sock", f->dir);
    f->log = calloc(1, 1);
    f->dealt = calloc(1, 1);
}

static inline void fake_start(struct fake *f)
{
    fake_name(f);
    fake_listen(f);
}

static inline void fake_stop(struct fake *f)
{
    f->stop = true;
    pthread_join(f->thread, NULL);
    unlink(f->path);
}

// Lets it read nothing any more of the connection that it serves.
static inline void fake_stall(struct fake *f)
{
    f->stalled = true;
    while (!f->stands) {
        usleep(1000);
    }
}

static inline void fake_free(struct fake *f)
{
    rmdir(f->dir);
    free(f->log);
    free(f->dealt);
}

#endif
