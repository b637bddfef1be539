// SPDX-License-Identifier: Apache-2.0
#include "web/routes.h"

#include "base/clock.h"
#include "base/num.h"
#include "web/conn.h"
#include "web/html.h"
#include "web/metric_page.h"
#include "web/page.h"
#include "web/request.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int routes_reload_init(struct routes_reload *r, const struct web_backend *backend,
                       struct conns *conns)
{
    *r = (struct routes_reload){.backend = backend, .conns = conns};
    return -pthread_mutex_init(&r->lock, NULL);
}

void routes_reload_destroy(struct routes_reload *r)
{
    pthread_mutex_destroy(&r->lock);
}

// Asks the backend unless it is at work. Returns whether it was asked.
static bool begin(struct routes_reload *r)
{
    pthread_mutex_lock(&r->lock);
    bool free_to_ask = !r->asked && !r->done;
    r->asked = r->asked || free_to_ask;
    pthread_mutex_unlock(&r->lock);
    if (free_to_ask) {
        r->backend->reload(r->backend->ctx);
    }
    return free_to_ask;
}

// Suspends a request until a reload that begins now or later has ended, or answers it with 503.
// Returns false when that failed.
static bool add_reload(struct routes_reload *r, struct conn *c)
{
    struct conns *cs = r->conns;
    if (cs->list[CONN_RELOAD].n + cs->list[CONN_RELOAD_NEXT].n >= ROUTES_RELOAD_MAX) {
        static const struct conn_reply busy = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                               .text = "too many reloads at once\n",
                                               .retry_later = true};
        return conn_reply(cs, c, &busy) == 0;
    }
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    conn_move(cs, c, begin(r) ? CONN_RELOAD : CONN_RELOAD_NEXT);
    return true;
}

bool routes_reload_done(struct routes_reload *r, bool ok, const char *text)
{
    pthread_mutex_lock(&r->lock);
    bool expected = r->asked;
    if (expected) {
        size_t len = strnlen(text, ROUTES_RELOAD_TEXT_MAX);
        memcpy(r->text, text, len);
        r->text[len] = '\0';
        r->ok = ok;
        r->done = true;
        r->asked = false;
    }
    pthread_mutex_unlock(&r->lock);
    return expected;
}

static void answer_all(struct conns *cs, enum conn_state state, const struct conn_reply *reply)
{
    while (cs->list[state].head != NULL) {
        conn_reply(cs, cs->list[state].head, reply);
    }
}

static void answer_late(struct conns *cs, enum conn_state state)
{
    static const struct conn_reply late = {.status = MHD_HTTP_GATEWAY_TIMEOUT,
                                           .text = "the reload is still under way\n"};
    struct conn_list *l = &cs->list[state];
    while (l->head != NULL && conn_is_late(cs, l->head)) {
        conn_reply(cs, l->head, &late);
    }
}

// Answers the requests that wait for a reload that has ended.
static void answer_done(struct routes_reload *r)
{
    char text[ROUTES_RELOAD_TEXT_MAX + 1];
    pthread_mutex_lock(&r->lock);
    bool done = r->done;
    bool ok = r->ok;
    if (done) {
        strcpy(text, r->text);
        r->done = false;
    }
    pthread_mutex_unlock(&r->lock);
    if (!done) {
        return;
    }
    const struct conn_reply result = {.status = ok ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR,
                                      .text = text};
    answer_all(r->conns, CONN_RELOAD, &result);
}

void routes_reload_serve(struct routes_reload *r, bool stopping)
{
    struct conns *cs = r->conns;
    answer_done(r);
    if (stopping) {
        static const struct conn_reply stopping_reply = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                                         .text = "the exporter is stopping\n",
                                                         .closing = true};
        answer_all(cs, CONN_RELOAD, &stopping_reply);
        answer_all(cs, CONN_RELOAD_NEXT, &stopping_reply);
        return;
    }
    answer_late(cs, CONN_RELOAD);
    answer_late(cs, CONN_RELOAD_NEXT);
    if (cs->list[CONN_RELOAD_NEXT].n > 0 && begin(r)) {
        while (cs->list[CONN_RELOAD_NEXT].head != NULL) {
            conn_move(cs, cs->list[CONN_RELOAD_NEXT].head, CONN_RELOAD);
        }
    }
}

#define PATH_RELOAD "/-/reload"
#define PATH_METRIC "/metric/" // and a name

