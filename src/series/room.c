// SPDX-License-Identifier: Apache-2.0
// How many series there may be: of a metric, of all, and for whoever they count.
#include "series/table.h"

static bool take_one(_Atomic uint64_t *count, _Atomic uint64_t *limit, uint64_t n)
{
    uint64_t most = atomic_load_explicit(limit, memory_order_relaxed);
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
    do {
        if (now >= most || most - now < n) {
            return n == 0;
        }
    } while (!atomic_compare_exchange_weak_explicit(count, &now, now + n, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

bool table_take(struct table *t, uint64_t n)
{
    if (!take_one(&t->count, &t->limit, n)) {
        return false;
    }
    if (!take_one(&t->share->count, &t->share->limit, n)) {
        atomic_fetch_sub_explicit(&t->count, n, memory_order_relaxed);
        return false;
    }
    return true;
}

void table_take_anyway(struct table *t)
{
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->share->count, 1, memory_order_relaxed);
}

void table_give(struct table *t, uint64_t n)
{
    atomic_fetch_sub_explicit(&t->count, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&t->share->count, n, memory_order_relaxed);
}

bool table_charge(struct table *t, const struct series_hand *hand, uint64_t n)
{
    _Atomic uint32_t *made = &t->share->made[hand->payer];
    uint32_t now = atomic_load_explicit(made, memory_order_relaxed);
    do {
        if (hand->payer == 0 || n == 0) {
            return true;
        }
        if (hand->most_made > 0 && (now >= hand->most_made || hand->most_made - now < n)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(made, &now, now + (uint32_t)n,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void table_refund(struct table *t, uint16_t payer, uint64_t n)
{
    if (payer != 0) {
        atomic_fetch_sub_explicit(&t->share->made[payer], (uint32_t)n, memory_order_relaxed);
    }
}
