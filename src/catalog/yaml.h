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
#include "base/text.h"

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

/*
 * Reads a mapping by a table of its keys: what each may hold, whether it may be missing, and where it
 * goes. The catalogue, the config file, its `sources` and the web configuration are read by it.
 *
 * Shape:   keys are read in the order of the table, so that what reads one may depend on those before it. A problem
 *          is noted and reading goes on, so that one run names everything.
 * Errors:  each has file, line, column and the path of the key, and there is one wording each: "is missing";
 *          "unknown key" and "unknown value", which name the nearest known one; "must be …, not …" for a wrong type,
 *          a number out of its range and a list of a wrong length. (Duplicate keys are found while the tree is made.)
 * Threads: one owner.
 * Memory:  what is read borrows from the tree. Places borrow from each other, and live in the frames of their
 *          callers.
 */

// Where a value is: keys and positions up to the top of its file. The top itself is NULL.
struct yaml_place {
    const struct yaml_place *up;
    const char *key; // NULL: an entry of a list
    size_t index;    // which one
};

struct yaml_reader {
    const char *file; // that problems name
    struct errs *errs;
    size_t problems; // noted so far
    bool oom;        // sticky; ends all loops
    void *context;   // for the functions that a table names
};

enum yaml_type {
    YAML_KNOWN, // nothing: it is read elsewhere
    YAML_ANY,   // const struct yaml_node *
    YAML_TEXT,  // const struct yaml_node *: a single value, of `min` to `max` bytes if max is given
    YAML_BOOL,  // bool: true or false, without quotes
    YAML_SWITCH,  // bool: likewise, or yes, no, on, off, in any case, as YAML 1.1 has it
    YAML_COUNT,   // uint64_t: digits without quotes, from `min` to `max`
    YAML_WORD,    // int: the position of one of `words`
    YAML_LIST,    // const struct yaml_node *: of `min` to `max` entries if max is given
    YAML_MAPPING, // likewise
};

struct yaml_key {
    const char *name;
    enum yaml_type type; // of the field
    bool required;
    bool nullable; // nothing at all (an empty value, ~ or null) is the same as no key
    bool quoted;   // a count may be in quotes
    uint64_t min;
    uint64_t max;
    const char *const *words;
    size_t n_words;
    size_t offset; // of the field in `out`
    // NULL: the value is stored in the field. Else it is called with a value that has the type, and stores it.
    void (*read)(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 void *field);
};

#define YAML_WORDS(array) .words = (array), .n_words = sizeof(array) / sizeof(array)[0]
#define YAML_KEYS(table) (table), sizeof(table) / sizeof(table)[0]

// Reads a mapping by its table into the struct `out`. On a problem the field stays as it is.
void yaml_read_keys(struct yaml_reader *r, const struct yaml_place *place,
                    const struct yaml_node *n, const struct yaml_key *keys, size_t n_keys,
                    void *out);

// Reads one key of a mapping.
void yaml_read_key(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                   const struct yaml_key *key, void *out);

struct yaml_place yaml_place_key(const struct yaml_place *up, const char *key);
struct yaml_place yaml_place_item(const struct yaml_place *up, size_t index);

// Notes a problem at the node (NULL: no line is known).
void yaml_problem(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// Notes "must be WHAT, not …". `plain`: quotes around a single value are what is wrong with it, if it has them.
void yaml_reject(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 bool plain, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

// As text_hint; "" for a problem that will not be shown.
const char *yaml_hint(const struct yaml_reader *r, char out[static TEXT_HINT], const char *word,
                      const char *const *words, size_t n_words);

// Whether the value is empty without quotes, ~ or null.
bool yaml_is_null(const struct yaml_node *n);

// Each says whether the node has that type, and notes a problem if not.
bool yaml_check_text(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n);
bool yaml_check_list(struct yaml_reader *r, const struct yaml_place *place,
                     const struct yaml_node *n);
bool yaml_check_mapping(struct yaml_reader *r, const struct yaml_place *place,
                        const struct yaml_node *n);

// The position of a single value among the words; -1 after a problem.
int yaml_word(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
              const char *const *words, size_t n_words);

// Reads a finite number without quotes. Returns false after a problem.
bool yaml_number(struct yaml_reader *r, const struct yaml_place *place, const struct yaml_node *n,
                 double *ret);

#endif
