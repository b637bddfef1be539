// SPDX-License-Identifier: Apache-2.0
/*
 * priority: from Go's names of cipher suites and curves to a priority string of GnuTLS.
 *
 * Shape:   GnuTLS takes key exchanges, ciphers and MACs one by one and combines them: a list of suites
 *          becomes the parts that they are made of. TLS 1.3 takes the listed AEAD ciphers; a version for which
 *          the list has nothing is not offered.
 * Threads: pure functions.
 * Source:  Go's crypto/tls, cipher_suites.go; GnuTLS' manual, "Priority strings".
 */
#ifndef VE_WEB_PRIORITY_H
#define VE_WEB_PRIORITY_H

#include "base/buf.h"

enum { PRIORITY_TLS10, PRIORITY_TLS11, PRIORITY_TLS12, PRIORITY_TLS13, PRIORITY_VERSIONS };
enum { PRIORITY_CURVES = 4, PRIORITY_CIPHERS = 17 };

extern const char *const priority_versions[PRIORITY_VERSIONS]; // "TLS10", …
extern const char *const priority_curves[PRIORITY_CURVES];     // "CurveP256", …
extern const char *const priority_ciphers[PRIORITY_CIPHERS]; // "TLS_RSA_WITH_AES_128_CBC_SHA", …

struct priority {
    int min; // PRIORITY_TLS…
    int max;
    bool server_order;               // the server's preference counts, not the client's
    uint32_t ciphers;                // bit i: priority_ciphers[i]; 0: those with ECDHE and AEAD
    size_t n_curves;                 // 0: X25519, then the others
    uint8_t curves[PRIORITY_CURVES]; // preferred first
};

// Appends the string. Returns false when no version is left to offer.
bool priority_write(const struct priority *p, struct buf *out);

#endif
