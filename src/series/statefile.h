// SPDX-License-Identifier: Apache-2.0
/*
 * statefile: the file that an arena lives in, from one process to the next.
 *
 * Shape:   PATH is the file; PATH.new the one that a process makes from it at its start, and which takes its name
 *          once it is on the disk; PATH.aside.1 to .3 are files that were damaged or no state files, the latest
 *          first. A process holds a lock on the file that has the name, and on its own.
 *          What is read is a copy: a file that is being read cannot change or fail under the reader.
 * Order:   open, read, begin, (take over what was read), settle, ..., end.
 * Threads: one, but for statefile_settle and statefile_sync, which are one other thread's while the first one
 *          leaves the struct alone.
 * Errors:  -errno. Whatever fails, PATH is as good as it was.
 */
#ifndef VE_SERIES_STATEFILE_H
#define VE_SERIES_STATEFILE_H

#include "base/buf.h"
#include "series/record.h"

enum { STATEFILE_ASIDE = 3 };

struct statefile {
    char *path;
    char *next;       // PATH.new
    int held;         // what has the name, locked; -1
    int own;          // the arena's, locked; -1: the arena is in memory
    bool settled;     // it has the name
    bool aside;       // what has the name is to be kept aside when another takes it
    uint32_t n_aside; // files that were set aside
};

// What statefile_read found.
enum statefile_found {
    STATEFILE_NOTHING, // no file, or an empty one
    STATEFILE_GOOD,    // an image
    STATEFILE_FOREIGN, // no state file of this version and user; it was set aside
};

// Takes hold of the file at the path. Returns 0; -EBUSY when another process has it; -EINVAL when it is no file;
// -ENOENT, -ENOTDIR, -EACCES when it cannot be there; other errors say that the disk fails, and then nothing is
// held but the struct can be used.
int statefile_open(struct statefile *f, const char *path);
// Reads what is there. An image is to be given back with statefile_forget.
int statefile_read(struct statefile *f, struct record_image *ret, enum statefile_found *ret_found);
// The same for bytes that were read already: reads and changes those at image->base, and fills in the rest. Returns
// 0, -ENOMEM.
int statefile_look(struct record_image *image, enum statefile_found *ret_found);
void statefile_forget(struct record_image *image);

// Makes a new file and moves the arena into it, the two halves with `pause` between them called when others may
// write to the arena, which must stand still for the second.
int statefile_prepare(struct statefile *f, struct arena *a);
int statefile_begin(struct statefile *f, struct arena *a);
// Moves the arena into memory and drops its file; while nobody else writes.
int statefile_abandon(struct statefile *f, struct arena *a);
// The arena's file is whole, and a kill loses nothing from now on.
void statefile_whole(struct arena *a);
// Gives the arena's file the name, when it is on the disk.
int statefile_settle(struct statefile *f);
// Writes what changed to the disk.
int statefile_sync(struct statefile *f);

// Marks the file as complete, with the arena left as it is. Nobody writes to it any more.
int statefile_finish(struct statefile *f, struct arena *a);
// Lets go of all.
void statefile_close(struct statefile *f);

#endif
