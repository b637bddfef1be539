// SPDX-License-Identifier: Apache-2.0
/*
 * loader: what the files that load a catalogue share. Private to this floor's .c files.
 *
 * Shape:   load.c reads the documents; gather.c lists their entries by section and settles which
 * one counts when a name stands twice; read_*.c turn each entry that counts into a part of the
 *          catalogue; check.c looks at the whole.
 * Errors:  a problem is noted and loading goes on, so that one run names everything. `oom` is
 * sticky and ends all loops; catalog_load then returns -ENOMEM. Threads: one owner. Memory:  the
 * catalogue's parts come from catalog_alloc and go with the catalogue. Entries borrow from the
 * documents, which live until loading ends.
 */
#ifndef VE_CATALOG_LOADER_H
#define VE_CATALOG_LOADER_H

#include "catalog/catalog.h"
#include "catalog/names.h"
#include "catalog/yaml.h"

enum {
    LOADER_MAX_HELP = 1024,       // bytes of a help text
    LOADER_MAX_PRECREATED = 1000, // combinations of a metric's closed labels
    LOADER_MAX_FILES = 1000       // of one load
};

// Where a value stands: a chain of keys and positions from the top of a file.
struct at {
    const struct at *up; // NULL at the top
    const char *file;
    const char *key; // NULL: an entry of a sequence
    size_t index;    // which one
};

// One named entry of a section.
struct entry {
    const char *name;
    const struct yaml_node *node; // what is under the name; for metrics and events the whole entry
    const struct yaml_node *name_node;
    const char *file;
    size_t index; // position in its file's list; unused for entries under a key
    bool broken;  // has a problem, so that what refers to it need not be checked against it
};

// All entries of one section, over all files.
struct section {
    const char *key; // "metrics"
    const char *one; // "metric"
    bool listed;     // a list of mappings with a name each, else a mapping by name
    size_t n;
    size_t cap;
    struct entry *entries;
    struct names names;
};

enum { SECTION_BUCKETS, SECTION_LABELS, SECTION_METRICS, SECTION_EVENTS, SECTIONS };

struct loader {
    struct catalog *c;
    struct errs *errs;
    bool oom;
    size_t problems;
    size_t n_docs;
    size_t cap_docs;
    struct yaml **docs;
    struct section sections[SECTIONS];
    struct names implied; // label names without a definition of their own -> positions in c->defs
};

// catalog.c: lifetime.

// Returns a new catalogue with the three components that always exist, or NULL.
struct catalog *catalog_new(void);
// Zeroed memory that lives as long as the catalogue, never NULL for n == 0; or NULL.
void *catalog_alloc(struct catalog *c, size_t n, size_t size);
// Makes the look-ups of metrics and events. Returns 0 or -ENOMEM.
int catalog_index(struct catalog *c);

// loader.c: problems, and reading single values.

// Notes a problem at `node` (NULL: no line is known).
void problem(struct loader *l, const struct at *at, const struct yaml_node *node, const char *fmt,
             ...) __attribute__((format(printf, 4, 5)));
// " (did you mean \"x\"?)" for the word nearest to `word`, else "". The text stands in `out`.
enum { HINT_MAX = 160 };
const char *hint(const struct loader *l, char out[static HINT_MAX], const char *word,
                 const char *const *words, size_t n);
// The same with the names of a section.
const char *hint_entry(struct loader *l, char out[static HINT_MAX], const char *word,
                       const struct section *s);

struct at at_key(const struct at *up, const char *key);
struct at at_item(const struct at *up, size_t index);
// The place of an entry itself; *section is the place above it.
struct at at_entry(const struct section *s, const struct entry *e, struct at *section);

void *loader_alloc(struct loader *l, size_t n, size_t size);
char *loader_strdup(struct loader *l, const char *s);

// Whether the node is of that kind; notes a problem if not.
bool want_mapping(struct loader *l, const struct at *at, const struct yaml_node *n);
bool want_sequence(struct loader *l, const struct at *at, const struct yaml_node *n);
bool want_scalar(struct loader *l, const struct at *at, const struct yaml_node *n);
// Notes every key of the mapping that is not among `known`.
void check_keys(struct loader *l, const struct at *at, const struct yaml_node *mapping,
                const char *const *known, size_t n);

// Each reads the value under `key` when there is one; on a problem, which is noted, *ret stays as
// it is.
void read_bool(struct loader *l, const struct at *at, const struct yaml_node *m, const char *key,
               bool *ret);
void read_help(struct loader *l, const struct at *at, const struct yaml_node *m, char **ret);
// Position of the text under `key` among `words`, or -1 (also when the key is missing).
int read_choice(struct loader *l, const struct at *at, const struct yaml_node *m, const char *key,
                const char *const *words, size_t n);
// A scalar that is a finite number.
bool read_number(struct loader *l, const struct at *at, const struct yaml_node *n, double *ret);
// Whether the text may be a label's value; notes a problem if not.
bool check_value(struct loader *l, const struct at *at, const struct yaml_node *n);

// gather.c
void gather(struct loader *l, const struct yaml *doc);

// read_buckets.c
// Reads a list of bounds into *ret. Returns false after a problem.
bool read_bounds(struct loader *l, const struct at *at, const struct yaml_node *list, double **ret,
                 size_t *ret_n);
void read_buckets(struct loader *l);

// read_labels.c
void read_label_defs(struct loader *l);
// Reads the labels of a metric or an event; `le` is refused when told so.
void read_labels(struct loader *l, const struct at *at, const struct yaml_node *m, bool refuse_le,
                 struct label **ret, size_t *ret_n);

// read_metric.c, read_event.c: all entries of their section.
void read_metrics(struct loader *l);
void read_events(struct loader *l);
// read_update.c: the updates of one event whose name, value and labels have been read.
void read_updates(struct loader *l, const struct at *at, const struct yaml_node *m,
                  struct event *ev);

// check.c
// `type` is an enum metric_type, or -1 when it is not known.
void check_metric_name(struct loader *l, const struct at *at, const struct yaml_node *n, int type);
void check_clashes(struct loader *l);

#endif
