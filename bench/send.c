// SPDX-License-Identifier: Apache-2.0
/*
 * send: the load. Sends a file of lines, as often as it is told to, over one or several connections, and
 * waits until all of it has been applied.
 *
 * The file is read before the first byte is sent, and writes are as large as asked for, so that the sender
 * costs less than any receiver. Prints what was sent, the seconds until the last reply, and what the
 * receiver says that it applied and refused.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 64, REPLY = 65536 };

struct job {
    const char *socket;
    struct tool_text text;
    uint64_t passes;
    size_t chunk; // bytes of a write; 0: one line
    bool datagram;
    bool hello;   // says hello first
    bool session; // in a session that no other run has
    uint64_t applied;
    uint64_t refused;
};

// The bytes of the next write.
static size_t next_write(const struct job *j, const char *at, size_t left)
{
    if (j->chunk > 0) {
        return left < j->chunk ? left : j->chunk;
    }
    const char *newline = memchr(at, '\n', left);
    return newline != NULL ? (size_t)(newline + 1 - at) : left;
}

static void send_pass(const struct job *j, int fd)
{
    for (size_t at = 0; at < j->text.len;) {
        size_t n = next_write(j, j->text.p + at, j->text.len - at);
        tool_write(fd, j->text.p + at, n);
        at += n;
    }
}

static uint64_t count_in(const char *reply, const char *key)
{
    const char *found = strstr(reply, key);
    return found != NULL ? strtoull(found + strlen(key), NULL, 10) : 0;
}

static void say_hello(const struct job *j, int fd, char *buf)
{
    char text[256] = TOOL_HELLO;
    if (!j->hello) {
        return;
    }
    if (j->session) {
        snprintf(text, sizeof text,
                 "{\"hello\":{\"component\":\"manager\",\"instance\":\"bench\","
                 "\"session\":\"%llu-%ld\"}}\n",
                 (unsigned long long)tool_now_ns(), (long)getpid());
    }
    tool_write(fd, text, strlen(text));
    tool_reply(fd, "\"hello\"", buf, REPLY);
}

static void *run(void *arg)
{
    struct job *j = arg;
    int fd = tool_connect(j->socket, j->datagram ? SOCK_DGRAM : SOCK_STREAM);
    char *buf = malloc(REPLY);
    if (buf == NULL) {
        tool_die("malloc");
    }
    if (!j->datagram) {
        say_hello(j, fd, buf);
    }
    for (uint64_t i = 0; i < j->passes; i++) {
        send_pass(j, fd);
    }
    if (!j->datagram) {
        tool_write(fd, TOOL_SYNC, sizeof TOOL_SYNC - 1);
        const char *reply = tool_reply(fd, "{\"sync\"", buf, REPLY);
        j->applied = count_in(reply, "\"applied\":");
        j->refused = count_in(reply, "\"rejected\":");
    }
    free(buf);
    close(fd);
    return NULL;
}

static void options(struct job *j, unsigned *connections, int argc, char **argv)
{
    static const struct option flags[] = {
        {"socket", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'n'},
        {"passes", required_argument, NULL, 'p'},
        {"chunk", required_argument, NULL, 'c'},
        {"lines", no_argument, NULL, 'l'},
        {"datagram", no_argument, NULL, 'd'},
        {"no-hello", no_argument, NULL, 'h'},
        {"session", no_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        switch (c) {
        case 's':
            j->socket = optarg;
            break;
        case 'n':
            *connections = (unsigned)tool_number(optarg, MAX_CONNECTIONS);
            break;
        case 'p':
            j->passes = tool_number(optarg, UINT32_MAX);
            break;
        case 'c':
            j->chunk = tool_number(optarg, 1U << 30);
            break;
        case 'l':
            j->chunk = 0;
            break;
        case 'd':
            j->datagram = true;
            j->chunk = 0;
            break;
        case 'h':
            j->hello = false;
            break;
        case 'S':
            j->session = true;
            break;
        default:
            exit(2);
        }
    }
    if (j->socket == NULL || optind + 1 != argc || *connections == 0) {
        fprintf(stderr, "usage: send --socket=PATH [--connections=N] [--passes=N] "
                        "[--chunk=BYTES | --lines | --datagram] [--no-hello | --session] FILE\n");
        exit(2);
    }
    j->text = tool_read(argv[optind]);
}

int main(int argc, char **argv)
{
    struct job jobs[MAX_CONNECTIONS] = {{.passes = 1, .chunk = 65536, .hello = true}};
    pthread_t threads[MAX_CONNECTIONS];
    unsigned n = 1;
    options(&jobs[0], &n, argc, argv);
    uint64_t lines = tool_count_lines(jobs[0].text) * jobs[0].passes * n;
    uint64_t bytes = jobs[0].text.len * jobs[0].passes * n;

    uint64_t begin = tool_now_ns();
    for (unsigned i = 0; i < n; i++) {
        jobs[i] = jobs[0];
        errno = pthread_create(&threads[i], NULL, run, &jobs[i]);
        if (errno != 0) {
            tool_die("pthread_create");
        }
    }
    uint64_t applied = 0;
    uint64_t refused = 0;
    for (unsigned i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        applied += jobs[i].applied;
        refused += jobs[i].refused;
    }
    printf("{\"lines\":%llu,\"bytes\":%llu,\"seconds\":%.9f,\"applied\":%llu,\"refused\":%llu}\n",
           (unsigned long long)lines, (unsigned long long)bytes,
           (double)(tool_now_ns() - begin) / 1e9, (unsigned long long)applied,
           (unsigned long long)refused);
    return 0;
}
