// SPDX-License-Identifier: Apache-2.0
/*
 * sockets: the Unix sockets that events come in through.
 *
 * Memory: a socket owns its descriptor and the copy of its path; socket_close removes the file if it still
 *         is the one that socket_open made. The file of an adopted socket is left alone.
 */
#ifndef VE_INGEST_SOCKETS_H
#define VE_INGEST_SOCKETS_H

#include "base/buf.h"

#include <sys/types.h>

struct socket {
    int fd;     // -1: none
    char *path; // of the file that it made, or NULL
    dev_t dev;
    ino_t ino;
};

#define SOCKET_NONE ((struct socket){.fd = -1})

struct socket_settings {
    const char *path;
    int type;          // SOCK_STREAM or SOCK_DGRAM
    mode_t mode;       // of the file
    const char *group; // that owns the file; NULL or "": unchanged
};

// Makes the socket, non-blocking, with its file. A file that nobody listens on is replaced; one that is alive,
// or no socket, is not. Returns 0 or -errno, with a sentence that names the path in `problem`.
int socket_open(struct socket *ret, const struct socket_settings *settings, struct buf *problem);
// Takes a bound socket that somebody else made; of SOCK_STREAM, one that listens. Returns 0 or -errno; then
// it is still the caller's.
int socket_adopt(struct socket *ret, int fd);
void socket_close(struct socket *s);

#endif
