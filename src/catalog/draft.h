// SPDX-License-Identifier: Apache-2.0
/*
 * draft: a catalogue while it is read: the named entries of all files by section, in order, and the memory of what is
 * made of them. An entry with `replace: true` takes the place of the one that has its name.
 *
 * Shape:   the context of a reader is its draft.
 * Threads: one owner.
 * Memory:  owns its arrays; draft_close gives them back. Entries borrow from the trees; what draft_alloc and draft_text
 *          return belongs to the catalogue. Without memory they return NULL, and oom of the reader is set.
 */
#ifndef VE_CATALOG_DRAFT_H
#define VE_CATALOG_DRAFT_H

#include "catalog/catalog.h"
#include "catalog/yaml.h"

struct section_entry {
    const char *name;
    const struct yaml_node *node; // what is under the name; in a list the whole entry
    const struct yaml_node *name_node;
    const char *file;
    size_t index; // position in its file's list; unused for entries under a key
    bool broken;  // has a problem, so that what refers to it need not be checked against it
};

struct section {
    const char *key;  // "metrics"
    const char *noun; // "metric"
    bool listed;      // a list of mappings with a name each, else a mapping by name
    size_t n;
    size_t cap;
    struct section_entry *entries;
    struct names names;
};

enum { DRAFT_MAX_HELP = 1024 }; // bytes of a help text

enum { SECTION_BUCKETS, SECTION_LABELS, SECTION_METRICS, SECTION_EVENTS, SECTIONS };

struct draft {
    struct yaml_reader reader;
    struct catalog *catalog;
    struct section sections[SECTIONS];
    struct names implied; // labels without a written definition -> positions in catalog->defs
};

void draft_open(struct draft *d, struct catalog *c, struct errs *errs);
void draft_close(struct draft *d);

static inline struct catalog *draft_catalog(const struct yaml_reader *r)
{
    return ((struct draft *)r->context)->catalog;
}

static inline struct section *draft_section(const struct yaml_reader *r, int section)
{
    return &((struct draft *)r->context)->sections[section];
}

// Zeroed memory, never NULL for n == 0; and a copy of a text.
void *draft_alloc(struct yaml_reader *r, size_t n, size_t size);
char *draft_text(struct yaml_reader *r, const char *s);

// Reads a help text, one line; `field` is a char **.
void draft_read_help(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n, void *field);

// Whether the text may be a label's value; notes a problem if not.
bool draft_check_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n);

// Whether there are at most `max` nodes; notes a problem at the first that is one too many.
bool draft_check_number(struct yaml_reader *r, const struct yaml_place *place, size_t n,
                        struct yaml_node *const *nodes, size_t max, const char *nouns);

// Adds the entries of one file to the section `field`: the value of its key there. A name that is there already, and
// is not replaced, is a problem.
void draft_section_add(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, void *field);

// The entry's position by name, or -1.
long draft_section_find(const struct section *s, const char *name);

// As yaml_hint, with the names of the section.
const char *draft_section_hint(const struct section *s, struct yaml_reader *r,
                               char out[static TEXT_HINT], const char *word);

// Where an entry is; *up is its section's place. Problems of `r` name the entry's file from here on.
struct yaml_place draft_section_enter(const struct section *s, const struct section_entry *e,
                                      struct yaml_reader *r, struct yaml_place *up);

#endif
