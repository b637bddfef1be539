// SPDX-License-Identifier: Apache-2.0
/*
 * source_restore: the sources that an earlier process knew are known again, each as one that went at the start:
 * SOURCE_GRACE_MS later its owned series go, unless it comes back.
 *
 * Threads: the main thread, before any connection comes.
 */
#ifndef VE_SOURCE_SOURCE_RESTORE_H
#define VE_SOURCE_SOURCE_RESTORE_H

#include "source/source.h"
#include "state/restore.h"

// Makes the sources of a scanned image known. Returns 0, -ENOMEM. What it returns says how ids of the file read now,
// and is to be given back with restore_owners_free.
int sources_restore(struct sources *s, const struct record_image *image, const struct catalog *c,
                    struct arena_writer *writer, uint64_t now_ms, struct restore_owners *ret);

#endif
