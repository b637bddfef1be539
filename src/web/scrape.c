// SPDX-License-Identifier: Apache-2.0
#include "web/scrape.h"

#include "base/clock.h"
#include "web/reply.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>

#define TYPE_PAGE "text/html; charset=utf-8"

static const struct reply too_many = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE, .text = "too many scrapes at once\n", .retry = true};

void scrape_add(struct scrape *s, struct conn *c, struct web_filter *filter, bool page)
{
    c->filter = filter;
    c->page = page;
    c->arrived_ns = clock_mono_ns();
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    conn_move(s->conns, c, CONN_SCRAPE);
}

// Whether one more rendering may be sent. Cuts a stalled one to make room.
static bool has_room(struct scrape *s)
{
    if (s->bodies.held >= SCRAPE_HELD_MAX) {
        // The memory is free once libmicrohttpd has met the cut; the next round looks again.
        conns_cut_stalled(s->conns);
        return false;
    }
    return s->conns->list[CONN_BODY].n < s->max_requests || conns_cut_stalled(s->conns);
}

static int render(struct scrape *s, const struct conn *c, struct buf *out)
{
    if (c->page) {
        struct web_page page;
        page_begin(&page, out, s->version, s->telemetry_path);
        s->backend->page(s->backend->ctx, &page);
        page_end(&page);
    } else {
        int r = s->backend->render(s->backend->ctx, c->filter, out);
        if (r < 0) {
            return r;
        }
    }
    return out->failed ? -ENOMEM : 0;
}

static bool same(const struct conn *a, const struct conn *b)
{
    return a->page == b->page && query_filter_same(a->filter, b->filter);
}

static void answer_failed(struct scrape *s, struct conn *c, int err)
{
    char text[160];
    snprintf(text, sizeof text, "cannot render: %s\n", strerror(-err));
    const struct reply failed = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .text = text};
    count_add(&s->stats->scrapes_failed, 1);
    reply_send(s->conns, c, &failed);
}

static void answer(struct scrape *s, struct conn *c, struct MHD_Response *response)
{
    if (!c->page) {
        stats_scrape(s->stats, WEB_FORMAT_TEXT, clock_mono_ns() - c->arrived_ns);
    }
    reply_shared(s->conns, c, response);
}

// Renders what the first in line wants, and answers all in line who want the same and for whom
// there is room.
static void serve_first(struct scrape *s)
{
    struct conn *first = s->conns->list[CONN_SCRAPE].head;
    struct body *body = body_take(&s->bodies);
    int r = body != NULL ? render(s, first, &body->buf) : -ENOMEM;
    if (r < 0) {
        if (body != NULL) {
            body_release(body);
        }
        answer_failed(s, first, r);
        return;
    }
    body_seal(body);
    const char *type = first->page ? TYPE_PAGE : REPLY_TYPE_METRICS;
    struct MHD_Response *response =
        reply_body(type, body->buf.p, body->buf.len, body_release, body);
    if (response == NULL) {
        answer_failed(s, first, -ENOMEM);
        return;
    }
    struct conn *next = first->next;
    answer(s, first, response);
    for (struct conn *c = next; c != NULL; c = next) {
        next = c->next;
        if (same(c, first) && s->conns->list[CONN_BODY].n < s->max_requests) {
            answer(s, c, response);
        }
    }
    MHD_destroy_response(response);
}

void scrape_serve(struct scrape *s)
{
    struct conn_list *waiting = &s->conns->list[CONN_SCRAPE];
    while (waiting->head != NULL && has_room(s)) {
        serve_first(s);
    }
    while (waiting->head != NULL && s->conns->now_ms - waiting->head->since_ms >= SCRAPE_WAIT_MS) {
        count_add(&s->stats->scrapes_refused, 1);
        reply_send(s->conns, waiting->head, &too_many);
    }
}
