// SPDX-License-Identifier: Apache-2.0
/*
 * read_events: an event and its updates.
 *
 * Shape:   labels and metrics have been read; an update is checked against its metric, unless that is broken.
 * Threads: one owner of the draft.
 */
#ifndef VE_CATALOG_READ_EVENTS_H
#define VE_CATALOG_READ_EVENTS_H

#include "catalog/draft.h"

// Reads entry i of the section `events`.
void read_event(struct yaml_reader *r, const struct yaml_place *place,
                const struct section_entry *e, size_t i);

#endif
