// SPDX-License-Identifier: Apache-2.0
/*
 * listen: from an address in words to a listening socket.
 *
 * Shape:   ":PORT" is all addresses, IPv6 with IPv4 mapped into it, or IPv4 alone where there is
 *          no IPv6; "[::]:PORT" the same without that way out; "HOST:PORT", "[IPV6]:PORT", of a link-local one with
 *          its interface, "[fe80::1%eth0]:PORT"; "unix:/path".
 * Threads: any.
 * Memory:  a listener owns its socket.
 */
#ifndef VE_WEB_LISTEN_H
#define VE_WEB_LISTEN_H

#include "base/unix_socket.h"

// A listening socket.
struct listener {
    struct unix_socket socket; // of TCP: without a file. Its fd is -1 when closed
    unsigned port;             // TCP; 0 for others
};

// What a Unix socket's file is made as.
struct listen_file {
    mode_t mode;
    const char *group; // NULL or "": that of the process
};

// Binds and listens. Returns 0; or -errno and a line in `why` that names the address.
int listen_open(struct listener *ret, const char *address, const struct listen_file *file,
                struct buf *why);

// Takes a socket that listens already. Returns 0; or -errno and a line in `why`, the socket closed.
int listen_adopt(struct listener *ret, int fd, struct buf *why);

// Connects, as a client on the same host, to what listens on the address, and waits for that until the time by
// clock_mono_ms. Returns a socket that does not block; or -errno and a line in `why` that names the address.
int listen_connect(const char *address, uint64_t until_ms, struct buf *why);

// Closes, and removes the file of a Unix socket when it is still the one that was made.
void listen_close(struct listener *l);

#endif
