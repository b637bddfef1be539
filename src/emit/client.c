// SPDX-License-Identifier: Apache-2.0
#include "emit/client.h"

#include "emit/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_client(struct client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->control);
    free(c->hello);
    free(c->buf);
    free(c);
}

int client_open(struct client **ret, const struct client_config *config)
{
    char line[WIRE_LINE_MAX];
    int hello = config->hello == NULL ? 0 : wire_hello_line(line, sizeof line, config->hello, 0);
    if (hello < 0) {
        return hello;
    }
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    c->fd = -1;
    c->wait_ms = config->wait_ms;
    c->on_refusal = config->on_refusal;
    c->arg = config->arg;
    c->retry_ms = LINK_RETRY_FIRST;
    c->hello_len = hello > 0 ? (size_t)hello - 2 : 0;
    c->size = config->buffer == 0 ? CLIENT_BUFFER_AUTO : config->buffer;
    c->size = c->size < CLIENT_BUFFER_MIN ? CLIENT_BUFFER_MIN : c->size;
    c->buf = malloc(c->size);
    c->hello = malloc(c->hello_len + 1);
    c->control = malloc(c->hello_len + LINK_CONTROL_ROOM);
    int error = link_path(c->path, config->path);
    if (c->buf == NULL || c->hello == NULL || c->control == NULL) {
        error = -ENOMEM;
    }
    if (error < 0) {
        free_client(c);
        return error;
    }
    memcpy(c->hello, line, c->hello_len);
    link_turn(c, 0);
    *ret = c;
    return 0;
}

int client_connect(struct client *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    if (c->fd < 0) {
        link_connect(c);
    }
    while (!c->ready) {
        if (c->fd < 0 && c->error != -EAGAIN) {
            return c->error;
        }
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_turn(c, deadline);
    }
    return 0;
}

// Whether buf has `need` bytes of room at its end, after moving what is in it to the front.
static bool make_room(struct client *c, size_t need)
{
    if (c->size - c->len < need && c->head > 0) {
        memmove(c->buf, c->buf + c->head, c->len - c->head);
        c->len -= c->head;
        c->head = 0;
    }
    return c->size - c->len >= need;
}

// Whether the buffer gets that room within wait_ms.
static bool wait_room(struct client *c, size_t need)
{
    uint64_t deadline = link_now_ms() + c->wait_ms;
    while (!make_room(c, need)) {
        uint64_t now = link_now_ms();
        link_turn(c, deadline);
        if (now >= deadline) {
            return make_room(c, need);
        }
    }
    return true;
}

int client_send_line(struct client *c, const char *line, size_t len)
{
    if (len == 0 || memchr(line, '\n', len) != NULL) {
        return -EINVAL;
    }
    if (len > WIRE_LINE_MAX || len >= c->size) {
        return -EMSGSIZE;
    }
    if (!wait_room(c, len + 1)) {
        c->stats.lost++;
        return -ENOBUFS;
    }
    memcpy(c->buf + c->len, line, len);
    c->buf[c->len + len] = '\n';
    c->len += len + 1;
    link_turn(c, 0);
    return 0;
}

int client_send(struct client *c, const struct wire_sample *sample)
{
    char line[WIRE_LINE_MAX];
    int len = wire_line(line, sizeof line, sample);
    return len < 0 ? len : client_send_line(c, line, (size_t)len);
}

int client_send_value(struct client *c, const struct wire_sample *sample, double value)
{
    char number[WIRE_NUMBER_MAX];
    struct wire_sample s = *sample;
    s.value = number;
    return wire_number(number, value) == 0 ? -EINVAL : client_send(c, &s);
}

static bool is_idle(const struct client *c)
{
    return c->ready && c->head == c->len && c->control_len == 0;
}

int client_work(struct client *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    link_turn(c, 0);
    while (c->head < c->len || c->control_len > 0) {
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_turn(c, deadline);
    }
    return 0;
}

int client_sync(struct client *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    uint64_t unknown = c->stats.unknown;
    uint64_t id = 0;
    do {
        if (c->stats.unknown != unknown || (id > 0 && c->fd < 0)) {
            return -ECONNRESET;
        }
        if (id == 0 && is_idle(c)) {
            link_queue_sync(c);
            id = c->sync_id;
        }
        uint64_t now = link_now_ms();
        link_turn(c, deadline);
        if (now >= deadline && (id == 0 || c->sync_seen < id)) {
            return -ETIMEDOUT;
        }
    } while (id == 0 || c->sync_seen < id);
    return 0;
}

struct client_stats client_stats(const struct client *c)
{
    struct client_stats stats = c->stats;
    stats.connected = c->ready;
    return stats;
}

// Whether the daemon has acknowledged all there was, and knows what was lost if it can.
static bool is_settled(const struct client *c)
{
    bool told = c->hello_len == 0 || c->stats.lost == c->lost_told;
    return told && c->head == c->len && c->written == c->stats.applied + c->stats.rejected;
}

int client_close(struct client *c, unsigned timeout_ms, struct client_stats *stats)
{
    int error = is_settled(c) ? 0 : client_sync(c, timeout_ms);
    struct client_stats last = client_stats(c);
    last.unknown += c->written - (last.applied + last.rejected) + c->torn;
    last.lost += link_count_lines(c->buf + c->head, c->len - c->head) - c->torn;
    if (stats != NULL) {
        *stats = last;
    }
    free_client(c);
    return error;
}
