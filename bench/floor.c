// SPDX-License-Identifier: Apache-2.0
/*
 * floor: what no daemon can go below. One thread waits for connections and datagrams, reads them by the
 * system calls that the daemon uses, finds the newlines and counts them. Another answers `GET /N` with N
 * bytes that stand ready. Ends on SIGTERM, or when its standard input ends.
 *
 * It answers the first read of a connection as a hello, and a sync of the benchmark's own form, by which
 * the sender knows the end.
 */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ = 65536,
    EVENTS = 64,
    BATCH = 32,
    BATCHES = 2,
    TAIL = sizeof TOOL_SYNC - 1,
    HEAD = 4096
};

#define HELLO "{\"hello\":"

struct connection {
    int fd;
    bool begun;
    uint64_t lines;
    uint64_t control; // of them, lines of control
    char tail[TAIL];  // the last bytes that were read
};

static char input[READ + 1];
static char *body;
static size_t body_len;

static int listen_unix(const char *path, int type)
{
    struct sockaddr_un sa = tool_address(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        (type == SOCK_STREAM && listen(fd, 64) < 0)) {
        tool_die(path);
    }
    return fd;
}

static uint64_t count_newlines(const char *p, size_t len)
{
    return tool_count_lines((struct tool_text){.p = (char *)p, .len = len});
}

static void keep_tail(struct connection *c, size_t n)
{
    if (n >= TAIL) {
        memcpy(c->tail, input + n - TAIL, TAIL);
    } else {
        memmove(c->tail, c->tail + n, TAIL - n);
        memcpy(c->tail + TAIL - n, input, n);
    }
}

static void on_connection(struct connection *c)
{
    ssize_t n = recv(c->fd, input, READ, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        close(c->fd);
        free(c);
        return;
    }
    c->lines += count_newlines(input, (size_t)n);
    keep_tail(c, (size_t)n);
    const bool first = !c->begun;
    c->begun = true;
    if (first && memcmp(input, HELLO, sizeof HELLO - 1) == 0) {
        c->control = 1;
        tool_write(c->fd, "{\"hello\":{}}\n", 13);
    } else if (memcmp(c->tail, TOOL_SYNC, TAIL) == 0) {
        char reply[96];
        int len = snprintf(reply, sizeof reply, "{\"sync\":1,\"applied\":%llu,\"rejected\":0}\n",
                           (unsigned long long)(c->lines - c->control - 1));
        c->control += 1;
        tool_write(c->fd, reply, (size_t)len);
    }
}

static void on_datagrams(int fd)
{
    static volatile uint64_t lines
        __attribute__((unused)); // so that they are counted, although nobody asks
    static char rooms[BATCH][READ + 1];
    struct iovec data[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        data[i] = (struct iovec){.iov_base = rooms[i], .iov_len = sizeof rooms[i]};
        messages[i].msg_hdr.msg_iov = &data[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (int i = 0; i < BATCHES; i++) {
        int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int k = 0; k < n; k++) {
            lines += count_newlines(rooms[k], messages[k].msg_len);
        }
        if (n < BATCH) {
            return;
        }
    }
}

static void watch(int epoll, int fd, void *as)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = as};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        tool_die("epoll_ctl");
    }
}

static void accept_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct connection *c = calloc(1, sizeof *c);
    if (fd < 0 || c == NULL) {
        tool_die("accept");
    }
    c->fd = fd;
    watch(epoll, fd, c);
}

_Noreturn static void read_events(int stream, int datagram)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int in = STDIN_FILENO;
    watch(epoll, stream, &stream);
    watch(epoll, datagram, &datagram);
    watch(epoll, in, &in);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (what == &in) {
                exit(0);
            } else if (what == &stream) {
                accept_one(epoll, stream);
            } else if (what == &datagram) {
                on_datagrams(datagram);
            } else {
                on_connection(what);
            }
        }
    }
}

// The buffer is ready after the first request of a size; the runner's first one of each is not measured.
static void answer(int fd)
{
    char head[HEAD];
    size_t len = 0;
    do {
        ssize_t n = recv(fd, head + len, sizeof head - 1 - len, 0);
        if (n <= 0) {
            return;
        }
        len += (size_t)n;
        head[len] = 0;
    } while (strstr(head, "\r\n\r\n") == NULL && len < sizeof head - 1);
    size_t size = strtoull(head + strlen("GET /"), NULL, 10);
    if (size > body_len) {
        body = realloc(body, size);
        if (body == NULL) {
            tool_die("realloc");
        }
        memset(body, 'x', size);
        body_len = size;
    }
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    tool_write(fd, head, (size_t)n);
    tool_write(fd, body, size);
}

static void *serve(void *arg)
{
    int listener = *(int *)arg;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            answer(fd);
            close(fd);
        }
    }
    return NULL;
}

static int listen_tcp(uint64_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 64) < 0) {
        tool_die("listen");
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor STREAM-SOCKET DATAGRAM-SOCKET PORT\n");
        return 2;
    }
    int stream = listen_unix(argv[1], SOCK_STREAM);
    int datagram = listen_unix(argv[2], SOCK_DGRAM);
    int web = listen_tcp(tool_number(argv[3], 65535));
    pthread_t thread;
    errno = pthread_create(&thread, NULL, serve, &web);
    if (errno != 0) {
        tool_die("pthread_create");
    }
    printf("ready %ld\n", (long)getpid());
    fflush(stdout);
    read_events(stream, datagram);
}
