// SPDX-License-Identifier: Apache-2.0
#include "base/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 20, LOCK_TRY_MS = 50 };

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

// Whether a process listens on the file. 1: one does; 0: none, the file is stale; -errno.
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
        return errno == ENOENT ? 0 : fail(problem, a->sun_path, errno, "cannot get its status");
    }
    if (!S_ISSOCK(st.st_mode)) {
        return fail(problem, a->sun_path, EEXIST, "exists and is not a socket");
    }
    int rc = is_alive(a, type);
    if (rc != 0) {
        return fail(problem, a->sun_path, rc > 0 ? EADDRINUSE : -rc,
                    rc > 0 ? "another process listens there"
                           : "cannot find out whether it is in use");
    }
    if (unlink(a->sun_path) < 0) {
        return fail(problem, a->sun_path, errno, "cannot replace the stale socket");
    }
    return 0;
}

// Not of what another process puts there in its place. Without /proc glibc cannot, and then a check must do.
static int set_mode(const char *path, mode_t mode)
{
    struct stat st;
    int rc = fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
    if (rc < 0 && errno == EOPNOTSUPP && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        rc = chmod(path, mode);
    }
    return rc;
}

static int set_owner(const char *path, mode_t mode, const char *group, struct buf *problem)
{
    if (group != NULL && group[0] != '\0') {
        errno = 0;
        struct group *g = getgrnam(group);
        if (g == NULL) {
            buf_addf(problem, "%s: group \"%s\" does not exist", path, group);
            return -ENOENT;
        }
        if (lchown(path, (uid_t)-1, g->gr_gid) < 0) {
            return fail(problem, path, errno, "cannot change its group");
        }
    }
    if (set_mode(path, mode) < 0) {
        return fail(problem, path, errno, "cannot set its mode");
    }
    return 0;
}

static int bind_file(int fd, const struct sockaddr_un *a,
                     const struct unix_socket_settings *settings, struct buf *problem)
{
    // Nobody may connect before group and mode are as wanted.
    mode_t old = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)a, sizeof *a);
    int err = errno;
    umask(old);
    if (rc < 0) {
        return fail(problem, settings->path, err, "cannot create the socket");
    }
    rc = set_owner(settings->path, settings->mode, settings->group, problem);
    if (rc == 0 && settings->type == SOCK_STREAM && listen(fd, settings->backlog) < 0) {
        rc = fail(problem, settings->path, errno, "cannot listen");
    }
    if (rc < 0) {
        unlink(settings->path);
    }
    return rc;
}

/*
 * Of two daemons that start at once on one path the second waits here, and then finds the first alive. Any process that can
 * open the directory can lock it, so the wait is short: without the lock only such a pair is worse off.
 */
static int lock_directory(const char *path, bool *ret_locked)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return -ENOMEM;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : fd;
    free(copy);
    int locked = -1;
    for (int i = 0; fd >= 0 && locked < 0 && i < LOCK_TRIES; i++) {
        locked = flock(fd, LOCK_EX | LOCK_NB);
        if (locked < 0) {
            nanosleep(&(struct timespec){.tv_nsec = LOCK_TRY_MS * 1000000L}, NULL);
        }
    }
    *ret_locked = locked == 0;
    return rc;
}

static void know_file(struct unix_socket *s, const struct stat *st)
{
    s->dev = st->st_dev;
    s->ino = st->st_ino;
    s->made = st->st_mtim;
}

int unix_socket_open(struct unix_socket *ret, const struct unix_socket_settings *settings,
                     struct buf *problem)
{
    struct sockaddr_un a;
    int rc = address_of(&a, settings->path, problem);
    if (rc < 0) {
        return rc;
    }
    bool locked;
    int lock = lock_directory(settings->path, &locked);
    if (lock < 0) {
        return fail(problem, settings->path, -lock, "cannot open its directory");
    }
    struct unix_socket s = {.fd = socket(AF_UNIX, settings->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                            .path = strdup(settings->path)};
    if (s.fd < 0 || s.path == NULL) {
        rc = fail(problem, settings->path, errno, "cannot create a socket");
    } else if ((rc = remove_stale(&a, settings->type, problem)) == 0) {
        rc = bind_file(s.fd, &a, settings, problem);
    }
    close(lock);
    struct stat st;
    if (rc == 0 && lstat(settings->path, &st) == 0) {
        know_file(&s, &st);
    }
    if (rc < 0) {
        unix_socket_close(&s); // leaves a file alone that it did not make
        return rc;
    }
    if (!locked) {
        buf_addf(problem, "%s: another process holds a lock on its directory", settings->path);
    }
    *ret = s;
    return 0;
}

void unix_socket_adopt(struct unix_socket *s)
{
    struct sockaddr_un a = {0};
    socklen_t len = sizeof a - 1; // a path may have no NUL
    struct stat st;
    if (getsockname(s->fd, (struct sockaddr *)&a, &len) < 0 || a.sun_family != AF_UNIX ||
        a.sun_path[0] != '/' || lstat(a.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return;
    }
    s->path = strdup(a.sun_path);
    know_file(s, &st);
    s->adopted = true;
}

static bool has_file(const struct unix_socket *s)
{
    struct stat st;
    return s->path != NULL && lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
           st.st_ino == s->ino && st.st_mtim.tv_sec == s->made.tv_sec &&
           st.st_mtim.tv_nsec == s->made.tv_nsec;
}

bool unix_socket_is_reachable(const struct unix_socket *s)
{
    return s->path == NULL || has_file(s);
}

void unix_socket_close(struct unix_socket *s)
{
    if (!s->adopted && has_file(s)) {
        unlink(s->path);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    free(s->path);
    *s = UNIX_SOCKET_NONE;
}
