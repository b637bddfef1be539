// SPDX-License-Identifier: Apache-2.0
#include "web/channel.h"

#include "web/auth.h"
#include "web/conn.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct exchange {
    struct conn *conn; // NULL: abandoned, or done
    struct MHD_Connection *mhd;
    int ours;
    int theirs;
    size_t head_len;
    bool answered;
    bool is_touched;
    struct exchange *next_starting;
    struct exchange *next_touched;
};

static void send_answer(struct channels *x, struct conn *c);
static void take_head(struct channels *x, struct conn *c);
static void on_answered(struct channels *x, struct conn *c);
static void on_lost(struct channels *x, struct conn *c);

// ---- Through libmicrohttpd and back

static struct exchange *exchange_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

struct conn *channel_conn(struct MHD_Connection *mhd)
{
    struct exchange *e = exchange_of(mhd);
    return e != NULL ? e->conn : NULL;
}

bool channel_is_head_exact(struct MHD_Connection *mhd)
{
    const struct exchange *e = exchange_of(mhd); // before: all answers are in one place
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size == e->head_len;
}

static void exchange_touch(struct channels *x, struct exchange *e)
{
    if (!e->is_touched) {
        e->is_touched = true;
        e->next_touched = x->touched;
        x->touched = e;
    }
}

// Closes its pair of sockets.
static void exchange_detach(struct exchange *e)
{
    if (e->conn != NULL) {
        e->conn->exchange = NULL;
        e->conn->mhd = NULL;
        e->conn = NULL;
    }
    if (e->ours >= 0) {
        close(e->ours);
        e->ours = -1;
    }
}

// Whether there is room for one more.
static bool exchange_has_room(const struct channels *x)
{
    return x->n_exchanges < x->most_exchanges;
}

// Passes on a head that request_write made. Returns 0 or -errno: -EMFILE and -ENFILE may pass.
static int exchange_begin(struct channels *x, struct conn *c, const struct buf *head)
{
    int fd[2];
    struct exchange *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return -ENOMEM;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0) {
        int r = -errno;
        free(e);
        return r;
    }
    *e = (struct exchange){.conn = c, .ours = fd[0], .theirs = fd[1], .head_len = head->len};
    e->next_starting = x->starting;
    x->starting = e;
    x->n_exchanges++;
    c->exchange = e;
    const struct sockaddr nobody = {.sa_family = AF_UNIX};
    bool whole = send(fd[0], head->p, head->len, MSG_NOSIGNAL) == (ssize_t)head->len;
    if (!whole) {
        close(fd[1]);
    } else {
        // When it cannot take it, it closes it, and never says that it has it: exchange_serve sees that.
        MHD_add_connection(x->library, fd[1], &nobody, sizeof nobody);
    }
    exchange_touch(x, e);
    return 0;
}

// Passes on bytes of its body. Returns false when there is no room for them: the request must be refused.
static bool exchange_body(struct conn *c, const char *bytes, size_t n)
{
    if (c->exchange == NULL || n == 0) {
        return true;
    }
    ssize_t sent = send(c->exchange->ours, bytes, n, MSG_NOSIGNAL);
    return sent == (ssize_t)n ||
           (sent < 0 && errno != EAGAIN); // else it has answered and reads no more
}

// No more bytes of its body come. When libmicrohttpd waits for some, the request is lost.
static void exchange_end(struct conn *c)
{
    if (c->exchange != NULL) {
        shutdown(c->exchange->ours, SHUT_WR);
    }
}

// The connection does not wait for the answer any more.
static void exchange_abandon(struct channels *x, struct conn *c)
{
    struct exchange *e = c->exchange;
    if (e != NULL) {
        conn_resume(x->conns, c);
        exchange_detach(e);
        exchange_touch(x, e);
    }
}

static struct exchange *exchange_take_starting(struct channels *x, int theirs)
{
    for (struct exchange **at = &x->starting; *at != NULL; at = &(*at)->next_starting) {
        struct exchange *e = *at;
        if (e->theirs == theirs) {
            *at = e->next_starting;
            return e;
        }
    }
    return NULL;
}

