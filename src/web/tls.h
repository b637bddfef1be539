// SPDX-License-Identifier: Apache-2.0
/*
 * tls: what a handshake needs, made of a web configuration. The one place of GnuTLS; a build without it
 * (TLS=no) refuses a configuration that asks for it.
 *
 * Shape:   a session encrypts what is sent and received on a socket. A new configuration applies to
 *          the next handshake, and connections that are there keep theirs. A handshake that fails is
 *          answered with the alert that Go's crypto/tls, and so Prometheus' exporter-toolkit, sends.
 * Threads: made on any thread; once handed over, the web thread only.
 * Memory:  returns new; struct tls is counted, and sessions hold on to theirs.
 * Source:  RFC 8446 (6.2), RFC 5246 (7.2.2).
 */
#ifndef VE_WEB_TLS_H
#define VE_WEB_TLS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct tls;
struct tls_session;
struct webconf;

// Whether this build has TLS.
bool tls_is_supported(void);

// Returns 0; -EINVAL with the problems in errs (a key that does not fit its certificate); -ENOMEM.
int tls_new(struct tls **ret, const struct webconf *c, struct errs *errs);
// The same of a client that asks a server of this configuration: it shows no certificate, and verifies none, since it asks
// its own host.
int tls_new_client(struct tls **ret, const struct webconf *c, struct errs *errs);
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); // NULL is fine

// When the first of its certificates ends, in seconds since 1970; 0: not known, or a client's.
uint64_t tls_expiry(const struct tls *t);
// From when on all of them are valid, likewise.
uint64_t tls_valid_from(const struct tls *t);

enum tls_fault {
#define FAULT(name, ...) TLS_FAULT_##name,
#include "web/tls_fault.def"
    TLS_FAULTS
};

extern const char *const tls_fault_names[TLS_FAULTS];

// A session, of the server unless `t` is a client's, on a connected socket that does not block, its handshake not begun. Returns
// NULL when there is no memory.
struct tls_session *tls_open(struct tls *t, int fd);
void tls_close(struct tls_session *s); // NULL is fine; the socket stays open

// Goes on with the handshake. Returns 0 when it is complete; -EAGAIN: the socket must become readable, or writable when
// tls_is_blocked_on_write; -EPROTO: it has failed, the peer was sent an alert where that makes sense, and the fault and what GnuTLS
// says are in *fault and *detail (which lives forever).
int tls_handshake(struct tls_session *s, enum tls_fault *fault, const char **detail);
bool tls_is_blocked_on_write(const struct tls_session *s);

// As recv(2) and send(2), with -errno instead of errno. After -EAGAIN send the same bytes again.
ssize_t tls_recv(struct tls_session *s, void *bytes, size_t n);
ssize_t tls_send(struct tls_session *s, const void *bytes, size_t n);

// Tells the peer that nothing follows, as far as the socket takes that at once.
void tls_shutdown(struct tls_session *s);

#endif
