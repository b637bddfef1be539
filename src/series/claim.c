// SPDX-License-Identifier: Apache-2.0
#include "series/claim.h"

#include "series/marks.h"
#include "series/slab.h"

#include <errno.h>

bool claim_unowned(void *table, struct series *s)
{
    const struct table *t = table;
    return marks_next(t->share->base, series_marks(s), t->share->life_from, t->share->most_marks) ==
           0;
}

static bool reachable(const struct series *s)
{
    uint8_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    return state == SERIES_READY || state == SERIES_LIVE || state == SERIES_DYING;
}

/*
 * An info metric says one thing of a source: what it said before goes. That may be a series of the same
 * line, which is not shown yet.
 */
static void drop_others(struct table *t, const struct series *keep, uint32_t life)
{
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = slab_at(t, i);
        if (s != keep && reachable(s) && marks_has(t->share->base, series_marks(s), life)) {
            marks_clear(t->share->base, series_marks(s), life);
            table_undo(t, s);
            atomic_fetch_add(&t->account->expired, table_remove_if(t, s, claim_unowned, t));
        }
    }
}

// The same for its earlier lives, which may not have ended yet: who is upgraded comes back.
static void drop_earlier(struct table *t, const struct series *keep, const struct claimant *c)
{
    uint32_t most = t->share->most_marks;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = table_at(t, i);
        if (s == NULL || s == keep || !marks_has(t->share->base, series_marks(s), c->base)) {
            continue;
        }
        uint32_t life = marks_next(t->share->base, series_marks(s), t->share->life_from, most);
        while (life != 0) {
            uint32_t next =
                life < most ? marks_next(t->share->base, series_marks(s), life + 1, most) : 0;
            if (life != c->life && c->is_own(c->sources, c->base, life)) {
                drop_others(t, keep, life);
            }
            life = next;
        }
    }
}

int claim_series(struct table *t, struct series_hand *hand, struct series *s,
                 const struct claimant *c)
{
    struct marks_room room = table_room(t, hand);
    bool timed = atomic_load_explicit(&t->timed, memory_order_relaxed);
    if (timed && atomic_load(series_touched(s)) != c->now_s) {
        atomic_store(series_touched(s), c->now_s);
    }
    int rc = marks_add(series_marks(s), c->base, &room);
    if (rc < 0) {
        return rc;
    }
    bool changed = rc > 0;
    if (t->owned) {
        rc = marks_add(series_marks(s), c->life, &room);
        if (rc < 0) {
            return rc;
        }
    }
    // Also when all was there: another claimer may just have left it, and be about to find the series gone.
    if ((changed || timed || t->owned) && !table_survives(s)) {
        return -ESTALE;
    }
    if (t->single && rc > 0) {
        drop_others(t, s, c->life);
        if (c->is_own != NULL) {
            drop_earlier(t, s, c);
        }
        // Another line of the same source may have dropped this one meanwhile. One of them must stay.
        if (!marks_has(t->share->base, series_marks(s), c->life) || !table_survives(s)) {
            return -ESTALE;
        }
    }
    return 0;
}
