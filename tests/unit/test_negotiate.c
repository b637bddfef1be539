// SPDX-License-Identifier: Apache-2.0
#include "expose/negotiate.h"

#include "unit.h"

#include <string.h>

#define TEXT "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_1 "text/plain; version=1.0.0; charset=utf-8"
#define PROTOBUF                                                                                   \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
#define OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OPEN_0 "application/openmetrics-text; version=0.0.1; charset=utf-8"
#define UTF8 "; escaping=allow-utf-8"
#define PROTO                                                                                      \
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

static const char *type_for(const char *accept)
{
    struct negotiate n;
    negotiate_begin(&n);
    if (accept != NULL) {
        negotiate_accept(&n, accept, strlen(accept));
    }
    struct negotiate_form form = negotiate_end(&n);
    return negotiate_type(&form);
}

struct accepted {
    const char *accept;
    const char *type;
};

static void check(const struct accepted *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *type = type_for(cases[i].accept);
        ck_assert_msg(strcmp(type, cases[i].type) == 0, "%s\nis     %s\nwanted %s", cases[i].accept,
                      type, cases[i].type);
    }
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases)[0])

START_TEST(every_prometheus_gets_what_it_prefers)
{
    static const struct accepted cases[] = {
        // 2.40
        {"application/openmetrics-text;version=1.0.0;q=0.75,"
         "application/openmetrics-text;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         OPEN},
        // 2.41 to 2.48, and with native histograms
        {"application/openmetrics-text;version=1.0.0,"
         "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
         "*/*;q=0.1",
         OPEN},
        {PROTO ",application/openmetrics-text;version=1.0.0;q=0.8,"
               "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
               "*/*;q=0.1",
         PROTOBUF},
        // 2.49.0, whose last q is beyond 1, and 2.49.1 to 2.55
        {"application/openmetrics-text;version=1.0.0;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=2",
         OPEN},
        {"application/openmetrics-text;version=1.0.0;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,"
         "*/*;q=0.2",
         OPEN},
        // 2.55 with UTF-8 names
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;escaping=allow-utf-8;q=0.2",
         OPEN UTF8},
        // 3.0 to 3.2, which say it twice, and 3.3
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.5,"
         "text/plain;version=1.0.0;escaping=allow-utf-8;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
         OPEN UTF8},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.5,"
         "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
         "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
         OPEN UTF8},
        // 3.4 to 3.14, and with protobuf first
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,"
         "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
         "*/*;q=0.2",
         OPEN UTF8},
        {PROTO ";q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
               "application/openmetrics-text;version=0.0.1;q=0.4,"
               "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,"
               "*/*;q=0.1",
         PROTOBUF},
    };
    CHECK(cases);
}
END_TEST

START_TEST(text_is_for_everyone_else)
{
    static const struct accepted cases[] = {
        {NULL, TEXT},
        {"", TEXT},
        {"*/*", TEXT},
        {"text/plain", TEXT},
        {"text/plain;version=0.0.4", TEXT},
        {"text/plain;version=1.1.0", TEXT},
        {"text/plain;version=1.0.0", TEXT_1},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT},
        {PROTO ";q=0", TEXT},
        {"application/vnd.google.protobuf", TEXT},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT},
        {"application/vnd.google.protobuf;encoding=delimited", TEXT},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
         TEXT},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
         "encoding=compact-text,text/plain;version=1.0.0;q=0.1",
         TEXT_1},
        {"application/vnd.google.protobuf;proto=a.B;encoding=delimited", TEXT},
        {"application/openmetrics-text;version=2.0.0", TEXT},
        {"application/openmetrics-text;version=1.0.0;q=0", TEXT},
        {"application/openmetrics-text;version=1.0.0;q=0.0, */*", TEXT},
        {"application/json", TEXT},
        {"application/openmetrics-texts;version=1.0.0", TEXT},
    };
    CHECK(cases);
}
END_TEST

START_TEST(the_best_clause_that_can_be_served_wins)
{
    static const struct accepted cases[] = {
        {PROTO, PROTOBUF},
        {PROTO ";escaping=allow-utf-8", PROTOBUF UTF8},
        {PROTO ";q=0.1,text/plain;q=0.2", TEXT},
        {"application/vnd.google.protobuf; proto=\"io.prometheus.client.MetricFamily\"; "
         "encoding=delimited",
         PROTOBUF},
        {"application/openmetrics-text", OPEN_0},
        {"application/openmetrics-text;version=0.0.1", OPEN_0},
        {"application/openmetrics-text;version=1.0.0", OPEN},
        {"application/openmetrics-text; version=\"1.0.0\" ; charset=utf-8", OPEN},
        {"Application/OpenMetrics-Text;Version=1.0.0", OPEN},
        {"text/plain;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5", OPEN},
        {"text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4", TEXT},
        // Of two that are as good the first.
        {"text/plain,application/openmetrics-text;version=1.0.0", TEXT},
        {"application/openmetrics-text;version=1.0.0,text/plain", OPEN},
        {"*/*,application/openmetrics-text;version=1.0.0", OPEN},
        {"application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;"
         "q=0.1,text/plain;q=0.05",
         OPEN},
    };
    CHECK(cases);
}
END_TEST

