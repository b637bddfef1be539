// SPDX-License-Identifier: Apache-2.0
#include "ctl/answer.h"

#include "base/text.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ = 64 << 10 };

static int set_timeout(int fd, unsigned ms)
{
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (long)(ms % 1000) * 1000};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0
               ? -errno
               : 0;
}

int answer_open(struct answer *a, const char *path, unsigned timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *named = getenv(ANSWER_SOCKET_ENV);
    *a = ANSWER_NONE;
    a->path = path != NULL ? path : named != NULL && named[0] != '\0' ? named : ANSWER_SOCKET;
    size_t len = strlen(a->path);
    if (len >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, a->path, len);
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = a->fd < 0 ? -errno : set_timeout(a->fd, timeout_ms);
    if (rc == 0 && connect(a->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
    return rc;
}

void answer_close(struct answer *a)
{
    if (a->fd >= 0) {
        close(a->fd);
    }
    json_decref(a->row);
    buf_free(&a->in);
    buf_free(&a->safe);
    *a = ANSWER_NONE;
}

int answer_ask(struct answer *a, struct buf *request)
{
    buf_char(request, '\n');
    if (request->failed) {
        return -ENOMEM;
    }
    for (size_t sent = 0; sent < request->len;) {
        ssize_t n = send(a->fd, request->p + sent, request->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EPIPE) {
            return 0; // what the daemon said before it closed is there to be read
        }
        if (n < 0 && errno != EINTR) {
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

void answer_be_patient(struct answer *a)
{
    set_timeout(a->fd, 0);
}

// Whether a terminal obeys nothing of the text.
static bool is_safe(const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = text_char(s + i, len - i, &code);
        if (n == 0 || text_is_hidden(code)) {
            return false;
        }
        i += n;
    }
    return true;
}

// The same JSON for a terminal: between its parts only blanks are hidden, and in its strings nothing below a blank.
static void make_safe(struct buf *out, const char *json, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = text_char(json + i, len - i, &code);
        if (n > 0 && !text_is_hidden(code)) {
            buf_add(out, json + i, n);
        } else if (code > 0xFFFF) {
            buf_addf(out, "\\u%04x\\u%04x", 0xD7C0 + (unsigned)(code >> 10),
                     0xDC00 + (unsigned)(code & 0x3FF)); // the two surrogates
        } else if (code > ' ') {
            buf_addf(out, "\\u%04x", (unsigned)code);
        } else {
            buf_char(out, ' ');
        }
        i += n > 0 ? n : 1;
    }
}

static int take_line(struct answer *a, char *line, size_t len)
{
    json_error_t error;
    json_decref(a->row);
    a->row = json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!json_is_object(a->row)) {
        return -EBADMSG;
    }
    a->line = line;
    line[len] = '\0';
    if (!is_safe(line, len)) {
        buf_clear(&a->safe);
        make_safe(&a->safe, line, len);
        a->line = buf_string(&a->safe);
    }
    return a->line != NULL ? 0 : -ENOMEM;
}

// Drops what was read.
static void compact(struct answer *a)
{
    a->in.len -= a->used;
    memmove(a->in.p, a->in.p + a->used, a->in.len);
    a->used = 0;
}

int answer_read(struct answer *a)
{
    size_t looked = a->used;
    for (;;) {
        char *from = a->in.p + looked;
        char *lf = a->in.len > looked ? memchr(from, '\n', a->in.len - looked) : NULL;
        if (lf != NULL) {
            char *line = a->in.p + a->used;
            a->used = (size_t)(lf + 1 - a->in.p);
            return take_line(a, line, (size_t)(lf - line));
        }
        if (a->used > 0) {
            compact(a);
        }
        looked = a->in.len;
        if (a->in.len > ANSWER_LINE_MAX || !buf_reserve(&a->in, READ)) {
            return -EMSGSIZE;
        }
        ssize_t n = recv(a->fd, a->in.p + a->in.len, READ, 0);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0) {
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        a->in.len += (size_t)n;
    }
}

const json_t *answer_get(const struct answer *a, const char *key)
{
    return json_object_get(a->row, key);
}
