// SPDX-License-Identifier: Apache-2.0
#include "daemon/recent.h"

#include "unit.h"

static struct recent recent;

static void put(uint64_t from, uint64_t to)
{
    for (uint64_t line = from; line <= to; line++) {
        struct refusal refusal = {.line = line};
        recent_put(&recent, &refusal, 1000 + line);
    }
}

static void check_read(uint64_t latest, uint64_t oldest)
{
    struct recent_refusal e;
    uint64_t at = UINT64_MAX;
    for (uint64_t line = latest; line >= oldest && line > 0; line--) {
        ck_assert(recent_read(&recent, &at, &e));
        ck_assert_uint_eq(e.refusal.line, line);
        ck_assert_uint_eq(e.at_ms, 1000 + line);
    }
    ck_assert(!recent_read(&recent, &at, &e));
}

START_TEST(the_latest_comes_first_and_the_oldest_gives_way)
{
    recent_open(&recent);
    check_read(0, 1);
    put(1, 3);
    check_read(3, 1);
    put(4, RECENT_RING);
    check_read(RECENT_RING, 1);
    put(RECENT_RING + 1, RECENT_RING + 7);
    check_read(RECENT_RING + 7, 8);
}
END_TEST

START_TEST(a_reader_that_is_overtaken_ends)
{
    struct recent_refusal e;
    uint64_t at = UINT64_MAX;
    recent_open(&recent);
    put(1, RECENT_RING);
    ck_assert(recent_read(&recent, &at, &e));
    put(RECENT_RING + 1, 3 * RECENT_RING);
    ck_assert(!recent_read(&recent, &at, &e));
}
END_TEST

UNIT_MAIN("recent", the_latest_comes_first_and_the_oldest_gives_way,
          a_reader_that_is_overtaken_ends)
