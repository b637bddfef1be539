// SPDX-License-Identifier: Apache-2.0
#include "series/mend.h"

#include "series/rcu.h"
#include "series/slab.h"

static bool is_removed(const struct series *s)
{
    uint8_t state = atomic_load(&s->state);
    return state != SERIES_LIVE && state != SERIES_READY;
}

static uint64_t mend_table(struct table *t)
{
    char *base = t->share->base;
    uint64_t gone = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(t, i);
        if (is_removed(s)) {
            continue;
        }
        uint32_t handle = atomic_load(&s->handle);
        if (record_is_whole(base, handle)) {
            record_mend_cells(base, handle);
            marks_mend(base, series_marks(s));
        } else {
            gone += table_remove(t, s);
        }
    }
    return gone;
}

uint64_t mend_series(struct series_store *store)
{
    struct schema *schema = schema_current(store);
    uint64_t gone = 0;
    rcu_enter();
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        const struct family *f = &schema->families[i];
        gone += mend_table(f->table);
        table_mend_account(f->table, f->metric);
    }
    rcu_leave();
    return gone;
}
