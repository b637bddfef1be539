// SPDX-License-Identifier: Apache-2.0
#include "web/request.h"

#include "expose/format.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

// Reads a head with these fields.
static struct request read_fields(const char *fields)
{
    char head[1024];
    struct request r;
    struct request_fault fault;
    int n = snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    ck_assert_int_eq(request_parse(&r, head, (size_t)n, &fault), 0);
    return r;
}

static uint64_t timeout_of(const char *value)
{
    char field[256];
    snprintf(field, sizeof field, "x-prometheus-scrape-TIMEOUT-seconds: %s\r\n", value);
    return read_fields(field).timeout_ns;
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
    struct request w = read_fields("");
    ck_assert_int_eq(w.form.kind, NEGOTIATE_TEXT);
    ck_assert(!w.form.gzip);
    w = read_fields("accept: application/openmetrics-text;version=1.0.0\r\n"
                    "ACCEPT-ENCODING: gzip\r\nAccept-Language: gzip;q=0\r\n"
                    "X-Accept: text/plain\r\nAccep: text/plain\r\n");
    ck_assert_int_eq(w.form.kind, NEGOTIATE_OPEN_1_0_0);
    ck_assert(w.form.gzip == format_gzip_is_supported());
    ck_assert_uint_eq(w.timeout_ns, UINT64_MAX);
}
END_TEST

UNIT_MAIN("request_form", a_timeout_is_a_number_of_seconds_and_anything_else_counts_for_nothing,
          fields_are_known_by_their_names_alone)
