// SPDX-License-Identifier: Apache-2.0
#include "web/conn.h"

#include <linux/sockios.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// The kernel's struct tcp_info goes on after glibc's; this much of it is as old as Linux 4.1.
struct tcp_progress {
    struct tcp_info old;
    uint64_t pacing_rate;
    uint64_t max_pacing_rate;
    uint64_t bytes_acked;
};
_Static_assert(offsetof(struct tcp_progress, bytes_acked) == 120, "as in linux/tcp.h");

static const uint64_t time_allowed[CONN_STATES] = {
    [CONN_HEAD] = CONN_HEAD_MS,     [CONN_IDLE] = CONN_IDLE_MS,
    [CONN_LOGIN] = CONN_ANSWER_MS,  [CONN_SCRAPE] = CONN_ANSWER_MS,
    [CONN_RELOAD] = CONN_ANSWER_MS, [CONN_RELOAD_NEXT] = CONN_ANSWER_MS,
    [CONN_BODY] = CONN_ANSWER_MS,   [CONN_OTHER] = CONN_ANSWER_MS,
    [CONN_CUT] = UINT64_MAX,
};

static void list_add(struct conn_list *l, struct conn *c)
{
    c->next = NULL;
    c->prev = l->tail;
    *(l->tail != NULL ? &l->tail->next : &l->head) = c;
    l->tail = c;
    l->n++;
}

static void list_remove(struct conn_list *l, struct conn *c)
{
    *(c->prev != NULL ? &c->prev->next : &l->head) = c->next;
    *(c->next != NULL ? &c->next->prev : &l->tail) = c->prev;
    l->n--;
}

static void count(struct conns *cs)
{
    atomic_store_explicit(&cs->stats->connections, conns_live(cs), memory_order_relaxed);
}

// Bytes that the peer has not acknowledged (TCP) or not read (Unix).
static uint64_t bytes_queued(const struct conn *c)
{
    int queued = 0;
    return ioctl(c->fd, SIOCOUTQ, &queued) == 0 && queued > 0 ? (uint64_t)queued : 0;
}

static uint64_t progress_of(const struct conn *c)
{
    struct tcp_progress info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && len == sizeof info) {
        return info.bytes_acked;
    }
    return bytes_queued(c);
}

struct conn *conn_open(struct conns *cs, struct MHD_Connection *mhd, int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->mhd = mhd;
    c->fd = fd;
    c->since_ms = cs->now_ms;
    list_add(&cs->list[CONN_HEAD], c);
    count(cs);
    return c;
}

void conn_close(struct conns *cs, struct conn *c)
{
    list_remove(&cs->list[c->state], c);
    count(cs);
    conn_clear(c);
    free(c);
}

void conn_move(struct conns *cs, struct conn *c, enum conn_state to)
{
    list_remove(&cs->list[c->state], c);
    c->state = to;
    c->since_ms = cs->now_ms;
    if (to == CONN_BODY) {
        c->progress = progress_of(c);
        c->progress_ms = cs->now_ms;
    }
    list_add(&cs->list[to], c);
    count(cs);
}

void conn_clear(struct conn *c)
{
    free(c->target);
    query_filter_free(c->filter);
    c->target = NULL;
    c->path = NULL;
    c->query = NULL;
    c->filter = NULL;
    c->checked = false;
    c->admitted = false;
    c->view = NULL;
    c->discarded = 0;
}

void conn_resume(struct conns *cs, struct conn *c)
{
    if (c->suspended) {
        c->suspended = false;
        cs->resumed = true;
        MHD_resume_connection(c->mhd);
    }
}

void conn_cut(struct conns *cs, struct conn *c, bool hard)
{
    if (hard) {
        // Else the kernel would keep what is queued, and go on trying, after the close.
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    shutdown(c->fd, SHUT_RDWR);
    conn_move(cs, c, CONN_CUT);
    conn_resume(cs, c);
    count_add(&cs->stats->cut, 1);
}

size_t conns_live(const struct conns *cs)
{
    size_t n = 0;
    for (size_t i = 0; i < CONN_STATES; i++) {
        n += i != CONN_CUT ? cs->list[i].n : 0;
    }
    return n;
}

bool conns_make_room(struct conns *cs)
{
    struct conn *head = cs->list[CONN_HEAD].head;
    struct conn *idle = cs->list[CONN_IDLE].head;
    struct conn *oldest = head;
    if (head == NULL || (idle != NULL && idle->since_ms < head->since_ms)) {
        oldest = idle;
    }
    if (oldest == NULL) {
        return conns_cut_stalled(cs);
    }
    // The tail of a response that has only just left us may still be on its way to an honest peer.
    bool hard = cs->now_ms - oldest->since_ms > 1000 && bytes_queued(oldest) > 0;
    conn_cut(cs, oldest, hard);
    return true;
}

bool conns_cut_stalled(struct conns *cs)
{
    struct conn *worst = NULL;
    for (struct conn *c = cs->list[CONN_BODY].head; c != NULL; c = c->next) {
        if (worst == NULL || c->progress_ms < worst->progress_ms) {
            worst = c;
        }
    }
    if (worst == NULL || cs->now_ms - worst->progress_ms < CONN_STALL_MS) {
        return false;
    }
    conn_cut(cs, worst, true);
    return true;
}

void conns_sample(struct conns *cs)
{
    if (cs->now_ms - cs->sampled_ms < CONN_SAMPLE_MS) {
        return;
    }
    cs->sampled_ms = cs->now_ms;
    for (struct conn *c = cs->list[CONN_BODY].head; c != NULL; c = c->next) {
        uint64_t now = progress_of(c);
        if (now != c->progress) {
            c->progress = now;
            c->progress_ms = cs->now_ms;
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t conns_deadline(const struct conns *cs)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < CONN_CUT; i++) {
        if (cs->list[i].head != NULL) {
            at = earlier(at, cs->list[i].head->since_ms + time_allowed[i]);
        }
    }
    if (cs->list[CONN_BODY].n > 0 || cs->list[CONN_SCRAPE].n > 0) {
        at = earlier(at, cs->sampled_ms + CONN_SAMPLE_MS);
    }
    return at;
}

bool conn_is_late(const struct conns *cs, const struct conn *c)
{
    return cs->now_ms - c->since_ms >= time_allowed[c->state];
}

void conns_expire(struct conns *cs)
{
    static const enum conn_state cut[] = {CONN_HEAD,   CONN_IDLE, CONN_LOGIN,
                                          CONN_SCRAPE, CONN_BODY, CONN_OTHER};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        struct conn *c = cs->list[cut[i]].head;
        while (c != NULL && conn_is_late(cs, c)) {
            conn_cut(cs, c, bytes_queued(c) > 0);
            c = cs->list[cut[i]].head;
        }
    }
}
