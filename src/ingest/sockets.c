// SPDX-License-Identifier: Apache-2.0
#include "ingest/sockets.h"

#include "ingest/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, DATAGRAM_BUFFER = 4 << 20 };

static int fail(struct buf *problem, const char *path, int err, const char *what)
{
    buf_addf(problem, "%s: %s: %s", path, what, strerror(err));
    return -err;
}

static int address_of(struct sockaddr_un *ret, const char *path, struct buf *problem)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        return fail(problem, path, ENAMETOOLONG, "cannot be the path of a socket");
    }
    strcpy(a.sun_path, path);
    *ret = a;
    return 0;
}

// Whether somebody listens on the file. 0: nobody, the file is stale; 1: somebody; -errno.
static int is_alive(const struct sockaddr_un *a, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int rc = connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 ? 1 : -errno;
    close(fd);
    if (rc == -EAGAIN) {
        return 1; // its backlog is full: alive
    }
    return rc == -ECONNREFUSED || rc == -ENOENT ? 0 : rc;
}

static int remove_stale(const struct sockaddr_un *a, int type, struct buf *problem)
{
    struct stat st;
    if (lstat(a->sun_path, &st) < 0) {
        return errno == ENOENT ? 0 : fail(problem, a->sun_path, errno, "cannot look at it");
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(problem, a->sun_path, EEXIST, "is there and no socket");
    }
    int rc = is_alive(a, type);
    if (rc != 0) {
        return fail(problem, a->sun_path, rc > 0 ? EADDRINUSE : -rc,
                    rc > 0 ? "another process listens there" : "cannot tell whether it is in use");
    }
    if (unlink(a->sun_path) < 0) {
        return fail(problem, a->sun_path, errno, "cannot replace the stale socket");
    }
    return 0;
}

static int set_owner(const struct socket_settings *settings, struct buf *problem)
{
    if (settings->group != NULL && settings->group[0] != '\0') {
        errno = 0;
        struct group *g = getgrnam(settings->group);
        if (g == NULL) {
            buf_addf(problem, "%s: there is no group \"%s\"", settings->path, settings->group);
            return -ENOENT;
        }
        if (chown(settings->path, (uid_t)-1, g->gr_gid) < 0) {
            return fail(problem, settings->path, errno, "cannot give it to the group");
        }
    }
    if (chmod(settings->path, settings->mode) < 0) {
        return fail(problem, settings->path, errno, "cannot set its mode");
    }
    return 0;
}

static int bind_file(int fd, const struct sockaddr_un *a, const struct socket_settings *settings,
                     struct buf *problem)
{
    // Nobody may connect before group and mode are as wanted.
    mode_t old = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)a, sizeof *a);
    int err = errno;
    umask(old);
    if (rc < 0) {
        return fail(problem, settings->path, err, "cannot make the socket");
    }
    rc = set_owner(settings, problem);
    if (rc == 0 && settings->type == SOCK_STREAM && listen(fd, BACKLOG) < 0) {
        rc = fail(problem, settings->path, errno, "cannot listen");
    }
    if (rc < 0) {
        unlink(settings->path);
    }
    return rc;
}

// Of two daemons that start at once on one path the second waits here, and then finds the first alive.
static int lock_directory(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return -ENOMEM;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : fd;
    free(copy);
    if (fd >= 0) {
        flock(fd, LOCK_EX);
    }
    return rc;
}

int socket_open(struct socket *ret, const struct socket_settings *settings, struct buf *problem)
{
    struct sockaddr_un a;
    int rc = address_of(&a, settings->path, problem);
    if (rc < 0) {
        return rc;
    }
    int lock = lock_directory(settings->path);
    if (lock < 0) {
        return fail(problem, settings->path, -lock, "cannot open its directory");
    }
    int fd = socket(AF_UNIX, settings->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        rc = fail(problem, settings->path, errno, "cannot make a socket");
    } else if ((rc = remove_stale(&a, settings->type, problem)) == 0) {
        rc = bind_file(fd, &a, settings, problem);
    }
    close(lock);
    struct stat st;
    struct socket s = {.fd = fd, .path = rc == 0 ? strdup(settings->path) : NULL};
    if (rc == 0 && s.path != NULL && lstat(s.path, &st) == 0) {
        s.dev = st.st_dev;
        s.ino = st.st_ino;
    }
    if (rc < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    if (settings->type == SOCK_DGRAM) {
        int size = DATAGRAM_BUFFER; // as far as net.core.rmem_max lets it
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    rc = settings->type == SOCK_DGRAM ? peer_ask(fd) : 0;
    if (rc < 0) {
        socket_close(&s);
        return fail(problem, settings->path, -rc, "cannot ask who sends");
    }
    *ret = s;
    return 0;
}

int socket_adopt(struct socket *ret, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    int type;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        return -errno;
    }
    int rc = type == SOCK_DGRAM ? peer_ask(fd) : 0;
    if (rc < 0) {
        return rc;
    }
    *ret = (struct socket){.fd = fd};
    return 0;
}

void socket_close(struct socket *s)
{
    struct stat st;
    if (s->path != NULL && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino) {
        unlink(s->path);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s->path);
    *s = SOCKET_NONE;
}
