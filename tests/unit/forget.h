// SPDX-License-Identifier: Apache-2.0
/*
 * forget: a whole forget at once, a few series at a time.
 */
#ifndef VE_TESTS_FORGET_H
#define VE_TESTS_FORGET_H

#include "event/control.h"

static inline uint64_t forget_all(struct series_store *store, const struct control_forget *what,
                                  const struct origin *origin)
{
    struct control_forgetting *f = control_forget_new(what);
    while (!control_forget_step(f, store, origin, 3)) {
    }
    return control_forget_end(f);
}

#endif
