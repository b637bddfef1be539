// SPDX-License-Identifier: Apache-2.0
/*
 * sink: where an exposition goes: kept as text, or moved on through gzip a piece at a time. Then the text never leaves
 * the CPU's caches, and memory holds no more of it than a piece.
 *
 * Shape:   writers append to `text`, and call sink_flow between two series. What came since sink_mark can be taken
 *          back, though it was moved on.
 * Errors:  text->failed, which is sticky.
 * Threads: one owner at a time.
 * Memory:  borrows the buffers and the gzip.
 */
#ifndef VE_EXPOSE_SINK_H
#define VE_EXPOSE_SINK_H

#include "base/buf.h"
#include "expose/gzip.h"

enum { SINK_PIECE = 256 * 1024 };

struct sink {
    struct buf *text;
    size_t full;          // bytes of text that are moved on; SIZE_MAX: they stay
    struct gzip *gzip;    // NULL: the text is kept
    struct buf *packed;   // the stream so far
    size_t mark;          // where in text the mark is; all that is there, once some was moved on
    size_t packed_before; // bytes of packed when the mark's gzip was kept
    bool moved;           // some that came since the mark
};

// All is appended to text.
struct sink sink_text(struct buf *text);
// All is appended to packed as one gzip stream; text, which is empty, serves for the pieces.
struct sink sink_gzip(struct buf *text, struct gzip *gzip, struct buf *packed);

void sink_mark(struct sink *s);
// Takes back what came since the mark. What comes now stays text up to the next mark.
void sink_back(struct sink *s);

// For sink_flow.
void sink_move(struct sink *s);

// Moves a piece on, when there is one.
static inline void sink_flow(struct sink *s)
{
    if (s->text->len >= s->full) {
        sink_move(s);
    }
}

// Moves the rest on. Returns 0 or -ENOMEM.
int sink_end(struct sink *s);

#endif
