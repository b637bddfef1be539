// SPDX-License-Identifier: Apache-2.0
/*
 * delay: how long a client waits for a sync. For so many seconds it sends, each millisecond, one line and a
 * sync, and waits for the reply. Prints the median, the 99th percentile and the longest, in seconds.
 */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE                                                                                       \
    "{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"VirtualMachine\"},\"value\":7}" \
    "\n"

enum { MAX_SECONDS = 600, PAUSE_US = 1000 };

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: delay SOCKET SECONDS\n");
        return 2;
    }
    uint64_t seconds = tool_number(argv[2], MAX_SECONDS);
    size_t room = seconds * (1000000 / PAUSE_US) + 1;
    uint64_t *taken = malloc(room * sizeof *taken);
    if (taken == NULL) {
        tool_die("malloc");
    }
    char buf[4096];
    int fd = tool_connect(argv[1], SOCK_STREAM);
    tool_write(fd, TOOL_HELLO, sizeof TOOL_HELLO - 1);
    tool_reply(fd, "\"hello\"", buf, sizeof buf);
    uint64_t begin = tool_now_ns();
    size_t n = 0;
    do {
        uint64_t sent = tool_now_ns();
        tool_write(fd, LINE TOOL_SYNC, sizeof LINE TOOL_SYNC - 1);
        tool_reply(fd, "{\"sync\"", buf, sizeof buf);
        taken[n++] = tool_now_ns() - sent;
        usleep(PAUSE_US);
    } while (n < room && tool_now_ns() - begin < seconds * 1000000000U);
    qsort(taken, n, sizeof *taken, tool_compare);
    printf("{\"n\":%zu,\"p50\":%.9f,\"p99\":%.9f,\"max\":%.9f}\n", n, (double)taken[n / 2] / 1e9,
           (double)taken[n * 99 / 100] / 1e9, (double)taken[n - 1] / 1e9);
    free(taken);
    return 0;
}
