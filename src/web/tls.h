// SPDX-License-Identifier: Apache-2.0
/*
 * tls: what a handshake needs, made of a web configuration. The one place of GnuTLS; tls_none.c is the build
 * without it.
 *
 * Shape:   libmicrohttpd makes the session of each connection and does the handshake; tls_attach gives the
 *          session its certificate, priorities and demands before that. So a new configuration holds for the
 *          next handshake, and connections that are there keep theirs.
 * Threads: made on any thread; once handed over, the web thread only.
 * Memory:  returns new, counted: what was attached must live as long as the session.
 */
#ifndef VE_WEB_TLS_H
#define VE_WEB_TLS_H

#include "base/err.h"

struct tls;
struct webconf;

// Whether this build has TLS.
bool tls_is_there(void);

// Returns 0; -EINVAL with the problems in errs (a key that does not fit its certificate); -ENOMEM.
int tls_new(struct tls **ret, const struct webconf *c, struct errs *errs);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); // NULL is fine

// Prepares a session (gnutls_session_t) whose handshake has not begun. Returns 0 or -ENOMEM.
int tls_attach(struct tls *t, void *session);

// For libmicrohttpd, which does not start without a certificate: a callback that finds none.
void *tls_no_certificate(void);

#endif
