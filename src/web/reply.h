// SPDX-License-Identifier: Apache-2.0
/*
 * reply: from an answer in words to a response on its way.
 *
 * Shape:   every response says X-Content-Type-Options: nosniff, and what the web configuration in force adds;
 *          none names the server.
 * Threads: the web thread only.
 * Memory:  texts are copied.
 */
#ifndef VE_WEB_REPLY_H
#define VE_WEB_REPLY_H

#include "base/buf.h"
#include "web/conn.h"

#define REPLY_TYPE_TEXT "text/plain; charset=utf-8"
#define REPLY_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

// A short answer.
struct reply {
    unsigned status;
    const char *text;  // the body
    const char *type;  // of it; NULL: REPLY_TYPE_TEXT
    const char *allow; // value of Allow, or NULL
    bool closing;      // the connection ends with it
    bool retry_later;  // says Retry-After: 1
    bool authenticate; // says WWW-Authenticate: Basic
    bool bare;         // without the headers of the web configuration
};

// Sends it; at once, or when the connection is suspended by resuming it. Returns 0; or -ENOMEM, and
// the connection must end.
int reply_send(struct conns *cs, struct conn *c, const struct reply *r);

// What a response with a body of its own says of it.
struct reply_form {
    const char *type;
    bool gzip;          // the body is compressed
    bool negotiated;    // other requests may get another form
    const char *policy; // Content-Security-Policy, of what is shown at once and not kept; or NULL
};

// An answer with a body of `len` bytes, sent from where they are. `done(arg)` is called once: when
// the last connection is through with them, or before NULL is returned (no memory).
struct conn_answer *reply_body(const struct conns *cs, const struct reply_form *form, char *bytes,
                               size_t len, void (*done)(void *arg), void *arg);

// Sends an answer (takes it) at once. Returns 0; or -ENOMEM, and the connection must end.
int reply_give(struct conns *cs, struct conn *c, struct conn_answer *answer);

// Sends a shared answer as the rendering that a suspended connection waits for; the caller keeps
// its reference.
void reply_shared(struct conns *cs, struct conn *c, struct conn_answer *answer);

// Appends an answer that ends the connection, for a request that libmicrohttpd is not given. `body`: with the text.
void reply_write(struct buf *out, const struct reply *r, const struct webconf *conf, bool body);

#endif
