// SPDX-License-Identifier: Apache-2.0
/*
 * gzip: bytes to a gzip stream, chosen for speed. The one place that speaks to isa-l; gzip_none.c stands for it
 * where there is none (GZIP=no).
 *
 * Threads: one owner at a time for a struct gzip.
 * Memory:  gzip_new returns new; about 360 KiB that serve every stream.
 * Source:  RFC 1952.
 */
#ifndef VE_EXPOSE_GZIP_H
#define VE_EXPOSE_GZIP_H

#include "base/buf.h"

struct gzip;

// Whether this build can.
bool gzip_is_there(void);
// Returns 0; -ENOMEM; -ENOTSUP in a build that cannot.
int gzip_new(struct gzip **ret);
void gzip_free(struct gzip *g);
// Appends the stream of all these bytes. Returns 0; -ENOMEM (then `out` holds a part).
int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len);

#endif
