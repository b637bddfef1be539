// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include <errno.h>

bool tls_is_supported(void)
{
    return false;
}

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

struct tls *tls_ref(struct tls *t)
{
    return t;
}

void tls_unref(struct tls *t)
{
    (void)t;
}

const char *tls_fault_name(enum tls_fault f)
{
    static const char *const names[] = {
#define FAULT(name, ...) #name,
#include "web/tls_fault.def"
    };
    return names[f];
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
