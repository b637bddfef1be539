// SPDX-License-Identifier: Apache-2.0
#include "web/webconf.h"

#include "base/num.h"
#include "catalog/yaml.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const webconf_versions[WEBCONF_PRIORITY_VERSIONS] = {"TLS10", "TLS11", "TLS12",
                                                                 "TLS13"};
const char *const webconf_curves[WEBCONF_PRIORITY_CURVES] = {"CurveP256", "CurveP384", "CurveP521",
                                                             "X25519"};
static const char *const groups[WEBCONF_PRIORITY_CURVES] = {"SECP256R1", "SECP384R1", "SECP521R1",
                                                            "X25519"};
static const uint8_t all_curves[WEBCONF_PRIORITY_CURVES] = {3, 0, 1, 2};

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
const char *const webconf_ciphers[WEBCONF_PRIORITY_CIPHERS] = {CIPHERS(NAME)};

#define PARTS(name, kx, cipher, mac) {kx, cipher, mac},
static const struct {
    const char *kx; // NULL: TLS 1.3's own
    const char *cipher;
    const char *mac;
} parts[WEBCONF_PRIORITY_CIPHERS] = {CIPHERS(PARTS)};

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
    for (unsigned i = 0; i < WEBCONF_PRIORITY_CIPHERS; i++) {
        bool fits = version == WEBCONF_PRIORITY_TLS13   ? i < FIRST_CBC
                    : version == WEBCONF_PRIORITY_TLS12 ? i >= FIRST_ECDHE
                                                        : i >= FIRST_CBC;
        if (has_bit(ciphers, i) && fits) {
            return true;
        }
    }
    return false;
}

static uint32_t usual(const struct webconf_priority *p)
{
    return p->min < WEBCONF_PRIORITY_TLS12 ? ECDHE_AEAD | ECDHE_CBC : ECDHE_AEAD;
}

bool webconf_write_priority(const struct webconf_priority *p, struct buf *out)
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
    for (unsigned i = 0; i < WEBCONF_PRIORITY_CIPHERS; i++) {
        if (has_bit(ciphers, i)) {
            if (parts[i].kx != NULL) {
                add_word(out, from, parts[i].kx);
            }
            add_word(out, from, parts[i].cipher);
            add_word(out, from, parts[i].mac);
        }
    }
    const uint8_t *curves = p->n_curves > 0 ? p->curves : all_curves;
    for (size_t i = 0; i < (p->n_curves > 0 ? p->n_curves : WEBCONF_PRIORITY_CURVES); i++) {
        buf_addf(out, ":+GROUP-%s", groups[curves[i]]);
    }
    buf_str(out, ":+SIGN-ALL:+CTYPE-X509:+COMP-NULL");
    if (p->server_order) {
        buf_str(out, ":%SERVER_PRECEDENCE");
    }
    return any;
}

enum { MAX_NAMES = 64 }; // of ciphers or curves

static char *copy(struct yaml_reader *r, const char *text)
{
    char *p = strdup(text);
    r->oom = r->oom || p == NULL;
    return p;
}

// ---- TLS

// Says at the later of the two that a certificate, key or CA is given twice: as text and as a file.
static void reject_second(struct yaml_reader *r, const struct yaml_place *file_place,
                          const struct yaml_node *file, const struct webconf_pem *p)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file_place->key) - strlen("_file")),
             file_place->key);
    struct yaml_place text_place = yaml_place_key(file_place->up, name);
    struct yaml_node text = {.line = p->line, .column = p->column};
    bool text_is_later =
        p->line > file->line || (p->line == file->line && p->column > file->column);
    yaml_problem(r, text_is_later ? &text_place : file_place, text_is_later ? &text : file,
                 "is also given in another way, on line %u", text_is_later ? file->line : p->line);
}

static void read_pem(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n, void *field)
{
    struct webconf_pem *p = field;
    if (n->text[0] != '\0') {
        p->line = n->line;
        p->column = n->column;
        p->text = copy(r, n->text);
    }
    (void)place;
}

// A relative path counts from the folder of the configuration.
static void read_pem_file(struct yaml_reader *r, const struct yaml_place *place,
                          const struct yaml_node *n, void *field)
{
    struct webconf_pem *p = field;
    if (n->text[0] == '\0') {
        return;
    }
    if (p->line != 0) {
        reject_second(r, place, n, p);
        return;
    }
    p->line = n->line;
    p->column = n->column;
    struct buf path = BUF_INIT;
    const char *slash = strrchr(r->file, '/');
    if (n->text[0] != '/' && slash != NULL) {
        buf_add(&path, r->file, (size_t)(slash - r->file) + 1);
    }
    buf_str(&path, n->text);
    const char *joined = buf_string(&path);
    p->path = joined != NULL ? copy(r, joined) : NULL;
    r->oom = r->oom || joined == NULL;
    buf_free(&path);
}

