// SPDX-License-Identifier: Apache-2.0
/*
 * tls_priority: from Go's names of cipher suites and curves to a priority string of GnuTLS.
 *
 * Shape:   GnuTLS takes key exchanges, ciphers and MACs one by one and combines them: a list of suites
 *          becomes the parts that they are made of. TLS 1.3 takes the listed AEAD ciphers; a version for which
 *          the list has nothing is not offered.
 * Threads: pure functions.
 * Source:  Go's crypto/tls, cipher_suites.go; GnuTLS' manual, "Priority strings".
 */
#ifndef VE_WEB_TLS_PRIORITY_H
#define VE_WEB_TLS_PRIORITY_H

#include "base/buf.h"

enum {
    TLS_PRIORITY_TLS10,
    TLS_PRIORITY_TLS11,
    TLS_PRIORITY_TLS12,
    TLS_PRIORITY_TLS13,
    TLS_PRIORITY_VERSIONS
};
enum { TLS_PRIORITY_CURVES = 4, TLS_PRIORITY_CIPHERS = 17 };

extern const char *const tls_priority_versions[TLS_PRIORITY_VERSIONS]; // "TLS10", …
extern const char *const tls_priority_curves[TLS_PRIORITY_CURVES];     // "CurveP256", …
extern const char
    *const tls_priority_ciphers[TLS_PRIORITY_CIPHERS]; // "TLS_RSA_WITH_AES_128_CBC_SHA", …

struct tls_priority {
    int min; // TLS_PRIORITY_TLS…
    int max;
    bool server_order; // the server's preference counts, not the client's
    uint32_t ciphers;  // bit i: tls_priority_ciphers[i]; 0: those with ECDHE and AEAD
    size_t n_curves;   // 0: X25519, then the others
    uint8_t curves[TLS_PRIORITY_CURVES]; // preferred first
};

// Appends the string. Returns false when no version is left to offer.
bool tls_priority_write(const struct tls_priority *p, struct buf *out);

#endif
