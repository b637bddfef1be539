// SPDX-License-Identifier: Apache-2.0
// arena_inside: what arena.c and arena_file.c share.
#ifndef VE_SERIES_ARENA_INSIDE_H
#define VE_SERIES_ARENA_INSIDE_H

#include "series/arena.h"

#include <stdatomic.h>

enum step { STEP_ABSENT, STEP_BUSY, STEP_MEMORY, STEP_FILE };

struct arena {
    char *base;
    uint64_t size;                            // bytes reserved
    _Atomic uint64_t used;                    // bytes given to hands
    _Atomic uint32_t released[ARENA_CLASSES]; // heads of the shared lists
    _Atomic uint8_t *steps;                   // enum step, one per ARENA_STEP
    _Atomic int fd;                           // -1: no file
    _Atomic int adrift;       // 0, or why a step or a page is not in the file: -errno
    _Atomic bool torn;        // a page could not be read
    atomic_flag rescuing;     // held by the one thread that replaces a page
    _Atomic uint8_t *rescued; // one bit per page that was replaced
};

static inline uint64_t arena_steps(const struct arena *a)
{
    return a->size / ARENA_STEP;
}

// Makes the step the file's. Returns 0 or -errno, and then it is as it was.
int arena_map_file(struct arena *a, int fd, uint64_t step);

#endif
