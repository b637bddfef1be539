// SPDX-License-Identifier: Apache-2.0
#include "web/gate.h"

#include "base/clock.h"
#include "web/reply.h"

#include <microhttpd.h>

static const struct reply too_many = {
    .status = MHD_HTTP_TOO_MANY_REQUESTS, .text = "Too Many Requests\n", .bare = true};
static const struct reply unauthorized = {
    .status = MHD_HTTP_UNAUTHORIZED, .text = "Unauthorized\n", .authenticate = true};
static const struct reply busy = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                  .text = "too many passwords are being tried\n",
                                  .retry = true};
static const struct reply no_memory = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                       .text = "out of memory\n"};

static enum gate_answer answer(struct gate *g, struct conn *c, const struct reply *r)
{
    return reply_send(g->conns, c, r) == 0 ? GATE_ANSWERED : GATE_FAILED;
}

// A bucket of `burst` tokens, one more each interval; what is missing in it is kept as the time until it is full.
static bool take_token(struct gate *g, const struct webconf *conf)
{
    uint64_t now = clock_mono_ns();
    uint64_t full = g->full_ns > now ? g->full_ns : now;
    if (full - now > (conf->burst - 1) * conf->interval_ns) {
        return false;
    }
    g->full_ns = full + conf->interval_ns;
    return true;
}

static enum gate_answer ask_login(struct gate *g, struct conn *c)
{
    const char *field =
        MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    struct basic basic;
    if (field == NULL || !basic_read(&basic, field)) {
        return answer(g, c, &unauthorized);
    }
    enum login_answer a = login_ask(g->login, g->conns->conf, &basic, c, &c->login);
    basic_wipe(&basic);
    switch (a) {
    case LOGIN_GOOD:
        c->admitted = true;
        return GATE_OPEN;
    case LOGIN_WAITS:
        MHD_suspend_connection(c->mhd);
        c->suspended = true;
        conn_move(g->conns, c, CONN_LOGIN);
        return GATE_ANSWERED;
    case LOGIN_BUSY:
        return answer(g, c, &busy);
    default:
        return answer(g, c, &no_memory);
    }
}

enum gate_answer gate_ask(struct gate *g, struct conn *c)
{
    const struct webconf *conf = g->conns->conf;
    if (c->admitted || conf == NULL) {
        return GATE_OPEN;
    }
    if (conf->interval_ns > 0 && !take_token(g, conf)) {
        return answer(g, c, &too_many);
    }
    return conf->n_users > 0 ? ask_login(g, c) : GATE_OPEN;
}

void gate_serve(struct gate *g)
{
    void *who;
    int result;
    while (login_next(g->login, &who, &result)) {
        struct conn *c = who;
        c->login = NULL;
        if (c->state != CONN_LOGIN) {
            continue;
        }
        if (result == 1) {
            // libmicrohttpd asks once more.
            c->admitted = true;
            conn_move(g->conns, c, CONN_HEAD);
            conn_resume(g->conns, c);
        } else {
            reply_send(g->conns, c, result == 0 ? &unauthorized : &no_memory);
        }
    }
}

void gate_leave(struct conn *c)
{
    if (c->login != NULL) {
        login_abandon(c->login);
        c->login = NULL;
    }
}
