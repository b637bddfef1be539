// SPDX-License-Identifier: Apache-2.0
/*
 * gzip: bytes to a gzip stream, chosen for speed. The only user of isa-l; a build without it
 * (GZIP=no) has none.
 *
 * Shape:   gzip_begin, gzip_add for any number of pieces, gzip_end.
 * Errors:  -ENOMEM, and then `out` holds a part.
 * Threads: one owner at a time for a struct gzip.
 * Memory:  gzip_new returns new; about 360 KiB that serve every stream.
 * Source:  RFC 1952.
 */
#ifndef VE_EXPOSE_GZIP_H
#define VE_EXPOSE_GZIP_H

#include "base/buf.h"

struct gzip;

// Whether this build can.
bool gzip_is_supported(void);
// Returns 0; -ENOMEM; -ENOTSUP in a build that cannot.
int gzip_new(struct gzip **ret);
void gzip_free(struct gzip *g);

void gzip_begin(struct gzip *g);
// These append what is complete of the stream. They return 0; -ENOMEM.
int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len);
int gzip_end(struct gzip *g, struct buf *out);

#endif
