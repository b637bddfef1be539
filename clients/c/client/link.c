// SPDX-License-Identifier: Apache-2.0
#include "client/link.h"

#include "client/link_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void link_free(struct link *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->control);
    free(c->hello);
    wire_queue_free(&c->queue);
    free(c);
}

static int allocate(struct link *c, size_t buffer)
{
    size_t size = buffer == 0 ? LINK_BUFFER_AUTO : buffer;
    int error = wire_queue_init(&c->queue, size < LINK_BUFFER_MIN ? LINK_BUFFER_MIN : size);
    c->hello = malloc(c->hello_len + c->old_len + 1);
    c->control = malloc(c->hello_len + LINK_CONTROL_ROOM);
    return c->hello == NULL || c->control == NULL ? -ENOMEM : error;
}

// The first part of the session's ID, which is random.
static int begin_session(struct link *c)
{
    ssize_t n = getrandom(c->random, sizeof c->random, GRND_NONBLOCK);
    if (n != sizeof c->random) {
        return n < 0 ? -errno : -EAGAIN;
    }
    c->sessions = 1;
    c->fresh = true;
    return 0;
}

int link_open(struct link **ret, const struct link_config *config)
{
    char line[WIRE_LINE_MAX];
    char old_line[WIRE_LINE_MAX];
    int hello = config->hello == NULL ? 0 : wire_hello_line(line, sizeof line, config->hello, 0);
    if (hello < 0 || (config->session && hello == 0)) {
        return hello < 0 ? hello : -EINVAL;
    }
    struct link *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    c->fd = -1;
    c->wait_ms = config->wait_ms;
    c->on_end = config->session ? config->on_end : NULL;
    c->on_ready = config->on_ready;
    c->on_forgotten = config->on_forgotten;
    c->retry_last_ms = config->retry_last_ms > 0 ? config->retry_last_ms : LINK_RETRY_LAST_MS;
    c->on_rejection = config->on_rejection;
    c->arg = config->arg;
    c->retry_ms = LINK_RETRY_FIRST_MS;
    c->hello_len = hello > 0 ? (size_t)hello - 2 : 0;
    if (hello > 0 && config->hello->interval_s > 0) {
        struct wire_hello old = *config->hello;
        old.interval_s = 0;
        old.transient = false;
        c->old_len = (size_t)wire_hello_line(old_line, sizeof old_line, &old, 0) - 2;
    }
    int error = allocate(c, config->buffer);
    error = error < 0 ? error : wire_socket_path(c->path, config->path);
    error = error < 0 || !config->session ? error : begin_session(c);
    if (error < 0) {
        link_free(c);
        return error;
    }
    memcpy(c->hello, line, c->hello_len);
    c->old_hello = c->hello + c->hello_len;
    memcpy(c->old_hello, old_line, c->old_len);
    link_step(c, 0);
    *ret = c;
    return 0;
}

int link_connect(struct link *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    if (c->fd < 0) {
        link_open_connection(c);
    }
    while (!c->ready) {
        bool again = c->error == -EAGAIN || c->error == -ECONNRESET || c->error == -EPIPE;
        if (c->fd < 0 && !again) {
            return c->error;
        }
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_step(c, deadline);
    }
    return 0;
}

// Whether the buffer gets room for that line within wait_ms.
static bool wait_room(struct link *c, size_t len)
{
    uint64_t deadline = link_now_ms() + c->wait_ms;
    while (!wire_queue_has_room(&c->queue, len)) {
        uint64_t now = link_now_ms();
        if (link_has_session(c) && c->ready && c->written > c->synced) {
            link_queue_sync(c);
        }
        link_step(c, deadline);
        if (now >= deadline) {
            return wire_queue_has_room(&c->queue, len);
        }
    }
    return true;
}

