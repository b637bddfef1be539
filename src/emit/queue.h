// SPDX-License-Identifier: Apache-2.0
/*
 * queue: a client's lines, in order: those that were written and may have to be written again, then those that wait.
 *
 *     0 ... tail ........... head ............ len ... size
 *           written, kept    to be written
 *
 * Shape:   tail stands at the beginning of a line, head may stand inside of one. Every line ends with LF.
 * Bounds:  size bytes, for good. Threads: one at a time. Memory: allocated once. Errors: -errno.
 */
#ifndef VE_EMIT_QUEUE_H
#define VE_EMIT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
    char *buf;
    size_t size;    // of buf
    size_t tail;    // the oldest line
    size_t head;    // the next byte to write
    size_t len;     // bytes in buf
    uint64_t lines; // from tail to len
    uint64_t first; // lines that stood before tail and are forgotten
};

// Returns 0; -ENOMEM.
int queue_init(struct queue *q, size_t size);

void queue_free(struct queue *q);

// Whether a line of len bytes and its LF fit now.
bool queue_has_room(const struct queue *q, size_t len);

// Appends a line, for which there is room, and its LF.
void queue_put(struct queue *q, const char *line, size_t len);

// What is to be written next. Returns how many bytes.
size_t queue_next(const struct queue *q, const char **ret);

// The same up to the end of the line that head stands in.
size_t queue_rest_of_line(const struct queue *q, const char **ret);

// Notes that n of those bytes were written. Returns how many lines are complete by that.
uint64_t queue_wrote(struct queue *q, size_t n);

// Whether there is anything to be written.
static inline bool queue_waits(const struct queue *q)
{
    return q->head < q->len;
}

// Whether head stands inside of a line.
bool queue_is_torn(const struct queue *q);

// Forgets the n oldest lines.
void queue_drop(struct queue *q, uint64_t n);

// What was written and is kept shall be written again.
void queue_rewind(struct queue *q);

#endif
