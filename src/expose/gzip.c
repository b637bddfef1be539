// SPDX-License-Identifier: Apache-2.0
#include "expose/gzip.h"

#include <errno.h>

bool gzip_is_supported(void)
{
    return VE_HAVE_GZIP;
}

#if VE_HAVE_GZIP

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

// isa-l counts bytes in 32 bits. Level 1 takes about as long as level 0, and what it makes is a third smaller. What
// repeats in an exposition does so within a few lines, for which half the greatest window is as good and faster.
enum { LEVEL = 1, WINDOW_BITS = 14, IN_MOST = 1 << 30, OUT_STEP = 256 * 1024 };

// isa-l keeps its whole state of a stream in here, and allocates nothing.
struct gzip {
    struct isal_zstream stream;
    uint8_t level_memory[ISAL_DEF_LVL1_DEFAULT];
};

int gzip_new(struct gzip **ret)
{
    struct gzip *g = malloc(sizeof *g);
    if (g == NULL) {
        return -ENOMEM;
    }
    *ret = g;
    return 0;
}

void gzip_free(struct gzip *g)
{
    free(g);
}

void gzip_begin(struct gzip *g)
{
    struct isal_zstream *z = &g->stream;
    isal_deflate_init(z); // which leaves avail_in as it was
    z->avail_in = 0;
    z->gzip_flag = IGZIP_GZIP;
    z->level = LEVEL;
    z->hist_bits = WINDOW_BITS;
    z->level_buf = g->level_memory;
    z->level_buf_size = sizeof g->level_memory;
}

static int step(struct isal_zstream *z, struct buf *out)
{
    if (!buf_reserve(out, OUT_STEP)) {
        return -ENOMEM;
    }
    z->next_out = (uint8_t *)out->p + out->len;
    z->avail_out = OUT_STEP;
    isal_deflate(z);
    out->len += OUT_STEP - z->avail_out;
    return 0;
}

int gzip_add(struct gzip *g, struct buf *out, const char *bytes, size_t len)
{
    struct isal_zstream *z = &g->stream;
    int rc = 0;
    z->next_in = (uint8_t *)(uintptr_t)bytes; // only read
    while (rc == 0 && len > 0) {
        uint32_t some = len < IN_MOST ? (uint32_t)len : IN_MOST;
        len -= some;
        z->avail_in = some;
        while (rc == 0 && z->avail_in > 0) {
            rc = step(z, out);
        }
    }
    return rc;
}

int gzip_end(struct gzip *g, struct buf *out)
{
    struct isal_zstream *z = &g->stream;
    int rc = 0;
    z->end_of_stream = 1;
    while (rc == 0 && z->internal_state.state != ZSTATE_END) {
        rc = step(z, out);
    }
    return rc;
}

#else

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

#endif
