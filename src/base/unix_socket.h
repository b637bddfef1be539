// SPDX-License-Identifier: Apache-2.0
/*
 * unix_socket: a Unix socket that is bound to a file, for events, for HTTP and for virtrigaud-ctl.
 *
 * Rule:    a file that no process listens on is replaced; one that is alive, or of another kind, is not. No client may connect
 *          before the file has its group and mode.
 * Threads: any, each with its own socket.
 * Memory:  a socket owns its descriptor and its path.
 * Source:  unix(7).
 */
#ifndef VE_BASE_UNIX_SOCKET_H
#define VE_BASE_UNIX_SOCKET_H

#include "base/buf.h"

#include <sys/types.h>
#include <time.h>

struct unix_socket {
    int fd;       // -1: none
    char *path;   // of its file, or NULL
    bool adopted; // another process made the file, and removes it
    dev_t dev;    // that file's identity, so that another one there is left alone
    ino_t ino;    // may be used again by the next file, hence
    struct timespec made;
};

#define UNIX_SOCKET_NONE ((struct unix_socket){.fd = -1})

struct unix_socket_settings {
    const char *path;
    int type;          // SOCK_STREAM or SOCK_DGRAM
    int backlog;       // of SOCK_STREAM
    mode_t mode;       // of the file
    const char *group; // that owns the file; NULL or "": unchanged
};

// Makes the socket, non-blocking and close-on-exec, with its file; of SOCK_STREAM it listens. Returns 0 or -errno, with a
// sentence that names the path in `problem`; with 0, too, when something was not as it should be.
int unix_socket_open(struct unix_socket *ret, const struct unix_socket_settings *settings,
                     struct buf *problem);
// Says of a bound socket that another process made, with its descriptor in `fd`, which file is its; none where that is not
// to be seen.
void unix_socket_adopt(struct unix_socket *s);
// Whether its file is still there; true for a socket without one.
bool unix_socket_is_reachable(const struct unix_socket *s);
// Closes it, and removes the file that it made if it still is there.
void unix_socket_close(struct unix_socket *s);

#endif
