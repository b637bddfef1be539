// SPDX-License-Identifier: Apache-2.0
/*
 * read: the parts of entries that metrics and events share, and events: the definitions of labels, the labels that are
 *       bound to them, and the updates of an event.
 *
 * Shape:   definitions are read first. A label without one gets an implied one, open and without values. Events are read
 *          after labels and metrics; an update is checked against its metric, unless that is broken.
 * Threads: one owner of the draft.
 */
#ifndef VE_CATALOG_READ_H
#define VE_CATALOG_READ_H

#include "catalog/draft.h"

// Collects the names of labels that have no definition, so that definitions can be allocated once.
void read_labels_find_implied(struct draft *d);
void read_labels_add_implied(struct draft *d);

// Reads entry i of the section `labels`.
void read_label_def(struct yaml_reader *r, const struct yaml_place *place,
                    const struct section_entry *e, size_t i);

// Appends a value that an entry names of a label, as it reads after aliases.
void read_labels_value(struct yaml_reader *r, const struct yaml_place *place,
                       const struct yaml_node *n, const struct label_def *def, char **ret,
                       size_t *ret_n);

// Reads the list (NULL: none) under the key `labels` of the entry at `up`; `le` is rejected with `reject_le`.
void read_labels(struct yaml_reader *r, const struct yaml_place *up, const struct yaml_node *list,
                 bool reject_le, struct label **ret, size_t *ret_n);

// Reads the list (NULL: none) under the key `ignored_labels`, none of which is declared.
void read_ignored_labels(struct yaml_reader *r, const struct yaml_place *up,
                         const struct yaml_node *list, const struct label *labels, size_t n_labels,
                         char ***ret, size_t *ret_n);

// Reads entry i of the section `events`.
void read_event(struct yaml_reader *r, const struct yaml_place *place,
                const struct section_entry *e, size_t i);

// What is at `native` of a metric: true, false, or a mapping, whose keys have defaults; NULL: nothing.
void read_native(struct yaml_reader *r, const struct yaml_place *up, const struct yaml_node *n,
                 struct metric *m);

#endif