static void read_client_auth(struct yaml_reader *r, const struct yaml_place *place,
                             const struct yaml_node *n, void *field)
{
    static const char *const words[] = {"NoClientCert",
                                        "RequestClientCert",
                                        "RequireAnyClientCert",
                                        "VerifyClientCertIfGiven",
                                        "RequireAndVerifyClientCert",
                                        "RequireClientCert"};
    struct webconf_tls *tls = field;
    if (n->kind == YAML_SCALAR_NODE_KIND && n->text[0] == '\0') {
        return;
    }
    int i = yaml_word(r, place, n, words, sizeof words / sizeof words[0]);
    tls->on = true;
    if (i >= 0) {
        tls->client_auth = i == 5 ? WEBCONF_CLIENT_REQUIRE : (enum webconf_client_auth)i;
    }
}

static void read_sans(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, void *field)
{
    struct webconf_tls *tls = field;
    tls->sans = calloc(n->n + 1, sizeof *tls->sans);
    r->oom = r->oom || tls->sans == NULL;
    for (size_t i = 0; tls->sans != NULL && i < n->n; i++) {
        if (!yaml_is_null(n->items[i]) && yaml_check_text(r, place, n->items[i])) {
            char *name = copy(r, n->items[i]->text);
            tls->sans[tls->n_sans] = name;
            tls->n_sans += name != NULL;
        }
    }
}

static void read_ciphers(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *n, void *field)
{
    struct webconf_priority *priority = field;
    for (size_t i = 0; i < n->n; i++) {
        int k = yaml_word(r, place, n->items[i], webconf_ciphers, WEBCONF_PRIORITY_CIPHERS);
        priority->ciphers |= k >= 0 ? 1u << k : 0;
    }
}

static void add_curve(struct webconf_priority *p, int curve)
{
    for (size_t i = 0; i < p->n_curves; i++) {
        if (p->curves[i] == curve) {
            return;
        }
    }
    p->curves[p->n_curves++] = (uint8_t)curve;
}

static void read_curves(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n, void *field)
{
    for (size_t i = 0; i < n->n; i++) {
        int k = yaml_word(r, place, n->items[i], webconf_curves, WEBCONF_PRIORITY_CURVES);
        if (k >= 0) {
            add_curve(field, k);
        }
    }
}

static bool is_verified(const struct webconf_tls *tls)
{
    return tls->client_auth == WEBCONF_CLIENT_VERIFY ||
           tls->client_auth == WEBCONF_CLIENT_VERIFY_GIVEN;
}

static void check_tls(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, const struct webconf_tls *tls)
{
    struct buf ignored = BUF_INIT;
    if (tls->cert.line == 0) {
        yaml_problem(r, place, n, "missing cert_file or cert");
    }
    if (tls->key.line == 0) {
        yaml_problem(r, place, n, "missing key_file or key");
    }
    if (tls->ca.line != 0 && tls->client_auth == WEBCONF_CLIENT_NONE) {
        yaml_problem(r, place, n, "a client CA has no effect without a client_auth_type");
    }
    if (tls->n_sans > 0 && !is_verified(tls)) {
        yaml_problem(r, place, n,
                     "client_allowed_sans counts only where client_auth_type is "
                     "VerifyClientCertIfGiven or RequireAndVerifyClientCert");
    }
    if (!webconf_write_priority(&tls->priority, &ignored)) {
        yaml_problem(r, place, n, "leaves no TLS version with a cipher");
    }
    buf_free(&ignored);
    if (!tls->supported) {
        yaml_problem(r, place, n, "this build has no TLS");
    }
}

