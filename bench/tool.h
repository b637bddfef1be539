// SPDX-License-Identifier: Apache-2.0
/*
 * tool: what the small programs of the benchmark share.
 *
 * Shape:   each of them does one thing, prints one line of JSON, and ends. Threads: any.
 * Errors:  whatever fails ends the program with a message and status 1.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

// What a connection says first, so that the daemon tracks it as it tracks real components.
#define TOOL_HELLO "{\"hello\":{\"component\":\"manager\",\"instance\":\"bench\"}}\n"
#define TOOL_SYNC "{\"sync\":1}\n"

struct tool_text {
    char *p;
    size_t len;
};

void tool_die(const char *what) __attribute__((noreturn));
uint64_t tool_now_ns(void); // monotonic
uint64_t tool_cpu_ns(void); // of this process
// The next whole number of an option, 0 to `max`.
uint64_t tool_number(const char *text, uint64_t max);
// The whole file, in memory.
struct tool_text tool_read(const char *path);
uint64_t tool_count_lines(struct tool_text t);
struct sockaddr_un tool_address(const char *path);
// A connected Unix socket of this type.
int tool_connect(const char *path, int type);
void tool_write(int fd, const char *p, size_t len);
// Reads up to and with the reply that holds `word`. Returns its text from there on, in a buffer that the
// next call uses again.
const char *tool_reply(int fd, const char *word, char *buf, size_t size);
int tool_compare(const void *a, const void *b); // of uint64_t

#endif
