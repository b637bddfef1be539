// SPDX-License-Identifier: Apache-2.0
/*
 * budget: how much work may be lost on comparing the lines of an origin with templates in vain.
 *
 * Shape:   work is counted in bytes that were passed over, of lines that have no template. A line that has one makes up for
 *          BUDGET_SAVED of them for each of its bytes, since parsing takes about as much. Where BUDGET_MOST is lost, only one
 *          line in BUDGET_SELDOM is compared until lines that are recognised have made up for what is above it, which is
 *          BUDGET_DEBT at most. Of lines that are matched together only as many are compared as the budget allows. So an
 *          origin whose lines nearly match templates hardly takes longer than without templates, and others have their own
 *          budget. Origins are told apart by their contexts (event/origin); where two share a place, the one that comes is
 *          left what the other has lost, but for its debt.
 * Threads: one owner. Memory: a plain struct; all zeros at first.
 */
#ifndef VE_EVENT_BUDGET_H
#define VE_EVENT_BUDGET_H

#include <stddef.h>
#include <stdint.h>

enum {
    BUDGETS = 1024,
    BUDGET_MOST = 65536,
    BUDGET_DEBT = BUDGET_MOST / 8,
    BUDGET_SELDOM = 37,
    BUDGET_SAVED = 8,
};

struct budget {
    uint64_t context;
    uint32_t lost;
    uint32_t waited; // lines since one was compared
};

struct budgets {
    struct budget list[BUDGETS];
};

static inline struct budget *budget_of(struct budgets *all, uint64_t context)
{
    struct budget *b = &all->list[context % BUDGETS];
    if (b->context != context) {
        b->context = context;
        b->lost = b->lost < BUDGET_MOST ? b->lost : BUDGET_MOST;
    }
    return b;
}

// Which of the next n lines are compared: all, one or none. Returns the first of them, and how many.
static inline size_t budget_take(struct budget *b, size_t n, size_t *ret_n)
{
    *ret_n = n;
    if (__builtin_expect(b->lost < BUDGET_MOST, 1)) {
        return 0;
    }
    size_t left = BUDGET_SELDOM - 1 - b->waited;
    *ret_n = left < n;
    b->waited = (uint32_t)(left < n ? n - 1 - left : b->waited + n);
    return left < n ? left : 0;
}

// How much may be lost before few are compared; at least 1, so that one line is.
static inline size_t budget_left(const struct budget *b)
{
    return b->lost < BUDGET_MOST ? BUDGET_MOST - b->lost : 1;
}

// After `lost` bytes were passed over in vain, and lines of `recognised` bytes were recognised.
static inline void budget_settle(struct budget *b, size_t lost, size_t recognised)
{
    size_t sum = b->lost + lost;
    size_t saved = recognised * BUDGET_SAVED;
    sum = saved < sum ? sum - saved : 0;
    b->lost = (uint32_t)(sum < BUDGET_MOST + BUDGET_DEBT ? sum : BUDGET_MOST + BUDGET_DEBT);
}

#endif
