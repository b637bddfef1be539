// SPDX-License-Identifier: Apache-2.0
/*
 * layout: what is at fixed places at the beginning of every arena, and so of every state file.
 *
 * Shape:   the header in the first page; behind it the sums of a file that was closed; from LAYOUT_REDO_AT one page
 *          per lane for its redo record. All numbers are in the machine's order of bytes, which the header names.
 * Version: 4 has native histograms and up to REDO_PIECES pieces of further redo words, 3 none and one; 2 has
 *          neither `reach` nor `inode`, so it counts as a copy. Every start writes a new file, so an older one needs only to be
 *          read.
 * Sums:    numbers change in place and have no check of their own. So a clean end writes a hash of each span, which is some
 *          pages: nothing in a span whose hash differs is used (series/record).
 * Threads: the fixed part is written before another thread sees the arena. The rest is the main thread's, but for the redo
 *          pages, of which each is its lane's, and for `behind` and `reach`.
 */
#ifndef VE_SERIES_LAYOUT_H
#define VE_SERIES_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LAYOUT_PAGE = 4096,
    LAYOUT_VERSION = 4, // raised with any change to what is in the file
    LAYOUT_OLDEST = 2,  // that is read
    LAYOUT_SUMS_AT = LAYOUT_PAGE,
    LAYOUT_REDO_AT = 64 << 10,
    LAYOUT_SUMS = (LAYOUT_REDO_AT - LAYOUT_SUMS_AT) / 8, // at most
    LAYOUT_REDO_SIZE = LAYOUT_PAGE,
    LAYOUT_LANES = 64,
    LAYOUT_BOOT = 40,
};

enum layout_phase {
    LAYOUT_BUILDING, // the previous file is still being copied into it
    LAYOUT_RUNNING,  // written to
    LAYOUT_CLEAN,    // complete, and unchanged since
};

struct layout {
    char magic[8];
    uint32_t version;
    uint32_t order;         // a number that shows the order of bytes
    uint64_t seed;          // of all checks
    char boot[LAYOUT_BOOT]; // the boot's id; empty: unknown
    uint32_t lease_from;    // table_share.lease_from
    uint32_t spare;
    uint64_t check; // of all above

    _Atomic uint32_t phase; // enum layout_phase
    _Atomic uint32_t
        behind; // not 0: the series changed elsewhere since, so no session of the file is right
    _Atomic uint64_t mono_ms; // CLOCK_MONOTONIC when it was last looked at
    uint64_t size;            // CLEAN: bytes that are in use
    uint64_t digest;          // CLEAN: of the sums, and of mono_ms and size
    _Atomic uint64_t reach;   // bytes of the file that the arena has ever used
    uint64_t inode;           // of the file; a copy has another one
};

static inline struct layout *layout_of(char *base)
{
    return (struct layout *)(void *)base;
}

// A lane's page for its redo record; zeroed in a new arena.
static inline void *layout_redo(char *base, unsigned lane)
{
    return base + LAYOUT_REDO_AT + (size_t)lane * LAYOUT_REDO_SIZE;
}

// Writes the header of a new arena: a seed, this boot.
void layout_init(char *base, uint32_t lease_from);
// Whether the bytes (at least a page) begin with a header that is whole and of a version that is read.
bool layout_is_good(const char *base);
// Whether it is of this boot, so that the kernel still has all that was written.
bool layout_is_of_this_boot(const char *base);
// Writes into the header of the open file that it is behind what is in memory. Safe in a signal handler. Returns
// 0 or -errno.
int layout_mark_behind(int fd);
// Notes that the file's part of the arena reaches up to there. Any thread.
void layout_extend(char *base, uint64_t reach);
// Bytes of a span of an arena of that size: whole pages, as few as LAYOUT_SUMS spans allow.
uint64_t layout_span(uint64_t size);
// The sum of the span with that number, as far as it reaches into [LAYOUT_REDO_AT, size).
uint64_t layout_sum(const char *base, uint64_t size, uint64_t span);
static inline uint64_t *layout_sums(char *base)
{
    return (uint64_t *)(void *)(base + LAYOUT_SUMS_AT);
}
// The digest of the header's figures and of the sums.
uint64_t layout_digest(const char *base);
// Writes size, sums and digest of an arena of which `size` bytes are in use, and calls it clean.
void layout_close(char *base, uint64_t size);

#endif
