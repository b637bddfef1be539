// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include "web/webconf.h"

#include <errno.h>

bool tls_is_supported(void)
{
    return VE_HAVE_TLS;
}

const char *const tls_fault_names[TLS_FAULTS] = {
#define FAULT(name, ...) #name,
    TLS_FAULT_LIST(FAULT)
#undef FAULT
};

#if VE_HAVE_TLS

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    SAN_MAX = 1024, // bytes of a name in a client's certificate
    HANDSHAKE_TURNS = 16
};

struct tls {
    unsigned refs;
    bool client; // sessions are a client's
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    enum webconf_client_auth client_auth;
    uint64_t expiry;     // as tls_expiry returns it
    uint64_t valid_from; // as tls_valid_from does
    char **sans;         // copies
    size_t n_sans;
};

struct tls_session {
    gnutls_session_t gnutls;
    struct tls *tls;
    enum tls_fault fault; // what `verify` found last
    int fd;
    int clear_alert;  // that came during the handshake, or -1
    bool established; // the handshake is over
};

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

static enum tls_fault fault_of_status(unsigned status)
{
    if ((status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0) {
        return TLS_FAULT_expired;
    }
    return (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA)) != 0
               ? TLS_FAULT_unknown_ca
               : TLS_FAULT_bad_certificate;
}

