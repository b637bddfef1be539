// SPDX-License-Identifier: Apache-2.0
#include "emit/client.h"

#include "emit/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void free_client(struct client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->control);
    free(c->hello);
    queue_free(&c->queue);
    free(c);
}

static int allocate(struct client *c, size_t buffer)
{
    size_t size = buffer == 0 ? CLIENT_BUFFER_AUTO : buffer;
    int error = queue_init(&c->queue, size < CLIENT_BUFFER_MIN ? CLIENT_BUFFER_MIN : size);
    c->hello = malloc(c->hello_len + 1);
    c->control = malloc(c->hello_len + LINK_CONTROL_ROOM);
    return c->hello == NULL || c->control == NULL ? -ENOMEM : error;
}

// The first part of the session's ID, which nobody else has.
static int begin_session(struct client *c)
{
    ssize_t n = getrandom(c->random, sizeof c->random, GRND_NONBLOCK);
    if (n != sizeof c->random) {
        return n < 0 ? -errno : -EAGAIN;
    }
    c->sessions = 1;
    c->fresh = true;
    return 0;
}

int client_open(struct client **ret, const struct client_config *config)
{
    char line[WIRE_LINE_MAX];
    int hello = config->hello == NULL ? 0 : wire_hello_line(line, sizeof line, config->hello, 0);
    if (hello < 0 || (config->session && hello == 0)) {
        return hello < 0 ? hello : -EINVAL;
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
    int error = allocate(c, config->buffer);
    error = error < 0 ? error : stream_path(c->path, config->path);
    error = error < 0 || !config->session ? error : begin_session(c);
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
        bool again = c->error == -EAGAIN || c->error == -ECONNRESET || c->error == -EPIPE;
        if (c->fd < 0 && !again) {
            return c->error;
        }
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_turn(c, deadline);
    }
    return 0;
}

// Whether the buffer gets room for that line within wait_ms.
static bool wait_room(struct client *c, size_t len)
{
    uint64_t deadline = link_now_ms() + c->wait_ms;
    while (!queue_has_room(&c->queue, len)) {
        uint64_t now = link_now_ms();
        if (c->sessions > 0 && c->ready && c->written > c->synced) {
            link_queue_sync(c);
        }
        link_turn(c, deadline);
        if (now >= deadline) {
            return queue_has_room(&c->queue, len);
        }
    }
    return true;
}

// Puts a line into the buffer.
static int take_line(struct client *c, const char *line, size_t len)
{
    if (wire_is_blank(line, len) || memchr(line, '\n', len) != NULL ||
        (c->sessions > 0 && wire_is_control(line, len))) {
        return -EINVAL;
    }
    if (len > WIRE_LINE_MAX || len >= c->queue.size) {
        return -EMSGSIZE;
    }
    c->stats.sent++;
    if (!wait_room(c, len)) {
        c->stats.lost++;
        return -ENOBUFS;
    }
    queue_put(&c->queue, line, len);
    return 0;
}

int client_send_line(struct client *c, const char *line, size_t len)
{
    int error = take_line(c, line, len);
    if (error == 0) {
        link_turn(c, 0);
    }
    return error;
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

static bool has_to_write(const struct client *c)
{
    return queue_waits(&c->queue) || c->control_len > 0;
}

int client_work(struct client *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    link_turn(c, 0);
    while (has_to_write(c)) {
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_turn(c, deadline);
    }
    return 0;
}

int client_wait(const struct client *c, struct pollfd *ret)
{
    return link_wait(c, ret);
}

// Whether the daemon has acknowledged all there was, and knows what was lost if it can.
static bool is_settled(const struct client *c)
{
    bool told = c->hello_len == 0 || c->stats.lost == c->lost_known;
    return told && c->queue.lines == 0 && link_unanswered(c) == 0;
}

// In a session: whatever breaks meanwhile.
static int sync_session(struct client *c, uint64_t deadline)
{
    uint64_t lost = c->stats.lost;
    while (!is_settled(c)) {
        uint64_t now = link_now_ms();
        if (c->ready && !has_to_write(c)) {
            link_queue_sync(c);
        }
        link_turn(c, deadline);
        if (c->fd < 0 && c->error == -EPERM) {
            return -EPERM;
        }
        if (now >= deadline && !is_settled(c)) {
            return -ETIMEDOUT;
        }
    }
    return c->stats.lost == lost ? 0 : -ECONNRESET;
}

int client_sync(struct client *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    uint64_t unknown = c->stats.unknown;
    uint64_t id = 0;
    if (c->sessions > 0) {
        return sync_session(c, deadline);
    }
    do {
        if (c->stats.unknown != unknown || (id > 0 && c->fd < 0)) {
            return -ECONNRESET;
        }
        if (id == 0 && c->ready && !has_to_write(c) && !c->sync_waits) {
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

int client_apply(struct client *c, const struct wire_sample *sample, unsigned timeout_ms)
{
    char line[WIRE_LINE_MAX];
    uint64_t deadline = link_now_ms() + timeout_ms;
    struct client_stats before = c->stats;
    int len = wire_line(line, sizeof line, sample);
    int error = len < 0 ? len : c->sessions > 0 ? -EINVAL : take_line(c, line, (size_t)len);
    if (error < 0) {
        return error;
    }
    for (uint64_t id = 0; id == 0 || c->sync_seen < id;) {
        if (c->ready && c->control_len == 0 && !c->sync_waits) {
            link_queue_last_sync(c);
            id = c->sync_id;
        }
        uint64_t now = link_now_ms();
        link_turn(c, deadline);
        if (c->stats.unknown != before.unknown) {
            return -ECONNRESET;
        }
        if (c->fd < 0 && (now >= deadline || c->stats.refused != before.refused)) {
            return c->error;
        }
        if (now >= deadline && (id == 0 || c->sync_seen < id)) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

struct client_stats client_stats(const struct client *c)
{
    struct client_stats stats = c->stats;
    stats.connected = c->ready;
    stats.waiting = c->queue.lines + (c->sessions > 0 ? 0 : link_unanswered(c));
    return stats;
}

int client_close(struct client *c, unsigned timeout_ms, struct client_stats *stats)
{
    int error = is_settled(c) ? 0 : client_sync(c, timeout_ms);
    struct client_stats last = client_stats(c);
    uint64_t written = link_unanswered(c) + (c->sessions == 0 && queue_is_torn(&c->queue));
    last.unknown += written;
    last.lost += last.waiting - written;
    last.waiting = 0;
    if (stats != NULL) {
        *stats = last;
    }
    free_client(c);
    return error;
}
