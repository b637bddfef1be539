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
#ifndef VE_SOURCE_PEER_H
#define VE_SOURCE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
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

// Of the process that connected. What the kernel does not report stays unknown.
void peer_of_stream(struct peer *ret, int fd);
void peer_drop(struct peer *p);

// Makes the kernel report who sent each datagram. Returns 0 or -errno.
int peer_ask(int fd);
// Room for what the kernel then adds to a datagram: the msg_control of recvmsg(2) and recvmmsg(2).
struct peer_control {
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
} __attribute__((aligned(__alignof__(struct cmsghdr))));
// Who sent the datagram that was received with such room.
void peer_of_datagram(struct peer *ret, struct msghdr *m);

// The start of the process that connected, in clock ticks from the boot; 0 when it has ended, so that its number may be
// another one's.
uint64_t peer_start_ticks(const struct peer *p, int fd);

bool peer_is_in_group(const struct peer *p, gid_t group);

// Writes the name of the unit of systemd that the process runs in. Returns false when it runs in none, or has
// ended. Whoever may start processes can arrange for another one to be found here.
bool peer_unit(pid_t pid, char *ret, size_t size);

#endif
