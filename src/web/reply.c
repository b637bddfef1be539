// SPDX-License-Identifier: Apache-2.0
#include "web/reply.h"

#include "web/webconf.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>

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

static struct MHD_Response *make(const struct reply *r, const struct webconf *conf)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(r->text), (char *)r->text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return NULL;
    }
    if (add_header(response, "Content-Type", r->type != NULL ? r->type : REPLY_TYPE_TEXT) &&
        add_header(response, "X-Content-Type-Options", "nosniff") &&
        (r->allow == NULL || add_header(response, "Allow", r->allow)) &&
        (!r->authenticate || add_header(response, "WWW-Authenticate", "Basic")) &&
        (r->bare || add_configured(response, conf)) &&
        (!r->retry || add_header(response, "Retry-After", "1")) &&
        (!r->close || add_header(response, "Connection", "close"))) {
        return response;
    }
    MHD_destroy_response(response);
    return NULL;
}

int reply_send(struct conns *cs, struct conn *c, const struct reply *r)
{
    struct MHD_Response *response = make(r, cs->conf);
    if (response == NULL) {
        conn_cut(cs, c, false);
        return -ENOMEM;
    }
    conn_move(cs, c, CONN_OTHER);
    bool taken = MHD_queue_response(c->mhd, r->status, response) == MHD_YES;
    MHD_destroy_response(response);
    conn_resume(cs, c);
    return taken ? 0 : -ENOMEM;
}

static bool add_policy(struct MHD_Response *r, const char *policy)
{
    return add_header(r, "Content-Security-Policy", policy) &&
           add_header(r, "Referrer-Policy", "no-referrer") &&
           add_header(r, "Cache-Control", "no-store");
}

struct MHD_Response *reply_body(const struct conns *cs, const struct reply_form *form, char *bytes,
                                size_t len, void (*done)(void *arg), void *arg)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(len, bytes, done, arg);
    if (response == NULL) {
        done(arg);
        return NULL;
    }
    if (add_header(response, "Content-Type", form->type) &&
        add_header(response, "X-Content-Type-Options", "nosniff") &&
        add_configured(response, cs->conf) &&
        (!form->gzip || add_header(response, "Content-Encoding", "gzip")) &&
        (form->policy == NULL || add_policy(response, form->policy)) &&
        (!form->negotiated || add_header(response, "Vary", "Accept, Accept-Encoding"))) {
        return response;
    }
    MHD_destroy_response(response);
    return NULL;
}

int reply_give(struct conns *cs, struct conn *c, struct MHD_Response *response)
{
    conn_move(cs, c, CONN_OTHER);
    bool taken = MHD_queue_response(c->mhd, MHD_HTTP_OK, response) == MHD_YES;
    MHD_destroy_response(response);
    conn_resume(cs, c);
    return taken ? 0 : -ENOMEM;
}

void reply_shared(struct conns *cs, struct conn *c, struct MHD_Response *response)
{
    conn_move(cs, c, CONN_BODY);
    MHD_queue_response(c->mhd, MHD_HTTP_OK, response);
    conn_resume(cs, c);
}
