// SPDX-License-Identifier: Apache-2.0
#include "daemon/pace.h"

void pace_tick(struct pace *p, const struct ingest *ingest, uint64_t now_ms)
{
    if (p->at_ms != 0 && now_ms - p->at_ms < PACE_MS) {
        return;
    }
    for (unsigned c = 0; c < CATALOG_MAX_COMPONENTS; c++) {
        uint64_t applied = ingest_applied(ingest, c);
        if (p->at_ms != 0) {
            double rate = (double)(applied - p->applied[c]) * 1000 / (double)(now_ms - p->at_ms);
            atomic_store_explicit(&p->per_second[c], rate, memory_order_relaxed);
        }
        p->applied[c] = applied;
    }
    atomic_store_explicit(&p->known, p->at_ms != 0, memory_order_release);
    p->at_ms = now_ms;
}
