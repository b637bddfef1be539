// SPDX-License-Identifier: Apache-2.0
/*
 * webconf: the file of --web.config.file, in the format of Prometheus' exporter-toolkit.
 *
 * Shape:   webconf_parse reads the YAML; webconf_load the file, and the certificates and keys that it names,
 *          whose relative paths count from its folder. Whether certificates fit is web/tls's to say.
 *          struct webconf_files keeps what stat(2) said of each file that was read, or is missing, so that a change is
 *          noticed. Symbolic links are followed, so that what replaces a link's target is noticed.
 * TLS:     GnuTLS takes key exchanges, ciphers and MACs one by one and combines them: Go's names of cipher suites and
 *          curves become the parts that they are made of, in a priority string. TLS 1.3 takes the listed AEAD ciphers; a
 *          version for which the list has nothing is not offered.
 * Rule:    an unknown key is a problem that names the nearest known one.
 * Bounds:  those of catalog/yaml.h; WEBCONF_… below; 1 MiB for each file of certificates.
 * Threads: read-only once loaded; webconf_write_priority is a pure function.
 * Memory:  returns new; webconf_free wipes the key and gives all back.
 * Source:  exporter-toolkit, docs/web-configuration.md; Go's crypto/tls, cipher_suites.go; GnuTLS' manual, "Priority
 *          strings".
 */
#ifndef VE_WEB_WEBCONF_H
#define VE_WEB_WEBCONF_H

#include "base/buf.h"
#include "base/err.h"
#include "web/credentials.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum {
    WEBCONF_PRIORITY_TLS10,
    WEBCONF_PRIORITY_TLS11,
    WEBCONF_PRIORITY_TLS12,
    WEBCONF_PRIORITY_TLS13,
    WEBCONF_PRIORITY_VERSIONS
};
enum { WEBCONF_PRIORITY_CURVES = 4, WEBCONF_PRIORITY_CIPHERS = 17 };

extern const char *const webconf_versions[WEBCONF_PRIORITY_VERSIONS]; // "TLS10", …
extern const char *const webconf_curves[WEBCONF_PRIORITY_CURVES];     // "CurveP256", …
extern const char
    *const webconf_ciphers[WEBCONF_PRIORITY_CIPHERS]; // "TLS_RSA_WITH_AES_128_CBC_SHA", …

struct webconf_priority {
    int min; // TLS_PRIORITY_TLS…
    int max;
    bool server_order; // the server's preference counts, not the client's
    uint32_t ciphers;  // bit i: webconf_ciphers[i]; 0: those with ECDHE and AEAD
    size_t n_curves;   // 0: X25519, then the others
    uint8_t curves[WEBCONF_PRIORITY_CURVES]; // preferred first
};

// Appends the string. Returns false when no version is left to offer.
bool webconf_write_priority(const struct webconf_priority *p, struct buf *out);

enum {
    WEBCONF_USERS = 1000,
    WEBCONF_SANS = 1000,
    WEBCONF_HEADERS = 5,
    WEBCONF_TEXT = 4096,       // bytes of a header's value, a path, a name
    WEBCONF_PEM = 1 << 20,     // bytes of a file of certificates
    WEBCONF_BURST = 100000,    // of the rate limit
    WEBCONF_INTERVAL_S = 86400 // of the rate limit, at most
};

enum webconf_client_auth {
    WEBCONF_CLIENT_NONE,         // no certificate is asked for
    WEBCONF_CLIENT_REQUEST,      // asked for, and neither needed nor looked at
    WEBCONF_CLIENT_REQUIRE,      // needed, and not looked at
    WEBCONF_CLIENT_VERIFY_GIVEN, // good if there is one
    WEBCONF_CLIENT_VERIFY        // needed, and good
};

// A certificate, key or CA: text from a file or from the configuration itself.
struct webconf_pem {
    char *path; // of the file, or NULL
    char *text; // NULL: none
    unsigned line;
    unsigned column; // where the configuration names it
};

struct webconf_tls {
    bool supported; // by this build
    bool on;
    struct webconf_pem cert;
    struct webconf_pem key;
    struct webconf_pem ca; // of clients; none: those that the system trusts
    enum webconf_client_auth client_auth;
    char **sans; // names of which a client's certificate must have one; none: any will do
    size_t n_sans;
    struct webconf_priority priority;
    unsigned line; // of the section
    unsigned column;
};

struct webconf_header {
    const char *name; // lives forever
    char *value;
};

struct webconf_user {
    char *name;
    char *hash; // of bcrypt
};

struct webconf {
    char *file;
    struct webconf_tls tls;
    struct webconf_header headers[WEBCONF_HEADERS];
    size_t n_headers;
    struct webconf_user *users;
    size_t n_users;
    uint64_t interval_ns; // between requests; 0: no limit
    uint64_t burst;       // requests at once
};

enum { WEBCONF_FILES = 4 };

struct webconf_files {
    size_t n;
    struct webconf_file {
        char *path;
        bool exists;
        struct stat seen;
    } files[WEBCONF_FILES];
};

// Adds a file as it is now; call it before the file is read. Returns 0 or -ENOMEM.
int webconf_files_add(struct webconf_files *w, const char *path);

// Whether one of them is another file now, was written, came or went.
bool webconf_files_have_changed(const struct webconf_files *w);

void webconf_files_clear(struct webconf_files *w);

// Reads bytes as the file of that name; reads no other file. `tls`: this build has TLS. Returns 0; -EINVAL with the
// problems in errs; -ENOMEM.
int webconf_parse(struct webconf **ret, const char *file, bool tls, const char *bytes, size_t len,
                  struct errs *errs);

// Reads the file and what it names. `seen` is emptied first and then holds all that was looked at, also
// after a failure. Returns 0; -EINVAL with the problems in errs; -ENOMEM.
int webconf_load(struct webconf **ret, const char *file, bool tls, struct webconf_files *seen,
                 struct errs *errs);

void webconf_free(struct webconf *c);

#endif
