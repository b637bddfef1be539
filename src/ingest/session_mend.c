// SPDX-License-Identifier: Apache-2.0
#include "ingest/session_table.h"

void sessions_mend(struct sessions *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct session *e = &s->at[i];
        if (atomic_load(&e->state) == SESSION_KNOWN && !record_is_whole(s->base, e->handle)) {
            atomic_store(&s->hashes[i], 1); // no name's, and the entry is not free
            session_wake(s, atomic_fetch_add(&e->claim, 1u << WORKER_BITS));
            atomic_store(&e->heard_ms, (uint64_t)-SESSION_FORGOTTEN_MS); // the next tick takes it
        }
    }
}