void channel_on_connection(struct channels *x, struct MHD_Connection *mhd, void **context, int code)
{
    if (code == (int)MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct exchange *e = exchange_take_starting(x, info->connect_fd);
        *context = e;
        if (e == NULL) {
            shutdown(info->connect_fd, SHUT_RDWR); // came too late
            return;
        }
        e->mhd = mhd;
        if (e->conn != NULL) {
            e->conn->mhd = mhd;
        }
    } else if (*context != NULL) {
        struct exchange *e = *context;
        *context = NULL;
        e->mhd = NULL;
        exchange_touch(x, e);
    }
}

void channel_on_completed(struct channels *x, struct MHD_Connection *mhd, bool good)
{
    struct exchange *e = exchange_of(mhd);
    if (e != NULL) {
        e->answered = good;
        exchange_touch(x, e);
    }
}

// All that libmicrohttpd wrote, which is there: it has said that it is done.
static void exchange_collect(struct exchange *e)
{
    char bytes[4096];
    ssize_t n;
    while ((n = recv(e->ours, bytes, sizeof bytes, 0)) > 0) {
        buf_add(&e->conn->out, bytes, (size_t)n);
    }
}

// Continues with an exchange that was answered or lost. It may be freed.
static void exchange_finish(struct channels *x, struct exchange *e, bool gone)
{
    struct conn *c = e->conn;
    if (c != NULL && e->answered) {
        exchange_collect(e);
        bool good = c->replied && !c->out.failed;
        exchange_detach(e);
        (good ? on_answered : on_lost)(x, c);
    } else if (c != NULL && gone) {
        exchange_detach(e);
        on_lost(x, c);
    }
    if (gone) {
        exchange_detach(e);
        x->n_exchanges--;
        free(e);
    }
}

// After libmicrohttpd's round: continues with what was answered or lost.
static void exchange_serve(struct channels *x)
{
    // Those that libmicrohttpd did not take in its round it will not take.
    x->starting = NULL;
    struct exchange *e = x->touched;
    x->touched = NULL;
    while (e != NULL) {
        struct exchange *next = e->next_touched;
        e->is_touched = false;
        exchange_finish(x, e, e->mhd == NULL);
        e = next;
    }
}

// ---- With the peer

// Sets the events that epoll reports.
static void watch(struct channels *x, struct conn *c, uint32_t events)
{
    if (c->watched != events) {
        struct epoll_event ev = {.events = events, .data.ptr = c};
        epoll_ctl(x->epoll, EPOLL_CTL_MOD, c->fd, &ev);
        c->watched = events;
    }
}

