// SPDX-License-Identifier: Apache-2.0
/*
 * tls: what a handshake needs, made of a web configuration. The one place of GnuTLS; a build without it
 * (TLS=no) rejects a configuration that asks for it.
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

// Why a handshake failed: the `reason` of virtrigaud_exporter_tls_handshake_errors_total, and what it means.
// clang-format off
#define TLS_FAULT_LIST(FAULT)                                                                                         \
    FAULT(no_certificate, "the client has no certificate and needs one")                                              \
    FAULT(expired, "the client's certificate has expired, or is not valid yet")                                       \
    FAULT(unknown_ca, "no CA of the web configuration signed the client's certificate")                               \
    FAULT(wrong_name, "client_allowed_sans has none of the names in the client's certificate")                        \
    FAULT(bad_certificate, "the client's certificate is invalid for another reason")                                  \
    FAULT(no_common_cipher, "client and configuration have no cipher, curve or signature in common")                  \
    FAULT(version, "the client speaks no version of TLS that the configuration allows")                               \
    FAULT(refused_by_peer, "the client ended the handshake with an alert, as when it does not trust the certificate") \
    FAULT(clear_text, "the client sent HTTP without TLS to an address with TLS")                                      \
    FAULT(not_enabled, "the client began TLS at an address without")                                                  \
    FAULT(closed, "the client closed the connection")                                                                 \
    FAULT(timeout, "the handshake was not complete in time")                                                          \
    FAULT(other, "something else")

enum tls_fault {
#define FAULT(name, ...) TLS_FAULT_##name,
    TLS_FAULT_LIST(FAULT)
#undef FAULT
    TLS_FAULTS
};
// clang-format on

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
