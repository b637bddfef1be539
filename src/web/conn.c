// SPDX-License-Identifier: Apache-2.0
#include "web/conn.h"

#include "base/clock.h"
#include "base/siphash.h"
#include "web/sd.h"
#include "web/tls.h"
#include "web/webconf.h"

#include <errno.h>
#include <linux/sockios.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// ---- Answers

// libmicrohttpd answers HEAD, and so never asks for these bytes.
static ssize_t no_bytes(void *cls, uint64_t at, char *out, size_t size)
{
    (void)cls;
    (void)at;
    (void)out;
    (void)size;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(const char *bytes, size_t len, bool inside)
{
    if (inside) {
        return MHD_create_response_from_buffer(len, (char *)(uintptr_t)bytes,
                                               MHD_RESPMEM_MUST_COPY);
    }
    return MHD_create_response_from_callback(len, 1024, no_bytes, NULL, NULL);
}

// Returns new with one reference; or NULL (no memory), and `done` was called.
static struct conn_answer *answer_new(const char *bytes, size_t len, bool inside,
                                      void (*done)(void *arg), void *arg)
{
    struct conn_answer *a = malloc(sizeof *a);
    struct MHD_Response *response = a != NULL ? make_response(bytes, len, inside) : NULL;
    if (response == NULL) {
        free(a);
        done(arg);
        return NULL;
    }
    *a = (struct conn_answer){
        .refs = 1, .response = response, .bytes = bytes, .len = len, .done = done, .arg = arg};
    return a;
}

void conn_answer_unref(struct conn_answer *a)
{
    if (a == NULL || --a->refs > 0) {
        return;
    }
    MHD_destroy_response(a->response);
    a->done(a->arg);
    free(a);
}

// ---- Bytes in and out

ssize_t conn_recv(struct conn *c, void *bytes, size_t n)
{
    if (c->session != NULL) {
        return tls_recv(c->session, bytes, n);
    }
    ssize_t got = recv(c->fd, bytes, n, MSG_DONTWAIT);
    return got < 0 ? -errno : got;
}

// Record after record. Each turn sends some or is the last one.
static ssize_t send_records(struct tls_session *tls, const char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        size_t len = n - done < CONN_RECORD ? n - done : CONN_RECORD;
        ssize_t sent = tls_send(tls, bytes + done, len);
        if (sent <= 0) {
            return done > 0 ? (ssize_t)done : sent < 0 ? sent : -ECONNRESET;
        }
        done += (size_t)sent;
    }
    return (ssize_t)done;
}

// The first record has the first piece and what fits of the second one, so that a short answer is one record.
static ssize_t send_first(struct tls_session *tls, const char *first, size_t first_len,
                          const char *second, size_t second_len)
{
    char record[CONN_RECORD];
    const size_t room = sizeof record - first_len;
    const size_t part = second_len < room ? second_len : room;
    memcpy(record, first, first_len);
    memcpy(record + first_len, second, part);
    return send_records(tls, record, first_len + part);
}

static ssize_t send_secure(struct tls_session *tls, const char *first, size_t first_len,
                           const char *second, size_t second_len)
{
    if (first_len > 0 && first_len < CONN_RECORD && second_len > 0) {
        return send_first(tls, first, first_len, second, second_len);
    }
    if (first_len > 0) {
        return send_records(tls, first, first_len);
    }
    return send_records(tls, second, second_len < CONN_SEND_MAX ? second_len : CONN_SEND_MAX);
}

ssize_t conn_send(struct conn *c, const char *first, size_t first_len, const char *second,
                  size_t second_len)
{
    if (c->session != NULL) {
        return send_secure(c->session, first, first_len, second, second_len);
    }
    struct iovec parts[] = {{.iov_base = (void *)(uintptr_t)first, .iov_len = first_len},
                            {.iov_base = (void *)(uintptr_t)second, .iov_len = second_len}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

// ---- Who is at the other end

static uint64_t number_of(const uint64_t key[2], char kind, const void *bytes, size_t len)
{
    char text[64];
    text[0] = kind;
    memcpy(text + 1, bytes, len);
    return siphash(key, text, len + 1).word[0];
}

uint64_t conn_address_id(const uint64_t key[2], const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        return number_of(key, '4', &((const struct sockaddr_in *)a)->sin_addr, 4);
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
    const unsigned char *bytes = six->sin6_addr.s6_addr;
    if (a->ss_family != AF_INET6) {
        return number_of(key, '?', "", 0);
    }
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        return number_of(key, '4', bytes + 12, 4);
    }
    return number_of(key, '6', bytes, IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) ? 16 : 8);
}

