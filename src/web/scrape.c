// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.h"

#include "base/clock.h"
#include "expose/gzip.h"
#include "web/reply.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>

static const struct reply too_many = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE, .text = "too many scrapes at once\n", .retry = true};
static const struct reply too_late = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE,
    .text = "not rendered within the time of X-Prometheus-Scrape-Timeout-Seconds\n"};

static void wait_for_rendering(struct scrape *s, struct conn *c)
{
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    conn_move(s->conns, c, CONN_SCRAPE);
}

void scrape_add(struct scrape *s, struct conn *c, struct web_filter *filter)
{
    c->filter = filter;
    c->view = NULL;
    wait_for_rendering(s, c);
}

void scrape_add_view(struct scrape *s, struct conn *c, const struct view_form *form)
{
    c->view = form;
    c->form = (struct negotiated){.kind = NEGOTIATE_NONE};
    c->deadline_ns = UINT64_MAX;
    wait_for_rendering(s, c);
}

// Whether one more rendering may be sent. Cuts a stalled one to make room.
static bool has_room(struct scrape *s)
{
    if (s->bodies.held + s->packed.held >= SCRAPE_HELD_MAX) {
        // The memory is free once libmicrohttpd has met the cut; the next round looks again.
        conns_cut_stalled(s->conns);
        return false;
    }
    return s->conns->list[CONN_BODY].n < s->max_requests || conns_cut_stalled(s->conns);
}

// One rendering on its way to those who wait for the same. The bytes live until no response needs them.
struct rendering {
    struct body *body;  // NULL once a response has it
    struct slice bytes; // p is NULL when they are gone
    struct MHD_Response *plain;
    struct MHD_Response *packed;
};

static int render(struct scrape *s, const struct conn *c, struct buf *out)
{
    if (c->view != NULL) {
        struct view view = {.out = out, .form = c->view, .telemetry_path = s->telemetry_path};
        s->backend->view(s->backend->ctx, &view);
    } else {
        int r = s->backend->render(s->backend->ctx, c->filter, negotiated_is_open(&c->form), out);
        if (r < 0) {
            return r;
        }
    }
    return out->failed ? -ENOMEM : 0;
}

static bool same(const struct conn *a, const struct conn *b)
{
    return a->view == b->view && a->form.kind == b->form.kind &&
           a->form.escaping == b->form.escaping && query_filter_same(a->filter, b->filter);
}

static void answer_failed(struct scrape *s, struct conn *c, int err)
{
    char text[160];
    snprintf(text, sizeof text, "cannot render: %s\n", strerror(-err));
    const struct reply failed = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .text = text};
    count_add(&s->stats->scrapes_failed, 1);
    reply_send(s->conns, c, &failed);
}

static void refuse(struct scrape *s, struct conn *c, const struct reply *why)
{
    count_add(&s->stats->scrapes_refused, 1);
    reply_send(s->conns, c, why);
}

static struct MHD_Response *plain_response(struct scrape *s, struct rendering *r,
                                           const struct conn *c)
{
    if (r->plain == NULL && r->bytes.p != NULL) {
        const struct reply_form form = {.type = c->view != NULL ? c->view->type
                                                                : negotiated_type(&c->form),
                                        .policy = c->view != NULL ? c->view->policy : NULL,
                                        .negotiated = c->view == NULL};
        struct body *body = r->body;
        r->body = NULL;
        r->plain = reply_body(s->conns, &form, body->buf.p, body->buf.len, body_release, body);
        r->bytes.p = r->plain != NULL ? r->bytes.p : NULL;
    }
    return r->plain;
}

// Fills a body with what the bytes are after gzip. NULL: no memory.
static struct body *pack(struct scrape *s, struct slice bytes)
{
    struct body *body = NULL;
    if (bytes.p != NULL && (s->gzip != NULL || gzip_new(&s->gzip) == 0)) {
        body = body_take(&s->packed);
    }
    if (body != NULL && gzip_add(s->gzip, &body->buf, bytes.p, bytes.len) < 0) {
        body_release(body);
        body = NULL;
    }
    return body;
}

static struct MHD_Response *packed_response(struct scrape *s, struct rendering *r,
                                            const struct conn *c)
{
    struct body *body = r->packed == NULL ? pack(s, r->bytes) : NULL;
    if (body != NULL) {
        const struct reply_form form = {
            .type = negotiated_type(&c->form), .gzip = true, .negotiated = true};
        body_seal(body);
        r->packed = reply_body(s->conns, &form, body->buf.p, body->buf.len, body_release, body);
    }
    return r->packed;
}

static bool is_late(const struct conn *c)
{
    return c->deadline_ns != UINT64_MAX && clock_mono_ns() >= c->deadline_ns;
}

static void answer(struct scrape *s, struct rendering *r, struct conn *c)
{
    struct MHD_Response *response = c->form.gzip ? packed_response(s, r, c) : NULL;
    if (response == NULL) {
        response = plain_response(s, r, c);
    }
    if (response == NULL) {
        answer_failed(s, c, -ENOMEM);
        return;
    }
    if (is_late(c)) {
        refuse(s, c, &too_late);
        return;
    }
    if (c->view == NULL) {
        stats_scrape(s->stats,
                     negotiated_is_open(&c->form) ? WEB_FORMAT_OPENMETRICS : WEB_FORMAT_TEXT,
                     clock_mono_ns() - c->arrived_ns);
    }
    reply_shared(s->conns, c, response);
}

static void rendering_end(struct rendering *r)
{
    if (r->body != NULL) {
        body_release(r->body);
    }
    if (r->plain != NULL) {
        MHD_destroy_response(r->plain);
    }
    if (r->packed != NULL) {
        MHD_destroy_response(r->packed);
    }
}

// Renders what the first in line wants, and answers all in line who want the same and for whom
// there is room.
static void serve_first(struct scrape *s)
{
    struct conn *first = s->conns->list[CONN_SCRAPE].head;
    struct rendering r = {.body = body_take(&s->bodies)};
    int err = r.body != NULL ? render(s, first, &r.body->buf) : -ENOMEM;
    if (err < 0) {
        rendering_end(&r);
        answer_failed(s, first, err);
        return;
    }
    body_seal(r.body);
    r.bytes = (struct slice){r.body->buf.p != NULL ? r.body->buf.p : "", r.body->buf.len};
    for (struct conn *c = first, *next; c != NULL; c = next) {
        next = c->next;
        if (c == first || (same(c, first) && s->conns->list[CONN_BODY].n < s->max_requests)) {
            answer(s, &r, c);
        }
    }
    rendering_end(&r);
}

static void refuse_late(struct scrape *s)
{
    for (struct conn *c = s->conns->list[CONN_SCRAPE].head, *next; c != NULL; c = next) {
        next = c->next;
        if (is_late(c)) {
            refuse(s, c, &too_late);
        }
    }
}

void scrape_serve(struct scrape *s)
{
    struct conn_list *waiting = &s->conns->list[CONN_SCRAPE];
    refuse_late(s);
    while (waiting->head != NULL && has_room(s)) {
        serve_first(s);
        refuse_late(s);
    }
    while (waiting->head != NULL && s->conns->now_ms - waiting->head->since_ms >= SCRAPE_WAIT_MS) {
        refuse(s, waiting->head, &too_many);
    }
}

void scrape_destroy(struct scrape *s)
{
    bodies_free(&s->bodies);
    bodies_free(&s->packed);
    gzip_free(s->gzip);
}
