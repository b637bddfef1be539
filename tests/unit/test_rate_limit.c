// SPDX-License-Identifier: Apache-2.0
#include "base/rate_limit.h"

#include "unit.h"

enum { TOKEN = 1000, BURST = 5 * TOKEN };

static struct rate_limit limit;

static bool take(uint64_t now_ns, uint64_t tokens)
{
    return rate_limit_take(&limit, now_ns, tokens * TOKEN, BURST);
}

START_TEST(a_full_bucket_gives_its_burst_and_then_one_at_a_time)
{
    limit = (struct rate_limit){0};
    for (int i = 0; i < 5; i++) {
        ck_assert(take(1000000, 1));
    }
    ck_assert(!take(1000000, 1));
    ck_assert(!take(1000999, 1));
    ck_assert(take(1001000, 1));
    ck_assert(!take(1001000, 1));
    // However long it rests, it holds no more than its burst.
    for (int i = 0; i < 5; i++) {
        ck_assert(take(9000000, 1));
    }
    ck_assert(!take(9000000, 1));
}
END_TEST

START_TEST(more_than_it_holds_needs_a_full_bucket)
{
    limit = (struct rate_limit){0};
    ck_assert(take(1000000, 1));
    ck_assert(!take(1000000, 12));
    ck_assert(take(1001000, 12));
    ck_assert(!take(1001000 + 12 * TOKEN - BURST, 1));
    ck_assert(take(1001000 + 13 * TOKEN - BURST, 1));
}
END_TEST

START_TEST(what_is_returned_can_be_taken_again)
{
    limit = (struct rate_limit){0};
    ck_assert(take(1000000, 5));
    ck_assert(!take(1000000, 2));
    rate_limit_return(&limit, 2 * TOKEN);
    ck_assert(take(1000000, 2));
    ck_assert(!take(1000000, 1));
}
END_TEST

START_TEST(a_charge_says_how_long_to_wait)
{
    limit = (struct rate_limit){0};
    ck_assert_uint_eq(rate_limit_charge(&limit, 1000000, 3 * TOKEN), 3 * TOKEN);
    ck_assert_uint_eq(rate_limit_charge(&limit, 1000500, 4 * TOKEN), 7 * TOKEN - 500);
    ck_assert_uint_eq(rate_limit_charge(&limit, 2000000, TOKEN), TOKEN);
}
END_TEST

UNIT_MAIN("rate_limit", a_full_bucket_gives_its_burst_and_then_one_at_a_time,
          more_than_it_holds_needs_a_full_bucket, what_is_returned_can_be_taken_again,
          a_charge_says_how_long_to_wait)