static void read_tls(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n, void *field)
{
#define FIELD(member) .nullable = true, .offset = offsetof(struct webconf_tls, member)
#define VERSION .type = YAML_WORD, .words = webconf_versions, .n_words = WEBCONF_PRIORITY_VERSIONS
    static const struct yaml_key keys[] = {
        {"cert", .type = YAML_TEXT, .read = read_pem, FIELD(cert)},
        {"key", .type = YAML_TEXT, .read = read_pem, FIELD(key)},
        {"client_ca", .type = YAML_TEXT, .read = read_pem, FIELD(ca)},
        {"cert_file", .type = YAML_TEXT, .read = read_pem_file, FIELD(cert)},
        {"key_file", .type = YAML_TEXT, .read = read_pem_file, FIELD(key)},
        {"client_ca_file", .type = YAML_TEXT, .read = read_pem_file, FIELD(ca)},
        {"client_auth_type", .type = YAML_ANY, .nullable = true, .read = read_client_auth},
        {"client_allowed_sans", .type = YAML_LIST, .nullable = true, .max = WEBCONF_SANS,
         .read = read_sans},
        {"min_version", VERSION, FIELD(priority.min)},
        {"max_version", VERSION, FIELD(priority.max)},
        {"cipher_suites", .type = YAML_LIST, .max = MAX_NAMES, .read = read_ciphers,
         FIELD(priority)},
        {"prefer_server_cipher_suites", .type = YAML_SWITCH, FIELD(priority.server_order)},
        {"curve_preferences", .type = YAML_LIST, .max = MAX_NAMES, .read = read_curves,
         FIELD(priority)},
    };
#undef FIELD
#undef VERSION
    struct webconf_tls *tls = field;
    if (!yaml_is_null(n)) {
        yaml_read_keys(r, place, n, YAML_KEYS(keys), tls);
    }
    // As in the toolkit, other keys alone do not turn TLS on.
    tls->on = tls->on || tls->cert.line != 0 || tls->key.line != 0 || tls->ca.line != 0;
    tls->line = n->line;
    tls->column = n->column;
    if (tls->on) {
        check_tls(r, place, n, tls);
    }
}

// ---- HTTP

// The headers, and the values that each may have; none: any text.
static const struct {
    const char *name;
    const char *allowed[2];
} headers[WEBCONF_HEADERS] = {
    {"Strict-Transport-Security", {NULL}},       {"X-Content-Type-Options", {"nosniff"}},
    {"X-Frame-Options", {"deny", "sameorigin"}}, {"X-XSS-Protection", {NULL}},
    {"Content-Security-Policy", {NULL}},
};

static bool is_header_text(const char *s)
{
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return false;
        }
    }
    return len <= WEBCONF_TEXT;
}

static void read_header(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n, void *field)
{
    struct webconf *c = field;
    size_t i = 0;
    while (strcmp(headers[i].name, place->key) != 0) {
        i++; // the table of keys is made of these names
    }
    const char *const *allowed = headers[i].allowed;
    if (allowed[0] != NULL && strcmp(n->text, allowed[0]) != 0 &&
        (allowed[1] == NULL || strcmp(n->text, allowed[1]) != 0)) {
        yaml_reject(r, place, n, false, "%s%s%s", allowed[0], allowed[1] != NULL ? " or " : "",
                    allowed[1] != NULL ? allowed[1] : "");
    } else if (!is_header_text(n->text)) {
        yaml_problem(r, place, n, "has control characters, or more than %d bytes", WEBCONF_TEXT);
    } else {
        c->headers[c->n_headers].name = headers[i].name;
        c->headers[c->n_headers].value = copy(r, n->text);
        c->n_headers += c->headers[c->n_headers].value != NULL;
    }
}

static void read_headers(struct yaml_reader *r, const struct yaml_place *place,
                         const struct yaml_node *n, void *field)
{
    struct yaml_key keys[WEBCONF_HEADERS];
    for (size_t i = 0; i < WEBCONF_HEADERS; i++) {
        keys[i] = (struct yaml_key){headers[i].name, .type = YAML_TEXT, .nullable = true,
                                    .read = read_header};
    }
    yaml_read_keys(r, place, n, YAML_KEYS(keys), field);
}

static void read_http(struct yaml_reader *r, const struct yaml_place *place,
                      const struct yaml_node *n, void *field)
{
    // There is no HTTP/2, so what is said about it has no effect.
    bool http2 = false;
    static const struct yaml_key http2_key = {"http2", .type = YAML_SWITCH, .nullable = true};
    static const struct yaml_key keys[] = {
        {"http2", .type = YAML_KNOWN},
        {"headers", .type = YAML_ANY, .nullable = true, .read = read_headers},
    };
    yaml_read_keys(r, place, n, YAML_KEYS(keys), field);
    yaml_read_key(r, place, n, &http2_key, &http2);
}

// ---- Users and the rate limit

