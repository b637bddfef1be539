// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.h"

#include "base/clock.h"
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

static int write_view(struct scrape *s, const struct conn *c, struct buf *out)
{
    struct view view = {.out = out, .form = c->view, .telemetry_path = s->telemetry_path};
    s->backend->view(s->backend->ctx, &view);
    return out->failed ? -ENOMEM : 0;
}

static int write_exposition(struct scrape *s, const struct conn *c, struct sink *sink)
{
    int r = s->backend->render(s->backend->ctx, c->filter, negotiated_is_open(&c->form), sink);
    return r < 0 ? r : sink_end(sink);
}

static int write_plain(struct scrape *s, const struct conn *c, struct buf *out)
{
    struct sink sink = sink_text(out);
    return write_exposition(s, c, &sink);
}

static int write_packed(struct scrape *s, const struct conn *c, struct buf *out)
{
    struct sink sink = sink_gzip(&s->piece, s->gzip, out);
    int r = write_exposition(s, c, &sink);
    buf_shrink(&s->piece, SCRAPE_PIECE_KEPT);
    return r;
}

static bool same(const struct conn *a, const struct conn *b)
{
    return a->view == b->view && a->form.kind == b->form.kind && a->form.gzip == b->form.gzip &&
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

// Whether it can be compressed for who wants that; else that one gets it plain.
static bool can_pack(struct scrape *s, const struct conn *c)
{
    return c->form.gzip && (s->gzip != NULL || gzip_new(&s->gzip) == 0);
}

// Renders what `c` wants. Returns 0, or -errno.
static int render(struct scrape *s, const struct conn *c, struct MHD_Response **ret)
{
    const bool view = c->view != NULL;
    const struct reply_form form = {.type = view ? c->view->type : negotiated_type(&c->form),
                                    .policy = view ? c->view->policy : NULL,
                                    .gzip = can_pack(s, c),
                                    .negotiated = !view};
    struct body *body = body_take(form.gzip ? &s->packed : &s->bodies);
    if (body == NULL) {
        return -ENOMEM;
    }
    int r = (view ? write_view : form.gzip ? write_packed : write_plain)(s, c, &body->buf);
    if (r < 0) {
        body_release(body);
        return r;
    }
    body_seal(body);
    *ret = reply_body(s->conns, &form, body->buf.p, body->buf.len, body_release, body);
    return *ret != NULL ? 0 : -ENOMEM;
}

static bool is_late(const struct conn *c)
{
    return c->deadline_ns != UINT64_MAX && clock_mono_ns() >= c->deadline_ns;
}

static void answer(struct scrape *s, struct MHD_Response *response, struct conn *c)
{
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

// Renders what the first in line wants, and answers all in line who want the same and for whom
// there is room.
static void serve_first(struct scrape *s)
{
    struct conn *first = s->conns->list[CONN_SCRAPE].head;
    struct MHD_Response *response;
    int err = render(s, first, &response);
    if (err < 0) {
        answer_failed(s, first, err);
        return;
    }
    for (struct conn *c = first, *next; c != NULL; c = next) {
        next = c->next;
        if (c == first || (same(c, first) && s->conns->list[CONN_BODY].n < s->max_requests)) {
            answer(s, response, c);
        }
    }
    MHD_destroy_response(response);
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
    buf_free(&s->piece);
    gzip_free(s->gzip);
}
