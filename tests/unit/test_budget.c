// SPDX-License-Identifier: Apache-2.0
#include "event/budget.h"

#include "unit.h"

#include <stdbool.h>

// How many of so many lines, taken `n` at a time, are compared.
static size_t compared(struct budget *b, size_t lines, size_t n)
{
    size_t sum = 0;
    for (size_t at = 0; at < lines; at += n) {
        size_t take;
        size_t first = budget_take(b, n, &take);
        ck_assert_uint_le(first + take, n);
        sum += take;
    }
    return sum;
}

START_TEST(all_are_compared_until_the_budget_is_spent)
{
    struct budgets all = {0};
    struct budget *b = budget_of(&all, 7);
    ck_assert_uint_eq(compared(b, 320, 32), 320);
    budget_settle(b, BUDGET_MOST - 1, 0);
    ck_assert_uint_eq(compared(b, 320, 32), 320);
    budget_settle(b, 1, 0);
    for (size_t n = 1; n <= 32; n++) {
        size_t few = compared(b, 37 * 32 * n, n);
        ck_assert_uint_ge(few, 32 * n - 1);
        ck_assert_uint_le(few, 32 * n + 1);
    }
}
END_TEST

START_TEST(each_place_of_lines_matched_together_is_compared)
{
    struct budgets all = {0};
    struct budget *b = budget_of(&all, 7);
    budget_settle(b, SIZE_MAX / 2, 0);
    bool seen[32] = {false};
    for (unsigned i = 0; i < 37 * 2; i++) {
        size_t take;
        size_t first = budget_take(b, 32, &take);
        ck_assert_uint_le(take, 1);
        seen[first] |= take == 1;
    }
    for (unsigned i = 0; i < 32; i++) {
        ck_assert(seen[i]);
    }
}
END_TEST

START_TEST(recognised_lines_make_up_for_it)
{
    struct budgets all = {0};
    struct budget *b = budget_of(&all, 7);
    budget_settle(b, SIZE_MAX / 2, 0); // the debt has a limit
    budget_settle(b, 0, BUDGET_DEBT / BUDGET_SAVED);
    ck_assert_uint_lt(compared(b, 320, 32), 10);
    budget_settle(b, 0, 1);
    ck_assert_uint_eq(compared(b, 320, 32), 320);
    budget_settle(b, 0, SIZE_MAX / 16); // more than all does not help later
    budget_settle(b, BUDGET_MOST, 0);
    ck_assert_uint_lt(compared(b, 320, 32), 10);
}
END_TEST

START_TEST(what_is_lost_and_saved_together_is_one_sum)
{
    struct budgets all = {0};
    struct budget *b = budget_of(&all, 7);
    budget_settle(b, 100 * BUDGET_MOST, 100 * BUDGET_MOST / BUDGET_SAVED);
    ck_assert_uint_eq(b->lost, 0);
    budget_settle(b, 100 * BUDGET_MOST, 50 * BUDGET_MOST / BUDGET_SAVED);
    ck_assert_uint_lt(compared(b, 320, 32), 10);
}
END_TEST

START_TEST(each_origin_has_its_own)
{
    struct budgets all = {0};
    budget_settle(budget_of(&all, 7), BUDGET_MOST, 0);
    ck_assert_uint_eq(compared(budget_of(&all, 8), 320, 32), 320);
    ck_assert_uint_lt(compared(budget_of(&all, 7), 320, 32), 10);
    // Who comes to the place of another one is left what that has lost, but for its debt: taking turns gains nothing.
    budget_settle(budget_of(&all, 7), SIZE_MAX / 2, 0);
    ck_assert_uint_lt(compared(budget_of(&all, 7 + BUDGETS), 320, 32), 10);
    budget_settle(budget_of(&all, 7 + BUDGETS), 0, 1);
    ck_assert_uint_eq(compared(budget_of(&all, 7), 320, 32), 320);
}
END_TEST

UNIT_MAIN("budget", all_are_compared_until_the_budget_is_spent,
          each_place_of_lines_matched_together_is_compared, recognised_lines_make_up_for_it,
          what_is_lost_and_saved_together_is_one_sum, each_origin_has_its_own)