START_TEST(an_odd_q_is_borne)
{
    static const struct accepted cases[] = {
        {"application/openmetrics-text;version=1.0.0;q=2,text/plain;q=1", OPEN},
        {"text/plain;q=1,application/openmetrics-text;version=1.0.0;q=7", TEXT},
        {"application/openmetrics-text;version=1.0.0;q=x,text/plain;q=0.001", TEXT},
        {"application/openmetrics-text;version=1.0.0;q=x", OPEN},
        {"application/openmetrics-text;version=1.0.0;q=-1", OPEN},
        {"application/openmetrics-text;version=1.0.0;q=", OPEN},
        {"application/openmetrics-text;version=1.0.0;q", OPEN},
        {"application/openmetrics-text;version=1.0.0;q=NaN,text/plain;q=0.1", TEXT},
        {"application/openmetrics-text;version=1.0.0;q=0.5=0.1", OPEN},
        {"application/openmetrics-text;version=1.0.0;q=1e400,text/plain;q=0.1", TEXT},
        {"application/openmetrics-text;version=1.0.0;"
         "q=0.000000000000000000000000000000000000000000000001",
         OPEN},
        {",,;,;;,;q=1,/,=,;=,application/openmetrics-text;version=1.0.0,;", OPEN},
        {" application/openmetrics-text\t; \tversion=1.0.0 ; q = 0.3 , text/plain ; q=0.2", OPEN},
    };
    CHECK(cases);
}
END_TEST

START_TEST(an_escaping_that_changes_no_name_is_echoed)
{
    static const struct accepted cases[] = {
        {"text/plain;escaping=values", TEXT "; escaping=values"},
        {"text/plain;escaping=underscores", TEXT "; escaping=underscores"},
        {"text/plain;escaping=dots", TEXT "; escaping=underscores"},
        {"text/plain;escaping=shouting", TEXT},
        // of several the last counts
        {"text/plain;escaping=values;escaping=underscores", TEXT "; escaping=underscores"},
        {"text/plain;escaping=values;escaping=shouting", TEXT},
        {"text/plain;escaping=values=", TEXT},
        {"application/openmetrics-text;version=1.0.0;escaping=values", OPEN "; escaping=values"},
        {"application/openmetrics-text;escaping=allow-utf-8", OPEN_0 UTF8},
        // What a better clause says holds for the one that wins, what a worse one says does not.
        {"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,text/plain;q=0.5", TEXT_1 UTF8},
        {"text/plain;q=0.9,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5", TEXT},
    };
    CHECK(cases);
}
END_TEST

START_TEST(fields_add_up_and_only_so_many_clauses_count)
{
    struct negotiate n;
    negotiate_begin(&n);
    negotiate_accept(&n, "text/plain;q=0.5", 16);
    const char *open = "application/openmetrics-text;version=1.0.0";
    negotiate_accept(&n, open, strlen(open));
    struct negotiate_form form = negotiate_end(&n);
    ck_assert_int_eq(form.kind, NEGOTIATE_OPEN_1_0_0);
    ck_assert_int_eq(negotiate_format(&form), FORMAT_OPENMETRICS);
    negotiate_begin(&n);
    for (int i = 0; i < NEGOTIATE_CLAUSES; i++) {
        negotiate_accept(&n, "a/b;q=0.5,", 10);
    }
    negotiate_accept(&n, open, strlen(open));
    form = negotiate_end(&n);
    ck_assert_int_eq(form.kind, NEGOTIATE_TEXT);
    ck_assert_int_eq(negotiate_format(&form), FORMAT_TEXT);
}
END_TEST

START_TEST(gzip_is_for_who_names_it)
{
    static const struct {
        const char *accepted;
        bool gzip;
    } cases[] = {
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"gzip, deflate, br", true},
        {"deflate;q=1.0, gzip;q=0.3", true},
        {"identity", false},
        {"identity, gzip", true},
        {"identity;q=0.5, gzip;q=0.4", false},
        {"identity;q=0.5, gzip;q=0.5", true},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"gzip;q=0, *", false},
        {"gzip;q=0.1", true},
        {"gzip;q=9", true},
        {"gzip;q=x", true},
        {"gzip; q = 0", false},
        {"*", false},
        {"*;q=0.5", false},
        {"*;q=0", false},
        {"*, identity;q=0", true},
        {"identity;q=0.2, *;q=0.5", true},
        {"identity;q=0", false},
        {"gzip;q=0.5, *;q=1", false},
        {"zstd, br", false},
        {"gzip2, agzip", false},
        {",;,gzip", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct negotiate n;
        negotiate_begin(&n);
        negotiate_encoding(&n, cases[i].accepted, strlen(cases[i].accepted));
        ck_assert_msg(negotiate_end(&n).gzip == cases[i].gzip, "%s", cases[i].accepted);
    }
    struct negotiate n;
    negotiate_begin(&n);
    ck_assert(!negotiate_end(&n).gzip);
}
END_TEST

START_TEST(any_bytes_are_borne)
{
    static const char bytes[] =
        "qtextplain/applicationopenmetrics-version1.0*;=,\" \tescaping=\xff";
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < 100000; i++) {
        size_t len = unit_random(&state) % 40;
        char *value = malloc(len + 1); // of just its size, so that a read beyond it is seen
        for (size_t k = 0; k < len; k++) {
            value[k] = bytes[unit_random(&state) % sizeof bytes];
        }
        struct negotiate n;
        negotiate_begin(&n);
        value = realloc(value, len > 0 ? len : 1);
        negotiate_accept(&n, value, len);
        negotiate_encoding(&n, value, len);
        struct negotiate_form form = negotiate_end(&n);
        ck_assert_ptr_nonnull(negotiate_type(&form));
        free(value);
    }
}
END_TEST

UNIT_MAIN("negotiate", every_prometheus_gets_what_it_prefers, text_is_for_everyone_else,
          the_best_clause_that_can_be_served_wins, an_odd_q_is_borne,
          an_escaping_that_changes_no_name_is_echoed, fields_add_up_and_only_so_many_clauses_count,
          gzip_is_for_who_names_it, any_bytes_are_borne)
