// SPDX-License-Identifier: Apache-2.0
#include "source/owner.h"

#include "base/rcu.h"
#include "series/idset.h"
#include "series/slab.h"

#include <errno.h>

enum { OWNER_SLOTS = 4096 }; // looked at in one section

bool owner_is_gone(void *table, struct series *s)
{
    const struct table *t = table;
    return idset_next(t->share->base, series_ids(s), t->share->lease_from, t->share->max_id) == 0;
}

bool owner_has_series(const struct table *t, const struct series *s, const struct owner *c)
{
    char *base = t->share->base;
    const _Atomic uint64_t *ids = series_ids(s);
    return idset_has(base, ids, c->updater_id) ||
           (c->precreator_id != 0 && idset_has(base, ids, c->precreator_id) &&
            idset_next(base, ids, 1, (t->share->lease_from - 1) / OWNER_ID_KINDS) == 0);
}

bool owner_has_series_alone(const struct table *t, const struct series *s, const struct owner *c)
{
    char *base = t->share->base;
    const _Atomic uint64_t *ids = series_ids(s);
    uint32_t last =
        (t->share->lease_from - 1) / OWNER_ID_KINDS; // of those who have updated a series
    uint32_t id = idset_next(base, ids, 1, last);
    if (id == c->updater_id) {
        id = id < last ? idset_next(base, ids, id + 1, last) : 0;
    }
    return id == 0 && owner_has_series(t, s, c);
}

/*
 * An info metric says one thing of a source: what it said before goes. Of the same line that is a series which is not
 * shown yet, and it is taken back. Another line's is shown, so that it goes on the condition on which any other does:
 * its line may just be adding it once more. What is made behind the end that the table has now is left alone: its
 * maker looks for others after it has added its owner, and finds `keep`.
 */
static void drop_others(struct table *t, const struct series_writer *writer,
                        const struct series *keep, uint32_t lease)
{
    uint32_t end = table_slots(t);
    for (uint32_t i = 0; i < end; i++) {
        struct series *s = slab_at(&t->slab, i);
        uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
        if (s == keep || !series_is_alive(state) ||
            !idset_has(t->share->base, series_ids(s), lease)) {
            continue;
        }
        idset_remove(t->share->base, series_ids(s), lease);
        if (s->maker == writer->lane) {
            table_undo(t, s);
        }
        table_publish(t, s);
        atomic_fetch_add(&t->stats->expired, table_remove_if(t, s, owner_is_gone, t));
    }
}

// The same for its other leases, which may not have ended yet: who is upgraded comes back.
static void drop_earlier(struct table *t, const struct series_writer *writer,
                         const struct series *keep, const struct owner *c)
{
    uint32_t end = c->first_lease != 0 ? table_slots(t) : 0;
    for (uint32_t i = 0; i < end; i++) {
        struct series *s = table_at(t, i);
        if (s == NULL || s == keep || !idset_has(t->share->base, series_ids(s), c->updater_id)) {
            continue;
        }
        for (uint32_t lease = c->first_lease; lease <= c->last_lease; lease++) {
            lease = idset_next(t->share->base, series_ids(s), lease, c->last_lease);
            if (lease == 0) {
                break;
            }
            if (lease != c->lease) {
                drop_others(t, writer, keep, lease);
            }
        }
    }
}

int owner_add(struct table *t, struct series_writer *writer, struct series *s,
              const struct owner *c, enum owner_others others)
{
    struct idset_memory memory = table_idset_memory(t, writer);
    bool timed = atomic_load_explicit(&t->timed, memory_order_relaxed);
    if (timed && atomic_load(series_touched(s)) != c->now_s) {
        atomic_store(series_touched(s), c->now_s);
    }
    int rc = idset_add(series_ids(s), c->updater_id, &memory);
    if (rc < 0) {
        return rc;
    }
    bool changed = rc > 0;
    if (t->owned && c->lease != 0) {
        rc = idset_add(series_ids(s), c->lease, &memory);
        if (rc < 0) {
            return rc;
        }
    }
    // Also when all was there: another line may just have added it, and be about to find the series gone.
    if ((changed || timed || t->owned) && !table_is_still_alive(s)) {
        return -ESTALE;
    }
    if (!t->single || rc == 0 || c->lease == 0) {
        return 0;
    }
    if (others == OWNER_DROPS_OTHERS) {
        drop_others(t, writer, s, c->lease);
        drop_earlier(t, writer, s, c);
    }
    // Another line of the same source may have dropped this one meanwhile. One of them must stay.
    bool stays = idset_has(t->share->base, series_ids(s), c->lease) && table_is_still_alive(s);
    return stays ? 0 : -ESTALE;
}

static bool clear_ids(struct table *t, struct series *s, const uint64_t *ids)
{
    _Atomic uint64_t *set = series_ids(s);
    uint32_t most = t->share->max_id;
    bool any = false;
    uint32_t id = idset_next(t->share->base, set, 1, most);
    while (id != 0) {
        if ((ids[id / 64] >> id % 64 & 1) != 0) {
            idset_remove(t->share->base, set, id);
            any = true;
        }
        id = id < most ? idset_next(t->share->base, set, id + 1, most) : 0;
    }
    return any;
}

// The thread that frees series and tables is this one, so the section is only one of a reader among others: it is left
// now and then, for grace periods that other threads wait for.
static void clear_in_table(struct table *t, const uint64_t *ids)
{
    uint64_t gone = 0;
    uint32_t slots = table_slots(t);
    for (uint32_t from = 0; from < slots; from += OWNER_SLOTS) {
        rcu_enter();
        for (uint32_t slot = from; slot < slots && slot < from + OWNER_SLOTS; slot++) {
            struct series *s = table_at(t, slot);
            if (s != NULL && clear_ids(t, s, ids) && t->owned) {
                gone += table_remove_if(t, s, owner_is_gone, t);
            }
        }
        rcu_leave();
    }
    atomic_fetch_add(&t->stats->expired, gone);
}

void owner_clear(struct series_store *store, const uint64_t *ids, bool owned_only)
{
    rcu_enter();
    struct schema *schema = schema_current(store);
    rcu_leave(); // only this thread replaces the schema
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct table *t = schema->families[i].table;
        if (!owned_only || t->owned) {
            clear_in_table(t, ids);
        }
    }
}
