// SPDX-License-Identifier: Apache-2.0
/*
 * dialogue: a client of the stream socket in a test, with both ends in one thread: what it says is read by the
 * real connection of a fixture, step by step, and what it is answered is kept.
 */
#ifndef VE_TESTS_DIALOGUE_H
#define VE_TESTS_DIALOGUE_H

#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

struct dialogue {
    struct fixture *h;
    struct connection *c;
    int fd;             // the client's end
    struct buf replies; // all so far
};

static inline void dialogue_open(struct dialogue *d, struct fixture *h)
{
    int fds[2];
    int room = 1 << 20;
    *d = (struct dialogue){.h = h};
    fixture_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socket");
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    d->fd = fds[0];
    d->c = connection_new(fds[1], h->p);
    fixture_must(d->c != NULL, "no memory");
}

static inline void dialogue_close(struct dialogue *d)
{
    connection_free(d->c, d->h->p);
    buf_free(&d->replies);
    close(d->fd);
}

static inline void dialogue_send(struct dialogue *d, const char *bytes, size_t len)
{
    if (len > 0) {
        fixture_must(send(d->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len,
                     "no room");
    }
}

// Lets the connection read once, and end what that began. Returns what connection_read does.
static inline int dialogue_read(struct dialogue *d)
{
    return fixture_read(d->c, d->h->p, d->h->ingest->workers[0].input);
}

// Takes the replies that there are.
static inline const char *dialogue_replies(struct dialogue *d)
{
    char bytes[4096];
    ssize_t n;
    fixture_must(connection_flush(d->c) == 0, "a broken connection");
    while ((n = recv(d->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        buf_add(&d->replies, bytes, (size_t)n);
        fixture_must(connection_flush(d->c) == 0, "a broken connection");
    }
    return buf_string(&d->replies);
}

// Says something, and returns what is answered to it.
static inline const char *dialogue_say(struct dialogue *d, const char *bytes, size_t len)
{
    buf_clear(&d->replies);
    dialogue_send(d, bytes, len);
    while (!d->c->closing && dialogue_read(d) > 0) {
    }
    return dialogue_replies(d);
}

static inline const char *dialogue_line(struct dialogue *d, const char *line)
{
    return dialogue_say(d, line, strlen(line));
}

// Ends what the client says.
static inline const char *dialogue_end(struct dialogue *d)
{
    shutdown(d->fd, SHUT_WR);
    return dialogue_say(d, "", 0);
}

#endif
