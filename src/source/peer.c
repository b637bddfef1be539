// SPDX-License-Identifier: Apache-2.0
#include "source/peer.h"

#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CGROUP_MOST = 4096 };

static void take(struct peer *p, const struct ucred *cred)
{
    p->uid = cred->uid;
    p->gid = cred->gid;
    p->pid = cred->pid;
}

// The list may be long, and the kernel says how long when there is no room.
static void take_groups(struct peer *p, int fd)
{
    gid_t few[16];
    socklen_t size = sizeof few;
    int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &size);
    if (rc < 0 && errno != ERANGE) {
        return;
    }
    p->groups = malloc(size > 0 ? size : 1);
    if (p->groups == NULL) {
        return;
    }
    if (rc == 0) {
        memcpy(p->groups, few, size);
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &size) < 0) {
        peer_drop(p);
        return;
    }
    p->n_groups = size / sizeof few[0];
    p->has_groups = true;
}

void peer_of_stream(struct peer *ret, int fd)
{
    *ret = (struct peer){.uid = PEER_NOBODY, .gid = (gid_t)-1};
    struct ucred cred;
    socklen_t size = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0) {
        take(ret, &cred);
        take_groups(ret, fd);
    }
}

void peer_drop(struct peer *p)
{
    free(p->groups);
    p->groups = NULL;
    p->n_groups = 0;
    p->has_groups = false;
}

int peer_ask(int fd)
{
    int yes = 1;
    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0 ? -errno : 0;
}

void peer_of_datagram(struct peer *ret, struct msghdr *m)
{
    *ret = (struct peer){.uid = PEER_NOBODY, .gid = (gid_t)-1};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;
            memcpy(&cred, CMSG_DATA(c), sizeof cred);
            take(ret, &cred);
        }
    }
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 // Linux 6.5
#endif

// Whether the process that connected is still there. Older kernels do not report that, and then its number must do.
static bool is_alive(int fd)
{
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) {
        return errno == ENOPROTOOPT;
    }
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int n = poll(&ended, 1, 0);
    close(pidfd);
    return n == 0;
}

// In this order: what was read is of the process only if that had not ended by then.
uint64_t peer_start_ticks(const struct peer *p, int fd)
{
    struct process_other other;
    return process_read_other(p->pid, &other) == 0 && is_alive(fd) ? other.start_ticks : 0;
}

bool peer_is_in_group(const struct peer *p, gid_t group)
{
    bool in = p->gid == group;
    for (size_t i = 0; !in && i < p->n_groups; i++) {
        in = p->groups[i] == group;
    }
    return in;
}

// Of a path such as /system.slice/a.service/sub the deepest part that is a service or a scope.
static bool unit_of_path(char *path, char *ret, size_t size)
{
    bool found = false;
    for (char *part; (part = strsep(&path, "/")) != NULL;) {
        const char *dot = strrchr(part, '.');
        if (dot != NULL && (strcmp(dot, ".service") == 0 || strcmp(dot, ".scope") == 0)) {
            found = (size_t)snprintf(ret, size, "%s", part) < size;
        }
    }
    return found;
}

bool peer_unit(pid_t pid, char *ret, size_t size)
{
    char name[64];
    char text[CGROUP_MOST];
    snprintf(name, sizeof name, "/proc/%ld/cgroup", (long)pid);
    int fd = pid > 0 ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *rest = text;
    bool found = false;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && !found;) {
        // The hierarchy of systemd: the only one (0::), or the named one.
        char *path = strncmp(line, "0::", 3) == 0 ? line + 3 : strstr(line, ":name=systemd:");
        if (path != NULL) {
            path += strncmp(path, ":name=systemd:", 14) == 0 ? 14 : 0;
            found = unit_of_path(path, ret, size);
        }
    }
    return found;
}
