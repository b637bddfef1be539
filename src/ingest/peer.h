// SPDX-License-Identifier: Apache-2.0
/*
 * peer: which process is at the other end of a Unix socket, in the kernel's words.
 *
 * Shape:   of a connection the identity that its process had when it connected, supplementary groups included;
 *          of a datagram the sender's real user and group (or others that it may act as).
 * Threads: any.
 * Memory:  a peer owns its list of groups; peer_drop gives it back.
 * Source:  unix(7): SO_PEERCRED, SO_PEERGROUPS, SCM_CREDENTIALS.
 */
#ifndef VE_INGEST_PEER_H
#define VE_INGEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PEER_NOBODY ((uid_t)-1) // the user of a peer that the kernel does not name

struct peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;       // 0: not known; used again by others once the process has ended
    bool has_groups; // the list below is what the kernel says; else it is not known
    size_t n_groups; // supplementary ones
    gid_t *groups;   // in no order
};

// Of the process that connected. What the kernel does not tell stays unknown.
void peer_of_stream(struct peer *ret, int fd);
void peer_drop(struct peer *p);

// Makes the kernel tell who sent each datagram. Returns 0 or -errno.
int peer_ask(int fd);
// Receives one datagram of at most `size` bytes, and who sent it. Returns its length, or -errno.
ssize_t peer_receive(int fd, void *bytes, size_t size, struct peer *ret);

bool peer_in_group(const struct peer *p, gid_t group);

// Writes the name of the unit of systemd that the process runs in. Returns false when it runs in none, or has
// ended. Whoever may start processes can arrange for another one to be found here.
bool peer_unit(pid_t pid, char *ret, size_t size);

#endif
