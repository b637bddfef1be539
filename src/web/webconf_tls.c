// SPDX-License-Identifier: Apache-2.0
#include "web/webconf_inside.h"

#include "web/tls.h"

#include <stdlib.h>

// Notes where a certificate, key or CA is named. Its text or its path, but not both.
static void read_pem(struct webconf_reader *r, struct webconf_pem *p, bool is_path,
                     const char *path, const struct yaml_node *n)
{
    char *text = webconf_text(r, path, n);
    if (text == NULL || text[0] == '\0') {
        free(text);
        return;
    }
    if (p->line != 0) {
        webconf_problem(r, n, path, "stands beside the other way to give it, on line %u", p->line);
        free(text);
        return;
    }
    p->line = n->line;
    p->column = n->column;
    if (!is_path) {
        p->text = text;
        return;
    }
    struct buf whole = BUF_INIT;
    const char *slash = strrchr(r->file, '/');
    if (text[0] != '/' && slash != NULL) {
        buf_add(&whole, r->file, (size_t)(slash - r->file) + 1);
    }
    buf_str(&whole, text);
    const char *joined = buf_string(&whole);
    p->path = joined != NULL ? strdup(joined) : NULL;
    r->oom = r->oom || p->path == NULL;
    buf_free(&whole);
    free(text);
}

#define PEM(function, member, is_path)                                                             \
    static void function(struct webconf_reader *r, const char *path, const struct yaml_node *n)    \
    {                                                                                              \
        read_pem(r, &r->out->tls.member, is_path, path, n);                                        \
    }
PEM(read_cert, cert, false)
PEM(read_cert_file, cert, true)
PEM(read_key, key, false)
PEM(read_key_file, key, true)
PEM(read_ca, ca, false)
PEM(read_ca_file, ca, true)

static void read_client_auth(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    static const char *const words[] = {"NoClientCert",
                                        "RequestClientCert",
                                        "RequireAnyClientCert",
                                        "VerifyClientCertIfGiven",
                                        "RequireAndVerifyClientCert",
                                        "RequireClientCert"};
    if (webconf_is_null(n) || (n->kind == YAML_SCALAR_NODE_KIND && n->text[0] == '\0')) {
        return;
    }
    int i = webconf_choice(r, path, n, "policy", words, sizeof words / sizeof words[0]);
    r->out->tls.on = true;
    if (i >= 0) {
        r->out->tls.client_auth = i == 5 ? WEBCONF_CLIENT_REQUIRE : (enum webconf_client_auth)i;
    }
}

static void read_sans(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    struct webconf_tls *tls = &r->out->tls;
    if (!webconf_is_list(r, path, n, WEBCONF_SANS) || n->n == 0) {
        return;
    }
    tls->sans = calloc(n->n, sizeof *tls->sans);
    r->oom = r->oom || tls->sans == NULL;
    for (size_t i = 0; tls->sans != NULL && i < n->n; i++) {
        char *name = webconf_text(r, path, n->items[i]);
        if (name != NULL) {
            tls->sans[tls->n_sans++] = name;
        }
    }
}

static void read_version(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                         int *ret)
{
    int i = webconf_is_null(n)
                ? -1
                : webconf_choice(r, path, n, "TLS version", priority_versions, PRIORITY_VERSIONS);
    *ret = i >= 0 ? i : *ret;
}

static void read_min(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    read_version(r, path, n, &r->out->tls.priority.min);
}

static void read_max(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    read_version(r, path, n, &r->out->tls.priority.max);
}

static void read_ciphers(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (!webconf_is_list(r, path, n, 64)) {
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        int k = webconf_choice(r, path, n->items[i], "cipher", priority_ciphers, PRIORITY_CIPHERS);
        r->out->tls.priority.ciphers |= k >= 0 ? 1u << k : 0;
    }
}

static void read_order(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    webconf_bool(r, path, n, &r->out->tls.priority.server_order);
}

static void add_curve(struct priority *p, int curve)
{
    for (size_t i = 0; i < p->n_curves; i++) {
        if (p->curves[i] == curve) {
            return;
        }
    }
    p->curves[p->n_curves++] = (uint8_t)curve;
}

static void read_curves(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (!webconf_is_list(r, path, n, 64)) {
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        int k = webconf_choice(r, path, n->items[i], "curve", priority_curves, PRIORITY_CURVES);
        if (k >= 0) {
            add_curve(&r->out->tls.priority, k);
        }
    }
}

static bool is_verified(const struct webconf_tls *tls)
{
    return tls->client_auth == WEBCONF_CLIENT_VERIFY ||
           tls->client_auth == WEBCONF_CLIENT_VERIFY_GIVEN;
}

static void check(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    struct webconf_tls *tls = &r->out->tls;
    struct buf ignored = BUF_INIT;
    if (tls->cert.line == 0) {
        webconf_problem(r, n, path, "missing cert_file or cert");
    }
    if (tls->key.line == 0) {
        webconf_problem(r, n, path, "missing key_file or key");
    }
    if (tls->ca.line != 0 && tls->client_auth == WEBCONF_CLIENT_NONE) {
        webconf_problem(r, n, path, "a client CA without a client_auth_type is never asked for");
    }
    if (tls->n_sans > 0 && !is_verified(tls)) {
        webconf_problem(r, n, path,
                        "client_allowed_sans counts only where client_auth_type is "
                        "VerifyClientCertIfGiven or RequireAndVerifyClientCert");
    }
    if (!priority_write(&tls->priority, &ignored)) {
        webconf_problem(r, n, path, "leaves no TLS version with a cipher");
    }
    buf_free(&ignored);
    if (!tls_is_there()) {
        webconf_problem(r, n, path, "this build has no TLS");
    }
}

void webconf_read_tls(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    static const struct webconf_key keys[] = {
        {"cert", read_cert},
        {"key", read_key},
        {"client_ca", read_ca},
        {"cert_file", read_cert_file},
        {"key_file", read_key_file},
        {"client_ca_file", read_ca_file},
        {"client_auth_type", read_client_auth},
        {"client_allowed_sans", read_sans},
        {"min_version", read_min},
        {"max_version", read_max},
        {"cipher_suites", read_ciphers},
        {"prefer_server_cipher_suites", read_order},
        {"curve_preferences", read_curves},
    };
    struct webconf_tls *tls = &r->out->tls;
    webconf_mapping(r, path, n, keys, sizeof keys / sizeof keys[0]);
    // As in the toolkit, other keys alone do not turn TLS on.
    tls->on = tls->on || tls->cert.line != 0 || tls->key.line != 0 || tls->ca.line != 0;
    tls->line = n->line;
    tls->column = n->column;
    if (tls->on) {
        check(r, path, n);
    }
}