static const struct conn_reply not_found = {.status = MHD_HTTP_NOT_FOUND, .text = "not found\n"};
static const struct conn_reply healthy = {.status = MHD_HTTP_OK, .text = "ok\n"};
static const struct conn_reply ready = {.status = MHD_HTTP_OK, .text = "ready\n"};
static const struct conn_reply not_ready = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                            .text = "not ready\n"};
static const struct conn_reply disabled = {.status = MHD_HTTP_FORBIDDEN,
                                           .text = "Lifecycle API is not enabled.\n"};
static const struct conn_reply too_large = {
    .status = MHD_HTTP_CONTENT_TOO_LARGE, .text = "the body is too large\n", .closing = true};

static const struct conn_reply no_host = {.status = MHD_HTTP_BAD_REQUEST,
                                          .text = "bad request: the Host cannot be a target\n"};
static const struct conn_reply bad_query = {.status = MHD_HTTP_BAD_REQUEST,
                                            .text = "bad request: the query is malformed\n"};
static const struct conn_reply no_memory = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                            .text = "out of memory\n"};
static const struct conn_reply unknown = {.status = MHD_HTTP_NOT_FOUND, .text = "no such source\n"};
static const struct conn_reply gone = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                       .text = "the source is not connected\n"};

static bool is_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_health(const char *path)
{
    return is_text(path, "/healthz") || is_text(path, "/-/healthy");
}

static bool is_readiness(const char *path)
{
    return is_text(path, "/readyz") || is_text(path, "/-/ready");
}

// What is shown under a path, or NULL.
static const struct status_view_form *view_of(const char *path)
{
    return is_text(path, "/")                                     ? &page_form
           : is_text(path, "/status")                             ? &status_view_json_form
           : strncmp(path, PATH_METRIC, strlen(PATH_METRIC)) == 0 ? &metric_page_form
                                                                  : NULL;
}

bool routes_is_taken(const char *path)
{
    return view_of(path) != NULL || is_text(path, PATH_RELOAD) || is_health(path) ||
           is_readiness(path) || sd_is_path(path);
}

static bool answer(struct routes *r, struct conn *c, const struct conn_reply *reply)
{
    return conn_reply(r->conns, c, reply) == 0;
}

static bool answer_bad(struct routes *r, struct conn *c, const char *what)
{
    char text[160];
    snprintf(text, sizeof text, "bad request: %s\n", what);
    const struct conn_reply bad = {.status = MHD_HTTP_BAD_REQUEST, .text = text, .closing = true};
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
    const struct conn_reply wrong = {.status = MHD_HTTP_METHOD_NOT_ALLOWED,
                                     .text = "method not allowed\n",
                                     .allow = is_text(c->path, PATH_RELOAD) ? "POST" : "GET, HEAD",
                                     .closing = close};
    return answer(r, c, &wrong);
}

static bool is_reload(const struct conn *c, const char *method)
{
    return is_text(c->path, PATH_RELOAD) && is_text(method, "POST");
}

static bool is_read(const char *method)
{
    return is_text(method, "GET") || is_text(method, "HEAD");
}

// The first call for a request. A response given here ends the connection (libmicrohttpd reads no
// further), so only what is refused gets one.
static bool handle_head(struct routes *r, struct conn *c, const char *method)
{
    c->checked = true;
    size_t path_len = strcspn(c->target, "?");
    const bool source = strncmp(c->target, SD_PATH_SOURCE, strlen(SD_PATH_SOURCE)) == 0;
    if (source && (c->raw_path = strndup(c->target, path_len)) == NULL) {
        return false;
    }
    if (request_split_target(c->target, &c->path, &c->query) < 0) {
        return answer_bad(r, c, "the path is malformed");
    }
    if (c->body_expected && !is_reload(c, method)) {
        return answer_method(r, c, true);
    }
    if (c->body_left != UINT64_MAX && c->body_left > ROUTES_BODY_MAX) {
        return answer_too_large(r, c);
    }
    return true;
}

static bool handle_metrics(struct routes *r, struct conn *c)
{
    struct request_filter *filter = NULL;
    int err = c->query != NULL ? request_filter_read(&filter, c->query) : 0;
    if (err == -EINVAL) {
        return answer_bad(r, c, "the query is malformed");
    }
    if (err == -E2BIG) {
        return answer_bad(r, c, "the query names too many metrics");
    }
    if (err == 0) {
        c->arrived_ns = clock_mono_ns();
        c->deadline_ns = c->timeout_ns == UINT64_MAX ? UINT64_MAX : c->arrived_ns + c->timeout_ns;
        scrape_add(r->scrape, c, filter);
    }
    return err == 0;
}

