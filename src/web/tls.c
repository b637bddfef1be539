// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include "web/webconf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>

enum { SAN_MAX = 1024 }; // bytes of a name in a client's certificate

struct tls {
    unsigned refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    enum webconf_client_auth client_auth;
    char **sans; // copies
    size_t n_sans;
};

bool tls_is_there(void)
{
    return true;
}

static bool is_allowed(const struct tls *t, const char *name)
{
    for (size_t i = 0; i < t->n_sans; i++) {
        if (strcmp(t->sans[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// One name of a certificate as text. Returns false for kinds that have none.
static bool san_text(int type, const char *bytes, size_t len, char out[SAN_MAX])
{
    if (type == GNUTLS_SAN_IPADDRESS) {
        int family = len == 4 ? AF_INET : AF_INET6;
        return (len == 4 || len == 16) && inet_ntop(family, bytes, out, SAN_MAX) != NULL;
    }
    bool text =
        type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME || type == GNUTLS_SAN_URI;
    if (!text || len >= SAN_MAX || memchr(bytes, '\0', len) != NULL) {
        return false;
    }
    memcpy(out, bytes, len);
    out[len] = '\0';
    return true;
}

static bool has_allowed_san(const struct tls *t, gnutls_x509_crt_t crt)
{
    for (unsigned i = 0;; i++) {
        char bytes[SAN_MAX];
        char name[SAN_MAX];
        size_t len = sizeof bytes;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, bytes, &len, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return false;
        }
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER) {
            continue;
        }
        if (type < 0) {
            return false;
        }
        // The length of a text counts its NUL, or does not, as it pleases the library.
        len -= type != GNUTLS_SAN_IPADDRESS && len > 0 && bytes[len - 1] == '\0';
        if (san_text(type, bytes, len, name) && is_allowed(t, name)) {
            return true;
        }
    }
}

static bool is_known(const struct tls *t, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t crt;
    if (t->n_sans == 0) {
        return true;
    }
    if (gnutls_x509_crt_init(&crt) < 0) {
        return false;
    }
    bool known =
        gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0 && has_allowed_san(t, crt);
    gnutls_x509_crt_deinit(crt);
    return known;
}

// GnuTLS asks during the handshake. 0: go on.
static int verify(gnutls_session_t session)
{
    const struct tls *t = gnutls_db_get_ptr(session);
    char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)client};
    unsigned n = 0;
    unsigned status = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &n);
    if (peers == NULL || n == 0) {
        return t->client_auth == WEBCONF_CLIENT_VERIFY_GIVEN ? 0 : GNUTLS_E_NO_CERTIFICATE_FOUND;
    }
    bool good = gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
    return good && is_known(t, &peers[0]) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static int fail(const struct webconf *c, const struct webconf_pem *at, struct errs *errs, int code,
                const char *what)
{
    if (code == GNUTLS_E_MEMORY_ERROR) {
        return -ENOMEM;
    }
    errs_add(errs, c->file, at->line, at->column, "tls_server_config", "%s: %s", what,
             gnutls_strerror(code));
    return -EINVAL;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
}

static int load_ca(struct tls *t, const struct webconf *c, struct errs *errs)
{
    const struct webconf_pem *ca = &c->tls.ca;
    if (ca->text != NULL) {
        gnutls_datum_t text = datum(ca->text);
        int n = gnutls_certificate_set_x509_trust_mem(t->credentials, &text, GNUTLS_X509_FMT_PEM);
        return n > 0 ? 0
                     : fail(c, ca, errs, n < 0 ? n : GNUTLS_E_NO_CERTIFICATE_FOUND,
                            "cannot use the client CA");
    }
    if (c->tls.client_auth >= WEBCONF_CLIENT_VERIFY_GIVEN) {
        // Without any that it trusts the system verifies none, which is what is asked for.
        gnutls_certificate_set_x509_system_trust(t->credentials);
    }
    return 0;
}

static int load(struct tls *t, const struct webconf *c, struct errs *errs)
{
    gnutls_datum_t cert = datum(c->tls.cert.text);
    gnutls_datum_t key = datum(c->tls.key.text);
    int r = gnutls_certificate_allocate_credentials(&t->credentials);
    if (r < 0) {
        return fail(c, &c->tls.cert, errs, r, "cannot use the certificate");
    }
    r = gnutls_certificate_set_x509_key_mem(t->credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (r < 0) {
        return fail(c, &c->tls.cert, errs, r, "cannot use the certificate with its key");
    }
    if (c->tls.client_auth >= WEBCONF_CLIENT_VERIFY_GIVEN) {
        gnutls_certificate_set_verify_function(t->credentials, verify);
    }
    return load_ca(t, c, errs);
}

static int load_priority(struct tls *t, const struct webconf *c, struct errs *errs)
{
    struct buf text = BUF_INIT;
    priority_write(&c->tls.priority, &text);
    const char *string = buf_string(&text);
    int r =
        string != NULL ? gnutls_priority_init(&t->priority, string, NULL) : GNUTLS_E_MEMORY_ERROR;
    buf_free(&text);
    struct webconf_pem here = {.line = c->tls.line, .column = c->tls.column};
    return r < 0 ? fail(c, &here, errs, r, "no handshake is possible") : 0;
}

static int copy_sans(struct tls *t, const struct webconf_tls *c)
{
    t->sans = calloc(c->n_sans + 1, sizeof *t->sans);
    if (t->sans == NULL) {
        return -ENOMEM;
    }
    for (; t->n_sans < c->n_sans; t->n_sans++) {
        t->sans[t->n_sans] = strdup(c->sans[t->n_sans]);
        if (t->sans[t->n_sans] == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

int tls_new(struct tls **ret, const struct webconf *c, struct errs *errs)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return -ENOMEM;
    }
    t->refs = 1;
    t->client_auth = c->tls.client_auth;
    int r = copy_sans(t, &c->tls);
    r = r == 0 ? load(t, c, errs) : r;
    r = r == 0 ? load_priority(t, c, errs) : r;
    if (r < 0) {
        tls_unref(t);
        return r;
    }
    *ret = t;
    return 0;
}

struct tls *tls_ref(struct tls *t)
{
    t->refs++;
    return t;
}

void tls_unref(struct tls *t)
{
    if (t == NULL || --t->refs > 0) {
        return;
    }
    if (t->credentials != NULL) {
        gnutls_certificate_free_credentials(t->credentials);
    }
    if (t->priority != NULL) {
        gnutls_priority_deinit(t->priority);
    }
    for (size_t i = 0; i < t->n_sans; i++) {
        free(t->sans[i]);
    }
    free(t->sans);
    free(t);
}

int tls_attach(struct tls *t, void *session)
{
    static const gnutls_certificate_request_t requests[] = {
        [WEBCONF_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
        [WEBCONF_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
        [WEBCONF_CLIENT_REQUIRE] = GNUTLS_CERT_REQUIRE,
        [WEBCONF_CLIENT_VERIFY_GIVEN] = GNUTLS_CERT_REQUEST,
        [WEBCONF_CLIENT_VERIFY] = GNUTLS_CERT_REQUIRE,
    };
    if (gnutls_priority_set(session, t->priority) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials) < 0) {
        return -ENOMEM;
    }
    gnutls_certificate_server_set_request(session, requests[t->client_auth]);
    // There is no cache of sessions, so its pointer is free; that of the session is libmicrohttpd's.
    gnutls_db_set_ptr(session, t);
    return 0;
}

static int find_none(gnutls_session_t session, const gnutls_datum_t *issuers, int n_issuers,
                     const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                     gnutls_pcert_st **ret, unsigned *ret_n, gnutls_privkey_t *key)
{
    (void)session;
    (void)issuers;
    (void)n_issuers;
    (void)algorithms;
    (void)n_algorithms;
    (void)ret;
    (void)ret_n;
    (void)key;
    return -1;
}

void *tls_no_certificate(void)
{
    return (void *)find_none;
}
