// SPDX-License-Identifier: Apache-2.0
#include "expose/gzip.h"

#include <errno.h>

bool gzip_is_supported(void)
{
    return false;
}

int gzip_new(struct gzip **ret)
{
    (void)ret;
    return -ENOTSUP;
}

void gzip_free(struct gzip *g)
{
    (void)g;
}

void gzip_begin(struct gzip *g)
{
    (void)g;
}

int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len)
{
    (void)g;
    (void)out;
    (void)bytes;
    (void)len;
    return -ENOTSUP;
}

int gzip_end(struct gzip *g, struct buf *out)
{
    (void)g;
    (void)out;
    return -ENOTSUP;
}
