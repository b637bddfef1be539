// SPDX-License-Identifier: Apache-2.0
/*
 * buf: a growing run of bytes, for text that is built piece by piece.
 *
 * Shape:   bytes p[0..len), not NUL-terminated unless buf_string was called.
 * Errors:  sticky. When memory runs out (or the cap is hit) nothing is added any more and `failed`
 *          stays true until buf_clear; a writer checks once, at the end.
 * Threads: one owner at a time.
 * Memory:  owns its bytes; buf_free gives them back. Bytes may be lent instead, with cap and max
 *          set to their number: then no memory is asked for, and neither buf_shrink nor buf_free
 *          may be called.
 */
#ifndef VE_BASE_BUF_H
#define VE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *p;     // the bytes; NULL while nothing was ever reserved
    size_t len;  // bytes in use
    size_t cap;  // bytes reserved
    size_t max;  // never grow beyond this; 0 means no bound
    bool failed; // something did not fit since the last buf_clear
};

// A run of bytes that is borrowed.
struct slice {
    const char *p;
    size_t len;
};

#define BUF_INIT ((struct buf){0})

// Makes room for `more` bytes past len. Returns false, and sets failed, when there is none.
bool buf_grow(struct buf *b, size_t more);

static inline bool buf_reserve(struct buf *b, size_t more)
{
    return (!b->failed && b->cap - b->len >= more) || buf_grow(b, more);
}

static inline void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len > 0 && buf_reserve(b, len)) {
        memcpy(b->p + b->len, bytes, len);
        b->len += len;
    }
}

static inline void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

static inline void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

// Adds printf-formatted text; needs room for one byte more than the text.
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Ends the bytes with a NUL that len does not count (max does), and returns them. Returns NULL
// after a failure.
const char *buf_string(struct buf *b);

// Empties the buffer and forgets a failure; keeps the memory.
void buf_clear(struct buf *b);

// Empties the buffer and gives memory above `keep` bytes back.
void buf_shrink(struct buf *b, size_t keep);

void buf_free(struct buf *b);

#endif
