// SPDX-License-Identifier: Apache-2.0
#include "web/reload.h"

#include "web/reply.h"

#include <microhttpd.h>
#include <string.h>

int reload_init(struct reload *r, const struct web_backend *backend, struct conns *conns)
{
    *r = (struct reload){.backend = backend, .conns = conns};
    return -pthread_mutex_init(&r->lock, NULL);
}

void reload_destroy(struct reload *r)
{
    pthread_mutex_destroy(&r->lock);
}

// Asks the backend unless it is at work. Returns whether it was asked.
static bool begin(struct reload *r)
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

bool reload_add(struct reload *r, struct conn *c)
{
    struct conns *cs = r->conns;
    if (cs->list[CONN_RELOAD].n + cs->list[CONN_RELOAD_NEXT].n >= RELOAD_MAX) {
        static const struct reply busy = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                          .text = "too many reloads at once\n",
                                          .retry_later = true};
        return reply_send(cs, c, &busy) == 0;
    }
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    conn_move(cs, c, begin(r) ? CONN_RELOAD : CONN_RELOAD_NEXT);
    return true;
}

bool reload_done(struct reload *r, bool ok, const char *text)
{
    pthread_mutex_lock(&r->lock);
    bool expected = r->asked;
    if (expected) {
        size_t len = strnlen(text, RELOAD_TEXT_MAX);
        memcpy(r->text, text, len);
        r->text[len] = '\0';
        r->ok = ok;
        r->done = true;
        r->asked = false;
    }
    pthread_mutex_unlock(&r->lock);
    return expected;
}

static void answer_all(struct conns *cs, enum conn_state state, const struct reply *reply)
{
    while (cs->list[state].head != NULL) {
        reply_send(cs, cs->list[state].head, reply);
    }
}

static void answer_late(struct conns *cs, enum conn_state state)
{
    static const struct reply late = {.status = MHD_HTTP_GATEWAY_TIMEOUT,
                                      .text = "the reload is still under way\n"};
    struct conn_list *l = &cs->list[state];
    while (l->head != NULL && conn_is_late(cs, l->head)) {
        reply_send(cs, l->head, &late);
    }
}

// Answers the requests that wait for a reload that has ended.
static void answer_done(struct reload *r)
{
    char text[RELOAD_TEXT_MAX + 1];
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
    const struct reply result = {.status = ok ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR,
                                 .text = text};
    answer_all(r->conns, CONN_RELOAD, &result);
}

void reload_serve(struct reload *r, bool stopping)
{
    struct conns *cs = r->conns;
    answer_done(r);
    if (stopping) {
        static const struct reply stopping_reply = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
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
