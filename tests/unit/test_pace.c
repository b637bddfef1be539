// SPDX-License-Identifier: Apache-2.0
// The account is played here.
#define ingest_applied played_applied
#include "daemon/pace.c"

#include "unit.h"

static uint64_t applied[CATALOG_MAX_COMPONENTS];

uint64_t played_applied(const struct ingest *in, unsigned component)
{
    (void)in;
    return applied[component];
}

START_TEST(the_pace_is_that_between_two_readings)
{
    static struct pace pace;
    applied[1] = 1000;
    pace_tick(&pace, NULL, 5000);
    ck_assert(!pace.known);
    applied[1] = 1500;
    pace_tick(&pace, NULL, 5000 + PACE_MS - 1);
    ck_assert(!pace.known);
    pace_tick(&pace, NULL, 5000 + 2 * PACE_MS);
    ck_assert(pace.known);
    ck_assert_double_eq(pace.per_second[1], 25);
    ck_assert_double_eq(pace.per_second[2], 0);
    pace_tick(&pace, NULL, 5000 + 3 * PACE_MS);
    ck_assert_double_eq(pace.per_second[1], 0);
}
END_TEST

UNIT_MAIN("pace", the_pace_is_that_between_two_readings)