// Puts a line into the buffer.
static int take_line(struct link *c, const char *line, size_t len)
{
    if (wire_is_blank(line, len) || memchr(line, '\n', len) != NULL ||
        (link_has_session(c) && wire_is_control(line, len))) {
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
    wire_queue_put(&c->queue, line, len);
    return 0;
}

int link_put_line(struct link *c, const char *line, size_t len)
{
    return take_line(c, line, len);
}

void link_lose(struct link *c, uint64_t n)
{
    c->stats.sent += n;
    c->stats.lost += n;
}

int link_send_line(struct link *c, const char *line, size_t len)
{
    int error = take_line(c, line, len);
    if (error == 0) {
        link_step(c, 0);
    }
    return error;
}

int link_send(struct link *c, const struct wire_sample *sample)
{
    char line[WIRE_LINE_MAX];
    int len = wire_line(line, sizeof line, sample);
    return len < 0 ? len : link_send_line(c, line, (size_t)len);
}

int link_send_value(struct link *c, const struct wire_sample *sample, double value)
{
    char number[WIRE_NUMBER_MAX];
    struct wire_sample s = *sample;
    s.value = number;
    return wire_number(number, value) == 0 ? -EINVAL : link_send(c, &s);
}

static bool has_to_write(const struct link *c)
{
    return wire_queue_has_waiting(&c->queue) || c->control_len > 0 || c->forget_at < c->forget_len;
}

int link_work(struct link *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    link_step(c, 0);
    while (has_to_write(c)) {
        if (link_now_ms() >= deadline) {
            return -ETIMEDOUT;
        }
        link_step(c, deadline);
    }
    return 0;
}

bool link_is_settled(const struct link *c)
{
    bool told = c->hello_len == 0 || c->stats.lost == c->lost_acknowledged;
    return told && c->queue.lines == 0 && link_unanswered(c) == 0;
}

// In a session: whatever breaks meanwhile.
static int sync_session(struct link *c, uint64_t deadline)
{
    uint64_t lost = c->stats.lost;
    while (!link_is_settled(c)) {
        uint64_t now = link_now_ms();
        if (c->ready && !has_to_write(c)) {
            link_queue_sync(c);
        }
        link_step(c, deadline);
        if (c->fd < 0 && c->error == -EPERM) {
            return -EPERM;
        }
        if (now >= deadline && !link_is_settled(c)) {
            return -ETIMEDOUT;
        }
    }
    return c->stats.lost == lost ? 0 : -ECONNRESET;
}

int link_sync(struct link *c, unsigned timeout_ms)
{
    uint64_t deadline = link_now_ms() + timeout_ms;
    uint64_t unknown = c->stats.unknown;
    uint64_t id = 0;
    if (link_has_session(c)) {
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
        link_step(c, deadline);
        if (now >= deadline && (id == 0 || c->sync_seen < id)) {
            return -ETIMEDOUT;
        }
    } while (id == 0 || c->sync_seen < id);
    return 0;
}

int link_apply(struct link *c, const struct wire_sample *sample, unsigned timeout_ms)
{
    char line[WIRE_LINE_MAX];
    uint64_t deadline = link_now_ms() + timeout_ms;
    struct link_stats before = c->stats;
    int len = wire_line(line, sizeof line, sample);
    int error = len < 0 ? len : link_has_session(c) ? -EINVAL : take_line(c, line, (size_t)len);
    if (error < 0) {
        return error;
    }
    for (uint64_t id = 0; id == 0 || c->sync_seen < id;) {
        if (c->ready && c->control_len == 0 && !c->sync_waits) {
            link_queue_last_sync(c);
            id = c->sync_id;
        }
        uint64_t now = link_now_ms();
        link_step(c, deadline);
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

int link_wait(const struct link *c, struct pollfd *ret)
{
    return link_next(c, ret);
}

void link_ask(struct link *c)
{
    if (c->ready && c->control_len == 0 && !c->sync_waits) {
        link_queue_last_sync(c);
    }
}

void link_live(struct link *c)
{
    if (c->ready) {
        link_queue_sync(c);
    }
}

void link_forget(struct link *c, const char *line, size_t len)
{
    c->forget = line;
    c->forget_at = 0;
    c->forget_len = len;
}

bool link_forgets(const struct link *c)
{
    return c->forget != NULL;
}

struct link_stats link_stats(const struct link *c)
{
    struct link_stats stats = c->stats;
    stats.connected = c->ready;
    stats.old = c->old;
    stats.error = c->error;
    stats.waiting = c->queue.lines + (link_has_session(c) ? 0 : link_unanswered(c));
    return stats;
}

int link_close(struct link *c, unsigned timeout_ms, struct link_stats *stats)
{
    int error = link_is_settled(c) ? 0 : link_sync(c, timeout_ms);
    struct link_stats last = link_stats(c);
    uint64_t written =
        link_unanswered(c) + (!link_has_session(c) && wire_queue_is_partial(&c->queue));
    last.unknown += written;
    last.lost += last.waiting - written;
    last.waiting = 0;
    if (stats != NULL) {
        *stats = last;
    }
    link_free(c);
    return error;
}
