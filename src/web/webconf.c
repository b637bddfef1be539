// SPDX-License-Identifier: Apache-2.0
#include "web/webconf.h"

#include "base/text.h"
#include "web/webconf_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { PATH_SHOWN = 160, KEYS_MAX = 16 };

void webconf_problem(struct webconf_reader *r, const struct yaml_node *n, const char *path,
                     const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    errs_add(r->errs, r->file, n != NULL ? n->line : 0, n != NULL ? n->column : 0, path, "%s",
             text);
    r->problems++;
}

bool webconf_is_null(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR_NODE_KIND && n->plain &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0);
}

static void unknown_key(struct webconf_reader *r, const char *path, const struct yaml_node *key,
                        const struct webconf_key *keys, size_t n_keys)
{
    const char *words[KEYS_MAX];
    for (size_t i = 0; i < n_keys; i++) {
        words[i] = keys[i].name;
    }
    const char *nearest = text_nearest(key->text, words, n_keys);
    webconf_problem(r, key, path,
                    nearest != NULL ? "unknown key; the nearest is %s" : "unknown key", nearest);
}

void webconf_mapping(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                     const struct webconf_key *keys, size_t n_keys)
{
    if (webconf_is_null(n)) {
        return;
    }
    if (n->kind != YAML_MAPPING_KIND) {
        webconf_problem(r, n, path, "wants a mapping");
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        const char *name = n->keys[i]->text;
        char below[PATH_SHOWN];
        snprintf(below, sizeof below, "%s%s%.64s", path, path[0] != '\0' ? "." : "", name);
        size_t k = 0;
        while (k < n_keys && strcmp(keys[k].name, name) != 0) {
            k++;
        }
        if (k < n_keys) {
            keys[k].read(r, below, n->items[i]);
        } else {
            unknown_key(r, below, n->keys[i], keys, n_keys);
        }
    }
}

bool webconf_is_list(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                     size_t most)
{
    if (webconf_is_null(n)) {
        return false;
    }
    if (n->kind != YAML_SEQUENCE_KIND || n->n > most) {
        webconf_problem(r, n, path, "wants a list of at most %zu entries", most);
        return false;
    }
    return true;
}

static bool is_scalar(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (n->kind != YAML_SCALAR_NODE_KIND) {
        webconf_problem(r, n, path, "wants a text, not a %s",
                        n->kind == YAML_MAPPING_KIND ? "mapping" : "list");
        return false;
    }
    return true;
}

char *webconf_text(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (webconf_is_null(n) || !is_scalar(r, path, n)) {
        return NULL;
    }
    char *text = strdup(n->text);
    r->oom = r->oom || text == NULL;
    return text;
}

void webconf_bool(struct webconf_reader *r, const char *path, const struct yaml_node *n, bool *ret)
{
    static const char *const words[] = {"false", "no", "off", "true", "yes", "on"};
    for (size_t i = 0; n->kind == YAML_SCALAR_NODE_KIND && n->plain && i < 6; i++) {
        if (strcasecmp(n->text, words[i]) == 0) {
            *ret = i >= 3;
            return;
        }
    }
    if (!webconf_is_null(n)) {
        webconf_problem(r, n, path, "wants true or false");
    }
}

int webconf_choice(struct webconf_reader *r, const char *path, const struct yaml_node *n,
                   const char *what, const char *const *words, size_t n_words)
{
    if (!is_scalar(r, path, n)) {
        return -1;
    }
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(n->text, words[i]) == 0) {
            return (int)i;
        }
    }
    const char *nearest = text_nearest(n->text, words, n_words);
    webconf_problem(r, n, path,
                    nearest != NULL ? "unknown %s \"%.64s\"; the nearest is %s"
                                    : "unknown %s \"%.64s\"",
                    what, n->text, nearest);
    return -1;
}

// What is read and has no effect: there is no HTTP/2.
static void read_http2(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    bool ignored;
    webconf_bool(r, path, n, &ignored);
}

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

static void read_header(struct webconf_reader *r, const char *name, const char *const *allowed,
                        const char *path, const struct yaml_node *n)
{
    char *value = webconf_text(r, path, n);
    if (value == NULL) {
        return;
    }
    bool good = allowed == NULL;
    for (size_t i = 0; allowed != NULL && allowed[i] != NULL; i++) {
        good = good || strcmp(value, allowed[i]) == 0;
    }
    if (!good) {
        webconf_problem(r, n, path, "wants %s%s%s, not \"%.64s\"", allowed[0],
                        allowed[1] != NULL ? " or " : "", allowed[1] != NULL ? allowed[1] : "",
                        value);
    } else if (!is_header_text(value)) {
        webconf_problem(r, n, path, "has control characters, or more than %d bytes", WEBCONF_TEXT);
    } else {
        r->out->headers[r->out->n_headers++] =
            (struct webconf_header){.name = name, .value = value};
        return;
    }
    free(value);
}

