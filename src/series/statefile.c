// SPDX-License-Identifier: Apache-2.0
#include "series/statefile_inside.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void statefile_drop(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

// Whether the name still leads to the open file.
static bool has_name(int fd, const char *path)
{
    struct stat named;
    struct stat open;
    return lstat(path, &named) == 0 && fstat(fd, &open) == 0 && named.st_ino == open.st_ino &&
           named.st_dev == open.st_dev;
}

// What has the name may be replaced between being opened and being locked.
int statefile_hold(struct statefile *f)
{
    for (;;) {
        int fd =
            open(f->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
        if (fd < 0) {
            bool no_file = errno == ELOOP || errno == EISDIR || errno == ENXIO;
            return no_file ? -EINVAL : -errno;
        }
        struct stat st;
        int rc = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
        if (rc == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
            rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        }
        if (rc == 0 && has_name(fd, f->path)) {
            f->held = fd;
            return 0;
        }
        close(fd);
        if (rc < 0) {
            return rc;
        }
    }
}

static int sync_directory(const struct statefile *f)
{
    char *copy = strdup(f->path);
    if (copy == NULL) {
        return -ENOMEM;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    statefile_drop(&fd);
    free(copy);
    // Not every file system can, and then there is nothing that could be done.
    return rc == -EINVAL ? 0 : rc;
}

/*
 * A name for what is set aside: the first of STATEFILE_ASIDE, from which those that have one move on, and the
 * last gives way.
 */
static char *aside_name(const struct statefile *f)
{
    char *from = NULL;
    char *to = NULL;
    for (int i = STATEFILE_ASIDE; i > 1; i--) {
        if (asprintf(&to, "%s.aside.%d", f->path, i) < 0 ||
            asprintf(&from, "%s.aside.%d", f->path, i - 1) < 0) {
            free(to);
            return NULL;
        }
        rename(from, to);
        free(from);
        free(to);
    }
    return asprintf(&to, "%s.aside.1", f->path) < 0 ? NULL : to;
}

int statefile_set_aside(struct statefile *f, bool keep)
{
    char *name = aside_name(f);
    if (name == NULL) {
        return -ENOMEM;
    }
    int rc = (keep && link(f->path, name) == 0) || rename(f->path, name) == 0 ? 0 : -errno;
    f->n_aside += rc == 0;
    free(name);
    return rc;
}

int statefile_open(struct statefile *f, const char *path)
{
    *f = (struct statefile){.held = -1, .own = -1, .path = strdup(path)};
    if (f->path == NULL || asprintf(&f->next, "%s.new", path) < 0) {
        f->next = NULL;
        return -ENOMEM;
    }
    return statefile_hold(f);
}

// ---- The arena's own file

int statefile_prepare(struct statefile *f, struct arena *a)
{
    if (f->own >= 0) {
        return arena_reserve(a, f->own);
    }
    int rc = f->held < 0 ? statefile_hold(f) : 0;
    if (rc < 0) {
        return rc;
    }
    unlink(f->next);
    int fd = open(f->next, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    rc = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : arena_reserve(a, fd);
    if (rc < 0) {
        close(fd);
        unlink(f->next);
        return rc;
    }
    f->own = fd;
    f->settled = false;
    return 0;
}

int statefile_begin(struct statefile *f, struct arena *a)
{
    int rc = arena_attach(a, f->own);
    if (rc < 0 && !f->settled) {
        int detached = statefile_abandon(f, a);
        rc = detached < 0 ? detached : rc;
    }
    return rc;
}

int statefile_abandon(struct statefile *f, struct arena *a)
{
    bool torn = arena_torn(a);
    int rc = arena_detach(a);
    if (rc < 0) {
        return rc;
    }
    if (!f->settled) {
        unlink(f->next);
        statefile_drop(&f->own);
        return 0;
    }
    // It has the name until another one takes it.
    f->held = f->own;
    f->own = -1;
    f->settled = false;
    f->aside = torn; // of what was lost there may be more in the file
    return 0;
}

void statefile_whole(struct arena *a)
{
    atomic_store(&layout_of(arena_base(a))->phase, LAYOUT_RUNNING);
}

int statefile_settle(struct statefile *f)
{
    if (f->settled || f->own < 0) {
        return 0;
    }
    if (fsync(f->own) < 0) {
        return -errno;
    }
    if (f->aside) {
        int rc = statefile_set_aside(f, true);
        if (rc < 0) {
            return rc;
        }
        f->aside = false;
    }
    if (rename(f->next, f->path) < 0) {
        return -errno;
    }
    f->settled = true;
    statefile_drop(&f->held);
    return sync_directory(f);
}

int statefile_sync(struct statefile *f)
{
    return f->own >= 0 && fdatasync(f->own) < 0 ? -errno : 0;
}

int statefile_finish(struct statefile *f, struct arena *a)
{
    if (f->own < 0 || arena_adrift(a) != 0) {
        return -EIO;
    }
    int rc = fsync(f->own) < 0 ? -errno : statefile_settle(f);
    if (rc < 0) {
        return rc;
    }
    layout_close(arena_base(a), arena_used(a));
    return fsync(f->own) < 0 ? -errno : 0;
}

void statefile_close(struct statefile *f)
{
    statefile_drop(&f->held);
    statefile_drop(&f->own);
    free(f->path);
    free(f->next);
    f->path = f->next = NULL;
}
