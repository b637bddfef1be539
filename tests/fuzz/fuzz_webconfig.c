// SPDX-License-Identifier: Apache-2.0
// fuzz_webconfig: a web configuration. It is accepted within its bounds, or refused with problems that name it.
#include "web/webconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check_tls(const struct webconf_tls *tls)
{
    struct buf text = BUF_INIT;
    bool any = webconf_write_priority(&tls->priority, &text);
    must(!tls->on || any, "TLS without a version");
    must(tls->priority.n_curves <= WEBCONF_PRIORITY_CURVES, "too many curves");
    must(!tls->on || (tls->cert.path == NULL) != (tls->cert.text == NULL), "not one certificate");
    must(!tls->on || (tls->key.path == NULL) != (tls->key.text == NULL), "not one key");
    buf_free(&text);
}

static void check(const struct webconf *c)
{
    check_tls(&c->tls);
    must(c->n_headers <= WEBCONF_HEADERS, "too many headers");
    for (size_t i = 0; i < c->n_headers; i++) {
        must(strpbrk(c->headers[i].value, "\r\n") == NULL, "a header that ends its line");
    }
    for (size_t i = 0; i < c->n_users; i++) {
        must(strlen(c->users[i].hash) == CREDENTIALS_HASH, "a hash that is none");
    }
    must(c->interval_ns == 0 || c->burst > 0, "nobody is ever let in");
    must(c->burst <= WEBCONF_BURST && c->interval_ns <= WEBCONF_INTERVAL_S * 1000000000ull,
         "a limit without limits");
}

// As a file, whose certificates are most likely not there.
static void load(const uint8_t *data, size_t size)
{
    struct errs errs = ERRS_INIT;
    struct webconf_files seen = {0};
    struct webconf *c = NULL;
    char path[32];
    int fd = memfd_create("web", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = webconf_load(&c, path, true, &seen, &errs);
    must((rc == 0) == (c != NULL) && (rc == 0) == !errs_has_any(&errs),
         "result and problems differ");
    must(!webconf_files_have_changed(&seen), "files change by themselves");
    webconf_free(c);
    webconf_files_clear(&seen);
    errs_free(&errs);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load(data, size);
    struct errs errs = ERRS_INIT;
    struct webconf *c = NULL;
    int rc = webconf_parse(&c, "web.yaml", true, (const char *)data, size, &errs);
    must((rc == 0) == (c != NULL) && (rc == 0) == !errs_has_any(&errs),
         "result and problems differ");
    if (c != NULL) {
        check(c);
    } else {
        struct buf text = BUF_INIT;
        errs_write(&errs, &text);
        must(text.len > 9 && memcmp(text.p, "web.yaml:", 9) == 0, "nobody says where");
        buf_free(&text);
    }
    webconf_free(c);
    errs_free(&errs);
    return 0;
}
