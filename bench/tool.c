// SPDX-License-Identifier: Apache-2.0
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void tool_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t tool_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t tool_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t tool_number(const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || text[0] == '-' || n > max) {
        errno = EINVAL;
        tool_die(text);
    }
    return n;
}

struct tool_text tool_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        tool_die(path);
    }
    struct tool_text t = {.p = malloc((size_t)st.st_size + 1), .len = (size_t)st.st_size};
    if (t.p == NULL) {
        tool_die(path);
    }
    for (size_t done = 0; done < t.len;) {
        ssize_t n = read(fd, t.p + done, t.len - done);
        if (n <= 0) {
            tool_die(path);
        }
        done += (size_t)n;
    }
    close(fd);
    return t;
}

uint64_t tool_count_lines(struct tool_text t)
{
    uint64_t lines = 0;
    const char *end = t.p + t.len;
    for (const char *at = t.p; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at++) {
        lines++;
    }
    return lines;
}

struct sockaddr_un tool_address(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa.sun_path) {
        errno = ENAMETOOLONG;
        tool_die(path);
    }
    memcpy(sa.sun_path, path, strlen(path));
    return sa;
}

int tool_connect(const char *path, int type)
{
    struct sockaddr_un sa = tool_address(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        tool_die(path);
    }
    return fd;
}

void tool_write(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            tool_die("send");
        }
        p += n;
        len -= (size_t)n;
    }
}

// A reply, and what came before it, may be cut anywhere: what is left of the last line is kept.
const char *tool_reply(int fd, const char *word, char *buf, size_t size)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, buf + len, size - 1 - len, 0);
        if (n <= 0) {
            tool_die("no reply");
        }
        len += (size_t)n;
        buf[len] = 0;
        char *found = strstr(buf, word);
        if (found != NULL && strchr(found, '\n') != NULL) {
            return found;
        }
        char *line = strrchr(buf, '\n');
        if (line != NULL) {
            len -= (size_t)(line + 1 - buf);
            memmove(buf, line + 1, len);
        }
    }
}

int tool_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