void channel_open(struct channels *x, int fd, const struct sockaddr_storage *address,
                  struct tls *tls)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
               sizeof one); // fails on Unix sockets, which need it not
    struct conn *c = conn_open(x->conns, fd, address);
    if (c == NULL) {
        close(fd);
        return;
    }
    c->phase = CONN_READING;
    c->watched = EPOLLIN;
    if (tls != NULL) {
        c->phase = CONN_HANDSHAKE;
        c->session = tls_open(tls, fd);
        c->tls = c->session != NULL ? tls_ref(tls) : NULL;
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if ((tls != NULL && c->session == NULL) || epoll_ctl(x->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        conn_end(x->conns, c);
    }
}

// Nothing more is sent.
static void finish(struct channels *x, struct conn *c)
{
    if (c->ended) {
        conn_end(x->conns, c);
        return;
    }
    if (c->session != NULL) {
        tls_shutdown(c->session);
    }
    shutdown(c->fd, SHUT_WR);
    c->phase = CONN_CLOSING;
    conn_move(x->conns, c, CONN_LINGER);
    watch(x, c, EPOLLIN);
}

// Answers without libmicrohttpd, and ends the connection with that.
static void refuse(struct channels *x, struct conn *c, const struct request_fault *fault)
{
    char text[160];
    snprintf(text, sizeof text, "%s%s\n", fault->status == 400 ? "bad request: " : "", fault->text);
    const struct conn_reply reply = {
        .status = fault->status, .text = text, .allow = fault->status == 405 ? "GET, HEAD" : NULL};
    bool head = c->in.len >= 5 && memcmp(c->in.p, "HEAD ", 5) == 0;
    exchange_abandon(x, c);
    conn_clear(c);
    conn_reply_write(&c->out, &reply, x->conns->conf, !head);
    count_add(&x->conns->stats->requests_bad, 1);
    conn_move(x->conns, c, CONN_OTHER);
    c->closing = true;
    send_answer(x, c);
}

static void fail_handshake(struct channels *x, struct conn *c, enum tls_fault fault,
                           const char *detail)
{
    stats_count_handshake(x->conns->stats, fault, &c->address, detail);
    tls_close(c->session);
    c->session = NULL;
    if (fault == TLS_FAULT_closed) {
        conn_end(x->conns, c);
    } else {
        finish(x, c);
    }
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// The first byte shows whether it is HTTP or TLS. Returns whether the handshake may continue.
static bool peek(struct channels *x, struct conn *c)
{
    static const struct request_fault clear = {
        400, "this address speaks HTTPS, and the request came without TLS"};
    char first;
    ssize_t n = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return false;
    }
    if (n <= 0) {
        fail_handshake(x, c, TLS_FAULT_closed, NULL);
        return false;
    }
    c->peeked = true;
    if (is_letter(first)) {
        stats_count_handshake(x->conns->stats, TLS_FAULT_clear_text, &c->address,
                              "HTTP without TLS");
        tls_close(c->session);
        c->session = NULL;
        refuse(x, c, &clear);
        return false;
    }
    return true;
}

static void read_head(struct channels *x, struct conn *c);

static void handshake(struct channels *x, struct conn *c)
{
    enum tls_fault fault;
    const char *detail;
    if (!c->peeked && !peek(x, c)) {
        return;
    }
    int r = tls_handshake(c->session, &fault, &detail);
    if (r == -EAGAIN) {
        watch(x, c, tls_is_blocked_on_write(c->session) ? EPOLLOUT : EPOLLIN);
    } else if (r < 0) {
        fail_handshake(x, c, fault, detail);
    } else {
        c->phase = CONN_READING;
        read_head(x, c);
    }
}

static void read_head(struct channels *x, struct conn *c)
{
    static const struct request_fault incomplete = {400, "the head is incomplete"};
    ssize_t n = conn_recv(c, x->scratch, sizeof x->scratch);
    if (n == -EAGAIN) {
        watch(x, c, EPOLLIN);
        return;
    }
    if (n <= 0) {
        c->ended = n == 0;
        if (n == 0 && c->in.len > 0) {
            refuse(x, c, &incomplete);
        } else {
            conn_end(x->conns, c);
        }
        return;
    }
    buf_add(&c->in, x->scratch, (size_t)n);
    if (c->in.failed) {
        conn_end(x->conns, c);
        return;
    }
    take_head(x, c);
}

// Appends a text with its NUL, and returns where it is.
static char *keep(char **end, struct slice s)
{
    char *text = *end;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    *end += s.len + 1;
    return text;
}

// Copies what is needed of a request until conn_clear. Returns 0 or -ENOMEM.
static int keep_request(struct conn *c, const struct request *r)
{
    const struct slice *host = &r->value[REQUEST_HOST];
    const struct slice *authorization = &r->value[REQUEST_AUTHORIZATION];
    conn_clear(c);
    c->text_len = 1 + r->target.len + 1 + host->len + 1 + authorization->len + 1;
    c->text = malloc(c->text_len);
    if (c->text == NULL) {
        return -ENOMEM;
    }
    char *end = c->text;
    if (r->path_missing) {
        *end++ = '/';
    }
    keep(&end, r->target);
    c->target = c->text;
    c->host = r->n[REQUEST_HOST] > 0 || host->p != NULL ? keep(&end, *host) : NULL;
    c->authorization = r->n[REQUEST_AUTHORIZATION] > 0 ? keep(&end, *authorization) : NULL;
    c->form = r->form;
    c->timeout_ns = r->timeout_ns;
    c->get_or_head = request_is_get_or_head(r);
    c->body_wanted = c->get_or_head && r->method.len == 3;
    c->closing = r->closing;
    c->body_expected = request_has_body(r);
    c->body_left = r->chunked ? UINT64_MAX : r->length;
    c->body_seen = 0;
    return 0;
}

// Passes bytes of a body on. Returns whether the request continues.
static bool pass(struct channels *x, struct conn *c, const char *bytes, size_t n)
{
    static const struct request_fault too_large = {413, "the body is too large"};
    c->body_seen += n;
    if (c->body_seen > CHANNEL_BODY_MAX || !exchange_body(c, bytes, n)) {
        refuse(x, c, &too_large);
        return false;
    }
    return true;
}

static const struct request_fault incomplete = {400, "the body is incomplete"};

static void read_body(struct channels *x, struct conn *c)
{
    if (!c->body_expected || c->ended) {
        watch(x, c, 0);
        return;
    }
    ssize_t n = conn_recv(c, x->scratch, sizeof x->scratch);
    if (n > 0) {
        pass(x, c, x->scratch, (size_t)n);
    } else if (n == 0) {
        c->ended = true;
        watch(x, c, 0);
        if (c->body_left == UINT64_MAX) {
            exchange_end(c); // libmicrohttpd knows whether that was its last chunk
        } else if (c->body_seen < c->body_left) {
            refuse(x, c, &incomplete);
        }
    } else if (n != -EAGAIN) {
        conn_end(x->conns, c);
    }
}

// Passes a head of `len` bytes to libmicrohttpd.
static void hand_over(struct channels *x, struct conn *c, const struct request *r, size_t len)
{
    static const struct request_fault failed = {503, "out of memory or descriptors"};
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    buf_clear(&x->head);
    request_write(r, &x->head);
    int rc = keep_request(c, r);
    rc = rc == 0 && x->head.failed ? -ENOMEM : rc;
    if (rc < 0 || exchange_begin(x, c, &x->head) < 0) {
        refuse(x, c, &failed);
        return;
    }
    c->phase = CONN_INSIDE;
    const size_t rest = c->in.len - len;
    if (c->body_expected && r->expects_continue && rest == 0) {
        conn_send(c, go_on, sizeof go_on - 1, NULL, 0);
    }
    if (c->body_expected && !pass(x, c, c->in.p + len, rest)) {
        return;
    }
    c->in.len = c->body_expected ? 0 : rest;
    memmove(c->in.p, c->in.p + len, c->in.len);
    c->scan = (struct request_scan){0};
    if (c->in.len == 0) {
        buf_free(&c->in);
    }
}

static void defer(struct channels *x, struct conn *c, bool wait)
{
    x->deferred += (size_t)wait - (size_t)c->deferred;
    c->deferred = wait;
}

// Reads a head if it is complete.
static void take_head(struct channels *x, struct conn *c)
{
    struct request_fault fault;
    struct request r;
    long len = request_scan(&c->scan, c->in.p, c->in.len, &fault);
    if (len == 0) {
        watch(x, c, EPOLLIN);
        return;
    }
    if (len < 0 && c->in.p[0] == 0x16 && c->session == NULL) {
        stats_count_handshake(x->conns->stats, TLS_FAULT_not_enabled, &c->address,
                              "TLS to an address without");
    }
    if (len < 0 || request_parse(&r, c->in.p, (size_t)len, &fault) < 0) {
        refuse(x, c, &fault);
        return;
    }
    if (!exchange_has_room(x)) {
        defer(x, c, true);
        watch(x, c, 0);
        return;
    }
    defer(x, c, false);
    r.closing = r.closing || c->last;
    hand_over(x, c, &r, (size_t)len);
}

static void next_request(struct channels *x, struct conn *c)
{
    conn_clear(c);
    if (c->closing || c->last) {
        finish(x, c);
        return;
    }
    c->phase = CONN_READING;
    conn_move(x->conns, c, CONN_IDLE);
    if (c->in.len > 0) {
        x->conns->resumed = true; // libmicrohttpd has had its round
        take_head(x, c);
    } else {
        watch(x, c, EPOLLIN);
    }
}

static void send_answer(struct channels *x, struct conn *c)
{
    const size_t head = c->sent < c->out.len ? c->out.len - c->sent : 0;
    const size_t body_len = c->body_wanted && c->answer != NULL ? c->answer->len : 0;
    const size_t body_sent = c->sent > c->out.len ? c->sent - c->out.len : 0;
    const char *body = body_len > 0 ? c->answer->bytes + body_sent : NULL;
    c->phase = CONN_SENDING;
    if (c->out.failed) {
        conn_end(x->conns, c);
        return;
    }
    ssize_t n = conn_send(c, c->out.p + (c->out.len - head), head, body, body_len - body_sent);
    if (n < 0 && n != -EAGAIN) {
        conn_end(x->conns, c);
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent < c->out.len + body_len) {
        watch(x, c, EPOLLOUT);
    } else {
        next_request(x, c);
    }
}

// Discards what comes; TLS has ended.
static void drain(struct channels *x, struct conn *c)
{
    ssize_t n = recv(c->fd, x->scratch, sizeof x->scratch, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        conn_end(x->conns, c);
    }
}

void channel_event(struct channels *x, struct conn *c, uint32_t events)
{
    if (c->state == CONN_CUT) {
        return;
    }
    switch (c->phase) {
    case CONN_HANDSHAKE:
        handshake(x, c);
        break;
    case CONN_READING:
        if (c->deferred && (events & (EPOLLERR | EPOLLHUP)) != 0) {
            conn_end(x->conns, c);
        } else if (!c->deferred) {
            read_head(x, c);
        }
        break;
    case CONN_INSIDE:
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
            conn_end(x->conns, c); // the peer does not wait for the answer
        } else {
            read_body(x, c);
        }
        break;
    case CONN_SENDING:
        send_answer(x, c);
        break;
    case CONN_CLOSING:
        drain(x, c);
        break;
    }
}

