// SPDX-License-Identifier: Apache-2.0
/*
 * load: a catalogue from files.
 *
 * Threads: one owner of what is returned.
 * Memory:  returns a new catalogue, for catalog_free.
 * Errors:  a problem is noted and loading goes on, so that one run names everything.
 */
#ifndef VE_CATALOG_LOAD_H
#define VE_CATALOG_LOAD_H

#include "catalog/catalog.h"

enum {
    LOAD_MAX_FILES = 1000,      // of a directory
    LOAD_MAX_PRECREATED = 1000, // series of a pre-created group
};

// Where a catalogue comes from.
struct catalog_input {
    size_t n_files;           // 0: the built-in catalogue
    const char *const *files; // read in order, later ones add to earlier ones
    const char *dir;          // *.yaml of it are added in name order; NULL: none
    bool dir_must_exist;      // else a missing one is the same as an empty one
    bool native;              // histograms that do not say so themselves have a native form too
    struct errs *warnings;    // gets what is valid but likely a mistake; NULL: none
};

// Loads and checks. Returns 0 and the catalogue; -EINVAL when anything is wrong (all of it is in errs);
// -ENOMEM.
int catalog_load(struct catalog **ret, const struct catalog_input *in, struct errs *errs);

// The same from bytes in memory, under the name `file` in problems; for tests and fuzzing.
int catalog_load_bytes(struct catalog **ret, const char *file, const char *bytes, size_t len,
                       struct errs *errs);

// The built-in catalogue's text, conf/catalog.yaml as compiled in.
extern const char catalog_builtin[];
extern const size_t catalog_builtin_len;

#endif
