// SPDX-License-Identifier: Apache-2.0
// A connection's bytes, read and dealt with line by line.
#include "ingest/cut.h"
#include "ingest/fence.h"
#include "ingest/identity.h"
#include "series/rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { TAIL_LEAST = 512 };

static bool is_read(const struct connection *c)
{
    return !c->closing && !c->waiting;
}

// The end of a line that is too long. In a session it counts only now, as any line does.
static void end_skipping(struct connection *c, struct protocol *p)
{
    c->skipping = false;
    if (c->session != NULL) {
        connection_too_long(c, p, (struct slice){0}); // its beginning is gone
    }
}

// Deals with the complete lines of the bytes; returns where the incomplete rest begins.
static const char *complete_lines(struct connection *c, struct protocol *p, const char *at,
                                  const char *end)
{
    struct event_line lines[EVENT_LINES];
    size_t n;
    while (is_read(c) && (n = cut_lines(at, end, lines)) > 0) {
        event_look(p->reader, &c->origin, lines, n);
        for (size_t i = 0; i < n && is_read(c);) {
            size_t known = c->skipping ? 0 : connection_remembered(c, p, &lines[i], n - i);
            if (c->skipping) {
                end_skipping(c, p);
            } else if (known == 0) {
                connection_line(c, p, &lines[i]);
            }
            i += known > 0 ? known : 1;
            at = lines[i - 1].at + lines[i - 1].len + 1;
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
            connection_too_long(c, p, (struct slice){from, len});
        }
        c->skipping = true;
    }
    return keep_tail(c, from, c->skipping ? 0 : len);
}

static void on_end(struct connection *c, struct protocol *p)
{
    if (c->tail_len > 0 && !c->skipping && c->session == NULL) {
        struct event_line line = {.at = c->tail, .len = (uint32_t)c->tail_len};
        event_look(p->reader, &c->origin, &line, 1);
        connection_line(c, p, &line);
    }
    c->tail_len = 0;
    c->closing = true;
}

static void heard(struct connection *c, struct protocol *p, uint64_t lines_before)
{
    if (c->lines != lines_before) {
        source_heard(c->source, p->now_ms, p->now_real_ms);
        if (c->session != NULL) {
            session_heard(c->session, p->now_ms, p->now_real_ms);
        }
    }
}

// Deals with all bytes of a read. Returns 0, -ENOMEM.
static int deal(struct connection *c, struct protocol *p, const char *at, const char *end)
{
    const char *rest = complete_lines(c, p, at, end);
    return c->closing ? 0 : on_rest(c, p, rest, (size_t)(end - rest));
}

void connection_go_on(struct connection *c, struct protocol *p, char *input)
{
    if (!c->waiting || !fence_is_ours(c, p)) {
        return;
    }
    connection_welcome(c, p);
    uint64_t lines = c->lines;
    size_t len = c->tail_len;
    if (len > 0) {
        memcpy(input, c->tail, len);
    }
    rcu_enter();
    identity_renew(c, p);
    if (deal(c, p, input, input + len) < 0) {
        c->closing = true;
    }
    rcu_leave();
    heard(c, p, lines);
}

// Refusing takes longer than applying: who is refused often is read in pieces that keep nobody waiting.
static void doubt(struct connection *c, uint64_t refused)
{
    if (refused >= CONNECTION_DOUBT) {
        c->doubt = CONNECTION_TRUST;
    } else if (refused == 0 && c->doubt > 0) {
        c->doubt--;
    }
}

int connection_read(struct connection *c, struct protocol *p, char *input)
{
    if (c->waiting || fence_is_lost(c)) {
        return 0;
    }
    if (c->tail_len > 0) {
        memcpy(input, c->tail, c->tail_len);
    }
    size_t most = c->doubt > 0 ? CONNECTION_READ_LESS : CONNECTION_READ;
    ssize_t n = recv(c->fd, input + c->tail_len, most, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    count_add(&p->stats->bytes, (uint64_t)n);
    uint64_t lines = c->lines;
    uint64_t rejected = c->rejected;
    int rc = (int)n;
    rcu_enter();
    identity_renew(c, p);
    if (n == 0) {
        on_end(c, p);
    } else {
        int problem = deal(c, p, input, input + c->tail_len + n);
        rc = problem < 0 ? problem : rc;
    }
    rcu_leave();
    heard(c, p, lines);
    doubt(c, c->rejected - rejected);
    return rc;
}