#define HEADER(function, name, allowed)                                                            \
    static void function(struct webconf_reader *r, const char *path, const struct yaml_node *n)    \
    {                                                                                              \
        read_header(r, name, allowed, path, n);                                                    \
    }
static const char *const sniff[] = {"nosniff", NULL};
static const char *const frame[] = {"deny", "sameorigin", NULL};
HEADER(read_transport, "Strict-Transport-Security", NULL)
HEADER(read_content, "X-Content-Type-Options", sniff)
HEADER(read_frame, "X-Frame-Options", frame)
HEADER(read_xss, "X-XSS-Protection", NULL)
HEADER(read_policy, "Content-Security-Policy", NULL)

static void read_headers(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    static const struct webconf_key keys[WEBCONF_HEADERS] = {
        {"Strict-Transport-Security", read_transport},
        {"X-Content-Type-Options", read_content},
        {"X-Frame-Options", read_frame},
        {"X-XSS-Protection", read_xss},
        {"Content-Security-Policy", read_policy},
    };
    webconf_mapping(r, path, n, keys, sizeof keys / sizeof keys[0]);
}

static void read_http(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    static const struct webconf_key keys[] = {{"http2", read_http2}, {"headers", read_headers}};
    webconf_mapping(r, path, n, keys, sizeof keys / sizeof keys[0]);
}

static void read_user(struct webconf_reader *r, const char *path, const struct yaml_node *name,
                      const struct yaml_node *n)
{
    const char *why = "is no text";
    if (n->kind != YAML_SCALAR_NODE_KIND || !bcrypt_is_hash(n->text, &why)) {
        webconf_problem(r, n, path, "the password of \"%.64s\" %s", name->text, why);
        return;
    }
    struct webconf_user *u = &r->out->users[r->out->n_users++];
    u->name = strdup(name->text);
    u->hash = strdup(n->text);
    r->oom = r->oom || u->name == NULL || u->hash == NULL;
}

static void read_users(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (webconf_is_null(n)) {
        return;
    }
    if (n->kind != YAML_MAPPING_KIND || n->n > WEBCONF_USERS) {
        webconf_problem(r, n, path, "wants a mapping of at most %d users", WEBCONF_USERS);
        return;
    }
    r->out->users = calloc(n->n + 1, sizeof *r->out->users);
    if (r->out->users == NULL) {
        r->oom = true;
        return;
    }
    for (size_t i = 0; i < n->n; i++) {
        read_user(r, path, n->keys[i], n->items[i]);
    }
}

static int read_tree(struct webconf *c, const struct yaml *y, struct errs *errs)
{
    static const struct webconf_key keys[] = {{"tls_server_config", webconf_read_tls},
                                              {"http_server_config", read_http},
                                              {"basic_auth_users", read_users},
                                              {"rate_limit", webconf_read_limit}};
    struct webconf_reader r = {.errs = errs, .file = c->file, .out = c};
    if (y->root != NULL) {
        webconf_mapping(&r, "", y->root, keys, sizeof keys / sizeof keys[0]);
    }
    return r.oom ? -ENOMEM : r.problems > 0 ? -EINVAL : 0;
}

// Makes it of a tree, which it takes.
static int make(struct webconf **ret, const char *file, struct yaml *y, struct errs *errs)
{
    struct webconf *c = calloc(1, sizeof *c);
    int err = c != NULL ? 0 : -ENOMEM;
    if (err == 0) {
        c->tls.priority =
            (struct priority){.min = PRIORITY_TLS12, .max = PRIORITY_TLS13, .server_order = true};
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

int webconf_parse(struct webconf **ret, const char *file, const char *bytes, size_t len,
                  struct errs *errs)
{
    struct yaml *y;
    int err = yaml_parse(&y, file, bytes, len, errs);
    return err < 0 ? err : make(ret, file, y, errs);
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
static int fetch(struct webconf *c, struct webconf_pem *p, const char *key, struct watch *seen,
                 struct errs *errs)
{
    if (p->path == NULL) {
        return 0;
    }
    int err = watch_add(seen, p->path);
    err = err == 0 ? read_file(p->path, &p->text) : err;
    if (err < 0 && err != -ENOMEM) {
        errs_add(errs, c->file, p->line, p->column, key, "cannot read %s: %s", p->path,
                 err == -EINVAL ? "is no regular file" : strerror(-err));
        return -EINVAL;
    }
    return err;
}

int webconf_load(struct webconf **ret, const char *file, struct watch *seen, struct errs *errs)
{
    struct yaml *y = NULL;
    struct webconf *c = NULL;
    watch_clear(seen);
    int err = watch_add(seen, file);
    err = err == 0 ? yaml_read(&y, file, errs) : err;
    if (err < 0 && err != -EINVAL && err != -ENOMEM) {
        errs_add(errs, file, 0, 0, "", "cannot be read: %s", strerror(-err));
        return -EINVAL;
    }
    err = err == 0 ? make(&c, file, y, errs) : err;
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
