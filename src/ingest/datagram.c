// SPDX-License-Identifier: Apache-2.0
#include "ingest/datagram.h"

#include "base/rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { ROOM = EVENT_MAX_LINE + 1 }; // of a datagram: one byte more shows that it is too long

struct datagram {
    struct connection c; // as which the latest one spoke, if that is kept
    bool kept;           // since the next one may come from the same sender
    uint64_t kept_ms;    // CLOCK_MONOTONIC, when it was dealt with
    bool open;           // a forget of it is under way
    unsigned n;          // of the batch
    unsigned next;       // to be dealt with
    const char *rest;    // of the open one: the lines behind the forget, in its room
    const char *end;
    struct mmsghdr messages[DATAGRAM_BATCH];
    struct iovec data[DATAGRAM_BATCH];
    struct peer_control senders[DATAGRAM_BATCH];
    char rooms[DATAGRAM_BATCH][ROOM];
};

int datagram_new(struct datagram **ret)
{
    struct datagram *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < DATAGRAM_BATCH; i++) {
        d->data[i] = (struct iovec){.iov_base = d->rooms[i], .iov_len = ROOM};
        d->messages[i].msg_hdr = (struct msghdr){.msg_iov = &d->data[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = &d->senders[i],
                                                 .msg_controllen = sizeof d->senders[i]};
    }
    *ret = d;
    return 0;
}

void datagram_free(struct datagram *d, struct protocol *p)
{
    if (d != NULL && (d->open || d->kept)) {
        connection_end(&d->c, p);
    }
    free(d);
}

bool datagram_is_open(const struct protocol *p)
{
    return p->datagram != NULL && p->datagram->open;
}

// Deals with the lines up to the end, or to a forget.
static void handle_lines(struct datagram *d, struct protocol *p)
{
    d->rest = connection_lines(&d->c, p, d->rest, d->end);
    d->open = d->c.forget != NULL;
}

static bool is_same_sender(const struct datagram *d, const struct protocol *p,
                           const struct peer *peer)
{
    const struct permission_client *who = &d->c.id.client;
    return who->peer.uid == peer->uid && who->peer.gid == peer->gid && who->peer.pid == peer->pid &&
           who->generation == permission_generation(p->permissions);
}

/*
 * What is known of a sender is kept from one datagram to the next. Within a millisecond the source is not
 * marked as connected again.
 */
static void begin_one(struct datagram *d, struct protocol *p, const struct peer *peer)
{
    bool same = d->kept && is_same_sender(d, p, peer);
    if (same) {
        d->c.begun = false;
        d->c.id.entered = d->c.id.entered && d->kept_ms == p->now_ms;
    } else {
        if (d->kept) {
            connection_end(&d->c, p);
        }
        connection_begin(&d->c, p, -1, peer);
    }
}

// A hello holds for its datagram.
static void end_one(struct datagram *d, struct protocol *p)
{
    source_heard(d->c.id.source, p->now_ms, p->now_real_ms);
    connection_count(&d->c);
    d->kept = !d->c.named && !d->c.hello_rejected;
    d->kept_ms = p->now_ms;
    if (!d->kept) {
        connection_end(&d->c, p);
    }
}

// The last LF may be missing.
static const char *end_of(char *bytes, size_t len)
{
    if (len > 0 && bytes[len - 1] != '\n') {
        bytes[len++] = '\n';
    }
    return bytes + len;
}

// Whether its source stays connected while its forget is under way. The anonymous source, of which a transient one is a part,
// need not be.
static bool is_connected(const struct datagram *d)
{
    return !d->c.id.transient;
}

// Deals with the next one of the batch.
static void handle_one(struct datagram *d, struct protocol *p)
{
    struct peer peer;
    struct mmsghdr *m = &d->messages[d->next];
    char *bytes = d->rooms[d->next++];
    peer_of_datagram(&peer, &m->msg_hdr);
    m->msg_hdr.msg_controllen = sizeof d->senders[0]; // for the next batch
    rcu_enter();
    begin_one(d, p, &peer);
    if (m->msg_len > EVENT_MAX_LINE) {
        connection_reject_too_long(&d->c, p, (struct slice){bytes, m->msg_len});
    } else {
        d->rest = bytes;
        d->end = end_of(bytes, m->msg_len);
        handle_lines(d, p);
    }
    rcu_leave();
    if (!d->open) {
        end_one(d, p);
    } else if (is_connected(d)) {
        source_add_connection(p->sources, d->c.id.source); // its window may close meanwhile
    }
}

static void handle_batch(struct datagram *d, struct protocol *p)
{
    while (d->next < d->n && !d->open) {
        handle_one(d, p);
    }
}

int datagram_read(int fd, struct protocol *p)
{
    struct datagram *d = p->datagram;
    int n = recvmmsg(fd, d->messages, DATAGRAM_BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    identity_read_clock(p);
    uint64_t bytes = 0;
    for (int i = 0; i < n; i++) {
        bytes += d->messages[i].msg_len;
    }
    count_add(&p->stats->bytes, bytes);
    d->n = (unsigned)n;
    d->next = 0;
    handle_batch(d, p);
    return n;
}

void datagram_go_on(struct protocol *p)
{
    struct datagram *d = p->datagram;
    rcu_enter();
    connection_renew(&d->c, p);
    if (connection_step_forget(&d->c, p)) {
        handle_lines(d, p);
    }
    rcu_leave();
    if (!d->open) {
        if (is_connected(d)) {
            source_leave(p->sources, d->c.id.source, p->now_ms);
        }
        end_one(d, p);
        handle_batch(d, p);
    }
}
