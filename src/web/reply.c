// SPDX-License-Identifier: Apache-2.0
#include "web/reply.h"

#include "base/clock.h"
#include "web/webconf.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static bool fill(struct MHD_Response *response, const struct reply *r, const struct webconf *conf)
{
    return add_header(response, "Content-Type", r->type != NULL ? r->type : REPLY_TYPE_TEXT) &&
           add_header(response, "X-Content-Type-Options", "nosniff") &&
           (r->allow == NULL || add_header(response, "Allow", r->allow)) &&
           (!r->authenticate || add_header(response, "WWW-Authenticate", "Basic")) &&
           (r->bare || add_configured(response, conf)) &&
           (!r->retry_later || add_header(response, "Retry-After", "1")) &&
           (!r->closing || add_header(response, "Connection", "close"));
}

static struct conn_answer *make(const struct reply *r, const struct webconf *conf, bool inside)
{
    char *text = strdup(r->text);
    struct conn_answer *answer =
        text != NULL ? conn_answer_new(text, strlen(text), inside, free, text) : NULL;
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

int reply_send(struct conns *cs, struct conn *c, const struct reply *r)
{
    struct conn_answer *answer = make(r, cs->conf, !c->get_or_head);
    if (answer == NULL) {
        conn_cut(cs, c, false);
        return -ENOMEM;
    }
    if (r->authenticate) {
        count_add(&cs->stats->auth_failures, 1);
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

struct conn_answer *reply_body(const struct conns *cs, const struct reply_form *form, char *bytes,
                               size_t len, void (*done)(void *arg), void *arg)
{
    struct conn_answer *answer = conn_answer_new(bytes, len, false, done, arg);
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

int reply_give(struct conns *cs, struct conn *c, struct conn_answer *answer)
{
    conn_move(cs, c, CONN_OTHER);
    return queue(cs, c, MHD_HTTP_OK, answer);
}

void reply_shared(struct conns *cs, struct conn *c, struct conn_answer *answer)
{
    conn_move(cs, c, CONN_BODY);
    queue(cs, c, MHD_HTTP_OK, conn_answer_ref(answer));
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

void reply_write(struct buf *out, const struct reply *r, const struct webconf *conf, bool body)
{
    buf_addf(out, "HTTP/1.1 %u %s\r\n", r->status, phrase(r->status));
    write_date(out);
    buf_str(out, "Connection: close\r\nContent-Type: " REPLY_TYPE_TEXT
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
