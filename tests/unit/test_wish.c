// SPDX-License-Identifier: Apache-2.0
#include "web/wish.h"

#include "expose/gzip.h"
#include "unit.h"

#include <string.h>

static uint64_t timeout_of(const char *value)
{
    static const char name[] = "x-prometheus-scrape-TIMEOUT-seconds";
    struct wish w;
    wish_begin(&w);
    wish_field(&w, name, strlen(name), value, strlen(value));
    return w.timeout_ns;
}

START_TEST(a_timeout_is_a_number_of_seconds_and_anything_else_counts_for_nothing)
{
    static const struct {
        const char *text;
        uint64_t ns; // UINT64_MAX: for nothing
    } cases[] = {
        {"10", 10000000000},
        {"0.9", 900000000},
        {"10.000000", 10000000000},
        {"0.000001", 1000},
        {"3600", 3600000000000},
        {"3600.1", UINT64_MAX},
        {"1e9", UINT64_MAX},
        {"1e400", UINT64_MAX},
        {"0", UINT64_MAX},
        {"-0", UINT64_MAX},
        {"-1", UINT64_MAX},
        {"", UINT64_MAX},
        {"NaN", UINT64_MAX},
        {"inf", UINT64_MAX},
        {"0x10", UINT64_MAX},
        {"10s", UINT64_MAX},
        {"1 0", UINT64_MAX},
        {"1,5", UINT64_MAX},
        {"1.0000000000000000000000000000000000000000000000000000000000000000000", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(timeout_of(cases[i].text) == cases[i].ns, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(fields_are_known_by_their_names_alone)
{
    static const char *const fields[][2] = {
        {"accept", "application/openmetrics-text;version=1.0.0"},
        {"ACCEPT-ENCODING", "gzip"},
        {"Accept-Language", "gzip;q=0"},
        {"X-Accept", "text/plain"},
        {"Accep", "text/plain"},
    };
    struct wish w;
    wish_begin(&w);
    ck_assert_int_eq(wish_end(&w).kind, NEGOTIATE_TEXT);
    ck_assert(!wish_end(&w).gzip);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        wish_field(&w, fields[i][0], strlen(fields[i][0]), fields[i][1], strlen(fields[i][1]));
    }
    ck_assert_int_eq(wish_end(&w).kind, NEGOTIATE_OPEN_1_0_0);
    ck_assert(wish_end(&w).gzip == gzip_is_there());
    ck_assert_uint_eq(w.timeout_ns, UINT64_MAX);
}
END_TEST

UNIT_MAIN("wish", a_timeout_is_a_number_of_seconds_and_anything_else_counts_for_nothing,
          fields_are_known_by_their_names_alone)
