// SPDX-License-Identifier: Apache-2.0
// What an earlier process left, as bytes that are looked at before they are believed.
#include "series/statefile_inside.h"

#include "base/clock.h"
#include "series/redo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * Copies the file into zeroed memory. Of a part that the disk does not give, nothing is copied; of one that is
 * zero nothing needs to be, and so a file that is one large hole costs no memory.
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
            if (!all_zero(block + i, len)) {
                memcpy(to + at + (size_t)i, block + i, len);
            }
        }
        at += (uint64_t)n;
    }
    return unread;
}

static int copy_file(int fd, struct record_image *image, uint64_t *ret_unread)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    image->size = (uint64_t)st.st_size > ARENA_REACH ? ARENA_REACH : (uint64_t)st.st_size;
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

void statefile_forget(struct record_image *image)
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
static void judge(struct record_image *image)
{
    const struct layout *l = layout_of(image->base);
    bool clean = atomic_load(&l->phase) == LAYOUT_CLEAN;
    bool same_boot = layout_is_of_this_boot(image->base);
    image->seed = l->seed;
    image->life_from = l->life_from;
    image->power_cut = !clean && !same_boot;
    if (!same_boot) {
        image->shift_s =
            (uint32_t)(clock_mono_ms() / 1000) - (uint32_t)(atomic_load(&l->mono_ms) / 1000);
    }
    if (clean) {
        check_sums(image);
    }
}

static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

static bool is_good(const struct record_image *image)
{
    return image->size >= ARENA_RESERVED && layout_is_good(image->base) &&
           atomic_load(&layout_of(image->base)->phase) != LAYOUT_BUILDING &&
           layout_of(image->base)->life_from > 1 &&
           layout_of(image->base)->life_from <= UINT32_MAX / 2;
}

// After a power cut a line's words are of different ages, and its record says nothing about them.
static void replay(struct record_image *image)
{
    for (unsigned lane = 0; !image->power_cut && lane < LAYOUT_LANES; lane++) {
        redo_replay(layout_redo(image->base, lane), image->base, ARENA_RESERVED, image->size);
    }
}

// Replayed before the records are looked at: a word of a damaged list may lie anywhere.
int statefile_look(struct record_image *image, enum statefile_found *ret_found)
{
    *ret_found = image->size == 0 ? STATEFILE_NOTHING : STATEFILE_FOREIGN;
    if (!is_good(image)) {
        return 0;
    }
    *ret_found = STATEFILE_GOOD;
    judge(image);
    replay(image);
    uint64_t damaged = image->damaged;
    int rc = record_scan(image);
    image->damaged += damaged;
    return rc;
}

static int read_one(int fd, struct record_image *image, enum statefile_found *ret_found)
{
    uint64_t unread = 0;
    *image = (struct record_image){0};
    int rc = copy_file(fd, image, &unread);
    *ret_found = image->size == 0 ? STATEFILE_NOTHING : STATEFILE_FOREIGN;
    if (rc == 0 && is_ours(fd)) {
        rc = statefile_look(image, ret_found);
        image->damaged += unread;
    }
    if (rc < 0 || *ret_found != STATEFILE_GOOD) {
        statefile_forget(image);
    }
    return rc;
}

/*
 * What an earlier process made and had no time to name is later than what has the name, if it is whole: as the
 * kernel has it, if that did not end meanwhile, or when there is nothing else. It gets the name now.
 */
static int adopt_next(struct statefile *f, enum statefile_found named)
{
    int fd = open(f->next, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    struct layout l = {0};
    ssize_t n = pread(fd, &l, sizeof l, 0);
    struct stat st;
    bool whole = n == sizeof l && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                 st.st_uid == geteuid() && layout_is_good((const char *)&l) &&
                 atomic_load(&l.phase) != LAYOUT_BUILDING && st.st_size >= ARENA_RESERVED &&
                 (atomic_load(&l.phase) != LAYOUT_CLEAN || (uint64_t)st.st_size >= l.size);
    bool later = whole && (layout_is_of_this_boot((const char *)&l) ||
                           atomic_load(&l.phase) == LAYOUT_CLEAN || named != STATEFILE_GOOD);
    int rc = 0;
    if (later && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        rc = fsync(fd) < 0 || rename(f->next, f->path) < 0 ? -errno : 1;
    }
    if (rc == 1) {
        statefile_drop(&f->held);
        f->held = fd;
    } else {
        close(fd);
    }
    return rc;
}

static int first_bytes_are_good(int fd, enum statefile_found *ret)
{
    struct layout l = {0};
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    bool good = pread(fd, &l, sizeof l, 0) == sizeof l && layout_is_good((const char *)&l);
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
    rc = statefile_set_aside(f, false);
    if (rc == 0) {
        statefile_drop(&f->held);
        rc = statefile_hold(f);
    }
    return rc;
}