// libmicrohttpd has answered: its head is in c->out.
static void on_answered(struct channels *x, struct conn *c)
{
    static const char word[] = "\r\nConnection: close\r\n";
    c->closing = c->closing || memmem(c->out.p, c->out.len, word, sizeof word - 1) != NULL;
    send_answer(x, c);
}

// libmicrohttpd has not.
static void on_lost(struct channels *x, struct conn *c)
{
    static const struct request_fault bodied = {400, "the body is malformed"};
    static const struct request_fault unread = {431, "the head is too long"};
    static const struct request_fault failed = {500, "the request cannot be answered"};
    if (c->state != CONN_CUT) {
        refuse(x, c,
               !c->checked                    ? &unread
               : c->body_expected && c->ended ? &incomplete
               : c->body_expected             ? &bodied
                                              : &failed);
    }
}

// Tries those again for which there was no exchange.
static void retry(struct channels *x)
{
    static const enum conn_state waiting[] = {CONN_HEAD, CONN_IDLE};
    for (size_t i = 0; i < 2; i++) {
        for (struct conn *c = x->conns->list[waiting[i]].head, *next; c != NULL; c = next) {
            next = c->next;
            if (c->deferred && exchange_has_room(x)) {
                x->conns->resumed = true;
                take_head(x, c);
            }
        }
    }
}

