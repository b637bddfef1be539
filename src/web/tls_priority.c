// SPDX-License-Identifier: Apache-2.0
#include "web/tls_priority.h"

const char *const tls_priority_versions[TLS_PRIORITY_VERSIONS] = {"TLS10", "TLS11", "TLS12",
                                                                  "TLS13"};
const char *const tls_priority_curves[TLS_PRIORITY_CURVES] = {"CurveP256", "CurveP384", "CurveP521",
                                                              "X25519"};
static const char *const groups[TLS_PRIORITY_CURVES] = {"SECP256R1", "SECP384R1", "SECP521R1",
                                                        "X25519"};
static const uint8_t all_curves[TLS_PRIORITY_CURVES] = {3, 0, 1, 2};

#define CIPHERS(CIPHER)                                                                            \
    CIPHER("TLS_AES_128_GCM_SHA256", NULL, "AES-128-GCM", "AEAD")                                  \
    CIPHER("TLS_AES_256_GCM_SHA384", NULL, "AES-256-GCM", "AEAD")                                  \
    CIPHER("TLS_CHACHA20_POLY1305_SHA256", NULL, "CHACHA20-POLY1305", "AEAD")                      \
    CIPHER("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA", "AES-128-GCM", "AEAD")        \
    CIPHER("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA", "AES-256-GCM", "AEAD")        \
    CIPHER("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA", "CHACHA20-POLY1305",    \
           "AEAD")                                                                                 \
    CIPHER("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA", "AES-128-GCM", "AEAD")            \
    CIPHER("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA", "AES-256-GCM", "AEAD")            \
    CIPHER("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA", "CHACHA20-POLY1305",        \
           "AEAD")                                                                                 \
    CIPHER("TLS_RSA_WITH_AES_128_GCM_SHA256", "RSA", "AES-128-GCM", "AEAD")                        \
    CIPHER("TLS_RSA_WITH_AES_256_GCM_SHA384", "RSA", "AES-256-GCM", "AEAD")                        \
    CIPHER("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA", "AES-128-CBC", "SHA1")           \
    CIPHER("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA", "AES-256-CBC", "SHA1")           \
    CIPHER("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA", "AES-128-CBC", "SHA1")               \
    CIPHER("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA", "AES-256-CBC", "SHA1")               \
    CIPHER("TLS_RSA_WITH_AES_128_CBC_SHA", "RSA", "AES-128-CBC", "SHA1")                           \
    CIPHER("TLS_RSA_WITH_AES_256_CBC_SHA", "RSA", "AES-256-CBC", "SHA1")

#define NAME(name, kx, cipher, mac) name,
const char *const tls_priority_ciphers[TLS_PRIORITY_CIPHERS] = {CIPHERS(NAME)};

#define PARTS(name, kx, cipher, mac) {kx, cipher, mac},
static const struct {
    const char *kx; // NULL: TLS 1.3's own
    const char *cipher;
    const char *mac;
} parts[TLS_PRIORITY_CIPHERS] = {CIPHERS(PARTS)};

enum {
    FIRST_ECDHE = 3,
    FIRST_RSA_AEAD = 9,
    FIRST_CBC = 11,
    ECDHE_AEAD = ((1 << FIRST_RSA_AEAD) - 1),
    ECDHE_CBC = (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14)
};

static bool has_bit(uint32_t set, unsigned i)
{
    return (set & (1u << i)) != 0;
}

// Appends a word unless it is there already.
static void add_word(struct buf *out, size_t from, const char *word)
{
    char whole[40];
    size_t len = 0;
    whole[len++] = ':';
    whole[len++] = '+';
    for (; *word != '\0' && len < sizeof whole; word++) {
        whole[len++] = *word;
    }
    for (size_t at = from; at + len <= out->len; at++) {
        bool ends = at + len == out->len || out->p[at + len] == ':';
        if (ends && memcmp(out->p + at, whole, len) == 0) {
            return;
        }
    }
    buf_add(out, whole, len);
}

// Whether the list has something for a version.
static bool can_serve(uint32_t ciphers, int version)
{
    for (unsigned i = 0; i < TLS_PRIORITY_CIPHERS; i++) {
        bool fits = version == TLS_PRIORITY_TLS13   ? i < FIRST_CBC
                    : version == TLS_PRIORITY_TLS12 ? i >= FIRST_ECDHE
                                                    : i >= FIRST_CBC;
        if (has_bit(ciphers, i) && fits) {
            return true;
        }
    }
    return false;
}

static uint32_t usual(const struct tls_priority *p)
{
    return p->min < TLS_PRIORITY_TLS12 ? ECDHE_AEAD | ECDHE_CBC : ECDHE_AEAD;
}

bool tls_priority_write(const struct tls_priority *p, struct buf *out)
{
    static const char *const versions[] = {"VERS-TLS1.0", "VERS-TLS1.1", "VERS-TLS1.2",
                                           "VERS-TLS1.3"};
    uint32_t ciphers = p->ciphers != 0 ? p->ciphers : usual(p);
    size_t from = out->len;
    bool any = false;
    buf_str(out, "NONE");
    for (int v = p->max; v >= p->min; v--) {
        if (can_serve(ciphers, v)) {
            add_word(out, from, versions[v]);
            any = true;
        }
    }
    for (unsigned i = 0; i < TLS_PRIORITY_CIPHERS; i++) {
        if (has_bit(ciphers, i)) {
            if (parts[i].kx != NULL) {
                add_word(out, from, parts[i].kx);
            }
            add_word(out, from, parts[i].cipher);
            add_word(out, from, parts[i].mac);
        }
    }
    const uint8_t *curves = p->n_curves > 0 ? p->curves : all_curves;
    for (size_t i = 0; i < (p->n_curves > 0 ? p->n_curves : TLS_PRIORITY_CURVES); i++) {
        buf_addf(out, ":+GROUP-%s", groups[curves[i]]);
    }
    buf_str(out, ":+SIGN-ALL:+CTYPE-X509:+COMP-NULL");
    if (p->server_order) {
        buf_str(out, ":%SERVER_PRECEDENCE");
    }
    return any;
}
