// SPDX-License-Identifier: Apache-2.0
/*
 * statefile: the file that an arena lives in, from one process to the next.
 *
 * Shape:   PATH is the file; PATH.new the one that a process makes from it at its start, and which takes its name
 *          once it is on the disk; PATH.aside.1 to .3 are files that were damaged or no state files, the latest
 *          first. A process holds a lock on the file that has the name, and on its own.
 *          What is read is a copy: a file that is being read cannot change or fail under the reader.
 * Order:   open, read, begin, (take over what was read), settle, ..., end.
 * Threads: one, but for statefile_commit and statefile_sync, which are one other thread's while the first one
 *          leaves the struct alone.
 * Errors:  -errno. Whatever fails, the series in PATH are as they were. Once another file or memory goes on from them,
 *          PATH says that it is behind: its series are good, but a session in it would go back, so none is believed.
 *          A copy of a state file counts as behind as well: the header names the inode.
 */
#ifndef VE_STATE_STATEFILE_H
#define VE_STATE_STATEFILE_H

#include "base/buf.h"
#include "series/record.h"

enum { STATEFILE_ASIDE = 3 };

struct statefile {
    char *path;
    char *next;        // PATH.new
    int held;          // what has the name, locked; -1
    int own;           // the arena's, locked; -1: the arena is in memory
    bool named;        // it has the name
    bool broken;       // the arena's file is of no use any more
    bool aside;        // what has the name is to be kept aside when another takes it
    uint32_t n_aside;  // files that were set aside
    const char *place; // where the last error is: path or next
    const char *why;   // what it is, where -errno does not say; else NULL
};

// What statefile_read found.
enum statefile_found {
    STATEFILE_NOTHING, // no file, or an empty one
    STATEFILE_GOOD,    // an image
    STATEFILE_FOREIGN, // no state file of this version and user; it was set aside
};

// Takes hold of the file at the path. Returns 0; -EBUSY when another process uses it, or it or PATH.new cannot be
// replaced; -EINVAL when it is no file; -ENOENT, -ENOTDIR, -EACCES when it cannot be there; other errors say that the
// disk fails, and then nothing is held but the struct can be used.
int statefile_open(struct statefile *f, const char *path);
// Reads what is there. An image is to be given back with statefile_image_free. -EBUSY: what is there is in PATH.new, which
// cannot get the name.
int statefile_read(struct statefile *f, struct record_image *ret, enum statefile_found *ret_found);
// The same for bytes that were read already: reads and changes those at image->base, and fills in the rest. Returns
// 0, -ENOMEM.
int statefile_parse(struct record_image *image, enum statefile_found *ret_found);
void statefile_image_free(struct record_image *image);

// Makes a new file and moves the arena into it, the two halves with `pause` between them called when others may
// write to the arena, which must not change during the second.
int statefile_prepare(struct statefile *f, struct arena *a);
int statefile_begin(struct statefile *f, struct arena *a);
// Moves the arena into memory and drops its file; while no other thread writes.
int statefile_abandon(struct statefile *f, struct arena *a);
// The arena's file is whole, and a kill loses nothing from now on.
void statefile_complete(struct arena *a);
// Says in the file that has the name, and is not the arena's, that it is behind: memory goes on from it, or another
// file does. Returns 0 or -errno.
int statefile_mark_behind(const struct statefile *f);
// Gives the arena's file the name, when it is on the disk. After an error another file is needed (statefile_abandon) if
// this one is broken; else it may be asked again.
int statefile_commit(struct statefile *f);
// Whether the name still leads to the arena's file, once it had it. True when that cannot be found out.
bool statefile_is_named(const struct statefile *f);
// Writes what changed to the disk.
int statefile_sync(struct statefile *f);

// Makes the file complete, with the arena left as it is. No thread writes to it any more.
int statefile_finish(struct statefile *f, struct arena *a);
// Lets go of all.
void statefile_close(struct statefile *f);

#endif
