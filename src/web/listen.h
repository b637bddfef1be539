// SPDX-License-Identifier: Apache-2.0
/*
 * listen: from an address in words to a listening socket.
 *
 * Shape:   ":PORT" is all addresses, IPv6 with IPv4 mapped into it, or IPv4 alone where there is
 *          no IPv6; "HOST:PORT", "[IPV6]:PORT"; "unix:/path".
 * Rule:    a Unix socket's file that nobody listens on is replaced; a live one, or another kind
 *          of file, is an error.
 * Threads: any.
 * Memory:  a listener owns its descriptor and its path.
 */
#ifndef VE_WEB_LISTEN_H
#define VE_WEB_LISTEN_H

#include "base/buf.h"

#include <sys/types.h>
#include <time.h>

// A listening socket.
struct listener {
    int fd;        // non-blocking, close-on-exec; -1 when closed
    unsigned port; // TCP; 0 for others
    char *path;    // the file of a Unix socket that was made here, or NULL
    dev_t dev;     // that file's identity, so that a successor's is left alone
    ino_t ino;     // may be used again by the next file, hence
    struct timespec made;
};

// Binds and listens. Returns 0; or -errno and a line in `why` that names the address.
int listen_open(struct listener *ret, const char *address, struct buf *why);

// Takes a socket that listens already. Returns 0; or -errno and a line in `why`, the socket closed.
int listen_adopt(struct listener *ret, int fd, struct buf *why);

// Closes, and removes the file of a Unix socket when it is still the one that was made.
void listen_close(struct listener *l);

#endif
