// SPDX-License-Identifier: Apache-2.0
#include "web/tls.h"

#include <errno.h>

bool tls_is_there(void)
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

struct tls *tls_ref(struct tls *t)
{
    return t;
}

void tls_unref(struct tls *t)
{
    (void)t;
}

int tls_attach(struct tls *t, void *session)
{
    (void)t;
    (void)session;
    return -ENOTSUP;
}

void *tls_no_certificate(void)
{
    return NULL;
}
