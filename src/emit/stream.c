// SPDX-License-Identifier: Apache-2.0
#include "emit/stream.h"

#include "emit/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_AT_ONCE = 16 }; // a daemon that never stops talking does not hold the caller

int stream_path(char out[STREAM_PATH_SIZE], const char *path)
{
    const char *env = getenv(CLIENT_SOCKET_ENV);
    if (path == NULL) {
        path = env != NULL && *env != '\0' ? env : CLIENT_SOCKET;
    }
    size_t len = strlen(path);
    if (len >= STREAM_PATH_SIZE) {
        return -ENAMETOOLONG;
    }
    memcpy(out, path, len + 1);
    return 0;
}

int stream_dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (stream_path(addr.sun_path, path) < 0) {
        return -ENAMETOOLONG;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void take_bytes(struct stream_reader *r, size_t n,
                       void (*take)(void *arg, const char *line, size_t len), void *arg)
{
    char *start = r->in;
    char *end = r->in + r->len + n;
    for (char *lf; (lf = memchr(start, '\n', (size_t)(end - start))) != NULL; start = lf + 1) {
        if (!r->skip) {
            take(arg, start, (size_t)(lf - start));
        }
        r->skip = false;
    }
    r->len = (size_t)(end - start);
    memmove(r->in, start, r->len);
    if (r->len == sizeof r->in) {
        r->skip = true;
        r->len = 0;
    }
}

int stream_read(struct stream_reader *r, int fd,
                void (*take)(void *arg, const char *line, size_t len), void *arg)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = recv(fd, r->in + r->len, sizeof r->in - r->len, 0);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        take_bytes(r, (size_t)n, take, arg);
    }
    return 0;
}