uint64_t conn_peer_id(const uint64_t key[2], const struct sockaddr_storage *a, int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    if (a->ss_family == AF_UNIX) {
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
        return number_of(key, 'u', &who.uid, sizeof who.uid);
    }
    return conn_address_id(key, a);
}

uint64_t conn_user_id(const uint64_t key[2], const char *user)
{
    return siphash(key, user, strlen(user)).word[0] | 1;
}

// ---- Connections

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
    [CONN_AUTH] = CONN_ANSWER_MS,   [CONN_SCRAPE] = CONN_ANSWER_MS,
    [CONN_QUEUE] = CONN_ANSWER_MS,  [CONN_RENDER] = CONN_ANSWER_MS,
    [CONN_RELOAD] = CONN_ANSWER_MS, [CONN_RELOAD_NEXT] = CONN_ANSWER_MS,
    [CONN_BODY] = CONN_ANSWER_MS,   [CONN_OTHER] = CONN_ANSWER_MS,
    [CONN_LINGER] = CONN_LINGER_MS, [CONN_CUT] = UINT64_MAX,
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
    return c->sent;
}

struct conn *conn_open(struct conns *cs, int fd, const struct sockaddr_storage *address)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->fd = fd;
    c->address = *address;
    c->peer = conn_peer_id(cs->key, address, fd);
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
    buf_free(&c->in);
    close(c->fd);
    free(c);
}

void conn_move(struct conns *cs, struct conn *c, enum conn_state to)
{
    list_remove(&cs->list[c->state], c);
    c->state = to;
    c->since_ms = cs->now_ms;
    if (to == CONN_BODY) {
        c->progress = progress_of(c);
        c->credit = CONN_CREDIT_FIRST;
        c->credit_ms = cs->now_ms;
    }
    list_add(&cs->list[to], c);
    count(cs);
}

