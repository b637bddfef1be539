// SPDX-License-Identifier: Apache-2.0
/*
 * fake_daemon: a thread that speaks the daemon's side of the protocol to one connection after the other,
 * as badly as a test asks for, and writes down every line.
 *
 * Rules:   a metric or event whose name starts with no_such is refused, and so is what is no object.
 * Threads: settings before fake_start; `log` and the counters after fake_stop, or through fake_wait.
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

struct fake {
    char dir[32];
    char path[64];
    unsigned close_after; // lines of a connection after which it is closed; 0: never
    bool refuse_hello;    // and close
    bool silent;          // no replies
    bool by_bytes;        // replies go out byte by byte, reads take one byte too
    atomic_bool deaf;     // reads nothing
    atomic_bool stop;
    atomic_uint lines;       // all connections
    atomic_uint connections; //
    char *log;               // lines of all connections
    size_t log_len;
    int listener;
    pthread_t thread;
    unsigned line, applied, rejected; // this connection
};

static void fake_reply(struct fake *f, int fd, const char *text)
{
    size_t step = f->by_bytes ? 1 : strlen(text);
    for (; !f->silent && *text != '\0'; text += step) {
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

// Deals with one line (with its LF). Returns whether the connection goes on.
static bool fake_line(struct fake *f, int fd, const char *line, size_t len)
{
    char text[256];
    f->line++;
    f->log = realloc(f->log, f->log_len + len + 1);
    memcpy(f->log + f->log_len, line, len);
    f->log_len += len;
    f->log[f->log_len] = '\0';
    if (strncmp(line, "{\"hello\":", 9) == 0) {
        if (f->refuse_hello) {
            fake_refuse(f, fd, "bad_control");
            return false;
        }
        fake_reply(f, fd, "{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":true}}\n");
    } else if (strncmp(line, "{\"sync\":", 8) == 0) {
        snprintf(text, sizeof text, "{\"sync\":%.*s,\"applied\":%u,\"rejected\":%u}\n",
                 (int)len - 10, line + 8, f->applied, f->rejected);
        fake_reply(f, fd, text);
    } else if (strncmp(line, "{\"ping\":", 8) == 0) {
        fake_reply(f, fd, line);
    } else if (strncmp(line, "{\"metric\":\"no_such", 18) == 0) {
        fake_refuse(f, fd, "unknown_metric");
    } else if (strncmp(line, "{\"event\":\"no_such", 17) == 0) {
        fake_refuse(f, fd, "unknown_event");
    } else if (line[0] != '{' && line[0] != '\n') {
        fake_refuse(f, fd, "bad_json");
    } else {
        f->applied += line[0] == '{';
    }
    f->lines++;
    return f->close_after == 0 || f->line < f->close_after;
}

static void fake_serve(struct fake *f, int fd)
{
    size_t cap = 1 << 20;
    size_t len = 0;
    char *buf = malloc(cap + 1);
    f->line = f->applied = f->rejected = 0;
    f->connections++;
    for (bool on = true; on && !f->stop;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (f->deaf || poll(&p, 1, 10) <= 0) {
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

static inline void fake_free(struct fake *f)
{
    rmdir(f->dir);
    free(f->log);
}

#endif
