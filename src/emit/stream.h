// SPDX-License-Identifier: Apache-2.0
/*
 * stream: the daemon's socket: where it is, a connection to it, and the replies that come from there.
 *
 * Bounds:  a reply has at most STREAM_REPLY_MAX bytes; a longer one is skipped. Threads: one at a time.
 * Memory:  the caller's. Errors: -errno.
 */
#ifndef VE_EMIT_STREAM_H
#define VE_EMIT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

enum {
    STREAM_REPLY_MAX = 8192, // bytes of a reply
    STREAM_PATH_SIZE =
        sizeof(struct sockaddr_un) - sizeof(sa_family_t) // bytes of a path with its NUL
};

// Replies that are being read from a descriptor.
struct stream_reader {
    char in[STREAM_REPLY_MAX]; // a reply as far as it has come
    size_t len;                // bytes in it
    bool skip;                 // it is too long
};

// The path that NULL stands for, or the path itself. Returns 0; -ENAMETOOLONG.
int stream_path(char out[STREAM_PATH_SIZE], const char *path);

// Opens a non-blocking connection. path may be NULL. Returns the descriptor; -errno.
int stream_dial(const char *path);

// Reads what there is, and calls `take` for each whole reply (without LF). Returns 0 when there is no
// more for now; -ECONNRESET at the end; -errno.
int stream_read(struct stream_reader *r, int fd,
                void (*take)(void *arg, const char *line, size_t len), void *arg);

#endif
