// SPDX-License-Identifier: Apache-2.0
/*
 * read: a catalogue from YAML trees. The entries of all trees are gathered by section first, then each that counts
 * becomes a part of the catalogue, and at last the whole is checked.
 *
 * Threads: one owner.
 * Memory:  the parts belong to the catalogue; nothing borrows from the trees afterwards.
 * Errors:  a problem is noted and reading goes on, so that one run names everything.
 */
#ifndef VE_CATALOG_READ_H
#define VE_CATALOG_READ_H

#include "catalog/catalog.h"
#include "catalog/yaml.h"

enum { READ_MAX_PRECREATED = 1000 }; // series of a pre-created group

// Fills a new catalogue from the trees, in order. Returns 0; -EINVAL with the problems in errs; -ENOMEM.
int catalog_read(struct catalog *c, struct yaml *const *docs, size_t n_docs, struct errs *errs);

#endif