void channel_serve(struct channels *x)
{
    exchange_serve(x);
    if (x->deferred > 0) {
        retry(x);
    }
}

void channel_sweep(struct channels *x)
{
    struct conn_list *over = &x->conns->list[CONN_CUT];
    while (over->head != NULL) {
        struct conn *c = over->head;
        if (c->phase == CONN_HANDSHAKE && c->session != NULL) {
            stats_count_handshake(x->conns->stats, TLS_FAULT_timeout, &c->address, NULL);
        }
        defer(x, c, false);
        exchange_abandon(x, c);
        auth_cancel(c);
        tls_close(c->session);
        tls_unref(c->tls);
        conn_close(x->conns, c);
    }
}

// Ends a connection of another kind, now or after its answer.
static void end_other(struct channels *x, struct conn *c, bool secure)
{
    if ((c->tls != NULL) == secure) {
        return;
    }
    c->last = true;
    if (c->phase == CONN_READING && c->in.len == 0) {
        finish(x, c);
    }
}

void channel_end_others(struct channels *x, const struct tls *tls)
{
    for (size_t i = 0; i < CONN_LINGER; i++) {
        for (struct conn *c = x->conns->list[i].head, *next; c != NULL; c = next) {
            next = c->next;
            end_other(x, c, tls != NULL);
        }
    }
}

void channels_destroy(struct channels *x)
{
    exchange_serve(x); // libmicrohttpd has released all
    buf_free(&x->head);
}
