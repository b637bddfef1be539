// SPDX-License-Identifier: Apache-2.0
#include "state/statefile.h"

#include "base/clock.h"
#include "state/redo.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void drop(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int fail(struct statefile *f, const char *place, int rc, const char *why)
{
    f->place = place;
    f->why = why;
    return rc;
}

// Whether the name leads to the open file.
static bool has_name(int fd, const char *path)
{
    struct stat named;
    struct stat open;
    return lstat(path, &named) == 0 && fstat(fd, &open) == 0 && named.st_ino == open.st_ino &&
           named.st_dev == open.st_dev;
}

// What a path leads to that is not a regular file, or NULL.
static const char *other_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFLNK:
        return "it is a symbolic link";
    case S_IFDIR:
        return "it is a directory";
    case S_IFIFO:
        return "it is a FIFO";
    case S_IFSOCK:
        return "it is a socket";
    default:
        return "it is a device";
    }
}

// Nothing can be renamed onto a mount point. Kernels before 5.8 do not report one.
static bool is_mount_point(const char *path)
{
    struct statx st;
    return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
           (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Whether a file can be at the path and be replaced there.
static int check_path(struct statefile *f)
{
    struct stat st;
    const char *kind = lstat(f->path, &st) == 0 ? other_kind(st.st_mode) : NULL;
    if (kind != NULL) {
        return fail(f, f->path, -EINVAL, kind);
    }
    const char *const both[] = {f->path, f->next};
    for (size_t i = 0; i < 2; i++) {
        if (is_mount_point(both[i])) {
            return fail(f, both[i], -EBUSY, "it is a mount point, which cannot be replaced");
        }
    }
    if (lstat(f->next, &st) == 0 && S_ISDIR(st.st_mode)) {
        return fail(f, f->next, -EBUSY, "it is a directory, which blocks the next state file");
    }
    return 0;
}

// Of a file system that takes no writes, what is there can be read; that nothing can replace it shows later.
static int open_named(const char *path)
{
    enum { FLAGS = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
    int fd = open(path, O_RDWR | O_CREAT | FLAGS, 0600);
    if (fd < 0 && errno == EROFS) {
        fd = open(path, O_RDONLY | FLAGS);
        errno = EROFS;
    }
    return fd;
}

static int hold_once(struct statefile *f)
{
    int rc = check_path(f);
    if (rc < 0) {
        return rc;
    }
    int fd = open_named(f->path);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = fail(f, f->path, -errno, NULL);
    } else if (!S_ISREG(st.st_mode)) {
        rc = fail(f, f->path, -EINVAL, other_kind(st.st_mode));
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        bool taken = errno == EWOULDBLOCK;
        rc = fail(f, f->path, taken ? -EBUSY : -errno, taken ? "another process uses it" : NULL);
    } else if (!has_name(fd, f->path)) {
        rc = fail(f, f->path, -EAGAIN, "it is being replaced repeatedly");
    }
    if (rc < 0) {
        drop(&fd);
        return rc;
    }
    f->held = fd;
    return 0;
}

// What has the name may be replaced between being opened and being locked; not often by those who mean well.
// Opens and locks what has the name, which may be a new file. Returns as statefile_open.
static int hold(struct statefile *f)
{
    int rc = -EAGAIN;
    for (int i = 0; rc == -EAGAIN && i < 100; i++) {
        rc = hold_once(f);
    }
    return rc;
}

static int sync_directory(const struct statefile *f)
{
    char *copy = strdup(f->path);
    if (copy == NULL) {
        return -ENOMEM;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    drop(&fd);
    free(copy);
    // Not every file system can, and then there is nothing that could be done.
    return rc == -EINVAL ? 0 : rc;
}

/*
 * A name for what is set aside: the first of STATEFILE_ASIDE, from which those that have one move on, and the
 * last is replaced.
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

// Gives what has the name another one, or with `keep` one more. Returns 0 or -errno.
static int set_aside(struct statefile *f, bool keep)
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

// A file that another user has put there, as root does who restores one.
static bool is_anothers(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid != geteuid();
}

int statefile_open(struct statefile *f, const char *path)
{
    *f = (struct statefile){.held = -1, .own = -1, .path = strdup(path)};
    if (f->path == NULL || asprintf(&f->next, "%s.new", path) < 0) {
        f->next = NULL;
        return -ENOMEM;
    }
    int rc = hold(f);
    if (rc == -EACCES && is_anothers(path)) { // it cannot be read, and does not stop the start
        rc = set_aside(f, false);
        rc = rc < 0 ? rc : hold(f);
    }
    return rc;
}

// ---- The arena's own file

// Holds what has the name now. What was not held before may be anything, and has not been read: it is kept.
static int hold_named(struct statefile *f)
{
    if (f->held >= 0 && has_name(f->held, f->path)) {
        return 0;
    }
    drop(&f->held);
    int rc = hold(f);
    struct stat st;
    if (rc == 0 && fstat(f->held, &st) == 0 && st.st_size > 0) {
        f->aside = true;
    }
    return rc;
}

int statefile_prepare(struct statefile *f, struct arena *a)
{
    if (f->own >= 0) {
        int grown = arena_reserve(a, f->own);
        return grown < 0 ? fail(f, f->path, grown, NULL) : 0;
    }
    int rc = hold_named(f);
    if (rc < 0) {
        return rc;
    }
    unlink(f->next);
    int fd = open(f->next, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(f, f->next, -errno, errno == EEXIST ? "it blocks the next state file" : NULL);
    }
    rc = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : arena_reserve(a, fd);
    if (rc < 0) {
        close(fd);
        unlink(f->next);
        return fail(f, f->next, rc, NULL);
    }
    f->own = fd;
    f->named = f->broken = false;
    return 0;
}

int statefile_begin(struct statefile *f, struct arena *a)
{
    struct layout *l = layout_of(arena_base(a));
    if (arena_file_bytes(a) == 0) { // half of it is nothing to go on from
        struct stat st;
        atomic_store(&l->phase, LAYOUT_BUILDING);
        atomic_store(&l->reach, 0);
        l->inode = fstat(f->own, &st) == 0 ? st.st_ino : 0;
    }
    int rc = arena_attach(a, f->own);
    if (rc < 0) {
        fail(f, f->named ? f->path : f->next, rc, NULL);
    }
    if (rc < 0 && !f->named) {
        int detached = statefile_abandon(f, a);
        rc = detached < 0 ? detached : rc;
    }
    return rc;
}

int statefile_abandon(struct statefile *f, struct arena *a)
{
    bool corrupt = arena_is_corrupt(a);
    if (f->named) {
        layout_mark_behind(f->own);
    } else {
        statefile_mark_behind(f);
    }
    int rc = arena_detach(a);
    if (rc < 0) {
        return rc;
    }
    if (!f->named) {
        unlink(f->next);
        drop(&f->own);
        return 0;
    }
    // It has the name until another one takes it.
    f->held = f->own;
    f->own = -1;
    f->named = false;
    f->aside = corrupt; // of what was lost there may be more in the file
    return 0;
}

void statefile_complete(struct arena *a)
{
    atomic_store(&layout_of(arena_base(a))->phase, LAYOUT_RUNNING);
}

int statefile_mark_behind(const struct statefile *f)
{
    char first[sizeof(struct layout)];
    if (f->held < 0 || pread(f->held, first, sizeof first, 0) != sizeof first ||
        !layout_is_good(first)) {
        return 0;
    }
    int rc = layout_mark_behind(f->held);
    // Of a file that was closed nothing else says after a power cut that it is not the latest.
    bool closed = atomic_load(&layout_of(first)->phase) == LAYOUT_CLEAN;
    return rc == 0 && closed && fdatasync(f->held) < 0 ? -errno : rc;
}

bool statefile_is_named(const struct statefile *f)
{
    struct stat st;
    return !f->named || f->own < 0 || has_name(f->own, f->path) ||
           (lstat(f->path, &st) < 0 && errno != ENOENT && errno != ENOTDIR);
}

int statefile_commit(struct statefile *f)
{
    if (f->named || f->own < 0) {
        return 0;
    }
    f->broken = true;
    if (fsync(f->own) < 0) {
        return fail(f, f->next, -errno, NULL);
    }
    if (!has_name(f->own, f->next)) {
        return fail(f, f->next, -ESTALE, "it was removed or replaced");
    }
    f->broken = false;
    if (f->aside) {
        int rc = set_aside(f, true);
        if (rc < 0) {
            return fail(f, f->path, rc, NULL);
        }
        f->aside = false;
    }
    if (rename(f->next, f->path) < 0) {
        return fail(f, f->path, -errno, "it cannot be replaced");
    }
    f->named = true;
    drop(&f->held);
    return sync_directory(f);
}

int statefile_sync(struct statefile *f)
{
    return f->own >= 0 && fdatasync(f->own) < 0 ? fail(f, f->path, -errno, NULL) : 0;
}

int statefile_finish(struct statefile *f, struct arena *a)
{
    if (f->own < 0 || arena_file_error(a) != 0) {
        return -EIO;
    }
    int rc = fsync(f->own) < 0 ? -errno : statefile_commit(f);
    if (rc < 0) {
        return rc;
    }
    layout_close(arena_base(a), arena_used(a));
    return fsync(f->own) < 0 ? -errno : 0;
}

void statefile_close(struct statefile *f)
{
    drop(&f->held);
    drop(&f->own);
    free(f->path);
    free(f->next);
    f->path = f->next = NULL;
}

// ---- What an earlier process left, as bytes that are looked at before they are believed

static bool is_all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * Copies the file into zeroed memory. Of a part that the disk does not give, nothing is copied; of one that is
 * zero nothing needs to be, and so a file that is one large hole takes no memory.
 */
static uint64_t copy_bytes(int fd, char *to, uint64_t size, char *block)
{
    uint64_t unread = 0;
    for (uint64_t at = 0; at < size;) {
        size_t want = size - at < ARENA_STEP ? (size_t)(size - at) : ARENA_STEP;
        ssize_t n = pread(fd, block, want, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            unread++;
            at += ARENA_PAGE - at % ARENA_PAGE;
            continue;
        }
        for (ssize_t i = 0; i < n; i += ARENA_PAGE) {
            size_t len = n - i < ARENA_PAGE ? (size_t)(n - i) : ARENA_PAGE;
            if (!is_all_zero(block + i, len)) {
                memcpy(to + at + (size_t)i, block + i, len);
            }
        }
        at += (uint64_t)n;
    }
    return unread;
}

// The header of a file, zeros where it cannot be read, and its size. Returns 0 or -errno.
static int read_header(int fd, struct layout *ret, struct stat *ret_st)
{
    *ret = (struct layout){0};
    if (fstat(fd, ret_st) < 0) {
        return -errno;
    }
    if (pread(fd, ret, sizeof *ret, 0) != sizeof *ret) {
        *ret = (struct layout){0};
    }
    return 0;
}

// Bytes of a file of that size that were the arena's, as its header says: what was appended is not read. A header of layout 2, or a
// damaged one, does not say it.
static uint64_t bytes_to_read(const struct layout *l, uint64_t size)
{
    uint64_t most = atomic_load(&l->reach);
    if (atomic_load(&l->phase) == LAYOUT_CLEAN && l->size > most) {
        most = l->size;
    }
    most = most == 0 || most > size ? size : most;
    return most > ARENA_REACH ? ARENA_REACH : most;
}

static int copy_file(int fd, const struct layout *l, const struct stat *st,
                     struct record_image *image, uint64_t *ret_unread)
{
    image->size = bytes_to_read(l, (uint64_t)st->st_size);
    if (image->size == 0) {
        return 0;
    }
    char *block = malloc(ARENA_STEP);
    void *room = mmap(NULL, image->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == NULL || room == MAP_FAILED) {
        free(block);
        return -ENOMEM;
    }
    madvise(room, image->size, MADV_HUGEPAGE); // read once, all over
    image->base = room;
    *ret_unread = copy_bytes(fd, image->base, image->size, block);
    free(block);
    return 0;
}

void statefile_image_free(struct record_image *image)
{
    record_scan_free(image);
    if (image->base != NULL) {
        munmap(image->base, image->size);
        image->base = NULL;
    }
}

// Notes which spans of a file that was closed are what they were. The file may be cut, and its header wrong: then no span
// fits its sum.
static void check_sums(struct record_image *image)
{
    const struct layout *l = layout_of(image->base);
    uint64_t size = l->size < ARENA_REACH ? l->size : ARENA_REACH;
    image->span = layout_span(size);
    bool whole = layout_digest(image->base) == l->digest;
    for (uint64_t i = 0, from = 0; from < size; from = ++i * image->span) {
        uint64_t to = from + image->span < size ? from + image->span : size;
        bool good =
            to <= image->size && layout_sum(image->base, size, i) == layout_sums(image->base)[i];
        image->good[i / 64] |= (uint64_t)good << i % 64;
        whole = whole && good;
    }
    image->damaged += !whole;
}

// What the header says of an image whose header is good.
static void interpret_header(struct record_image *image)
{
    const struct layout *l = layout_of(image->base);
    bool clean = atomic_load(&l->phase) == LAYOUT_CLEAN;
    bool same_boot = layout_is_of_this_boot(image->base);
    image->seed = l->seed;
    image->lease_from = l->lease_from;
    image->power_cut = !clean && !same_boot;
    uint64_t now_ms = clock_mono_ms();
    uint32_t last_s = (uint32_t)(atomic_load(&l->mono_ms) / 1000);
    image->shift_s = same_boot ? 0 : (uint32_t)(now_ms / 1000) - last_s;
    // The time without a process does not count; rounded so that nothing grows older by it.
    image->ttl_shift_s = (uint32_t)((now_ms + 999) / 1000) - last_s;
    if (clean) {
        check_sums(image);
    }
}

static bool is_good(const struct record_image *image)
{
    return image->size >= ARENA_RESERVED && layout_is_good(image->base) &&
           atomic_load(&layout_of(image->base)->phase) != LAYOUT_BUILDING &&
           layout_of(image->base)->lease_from > 1 &&
           layout_of(image->base)->lease_from <= UINT32_MAX / 2;
}

// After a power cut a line's words are of different ages, and its record says nothing about them.
static void replay(struct record_image *image)
{
    for (unsigned lane = 0; !image->power_cut && lane < LAYOUT_LANES; lane++) {
        redo_replay(layout_redo(image->base, lane), image->base, ARENA_RESERVED, image->size);
    }
}

// Replayed before the records are looked at: a word of a damaged list may lie anywhere.
int statefile_parse(struct record_image *image, enum statefile_found *ret_found)
{
    *ret_found = image->size == 0 ? STATEFILE_NOTHING : STATEFILE_FOREIGN;
    if (!is_good(image)) {
        return 0;
    }
    *ret_found = STATEFILE_GOOD;
    interpret_header(image);
    replay(image);
    uint64_t damaged = image->damaged;
    int rc = record_scan(image);
    image->damaged += damaged;
    return rc;
}

// A copy is older than what its original became. Only its inode shows that it is one.
static int read_one(int fd, struct record_image *image, enum statefile_found *ret_found)
{
    uint64_t unread = 0;
    struct layout l;
    struct stat st;
    *image = (struct record_image){0};
    int rc = read_header(fd, &l, &st);
    if (rc < 0) {
        return rc;
    }
    *ret_found = st.st_size == 0 ? STATEFILE_NOTHING : STATEFILE_FOREIGN;
    if (st.st_uid != geteuid() || !layout_is_good((const char *)&l)) {
        return 0;
    }
    rc = copy_file(fd, &l, &st, image, &unread);
    if (rc == 0) {
        rc = statefile_parse(image, ret_found);
        image->damaged += unread;
        image->behind = atomic_load(&l.behind) != 0 || l.inode != st.st_ino;
    }
    if (rc < 0 || *ret_found != STATEFILE_GOOD) {
        statefile_image_free(image);
    }
    return rc;
}

/*
 * What an earlier process made and had no time to name is later than what has the name, if it is whole: as the
 * kernel has it, if that did not end meanwhile, or when there is nothing else. It gets the name now.
 */
static int adopt_next(struct statefile *f, enum statefile_found named)
{
    int fd = open(f->next, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return 0;
    }
    struct layout l;
    struct stat st;
    bool whole = read_header(fd, &l, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                 layout_is_good((const char *)&l) && atomic_load(&l.phase) != LAYOUT_BUILDING &&
                 st.st_size >= ARENA_RESERVED &&
                 (atomic_load(&l.phase) != LAYOUT_CLEAN || (uint64_t)st.st_size >= l.size);
    bool later = whole && (layout_is_of_this_boot((const char *)&l) ||
                           atomic_load(&l.phase) == LAYOUT_CLEAN || named != STATEFILE_GOOD);
    int rc = 0;
    if (later && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        rc = fsync(fd) < 0 ? -errno : rename(f->next, f->path) < 0 ? -EBUSY : 1;
        f->place = f->path;
        f->why = rc == -EBUSY ? "it cannot be replaced by the newer file PATH.new" : NULL;
    }
    if (rc == 1) {
        drop(&f->held);
        f->held = fd;
    } else {
        close(fd);
    }
    return rc;
}

static int first_bytes_are_good(int fd, enum statefile_found *ret)
{
    struct layout l;
    struct stat st;
    int rc = read_header(fd, &l, &st);
    if (rc < 0) {
        return rc;
    }
    bool good = layout_is_good((const char *)&l);
    *ret = good ? STATEFILE_GOOD : st.st_size == 0 ? STATEFILE_NOTHING : STATEFILE_FOREIGN;
    return 0;
}

int statefile_read(struct statefile *f, struct record_image *ret, enum statefile_found *ret_found)
{
    *ret_found = STATEFILE_NOTHING;
    if (f->held < 0) {
        return 0;
    }
    enum statefile_found named;
    int rc = first_bytes_are_good(f->held, &named);
    rc = rc < 0 ? rc : adopt_next(f, named);
    rc = rc < 0 ? rc : read_one(f->held, ret, ret_found);
    f->aside |= rc < 0; // it may be good, and is not lost
    if (rc < 0 || *ret_found != STATEFILE_FOREIGN) {
        return rc;
    }
    rc = set_aside(f, false);
    if (rc == 0) {
        drop(&f->held);
        rc = hold(f);
    }
    return rc;
}