// refresh=SECONDS; what is below or above the bounds is taken as the bound, so that no page asks for itself all the time.
// Returns false when that is no number, or the query is malformed.
static bool read_refresh(struct conn *c)
{
    int more;
    char *name;
    char *value;
    while ((more = request_next_param(&c->query, &name, &value)) > 0) {
        uint64_t n;
        if (!is_text(name, "refresh")) {
            continue;
        }
        if (num_parse_u64(value, &n) != 0) {
            return false;
        }
        c->view_refresh_s = n < HTML_REFRESH_MIN   ? HTML_REFRESH_MIN
                            : n > HTML_REFRESH_MAX ? HTML_REFRESH_MAX
                                                   : (unsigned)n;
    }
    return more == 0;
}

static bool handle_view(struct routes *r, struct conn *c, const struct status_view_form *form)
{
    if (c->query != NULL && form != &status_view_json_form && !read_refresh(c)) {
        return answer(r, c, &bad_query);
    }
    if (form == &metric_page_form &&
        (c->view_metric = strdup(c->path + strlen(PATH_METRIC))) == NULL) {
        return answer(r, c, &no_memory);
    }
    scrape_add_view(r->scrape, c, form);
    return true;
}

static bool answer_list(struct routes *r, struct conn *c)
{
    const char *component = NULL;
    const char *address = r->external_address != NULL ? r->external_address : c->host;
    if (address == NULL || !sd_is_address(address)) {
        return answer(r, c, &no_host);
    }
    int more;
    char *name;
    char *value;
    while ((more = request_next_param(&c->query, &name, &value)) > 0) {
        component = strcmp(name, "component") == 0 ? value : component;
    }
    if (more < 0) {
        return answer(r, c, &bad_query);
    }
    struct sd_request *request =
        sd_request_new(component, address, c->tls != NULL ? "https" : "http");
    if (request == NULL) {
        return answer(r, c, &no_memory);
    }
    scrape_add_list(r->scrape, c, request);
    return true;
}

static bool answer_source(struct routes *r, struct conn *c)
{
    char *component;
    char *instance;
    if (c->raw_path == NULL || !sd_split_path(c->raw_path, &component, &instance)) {
        return answer(r, c, &unknown);
    }
    struct buf text = BUF_INIT;
    int rc = sd_write_source(r->backend, component, instance, &text);
    struct conn_reply up = {
        .status = MHD_HTTP_OK, .text = buf_string(&text), .type = CONN_REPLY_TYPE_METRICS};
    const struct conn_reply *reply = rc == -ENOENT               ? &unknown
                                     : rc == -ENOTCONN           ? &gone
                                     : rc < 0 || up.text == NULL ? &no_memory
                                                                 : &up;
    bool sent = answer(r, c, reply);
    buf_free(&text);
    return sent;
}

static bool handle_path(struct routes *r, struct conn *c, const char *method)
{
    if (is_reload(c, method)) {
        if (c->discarded > ROUTES_BODY_MAX) {
            return answer_too_large(r, c);
        }
        return r->lifecycle ? add_reload(r->reload, c) : answer(r, c, &disabled);
    }
    if (!is_read(method) || is_text(c->path, PATH_RELOAD)) {
        return answer_method(r, c, false);
    }
    if (is_text(c->path, r->telemetry_path)) {
        return handle_metrics(r, c);
    }
    if (view_of(c->path) != NULL) {
        return handle_view(r, c, view_of(c->path));
    }
    if (is_health(c->path)) {
        return answer(r, c, &healthy);
    }
    if (is_readiness(c->path)) {
        return answer(r, c, r->backend->ready(r->backend->ctx) ? &ready : &not_ready);
    }
    if (sd_is_path(c->path)) {
        return is_text(c->path, SD_PATH) ? answer_list(r, c) : answer_source(r, c);
    }
    return answer(r, c, &not_found);
}

bool routes_handle(struct routes *r, struct conn *c, const char *method, size_t *upload_size)
{
    if (c->state == CONN_CUT || c->target == NULL) {
        return false;
    }
    if (!c->checked) {
        return handle_head(r, c, method);
    }
    if (*upload_size > 0) {
        c->discarded += *upload_size;
        *upload_size = 0;
        return c->discarded <= ROUTES_BODY_DROP;
    }
    switch (r->conns->conf != NULL ? auth_check(r->auth, c) : AUTH_ALLOWED) {
    case AUTH_ALLOWED:
        return handle_path(r, c, method);
    case AUTH_ANSWERED:
        return true;
    default:
        return false;
    }
}
