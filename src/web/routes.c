// SPDX-License-Identifier: Apache-2.0
#include "web/routes.h"

#include "base/clock.h"
#include "web/head.h"
#include "web/reply.h"
#include "web/wish.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_RELOAD "/-/reload"

static const struct reply not_found = {.status = MHD_HTTP_NOT_FOUND, .text = "not found\n"};
static const struct reply healthy = {.status = MHD_HTTP_OK, .text = "ok\n"};
static const struct reply ready = {.status = MHD_HTTP_OK, .text = "ready\n"};
static const struct reply not_ready = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                       .text = "not ready\n"};
static const struct reply disabled = {.status = MHD_HTTP_FORBIDDEN,
                                      .text = "Lifecycle API is not enabled.\n"};
static const struct reply too_large = {
    .status = MHD_HTTP_CONTENT_TOO_LARGE, .text = "the body is too large\n", .close = true};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_health(const char *path)
{
    return is(path, "/healthz") || is(path, "/-/healthy");
}

static bool is_readiness(const char *path)
{
    return is(path, "/readyz") || is(path, "/-/ready");
}

// What is shown under a path, or NULL.
static const struct view_form *view_of(const char *path)
{
    return is(path, "/") ? &page_form : is(path, "/status") ? &status_json_form : NULL;
}

bool routes_is_taken(const char *path)
{
    return view_of(path) != NULL || is(path, PATH_RELOAD) || is_health(path) ||
           is_readiness(path) || sd_handles(path);
}

static bool answer(struct routes *r, struct conn *c, const struct reply *reply)
{
    return reply_send(r->conns, c, reply) == 0;
}

static bool answer_bad(struct routes *r, struct conn *c, const char *what)
{
    char text[160];
    snprintf(text, sizeof text, "bad request: %s\n", what);
    const struct reply bad = {.status = MHD_HTTP_BAD_REQUEST, .text = text, .close = true};
    count_add(&r->stats->requests_bad, 1);
    return answer(r, c, &bad);
}

static bool answer_too_large(struct routes *r, struct conn *c)
{
    count_add(&r->stats->requests_bad, 1);
    return answer(r, c, &too_large);
}

// The method that a path does not take. `close`: a body follows that is not read.
static bool answer_method(struct routes *r, struct conn *c, bool close)
{
    const struct reply wrong = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                                .text = "method not allowed\n",
                                .allow = is(c->path, PATH_RELOAD) ? "POST" : "GET, HEAD",
                                .close = close};
    return answer(r, c, &wrong);
}

static bool is_reload(const struct conn *c, const char *method)
{
    return is(c->path, PATH_RELOAD) && is(method, "POST");
}

static bool is_read(const char *method)
{
    return is(method, "GET") || is(method, "HEAD");
}

static enum MHD_Result take_field(void *head, enum MHD_ValueKind kind, const char *name,
                                  size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    head_field(head, name, name_len, value != NULL ? value : "", value_len);
    return MHD_YES;
}

// The first call for a request. A response given here ends the connection (libmicrohttpd reads no
// further), so only what is refused gets one.
static bool handle_head(struct routes *r, struct conn *c, const char *method, const char *version)
{
    struct head head;
    head_begin(&head, version);
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, take_field, &head);
    const char *wrong = head_end(&head, method);
    if (wrong != NULL) {
        return answer_bad(r, c, wrong);
    }
    if (query_split(c->target, &c->path, &c->query) < 0) {
        return answer_bad(r, c, "the path is malformed");
    }
    if (head_has_body(&head) && !is_reload(c, method)) {
        return answer_method(r, c, true);
    }
    if (head.length > ROUTES_BODY_MAX) {
        return answer_too_large(r, c);
    }
    c->checked = true;
    return true;
}

static enum MHD_Result take_wish(void *wish, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    wish_field(wish, name, name_len, value != NULL ? value : "", value_len);
    return MHD_YES;
}

static void read_wish(struct conn *c)
{
    struct wish wish;
    wish_begin(&wish);
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, take_wish, &wish);
    c->form = wish_end(&wish);
    c->arrived_ns = clock_mono_ns();
    c->deadline_ns = wish.timeout_ns == UINT64_MAX ? UINT64_MAX : c->arrived_ns + wish.timeout_ns;
}

static bool handle_metrics(struct routes *r, struct conn *c)
{
    struct web_filter *filter = NULL;
    int err = c->query != NULL ? query_filter(&filter, c->query) : 0;
    if (err == -EINVAL) {
        return answer_bad(r, c, "the query is malformed");
    }
    if (err == -E2BIG) {
        return answer_bad(r, c, "the query names too many metrics");
    }
    if (err == 0) {
        read_wish(c);
        scrape_add(r->scrape, c, filter);
    }
    return err == 0;
}

static bool handle_path(struct routes *r, struct conn *c, const char *method)
{
    if (is_reload(c, method)) {
        if (c->discarded > ROUTES_BODY_MAX) {
            return answer_too_large(r, c);
        }
        return r->lifecycle ? reload_add(r->reload, c) : answer(r, c, &disabled);
    }
    if (!is_read(method) || is(c->path, PATH_RELOAD)) {
        return answer_method(r, c, false);
    }
    if (is(c->path, r->telemetry_path)) {
        return handle_metrics(r, c);
    }
    if (view_of(c->path) != NULL) {
        scrape_add_view(r->scrape, c, view_of(c->path));
        return true;
    }
    if (is_health(c->path)) {
        return answer(r, c, &healthy);
    }
    if (is_readiness(c->path)) {
        return answer(r, c, r->backend->ready(r->backend->ctx) ? &ready : &not_ready);
    }
    if (sd_handles(c->path) && r->backend->targets != NULL) {
        return sd_answer(r->sd, c) == 0;
    }
    return answer(r, c, &not_found);
}

void routes_target(struct conn *c, const char *target)
{
    conn_clear(c);
    c->target = strdup(target);
}

bool routes_handle(struct routes *r, struct conn *c, const char *method, const char *version,
                   size_t *upload_size)
{
    if (c->state == CONN_CUT || c->target == NULL) {
        return false;
    }
    if (!c->checked) {
        return handle_head(r, c, method, version);
    }
    if (*upload_size > 0) {
        c->discarded += *upload_size;
        *upload_size = 0;
        return c->discarded <= ROUTES_BODY_DROP;
    }
    switch (gate_ask(r->gate, c)) {
    case GATE_OPEN:
        return handle_path(r, c, method);
    case GATE_ANSWERED:
        return true;
    default:
        return false;
    }
}
