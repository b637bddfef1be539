// SPDX-License-Identifier: Apache-2.0
#include "emit/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int queue_init(struct queue *q, size_t size)
{
    *q = (struct queue){.buf = malloc(size), .size = size};
    return q->buf == NULL ? -ENOMEM : 0;
}

void queue_free(struct queue *q)
{
    free(q->buf);
}

bool queue_has_room(const struct queue *q, size_t len)
{
    return q->size - (q->len - q->tail) > len;
}

void queue_put(struct queue *q, const char *line, size_t len)
{
    if (q->size - q->len <= len) {
        memmove(q->buf, q->buf + q->tail, q->len - q->tail);
        q->len -= q->tail;
        q->head -= q->tail;
        q->tail = 0;
    }
    memcpy(q->buf + q->len, line, len);
    q->buf[q->len + len] = '\n';
    q->len += len + 1;
    q->lines++;
}

size_t queue_next(const struct queue *q, const char **ret)
{
    *ret = q->buf + q->head;
    return q->len - q->head;
}

size_t queue_rest_of_line(const struct queue *q, const char **ret)
{
    size_t n = queue_next(q, ret);
    const char *lf = memchr(*ret, '\n', n);
    return lf == NULL ? 0 : (size_t)(lf - *ret) + 1;
}

uint64_t queue_wrote(struct queue *q, size_t n)
{
    uint64_t lines = 0;
    const char *end = q->buf + q->head + n;
    for (const char *p = q->buf + q->head; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        lines++;
    }
    q->head += n;
    return lines;
}

bool queue_is_torn(const struct queue *q)
{
    return q->head > q->tail && q->buf[q->head - 1] != '\n';
}

void queue_drop(struct queue *q, uint64_t n)
{
    q->lines -= n;
    q->first += n;
    for (; n > 0; n--) {
        const char *p = q->buf + q->tail;
        q->tail += (size_t)((const char *)memchr(p, '\n', q->len - q->tail) - p) + 1;
    }
    q->head = q->head < q->tail ? q->tail : q->head;
}

void queue_rewind(struct queue *q)
{
    q->head = q->tail;
}
