// SPDX-License-Identifier: Apache-2.0
/*
 * holder: for whom a source or a session is kept, and which one gives way when there is no room for another.
 *
 * Shape:   a usage of permissions, or, where no entry applies, a user. One's own go first, then those of whoever keeps
 *          the most, and of these the one that was silent for longest; so no client fills a table at the expense of
 *          others. A usage whose connections are bounded keeps a bounded number, too.
 * Threads: pure functions, but for `struct holder_counts`, which its registry's lock guards.
 */
#ifndef VE_SOURCE_HOLDER_H
#define VE_SOURCE_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HOLDER_KEEPS = 16, // sources, and as many sessions, for each connection that a usage may have
    HOLDER_COUNTS = 1024, // numbers in struct holder_counts
};

struct holder {
    uid_t user;     // PEER_NOBODY: not known
    uint16_t usage; // of an entry of `sources`; 0: none
    uint32_t most;  // may be kept for it; 0: any number
};

// How many each holder keeps. Several holders may share a number, which only makes them look like one.
struct holder_counts {
    uint32_t counts[HOLDER_COUNTS];
};

void holder_count(struct holder_counts *counts, const struct holder *h, int32_t change);
uint32_t holder_counted(const struct holder_counts *counts, const struct holder *h);

// Looks for the entry that gives way to another one for `asking`, among all that are offered.
struct holder_choice {
    const struct holder *asking;
    const struct holder_counts *counts;
    uint32_t own; // entries of `asking`
    void *chosen;
    bool chosen_own;
    uint32_t chosen_count;
    int64_t chosen_heard_ms;
};

// An entry; whether no client is connected to it, and when it was last heard, CLOCK_MONOTONIC.
void holder_offer(struct holder_choice *c, const struct holder *of_entry, bool idle,
                  int64_t heard_ms, void *entry);
// After all were offered: the entry that is to go, or NULL when there is room. Returns 0; -EDQUOT when all that `asking` may
// keep are connected to; -ENOSPC when all are.
int holder_choose(const struct holder_choice *c, bool has_room, void **ret);

#endif
