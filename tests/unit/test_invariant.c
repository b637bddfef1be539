// SPDX-License-Identifier: Apache-2.0
// Each invariant is broken by the test of its module: breaks.h.
#include "base/invariant.h"

#include "breaks.h"

#include <stdbool.h>

static void break_it(void)
{
    invariant(false, "one and one is two");
}

static void keep_it(void)
{
    invariant(true, "one and one is two");
}

START_TEST(what_does_not_hold_ends_the_process_with_a_word)
{
    char said[512];
    int status = breaks_end(break_it, said, sizeof said);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_ptr_nonnull(strstr(said, "invariant=\"one and one is two\" where="));
    ck_assert_ptr_nonnull(strstr(said, "test_invariant.c:"));
}
END_TEST

START_TEST(what_holds_is_not_mentioned)
{
    char said[512];
    int status = breaks_end(keep_it, said, sizeof said);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_str_eq(said, "");
}
END_TEST

UNIT_MAIN("invariant", what_does_not_hold_ends_the_process_with_a_word, what_holds_is_not_mentioned)