// GnuTLS asks during the handshake. 0: go on.
static int verify(gnutls_session_t session)
{
    struct tls_session *s = gnutls_session_get_ptr(session);
    char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)client};
    unsigned n = 0;
    unsigned status = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &n);
    if (peers == NULL || n == 0) {
        s->fault = TLS_FAULT_no_certificate;
        return s->tls->client_auth == WEBCONF_CLIENT_VERIFY_GIVEN ? 0
                                                                  : GNUTLS_E_NO_CERTIFICATE_FOUND;
    }
    bool good = gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0;
    if (!good || status != 0) {
        s->fault = good ? fault_of_status(status) : TLS_FAULT_bad_certificate;
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    s->fault = TLS_FAULT_wrong_name;
    return is_known(s->tls, &peers[0]) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
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

static void read_validity(struct tls *t)
{
    gnutls_x509_crt_t *chain;
    unsigned n;
    time_t first = 0;
    time_t last = 0;
    if (gnutls_certificate_get_x509_crt(t->credentials, 0, &chain, &n) < 0) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        time_t ends = gnutls_x509_crt_get_expiration_time(chain[i]);
        time_t begins = gnutls_x509_crt_get_activation_time(chain[i]);
        first = ends > 0 && (first == 0 || ends < first) ? ends : first;
        last = begins > last ? begins : last;
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    t->expiry = (uint64_t)first;
    t->valid_from = (uint64_t)last;
}

uint64_t tls_expiry(const struct tls *t)
{
    return t->expiry;
}

uint64_t tls_valid_from(const struct tls *t)
{
    return t->valid_from;
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
    read_validity(t);
    if (c->tls.client_auth >= WEBCONF_CLIENT_VERIFY_GIVEN) {
        gnutls_certificate_set_verify_function(t->credentials, verify);
    }
    return load_ca(t, c, errs);
}

static int load_priority(struct tls *t, const struct webconf *c, struct errs *errs)
{
    struct buf text = BUF_INIT;
    webconf_write_priority(&c->tls.priority, &text);
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

int tls_new_client(struct tls **ret, const struct webconf *c, struct errs *errs)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return -ENOMEM;
    }
    t->refs = 1;
    t->client = true;
    int r = gnutls_certificate_allocate_credentials(&t->credentials) < 0 ? -ENOMEM : 0;
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

// The fatal alert that the socket holds in clear, or -1. OpenSSL sends one so when it does not trust our certificate;
// GnuTLS cannot decrypt it in TLS 1.3, and in TLS 1.2 says that the client has no certificate.
static int clear_alert(const struct tls_session *s)
{
    static const unsigned char change[] = {20, 3, 3,
                                           0,  1, 1}; // of cipher, which may come before it
    unsigned char bytes[sizeof change + 7];
    ssize_t n = recv(s->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    const unsigned char *record = bytes;
    if (n > (ssize_t)sizeof change && memcmp(bytes, change, sizeof change) == 0) {
        record += sizeof change;
        n -= (ssize_t)sizeof change;
    }
    const bool found = n >= 7 && record[0] == 21 && record[1] == 3 && record[3] == 0 &&
                       record[4] == 2 && record[5] == GNUTLS_AL_FATAL;
    return found ? record[6] : -1;
}

// Reads for GnuTLS, which asks for each record's beginning first.
static ssize_t pull(gnutls_transport_ptr_t session, void *bytes, size_t n)
{
    struct tls_session *s = session;
    if (!s->established && s->clear_alert < 0) {
        s->clear_alert = clear_alert(s);
    }
    return recv(s->fd, bytes, n, 0);
}

static int prepare(struct tls_session *s, int fd)
{
    static const gnutls_certificate_request_t requests[] = {
        [WEBCONF_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
        [WEBCONF_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
        [WEBCONF_CLIENT_REQUIRE] = GNUTLS_CERT_REQUIRE,
        [WEBCONF_CLIENT_VERIFY_GIVEN] = GNUTLS_CERT_REQUEST,
        [WEBCONF_CLIENT_VERIFY] = GNUTLS_CERT_REQUIRE,
    };
    if (gnutls_priority_set(s->gnutls, s->tls->priority) < 0 ||
        gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, s->tls->credentials) < 0) {
        return -ENOMEM;
    }
    if (!s->tls->client) {
        gnutls_certificate_server_set_request(s->gnutls, requests[s->tls->client_auth]);
    }
    gnutls_session_set_ptr(s->gnutls, s);
    gnutls_handshake_set_timeout(s->gnutls, 0); // web/conn has its own
    s->fd = fd;
    s->clear_alert = -1;
    gnutls_transport_set_ptr2(s->gnutls, s, (gnutls_transport_ptr_t)(intptr_t)fd);
    gnutls_transport_set_pull_function(s->gnutls, pull);
    return 0;
}

struct tls_session *tls_open(struct tls *t, int fd)
{
    struct tls_session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->tls = tls_ref(t);
    unsigned role = t->client ? GNUTLS_CLIENT : GNUTLS_SERVER;
    if (gnutls_init(&s->gnutls, role | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        prepare(s, fd) < 0) {
        tls_close(s);
        return NULL;
    }
    return s;
}

void tls_close(struct tls_session *s)
{
    if (s == NULL) {
        return;
    }
    if (s->gnutls != NULL) {
        gnutls_deinit(s->gnutls);
    }
    tls_unref(s->tls);
    free(s);
}

static enum tls_fault fault_of(const struct tls_session *s, int code)
{
    switch (code) {
    case GNUTLS_E_CERTIFICATE_ERROR:
        return s->fault;
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
        return TLS_FAULT_no_certificate;
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return TLS_FAULT_version;
    case GNUTLS_E_NO_CIPHER_SUITES:
    case GNUTLS_E_NO_COMMON_KEY_SHARE:
    case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
    case GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM:
        return TLS_FAULT_no_common_cipher;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return TLS_FAULT_refused_by_peer;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return TLS_FAULT_closed;
    default:
        return TLS_FAULT_other;
    }
}

// As Go's crypto/tls.
static void alert(struct tls_session *s, enum tls_fault fault, int code)
{
    bool new = gnutls_protocol_get_version(s->gnutls) == GNUTLS_TLS1_3;
    int level = GNUTLS_AL_FATAL;
    int what;
    switch (fault) {
    case TLS_FAULT_no_certificate:
        what = new ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE;
        break;
    case TLS_FAULT_expired:
        what = GNUTLS_A_CERTIFICATE_EXPIRED;
        break;
    case TLS_FAULT_unknown_ca:
        what = GNUTLS_A_UNKNOWN_CA;
        break;
    case TLS_FAULT_wrong_name:
    case TLS_FAULT_bad_certificate:
        what = GNUTLS_A_BAD_CERTIFICATE;
        break;
    case TLS_FAULT_no_common_cipher:
        what = GNUTLS_A_HANDSHAKE_FAILURE;
        break;
    case TLS_FAULT_version:
        what = GNUTLS_A_PROTOCOL_VERSION;
        break;
    case TLS_FAULT_refused_by_peer:
    case TLS_FAULT_closed:
        return;
    default:
        what = gnutls_error_to_alert(code, &level);
        break;
    }
    gnutls_alert_send(s->gnutls, GNUTLS_AL_FATAL, (gnutls_alert_description_t)what);
}

int tls_handshake(struct tls_session *s, enum tls_fault *fault, const char **detail)
{
    int r = GNUTLS_E_AGAIN;
    // A warning of the peer ends a turn; who sends more of them waits for the next round.
    for (int i = 0; i < HANDSHAKE_TURNS; i++) {
        r = gnutls_handshake(s->gnutls);
        if (r == GNUTLS_E_SUCCESS || r == GNUTLS_E_AGAIN || gnutls_error_is_fatal(r) != 0) {
            break;
        }
        r = GNUTLS_E_AGAIN;
    }
    if (r == GNUTLS_E_SUCCESS) {
        s->established = true;
        return 0;
    }
    if (r == GNUTLS_E_AGAIN) {
        return -EAGAIN;
    }
    *fault = s->clear_alert >= 0 ? TLS_FAULT_refused_by_peer : fault_of(s, r);
    const int said = s->clear_alert >= 0 ? s->clear_alert : (int)gnutls_alert_get(s->gnutls);
    const char *name = *fault == TLS_FAULT_refused_by_peer
                           ? gnutls_alert_get_name((gnutls_alert_description_t)said)
                           : gnutls_strerror(r);
    *detail = name != NULL ? name : "an unknown alert";
    alert(s, *fault, r);
    return -EPROTO;
}

bool tls_is_blocked_on_write(const struct tls_session *s)
{
    return gnutls_record_get_direction(s->gnutls) == 1;
}

static ssize_t result(ssize_t n)
{
    if (n >= 0) {
        return n;
    }
    return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? -EAGAIN : -ECONNRESET;
}

ssize_t tls_recv(struct tls_session *s, void *bytes, size_t n)
{
    return result(gnutls_record_recv(s->gnutls, bytes, n));
}

ssize_t tls_send(struct tls_session *s, const void *bytes, size_t n)
{
    return result(gnutls_record_send(s->gnutls, bytes, n));
}

void tls_shutdown(struct tls_session *s)
{
    gnutls_bye(s->gnutls, GNUTLS_SHUT_WR);
}

#else

int tls_new(struct tls **ret, const struct webconf *c, struct errs *errs)
{
    (void)ret;
    (void)c;
    errs_add(errs, NULL, 0, 0, "tls_server_config", "this build has no TLS");
    return -EINVAL;
}

int tls_new_client(struct tls **ret, const struct webconf *c, struct errs *errs)
{
    return tls_new(ret, c, errs);
}

uint64_t tls_expiry(const struct tls *t)
{
    (void)t;
    return 0;
}

uint64_t tls_valid_from(const struct tls *t)
{
    (void)t;
    return 0;
}

struct tls *tls_ref(struct tls *t)
{
    return t;
}

void tls_unref(struct tls *t)
{
    (void)t;
}

struct tls_session *tls_open(struct tls *t, int fd)
{
    (void)t;
    (void)fd;
    return NULL;
}

void tls_close(struct tls_session *s)
{
    (void)s;
}

int tls_handshake(struct tls_session *s, enum tls_fault *fault, const char **detail)
{
    (void)s;
    *fault = TLS_FAULT_other;
    *detail = "this build has no TLS";
    return -EPROTO;
}

bool tls_is_blocked_on_write(const struct tls_session *s)
{
    (void)s;
    return false;
}

ssize_t tls_recv(struct tls_session *s, void *bytes, size_t n)
{
    (void)s;
    (void)bytes;
    (void)n;
    return -ENOTSUP;
}

ssize_t tls_send(struct tls_session *s, const void *bytes, size_t n)
{
    (void)s;
    (void)bytes;
    (void)n;
    return -ENOTSUP;
}

void tls_shutdown(struct tls_session *s)
{
    (void)s;
}

#endif