static void read_users(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, void *field)
{
    struct webconf *c = field;
    c->users = calloc(n->n + 1, sizeof *c->users);
    r->oom = r->oom || c->users == NULL;
    for (size_t i = 0; i < n->n && !r->oom; i++) {
        const char *why = "is not a text";
        if (n->items[i]->kind != YAML_SCALAR_NODE_KIND ||
            !credentials_is_hash(n->items[i]->text, &why)) {
            yaml_problem(r, place, n->items[i], "the password of \"%.64s\" %s", n->keys[i]->text,
                         why);
            continue;
        }
        struct webconf_user *u = &c->users[c->n_users++];
        u->name = copy(r, n->keys[i]->text);
        u->hash = copy(r, n->items[i]->text);
    }
}

// Reads a number with its unit at *at, and moves *at on. Returns nanoseconds, or -1.
static double read_part(const char **at)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
    char number[32];
    double value;
    size_t len = strspn(*at, "0123456789.");
    if (len == 0 || len >= sizeof number) {
        return -1;
    }
    memcpy(number, *at, len);
    number[len] = '\0';
    if (num_parse_double(number, &value) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i].name);
        if (strncmp(*at + len, units[i].name, unit) == 0) {
            *at += len + unit;
            return value * units[i].ns;
        }
    }
    return -1;
}

// A duration as Go writes it: 500ms, 1m30s, 0.
static bool read_duration(const char *text, uint64_t *ret)
{
    double sum = 0;
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return true;
    }
    for (const char *at = text; *at != '\0' || at == text;) {
        double part = read_part(&at);
        if (part < 0 || (sum += part) > WEBCONF_INTERVAL_S * 1e9) {
            return false;
        }
    }
    *ret = (uint64_t)sum;
    return true;
}

static void read_interval(struct yaml_reader *r, const struct yaml_place *place,
                          const struct yaml_node *n, void *field)
{
    if (n->kind != YAML_SCALAR_NODE_KIND || !read_duration(n->text, field)) {
        yaml_reject(r, place, n, false, "a duration of at most 24h, such as 500ms or 1m30s");
    }
}

static void read_limit(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, void *field)
{
    static const struct yaml_key keys[] = {
        {"interval", .type = YAML_ANY, .read = read_interval,
         .offset = offsetof(struct webconf, interval_ns)},
        {"burst", .type = YAML_COUNT, .max = WEBCONF_BURST,
         .offset = offsetof(struct webconf, burst)},
    };
    const struct webconf *c = field;
    yaml_read_keys(r, place, n, YAML_KEYS(keys), field);
    if (c->interval_ns > 0 && c->burst == 0) {
        yaml_problem(r, place, n, "a burst of 0 would refuse every request");
    }
}

// ---- Files that were read

int webconf_files_add(struct webconf_files *w, const char *path)
{
    assert(w->n < WEBCONF_FILES);
    struct webconf_file *f = &w->files[w->n];
    f->path = strdup(path);
    if (f->path == NULL) {
        return -ENOMEM;
    }
    f->exists = stat(path, &f->seen) == 0;
    w->n++;
    return 0;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct webconf_file *f)
{
    struct stat now;
    bool exists = stat(f->path, &now) == 0;
    if (!exists || !f->exists) {
        return exists == f->exists;
    }
    return now.st_dev == f->seen.st_dev && now.st_ino == f->seen.st_ino &&
           now.st_size == f->seen.st_size && is_same_time(&now.st_mtim, &f->seen.st_mtim) &&
           is_same_time(&now.st_ctim, &f->seen.st_ctim);
}

bool webconf_files_have_changed(const struct webconf_files *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!is_unchanged(&w->files[i])) {
            return true;
        }
    }
    return false;
}

void webconf_files_clear(struct webconf_files *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->files[i].path);
    }
    w->n = 0;
}

// ---- The file

static int read_tree(struct webconf *c, const struct yaml *y, struct errs *errs)
{
    static const struct yaml_key keys[] = {
        {"tls_server_config", .type = YAML_ANY, .read = read_tls,
         .offset = offsetof(struct webconf, tls)},
        {"http_server_config", .type = YAML_ANY, .nullable = true, .read = read_http},
        {"basic_auth_users", .type = YAML_MAPPING, .nullable = true, .max = WEBCONF_USERS,
         .read = read_users},
        {"rate_limit", .type = YAML_ANY, .nullable = true, .read = read_limit},
    };
    struct yaml_reader r = {.errs = errs, .file = c->file};
    if (y->root != NULL && !yaml_is_null(y->root)) {
        yaml_read_keys(&r, NULL, y->root, YAML_KEYS(keys), c);
    }
    return r.oom ? -ENOMEM : r.problems > 0 ? -EINVAL : 0;
}

