// SPDX-License-Identifier: Apache-2.0
/*
 * index: finds a table's series by their keys.
 *
 * Shape:   liburcu's lock-free hash table, of a number of buckets that is chosen when it is made: for what it holds, and
 *          not for what it may hold. liburcu's own growing ends the process when memory is short, so a larger index is
 *          made beside, and takes the place of the smaller one while no other thread uses it.
 * Threads: find, add and remove: any, inside an RCU section. The rest: one thread; index_take_wider, index_add_all and
 *          index_close while no other one finds, adds or removes.
 * Memory:  an index owns its buckets; series are its table's.
 */
#ifndef VE_SERIES_INDEX_H
#define VE_SERIES_INDEX_H

#include "series/slab.h"

struct index {
    struct cds_lfht *buckets;
    size_t size;            // buckets
    struct cds_lfht *wider; // the next one, while it waits to take the place of that one; else NULL
    size_t wider_size;
};

// Returns 0, -ENOMEM.
int index_init(struct index *x);
void index_close(struct index *x);

// A series with the key, alive or dead, or NULL.
struct series *index_find(const struct index *x, const char *text, size_t len, uint64_t hash);
// Puts a series in, that is in no index. Returns it, or the one with its key that is there.
struct series *index_add(struct index *x, struct series *s, uint64_t hash);
// Returns whether this call took it out: true once, however many try.
bool index_remove(struct index *x, struct series *s);

// Whether n series are so many that a larger index is needed, and can be made.
bool index_is_crowded(const struct index *x, uint64_t n);
// Makes a larger one, of at least so many buckets, or of fewer in little memory. Returns whether there is one.
bool index_widen(struct index *x, uint64_t buckets);
// Puts the larger one in place, if there is one, which is then empty. Returns whether it did.
bool index_take_wider(struct index *x);

// Computes the hash of a series that is in no index.
void index_keep_hash(struct series *s);
// Puts all living series of a slab into the index, which must be empty; their hashes were computed. Where there are two with
// one key `choose(ctx, there, s)` removes one of them, and returns whether that is the one which was there.
void index_add_all(struct index *x, const struct slab *slab,
                   bool (*choose)(void *ctx, struct series *there, struct series *s), void *ctx);

#endif
