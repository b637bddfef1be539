// SPDX-License-Identifier: Apache-2.0
/*
 * novelty: whether lines whose fixed bytes are new are worth a template.
 *
 * Shape:   fixed bytes are worth one when they come a second time while they are among the NOVELTY_WINDOW last ones. Where many
 *          lines were looked at and templates of them were of no use, only one line in so many, by chance, is looked at. A
 *          template that is used makes up for several looks.
 * Threads: one owner. Memory: a plain struct; all zeros at first.
 */
#ifndef VE_EVENT_NOVELTY_H
#define VE_EVENT_NOVELTY_H

#include <stdbool.h>
#include <stdint.h>

enum { NOVELTY_WINDOW = 1024 };

struct novelty {
    uint32_t
        fruitless; // lines that were looked at, up to a limit, less what templates in use made up for
    uint32_t random;
    uint32_t window[NOVELTY_WINDOW];
};

// Whether the next line is looked at.
bool novelty_take(struct novelty *n);
// Whether the same fixed bytes came lately; if not, they have now. Two that share a place by chance may take turns.
bool novelty_came_lately(struct novelty *n, uint64_t id);
// After a template was used for the first time.
void novelty_was_of_use(struct novelty *n);
// Whether few new templates are of use.
bool novelty_is_doubtful(const struct novelty *n);

#endif
