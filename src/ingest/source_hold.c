// SPDX-License-Identifier: Apache-2.0
// Whose a named source is: one user's, while anybody is connected as it.
#include "ingest/source.h"

#include <errno.h>

bool source_hold(struct source *src, uid_t user)
{
    uint64_t seen = atomic_load(&src->holder);
    do {
        if (src->instance_len == 0) {
            return true; // a crowd
        }
        if ((uint32_t)seen > 0 && seen >> 32 != user) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&src->holder, &seen,
                                           (uint64_t)user << 32 | ((uint32_t)seen + 1)));
    return true;
}

void source_release(struct source *src)
{
    if (src->instance_len > 0) {
        atomic_fetch_sub(&src->holder, 1);
    }
}

int source_datagram(struct sources *s, struct arena_hand *hand, unsigned component,
                    struct slice instance, uid_t user, uint64_t now_ms, struct source **ret,
                    uint32_t *ret_life)
{
    struct source *src = source_enter(s, hand, component, instance, now_ms, ret_life);
    if (src == NULL) {
        return -ENOSPC;
    }
    if (!source_hold(src, user)) {
        source_leave(s, src, now_ms);
        return -EPERM;
    }
    if (atomic_exchange(&src->datagram_at, now_ms) != 0) {
        source_release(src); // the window that is open already holds a connection
        source_leave(s, src, now_ms);
    }
    *ret = src;
    return 0;
}
