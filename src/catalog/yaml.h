// SPDX-License-Identifier: Apache-2.0
/*
 * yaml: a file as a tree of nodes with their line and column.
 *
 * Shape:   scalars, sequences and mappings; a mapping keeps its order. Plain scalars are text: the reader
 *          of a key knows its type.
 * Bounds:  1 MiB of text, 16 levels, 50,000 nodes, one document. Anchors, aliases, tags and duplicate keys
 *          are problems, with their place.
 * Threads: one owner. Memory: yaml_free gives the whole tree back; nodes are borrowed from it.
 * Source:  YAML 1.1 as libyaml reads it.
 */
#ifndef VE_CATALOG_YAML_H
#define VE_CATALOG_YAML_H

#include "base/err.h"

enum yaml_kind { YAML_SCALAR_NODE_KIND, YAML_SEQUENCE_KIND, YAML_MAPPING_KIND };

struct yaml_node {
    enum yaml_kind kind;
    unsigned line;            // from 1
    unsigned column;          // from 1
    bool plain;               // a scalar without quotes
    char *text;               // a scalar's text, NUL-terminated, no NUL inside
    size_t n;                 // entries of a sequence or mapping
    struct yaml_node **items; // a sequence's entries, or a mapping's values
    struct yaml_node **keys;  // a mapping's keys (scalars)
};

struct yaml {
    char *file;             // the name that problems carry
    struct yaml_node *root; // NULL for an empty document
};

// Parses bytes. Returns 0; -EINVAL with the problems in errs; -ENOMEM.
int yaml_parse(struct yaml **ret, const char *file, const char *bytes, size_t len,
               struct errs *errs);

// Reads and parses a file. As yaml_parse; and -errno of open or read (-ENOENT when there is none), which
// is not added to errs.
int yaml_read(struct yaml **ret, const char *path, struct errs *errs);

// A mapping's value by key, or NULL.
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);

void yaml_close(struct yaml *y);

// Inline, since libyaml exports a function of this name, and ours would take its place there.
static inline void yaml_free(struct yaml *y)
{
    yaml_close(y);
}

#endif
