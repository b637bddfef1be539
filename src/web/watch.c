// SPDX-License-Identifier: Apache-2.0
#include "web/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int watch_add(struct watch *w, const char *path)
{
    assert(w->n < WATCH_MAX);
    struct watch_file *f = &w->files[w->n];
    f->path = strdup(path);
    if (f->path == NULL) {
        return -ENOMEM;
    }
    f->there = stat(path, &f->was) == 0;
    w->n++;
    return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct watch_file *f)
{
    struct stat now;
    bool there = stat(f->path, &now) == 0;
    if (!there || !f->there) {
        return there == f->there;
    }
    return now.st_dev == f->was.st_dev && now.st_ino == f->was.st_ino &&
           now.st_size == f->was.st_size && same_time(&now.st_mtim, &f->was.st_mtim) &&
           same_time(&now.st_ctim, &f->was.st_ctim);
}

bool watch_changed(const struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!same(&w->files[i])) {
            return true;
        }
    }
    return false;
}

void watch_clear(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->files[i].path);
    }
    w->n = 0;
}
