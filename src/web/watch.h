// SPDX-License-Identifier: Apache-2.0
/*
 * watch: whether files are still those that were read.
 *
 * Shape:   a few paths, each with what stat(2) said of it; a file that is missing is watched as well.
 *          Symbolic links are followed, so that what replaces a link's target is seen.
 * Threads: one owner.
 * Memory:  paths are copied; watch_clear gives them back.
 */
#ifndef VE_WEB_WATCH_H
#define VE_WEB_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum { WATCH_MAX = 4 };

struct watch {
    size_t n;
    struct watch_file {
        char *path;
        bool there;
        struct stat was;
    } files[WATCH_MAX];
};

// Adds a file as it is now; call it before the file is read. Returns 0 or -ENOMEM.
int watch_add(struct watch *w, const char *path);

// Whether one of them is another file now, was written, came or went.
bool watch_changed(const struct watch *w);

void watch_clear(struct watch *w);

#endif