// Makes it of a tree, which it takes.
static int make(struct webconf **ret, const char *file, bool tls, struct yaml *y, struct errs *errs)
{
    struct webconf *c = calloc(1, sizeof *c);
    int err = c != NULL ? 0 : -ENOMEM;
    if (err == 0) {
        c->tls.priority = (struct webconf_priority){
            .min = WEBCONF_PRIORITY_TLS12, .max = WEBCONF_PRIORITY_TLS13, .server_order = true};
        c->tls.supported = tls;
        c->burst = 1;
        c->file = strdup(file);
        err = c->file != NULL ? read_tree(c, y, errs) : -ENOMEM;
    }
    yaml_free(y);
    if (err < 0) {
        webconf_free(c);
        return err;
    }
    *ret = c;
    return 0;
}

int webconf_parse(struct webconf **ret, const char *file, bool tls, const char *bytes, size_t len,
                  struct errs *errs)
{
    struct yaml *y;
    int err = yaml_parse(&y, file, bytes, len, errs);
    return err < 0 ? err : make(ret, file, tls, y, errs);
}

// Reads a regular file whole; others could keep who reads them waiting.
static int read_file(const char *path, char **ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int err = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
    err = err == 0 && st.st_size > WEBCONF_PEM ? -EFBIG : err;
    char *text = err == 0 ? malloc((size_t)WEBCONF_PEM + 1) : NULL;
    size_t n = 0;
    for (ssize_t got = 1; text != NULL && got > 0 && n<WEBCONF_PEM; n += got> 0 ? (size_t)got : 0) {
        got = read(fd, text + n, WEBCONF_PEM - n);
        err = got < 0 ? -errno : err;
    }
    close(fd);
    if (text == NULL || err < 0) {
        free(text);
        return err < 0 ? err : -ENOMEM;
    }
    text[n] = '\0';
    char *fit = realloc(text, n + 1);
    *ret = fit != NULL ? fit : text;
    return 0;
}

// Reads the file of a certificate, key or CA.
static int fetch(struct webconf *c, struct webconf_pem *p, const char *key,
                 struct webconf_files *seen, struct errs *errs)
{
    if (p->path == NULL) {
        return 0;
    }
    int err = webconf_files_add(seen, p->path);
    err = err == 0 ? read_file(p->path, &p->text) : err;
    if (err < 0 && err != -ENOMEM) {
        errs_add(errs, c->file, p->line, p->column, key, "cannot read %s: %s", p->path,
                 err == -EINVAL ? "is not a regular file" : strerror(-err));
        return -EINVAL;
    }
    return err;
}

int webconf_load(struct webconf **ret, const char *file, bool tls, struct webconf_files *seen,
                 struct errs *errs)
{
    struct yaml *y = NULL;
    struct webconf *c = NULL;
    webconf_files_clear(seen);
    int err = webconf_files_add(seen, file);
    err = err == 0 ? yaml_read(&y, file, errs) : err;
    if (err < 0 && err != -EINVAL && err != -ENOMEM) {
        errs_add(errs, file, 0, 0, "", "cannot be read: %s", strerror(-err));
        return -EINVAL;
    }
    err = err == 0 ? make(&c, file, tls, y, errs) : err;
    if (err < 0) {
        return err;
    }
    struct webconf_pem *all[] = {&c->tls.cert, &c->tls.key, &c->tls.ca};
    static const char *const keys[] = {"cert_file", "key_file", "client_ca_file"};
    for (size_t i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof key, "tls_server_config.%s", keys[i]);
        int r = c->tls.on ? fetch(c, all[i], key, seen, errs) : 0;
        err = err == 0 || r == -ENOMEM ? r : err;
    }
    if (err < 0) {
        webconf_free(c);
        return err;
    }
    *ret = c;
    return 0;
}

static void free_pem(struct webconf_pem *p)
{
    if (p->text != NULL) {
        explicit_bzero(p->text, strlen(p->text));
    }
    free(p->path);
    free(p->text);
}

void webconf_free(struct webconf *c)
{
    if (c == NULL) {
        return;
    }
    free_pem(&c->tls.cert);
    free_pem(&c->tls.key);
    free_pem(&c->tls.ca);
    for (size_t i = 0; i < c->tls.n_sans; i++) {
        free(c->tls.sans[i]);
    }
    for (size_t i = 0; i < c->n_headers; i++) {
        free(c->headers[i].value);
    }
    for (size_t i = 0; i < c->n_users; i++) {
        free(c->users[i].name);
        free(c->users[i].hash);
    }
    free(c->tls.sans);
    free(c->users);
    free(c->file);
    free(c);
}
