// SPDX-License-Identifier: Apache-2.0
#include "source/ttl.h"

#include "base/rcu.h"
#include "series/key.h"

#include <stdlib.h>

// The age of a group of pre-created series, found by the hash of the values that all of it have.
struct group {
    uint64_t hash;  // 0: empty
    uint32_t age_s; // of the youngest
    bool kept;
};

struct groups {
    struct group *slots;
    size_t mask;
};

static struct group *group_of(struct groups *groups, const struct metric *m, const char *text,
                              bool *ret_fresh)
{
    struct slice values[CATALOG_MAX_LABELS];
    key_split(m, text, values);
    uint64_t hash = 1;
    for (size_t i = 0; i < m->n_labels; i++) {
        if (m->labels[i].n_precreated == 0) {
            hash = hash * 0x9E3779B97F4A7C15u + key_hash(values[i].p, values[i].len);
        }
    }
    hash = hash == 0 ? 1 : hash;
    for (size_t i = hash & groups->mask;; i = (i + 1) & groups->mask) {
        if (groups->slots[i].hash == 0 || groups->slots[i].hash == hash) {
            *ret_fresh = groups->slots[i].hash == 0;
            groups->slots[i].hash = hash;
            return &groups->slots[i];
        }
    }
}

// What decides whether a series is too old.
struct age {
    uint32_t now_s;
    uint32_t ttl_s;
};

/*
 * The least age in whole seconds: an update of a second may have come at its very end. Seconds count modulo 2^32, so
 * that what was updated before this machine was started has an age too. An update of this very second may be ahead
 * of the tick's look at the clock.
 */
static uint32_t age_of(const struct age *age, const struct series *s)
{
    uint32_t age_s = age->now_s - atomic_load(series_touched(s)) - 1;
    return age_s > UINT32_MAX / 2 ? 0 : age_s;
}

static bool is_old(void *ctx, struct series *s)
{
    const struct age *age = ctx;
    return age_of(age, s) >= age->ttl_s;
}

static uint64_t expire_each(struct table *t, struct age *age)
{
    uint64_t gone = 0;
    for (uint32_t i = 0; i < table_slots(t); i++) {
        struct series *s = table_at(t, i);
        gone += s != NULL && table_remove_if(t, s, is_old, age);
    }
    return gone;
}

static uint64_t expire_groups(const struct family *f, struct age *age,
                              const struct sources *sources)
{
    struct table *t = f->table;
    uint32_t slots = table_slots(t);
    struct groups groups = {.mask = 63};
    while (groups.mask < (size_t)slots * 2) {
        groups.mask = groups.mask * 2 + 1;
    }
    groups.slots = calloc(groups.mask + 1, sizeof *groups.slots);
    if (groups.slots == NULL) {
        return 0; // the next tick tries again
    }
    size_t len;
    for (uint32_t i = 0; i < slots; i++) {
        struct series *s = table_at(t, i);
        if (s != NULL) {
            bool fresh;
            struct group *g = group_of(&groups, f->metric, series_text(s, &len), &fresh);
            uint32_t age_s = age_of(age, s);
            g->age_s = fresh || age_s < g->age_s ? age_s : g->age_s;
            g->kept |= sources_has_named(sources, t, s);
        }
    }
    uint64_t gone = 0;
    for (uint32_t i = 0; i < slots; i++) {
        struct series *s = table_at(t, i);
        if (s != NULL) {
            bool fresh;
            struct group *g = group_of(&groups, f->metric, series_text(s, &len), &fresh);
            gone +=
                !fresh && !g->kept && g->age_s >= age->ttl_s && table_remove_if(t, s, is_old, age);
        }
    }
    free(groups.slots);
    return gone;
}

void ttl_expire(struct series_store *store, const struct sources *sources, uint32_t now_s)
{
    rcu_enter();
    struct schema *schema = schema_current(store);
    for (size_t i = 0; i < schema->catalog->n_metrics; i++) {
        struct family *f = &schema->families[i];
        if (f->metric->ttl_ms == 0) {
            continue;
        }
        struct age age = {now_s, (uint32_t)((f->metric->ttl_ms + 999) / 1000)};
        uint64_t gone =
            f->metric->precreate ? expire_groups(f, &age, sources) : expire_each(f->table, &age);
        atomic_fetch_add(&f->table->stats->expired, gone);
    }
    rcu_leave();
}
