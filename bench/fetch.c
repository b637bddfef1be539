// SPDX-License-Identifier: Apache-2.0
/*
 * fetch: one HTTP request over loopback, as a scraper makes it, with nothing done to the answer. Prints its
 * status, encoding and type, its bytes, and the seconds until its first byte and its last.
 */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = 1 << 18 };

static int connect_tcp(uint64_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        tool_die("connect");
    }
    return fd;
}

// Whether the head has the line; the head is ended by NUL.
static int has(const char *head, const char *line)
{
    return strcasestr(head, line) != NULL;
}

// What the request says besides.
static const char *header_of(const char *form)
{
    return strcmp(form, "gzip") == 0 ? "Accept-Encoding: gzip\r\n"
           : strcmp(form, "protobuf") == 0
               ? "Accept: application/vnd.google.protobuf;"
                 "proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n"
               : "";
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: fetch PORT PATH plain|gzip|protobuf\n");
        return 2;
    }
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n", argv[2],
                     header_of(argv[3]));
    char *buf = malloc(READ);
    if (buf == NULL || n < 0 || (size_t)n >= sizeof request) {
        tool_die("request");
    }
    int fd = connect_tcp(tool_number(argv[1], 65535));
    uint64_t begin = tool_now_ns();
    tool_write(fd, request, (size_t)n);

    size_t len = 0; // of the head's beginning, kept
    char head[4096];
    uint64_t bytes = 0;
    uint64_t first = 0;
    for (ssize_t got; (got = recv(fd, buf, READ, 0)) != 0; bytes += (uint64_t)got) {
        if (got < 0) {
            tool_die("recv");
        }
        first = first == 0 ? tool_now_ns() : first;
        size_t take = sizeof head - 1 - len < (size_t)got ? sizeof head - 1 - len : (size_t)got;
        memcpy(head + len, buf, take);
        len += take;
    }
    uint64_t end = tool_now_ns();
    head[len] = 0;
    char *body = strstr(head, "\r\n\r\n");
    if (body == NULL) {
        errno = EPROTO;
        tool_die("no answer");
    }
    body[2] = 0;
    printf("{\"status\":%ld,\"encoding\":\"%s\",\"type\":\"%s\",\"bytes\":%llu,\"first\":%.9f,"
           "\"seconds\":%.9f}\n",
           strtol(head + strlen("HTTP/1.1 "), NULL, 10),
           has(head, "\r\nContent-Encoding: gzip\r\n") ? "gzip" : "plain",
           has(head, "\r\nContent-Type: application/vnd.google.protobuf") ? "protobuf" : "text",
           (unsigned long long)(bytes - (size_t)(body + 4 - head)), (double)(first - begin) / 1e9,
           (double)(end - begin) / 1e9);
    return 0;
}
