// SPDX-License-Identifier: Apache-2.0
#include "source/holder.h"

#include "base/invariant.h"
#include "source/peer.h"

#include <errno.h>

static bool is_same(const struct holder *a, const struct holder *b)
{
    if (a->usage != 0 && b->usage != 0) {
        return a->usage == b->usage;
    }
    return a->user != PEER_NOBODY && a->user == b->user;
}

static uint32_t number_of(const struct holder *h)
{
    return (h->usage != 0 ? h->usage : h->user) % HOLDER_COUNTS;
}

void holder_count(struct holder_counts *counts, const struct holder *h, int32_t change)
{
    uint32_t *count = &counts->counts[number_of(h)];
    invariant(change >= 0 || *count >= (uint32_t)-change,
              "a holder releases only what it reserved");
    *count += (uint32_t)change;
}

uint32_t holder_counted(const struct holder_counts *counts, const struct holder *h)
{
    return counts->counts[number_of(h)];
}

void holder_offer(struct holder_choice *c, const struct holder *of_entry, bool idle,
                  int64_t heard_ms, void *entry)
{
    bool own = is_same(c->asking, of_entry);
    uint32_t count = holder_counted(c->counts, of_entry);
    c->own += own;
    if (!idle) {
        return;
    }
    bool better = c->chosen == NULL                  ? true
                  : own != c->chosen_own             ? own
                  : !own && count != c->chosen_count ? count > c->chosen_count
                                                     : heard_ms < c->chosen_heard_ms;
    if (better) {
        c->chosen = entry;
        c->chosen_own = own;
        c->chosen_count = count;
        c->chosen_heard_ms = heard_ms;
    }
}

int holder_choose(const struct holder_choice *c, bool has_room, void **ret)
{
    bool quota = c->asking->most > 0 && c->own >= c->asking->most;
    *ret = NULL;
    if (has_room && !quota) {
        return 0;
    }
    if (c->chosen == NULL || (quota && !c->chosen_own)) {
        return quota ? -EDQUOT : -ENOSPC;
    }
    *ret = c->chosen;
    return 0;
}
