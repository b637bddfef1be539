// SPDX-License-Identifier: Apache-2.0
#include "ingest/account.h"

#include <errno.h>

int accounts_open(struct accounts *ret, struct arena *arena, struct arena_hand *hand)
{
    for (unsigned i = 0; i < CATALOG_MAX_COMPONENTS; i++) {
        uint32_t handle = arena_alloc(arena, hand, sizeof *ret->of[i]);
        if (handle == 0) {
            return -ENOMEM;
        }
        ret->of[i] = arena_at(arena_base(arena), handle);
    }
    return 0;
}