void conn_clear(struct conn *c)
{
    conn_answer_unref(c->answer);
    buf_free(&c->out);
    if (c->text != NULL) {
        explicit_bzero(c->text, c->text_len); // there may be a password in it
        free(c->text);
    }
    free(c->raw_path);
    c->raw_path = NULL;
    request_filter_free(c->filter);
    c->answer = NULL;
    c->sent = 0;
    c->replied = false;
    c->text = c->target = c->authorization = c->host = NULL;
    c->path = NULL;
    c->query = NULL;
    c->filter = NULL;
    c->checked = false;
    c->authenticated = false;
    c->user = 0;
    c->view = NULL;
    free(c->view_metric);
    c->view_metric = NULL;
    c->view_refresh_s = 0;
    if (c->targets != NULL) {
        sd_request_free(c->targets);
        c->targets = NULL;
    }
    c->extra = false;
    c->denied_ms = 0;
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

void conn_end(struct conns *cs, struct conn *c)
{
    conn_move(cs, c, CONN_CUT);
    conn_resume(cs, c);
}

void conn_cut(struct conns *cs, struct conn *c, bool hard)
{
    if (hard) {
        // Else the kernel would keep what is queued, and go on trying, after the close.
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    shutdown(c->fd, SHUT_RDWR);
    conn_end(cs, c);
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
    if (cs->list[CONN_LINGER].head != NULL) {
        conn_end(cs, cs->list[CONN_LINGER].head);
        return true;
    }
    struct conn *head = cs->list[CONN_HEAD].head;
    struct conn *idle = cs->list[CONN_IDLE].head;
    struct conn *oldest = head;
    if (head == NULL || (idle != NULL && idle->since_ms < head->since_ms)) {
        oldest = idle;
    }
    if (oldest == NULL) {
        struct conn *slow = conns_slowest(cs, CONN_ANY);
        if (slow != NULL) {
            conn_cut(cs, slow, true);
        }
        return slow != NULL;
    }
    // The tail of a response that has only just left us may still be on its way to an honest peer.
    bool hard = cs->now_ms - oldest->since_ms > 1000 && bytes_queued(oldest) > 0;
    conn_cut(cs, oldest, hard);
    return true;
}

bool conn_is_slow(const struct conn *c)
{
    return c->credit < 0;
}

bool conn_is_kind(const struct conn *c, enum conn_kind kind)
{
    return kind == CONN_ANY || (kind == CONN_VIEWS) == (c->view != NULL);
}

struct conn *conns_slowest(const struct conns *cs, enum conn_kind kind)
{
    struct conn *worst = NULL;
    for (struct conn *c = cs->list[CONN_BODY].head; c != NULL; c = c->next) {
        if (conn_is_kind(c, kind) && conn_is_slow(c) &&
            (worst == NULL || c->credit < worst->credit)) {
            worst = c;
        }
    }
    return worst;
}

// A peer with a large buffer takes nothing for seconds and then much at once, hence the credit.
static void sample(struct conns *cs, struct conn *c)
{
    uint64_t now = progress_of(c);
    uint64_t moved = now - c->progress;
    uint64_t due = (cs->now_ms - c->credit_ms) * CONN_SLOW_BYTES / 1000;
    c->progress = now;
    c->credit_ms = cs->now_ms;
    c->credit += (int64_t)moved;
    c->credit = (c->credit < CONN_CREDIT_MAX ? c->credit : CONN_CREDIT_MAX) - (int64_t)due;
}

void conns_sample(struct conns *cs)
{
    if (cs->now_ms - cs->sampled_ms < CONN_SAMPLE_MS) {
        return;
    }
    cs->sampled_ms = cs->now_ms;
    for (struct conn *c = cs->list[CONN_BODY].head; c != NULL; c = c->next) {
        sample(cs, c);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// A body that is larger may take longer.
static uint64_t end_of(const struct conn *c)
{
    uint64_t more = c->state == CONN_BODY && c->answer != NULL ? c->answer->len : 0;
    return c->since_ms + time_allowed[c->state] + more * 1000 / CONN_BODY_BYTES;
}

uint64_t conns_deadline(const struct conns *cs)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < CONN_CUT; i++) {
        // Of those in one state the first is the first to be late, but for bodies, which differ.
        for (struct conn *c = cs->list[i].head; c != NULL; c = i == CONN_BODY ? c->next : NULL) {
            at = earlier(at, end_of(c));
        }
    }
    if (cs->list[CONN_BODY].n > 0 || cs->list[CONN_SCRAPE].n > 0 || cs->list[CONN_QUEUE].n > 0) {
        at = earlier(at, cs->sampled_ms + CONN_SAMPLE_MS);
    }
    return at;
}

bool conn_is_late(const struct conns *cs, const struct conn *c)
{
    return cs->now_ms >= end_of(c);
}

void conns_expire(struct conns *cs)
{
    while (cs->list[CONN_LINGER].head != NULL && conn_is_late(cs, cs->list[CONN_LINGER].head)) {
        conn_end(cs, cs->list[CONN_LINGER].head);
    }
    static const enum conn_state cut[] = {CONN_HEAD,  CONN_IDLE,   CONN_AUTH, CONN_SCRAPE,
                                          CONN_QUEUE, CONN_RENDER, CONN_OTHER};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        struct conn *c = cs->list[cut[i]].head;
        while (c != NULL && conn_is_late(cs, c)) {
            conn_cut(cs, c, bytes_queued(c) > 0);
            c = cs->list[cut[i]].head;
        }
    }
    for (struct conn *c = cs->list[CONN_BODY].head, *next; c != NULL; c = next) {
        next = c->next;
        if (conn_is_late(cs, c)) {
            conn_cut(cs, c, bytes_queued(c) > 0);
        }
    }
}

static bool add_header(struct MHD_Response *r, const char *name, const char *value)
{
    return MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool add_configured(struct MHD_Response *r, const struct webconf *conf)
{
    for (size_t i = 0; conf != NULL && i < conf->n_headers; i++) {
        const struct webconf_header *h = &conf->headers[i];
        if (strcmp(h->name, "X-Content-Type-Options") != 0 && !add_header(r, h->name, h->value)) {
            return false;
        }
    }
    return true;
}

static bool fill(struct MHD_Response *response, const struct conn_reply *r,
                 const struct webconf *conf)
{
    return add_header(response, "Content-Type", r->type != NULL ? r->type : CONN_REPLY_TYPE_TEXT) &&
           add_header(response, "X-Content-Type-Options", "nosniff") &&
           (r->allow == NULL || add_header(response, "Allow", r->allow)) &&
           (!r->authenticate || add_header(response, "WWW-Authenticate", "Basic")) &&
           (r->bare || add_configured(response, conf)) &&
           (!r->retry_later || add_header(response, "Retry-After", "1")) &&
           (!r->closing || add_header(response, "Connection", "close"));
}

static struct conn_answer *make(const struct conn_reply *r, const struct webconf *conf, bool inside)
{
    char *text = strdup(r->text);
    struct conn_answer *answer =
        text != NULL ? answer_new(text, strlen(text), inside, free, text) : NULL;
    if (answer != NULL && !fill(answer->response, r, conf)) {
        conn_answer_unref(answer);
        return NULL;
    }
    return answer;
}

// Takes the answer's reference.
static int queue(struct conns *cs, struct conn *c, unsigned status, struct conn_answer *answer)
{
    bool taken = MHD_queue_response(c->mhd, status, answer->response) == MHD_YES;
    c->replied = taken;
    if (taken && c->get_or_head) {
        c->answer = answer;
    } else {
        conn_answer_unref(answer);
    }
    conn_resume(cs, c);
    return taken ? 0 : -ENOMEM;
}

int conn_reply(struct conns *cs, struct conn *c, const struct conn_reply *r)
{
    struct conn_answer *answer = make(r, cs->conf, !c->get_or_head);
    if (answer == NULL) {
        conn_cut(cs, c, false);
        return -ENOMEM;
    }
    if (r->authenticate) {
        count_add(&cs->stats->shown.auth_failures, 1);
    }
    conn_move(cs, c, CONN_OTHER);
    return queue(cs, c, r->status, answer);
}

static bool add_policy(struct MHD_Response *r, const char *policy)
{
    return add_header(r, "Content-Security-Policy", policy) &&
           add_header(r, "Referrer-Policy", "no-referrer") &&
           add_header(r, "Cache-Control", "no-store");
}

struct conn_answer *conn_reply_body(const struct conns *cs, const struct conn_reply_form *form,
                                    char *bytes, size_t len, void (*done)(void *arg), void *arg)
{
    struct conn_answer *answer = answer_new(bytes, len, false, done, arg);
    if (answer == NULL) {
        return NULL;
    }
    struct MHD_Response *response = answer->response;
    if (add_header(response, "Content-Type", form->type) &&
        add_header(response, "X-Content-Type-Options", "nosniff") &&
        add_configured(response, cs->conf) &&
        (!form->gzip || add_header(response, "Content-Encoding", "gzip")) &&
        (form->policy == NULL || add_policy(response, form->policy)) &&
        (!form->negotiated || add_header(response, "Vary", "Accept, Accept-Encoding"))) {
        return answer;
    }
    conn_answer_unref(answer);
    return NULL;
}

void conn_reply_shared(struct conns *cs, struct conn *c, struct conn_answer *answer)
{
    conn_move(cs, c, CONN_BODY);
    answer->refs++;
    queue(cs, c, MHD_HTTP_OK, answer);
}

static const char *phrase(unsigned status)
{
    switch (status) {
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return "Method Not Allowed";
    case MHD_HTTP_CONTENT_TOO_LARGE:
        return "Content Too Large";
    case MHD_HTTP_URI_TOO_LONG:
        return "URI Too Long";
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        return "Request Header Fields Too Large";
    case MHD_HTTP_INTERNAL_SERVER_ERROR:
        return "Internal Server Error";
    case MHD_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";
    case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

static void write_date(struct buf *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_real_ms() / 1000);
    struct tm t;
    gmtime_r(&now, &t);
    buf_addf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

void conn_reply_write(struct buf *out, const struct conn_reply *r, const struct webconf *conf,
                      bool body)
{
    buf_addf(out, "HTTP/1.1 %u %s\r\n", r->status, phrase(r->status));
    write_date(out);
    buf_str(out, "Connection: close\r\nContent-Type: " CONN_REPLY_TYPE_TEXT
                 "\r\nX-Content-Type-Options: nosniff\r\n");
    if (r->allow != NULL) {
        buf_addf(out, "Allow: %s\r\n", r->allow);
    }
    for (size_t i = 0; conf != NULL && i < conf->n_headers; i++) {
        const struct webconf_header *h = &conf->headers[i];
        if (strcmp(h->name, "X-Content-Type-Options") != 0) {
            buf_addf(out, "%s: %s\r\n", h->name, h->value);
        }
    }
    buf_addf(out, "Content-Length: %zu\r\n\r\n%s", strlen(r->text), body ? r->text : "");
}
