// SPDX-License-Identifier: Apache-2.0
#include "expose/format.h"

#include "exposition.h"
#include "fixture.h"
#include "unit.h"

#include <math.h>

static void expect(struct buf *got, const char *want)
{
    ck_assert_str_eq(buf_string(got), want);
    buf_free(got);
}

static const struct format TEXT = {.kind = FORMAT_TEXT};
static const struct format OPEN = {.kind = FORMAT_OPENMETRICS};

START_TEST(a_head_has_help_and_type)
{
    struct buf b = BUF_INIT;
    const struct format_head head = {.name = "a_seconds_total",
                                     .help = "Back\\slash, \"quotes\",\nnext line.",
                                     .type = "counter",
                                     .unit = "seconds"};
    format_head(&b, &TEXT, &head);
    expect(&b, "# HELP a_seconds_total Back\\\\slash, \"quotes\",\\nnext line.\n"
               "# TYPE a_seconds_total counter\n");
}
END_TEST

START_TEST(an_openmetrics_head_has_type_unit_and_help_and_no_total)
{
    static const struct {
        struct format_head head;
        const char *wanted;
    } cases[] = {
        {{"a_seconds_total", "\\, \"q\",\n.", "counter", "seconds"},
         "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n"
         "# HELP a_seconds \\\\, \\\"q\\\",\\n.\n"},
        {{"a_total", "", "counter", ""}, "# TYPE a counter\n# HELP a \n"},
        {{"a_total", "A.", "gauge", ""}, "# TYPE a_total gauge\n# HELP a_total A.\n"},
        {{"a_total", "A.", "unknown", ""}, "# TYPE a_total unknown\n# HELP a_total A.\n"},
        {{"a", "A.", "histogram", ""}, "# TYPE a histogram\n# HELP a A.\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = BUF_INIT;
        format_head(&b, &OPEN, &cases[i].head);
        expect(&b, cases[i].wanted);
    }
}
END_TEST

START_TEST(openmetrics_has_an_end)
{
    struct buf b = BUF_INIT;
    format_end(&b, &TEXT);
    ck_assert_uint_eq(b.len, 0);
    format_end(&b, &OPEN);
    expect(&b, "# EOF\n");
}
END_TEST

START_TEST(a_sample_has_braces_only_where_it_has_labels)
{
    struct buf b = BUF_INIT;
    format_sample(&b, "a", "", 1);
    format_sample(&b, "a", "b=\"c\",d=\"e\"", 0.1);
    format_sample(&b, "a", "", -0.0);
    format_sample(&b, "a", "", 1e21);
    format_sample(&b, "a", "", 9007199254740991);
    format_sample(&b, "a", "", INFINITY);
    expect(&b, "a 1\na{b=\"c\",d=\"e\"} 0.1\na 0\na 1e+21\na 9007199254740991\na +Inf\n");
}
END_TEST

START_TEST(buckets_are_cumulative)
{
    static const double bounds[] = {-1, 0.005, 2.5, 1e6};
    struct buf b = BUF_INIT;
    format_buckets(&b, &TEXT, "h", bounds, 4, (const uint64_t[]){1, 0, 2, 3, 4}, 12.5);
    format_buckets(&b, &TEXT, "h", bounds, 0, (const uint64_t[]){7}, 0);
    expect(&b, "h_bucket{le=\"-1\"} 1\nh_bucket{le=\"0.005\"} 1\nh_bucket{le=\"2.5\"} 3\n"
               "h_bucket{le=\"1000000\"} 6\nh_bucket{le=\"+Inf\"} 10\nh_sum 12.5\nh_count 10\n"
               "h_bucket{le=\"+Inf\"} 7\nh_sum 0\nh_count 7\n");
    format_buckets(&b, &OPEN, "h", bounds, 4, (const uint64_t[]){1, 0, 2, 3, 4}, 12.5);
    expect(&b, "h_bucket{le=\"-1.0\"} 1\nh_bucket{le=\"0.005\"} 1\nh_bucket{le=\"2.5\"} 3\n"
               "h_bucket{le=\"1e+06\"} 6\nh_bucket{le=\"+Inf\"} 10\n");
}
END_TEST

static const char CATALOG[] =
    "metrics:\n"
    "  - {name: z_total, type: counter, help: \"Z \\\\ z\"}\n"
    "  - {name: none_total, type: counter, help: nobody counts it}\n"
    "  - {name: g, type: gauge, help: G., labels: [b, a]}\n"
    "  - {name: h_seconds, type: histogram, help: H., labels: [l], buckets: [0.005, 1]}\n";

START_TEST(a_family_stands_with_all_its_series_or_not_at_all)
{
    struct fixture h;
    fixture_open(&h, CATALOG, 100, 100);
    static const char *const lines[] = {
        "{\"metric\":\"z_total\",\"value\":2.5}",
        "{\"metric\":\"g\",\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"value\":-7}",
        "{\"metric\":\"g\",\"labels\":{\"a\":\"\\\"\",\"b\":\"\\\\\\n\"},\"value\":1e-7}",
        "{\"metric\":\"h_seconds\",\"labels\":{\"l\":\"x\"},\"value\":0.005}",
        "{\"metric\":\"h_seconds\",\"labels\":{\"l\":\"x\"},\"value\":2}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_int_eq(fixture_line(&h, lines[i]).kind, EVENT_APPLIED);
    }
    ck_assert_str_eq(fixture_text(&h), "# HELP z_total Z \\\\ z\n"
                                       "# TYPE z_total counter\n"
                                       "z_total 2.5\n"
                                       "# HELP g G.\n"
                                       "# TYPE g gauge\n"
                                       "g{b=\"2\",a=\"1\"} -7\n"
                                       "g{b=\"\\\\\\n\",a=\"\\\"\"} 1e-07\n"
                                       "# HELP h_seconds H.\n"
                                       "# TYPE h_seconds histogram\n"
                                       "h_seconds_bucket{l=\"x\",le=\"0.005\"} 1\n"
                                       "h_seconds_bucket{l=\"x\",le=\"1\"} 1\n"
                                       "h_seconds_bucket{l=\"x\",le=\"+Inf\"} 2\n"
                                       "h_seconds_sum{l=\"x\"} 2.005\n"
                                       "h_seconds_count{l=\"x\"} 2\n");
    fixture_close(&h);
}
END_TEST

START_TEST(whole_counts_stay_exact_to_2_to_the_53)
{
    struct fixture h;
    fixture_open(&h, CATALOG, 100, 100);
    fixture_line(&h, "{\"metric\":\"z_total\",\"value\":4294967296}");
    struct table *t = schema_current(h.store)->families[0].table;
    struct cell_counter *cell = table_cell(t, &h.ingest->workers[0].writer, table_at(t, 0));
    // By the cell itself: a line for each step would take long.
    for (int i = 1; i < (1 << 21) - 1; i++) {
        cell_count(cell, 4294967296.0);
    }
    fixture_line(&h, "{\"metric\":\"z_total\",\"value\":4294967295}");
    ck_assert_str_eq(fixture_samples(&h), "z_total 9007199254740991\n");
    fixture_line(&h, "{\"metric\":\"z_total\"}");
    ck_assert_str_eq(fixture_samples(&h), "z_total 9.007199254740992e+15\n");
    fixture_line(&h, "{\"metric\":\"z_total\",\"value\":3}");
    ck_assert_str_eq(fixture_samples(&h), "z_total 9.007199254740996e+15\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_full_buffer_says_so)
{
    struct fixture h;
    fixture_open(&h, CATALOG, 100, 100);
    fixture_line(&h, "{\"metric\":\"h_seconds\",\"labels\":{\"l\":\"x\"},\"value\":2}");
    fixture_line(&h, "{\"metric\":\"z_total\"}");
    size_t whole = strlen(fixture_text(&h));
    for (size_t max = 1; max < whole; max++) {
        struct buf b = {.max = max};
        struct expose_filter filter = {.wants = fixture_wants_catalog};
        struct format_sink sink = format_sink_text(&b);
        ck_assert_int_lt(
            expose_write(&sink, h.store, &h.self, &filter, &(struct format){.kind = FORMAT_TEXT}),
            0);
        ck_assert_uint_le(b.len, max);
        buf_free(&b);
    }
    fixture_close(&h);
}
END_TEST

START_TEST(the_checker_of_these_tests_sees_what_is_wrong)
{
    static const struct {
        const char *text;
        const char *wrong; // NULL: nothing
    } cases[] = {
        {"", NULL},
        {"# TYPE a gauge\na{b=\"\\\\\\\"\\n,}\",c=\"\"} 1\n", NULL},
        {"a 1\n", "a sample is not of the family that stands above it"},
        {"# TYPE a gauge\nb 1\n", "a sample is not of the family that stands above it"},
        {"# TYPE a gauge\na_sum 1\n", "a name has a suffix"},
        {"# TYPE a gauge\na{b=\"\\x\"} 1\n", "labels are malformed"},
        {"# TYPE a gauge\na{b=\"c} 1\n", "labels are malformed"},
        {"# TYPE a gauge\na{b=\"c\"}1\n", "a sample has no value"},
        {"# TYPE a gauge\na NaN\n", "a value is no finite number"},
        {"# TYPE a gauge\na 1 2\n", "a value is no finite number"},
        {"# TYPE a gauge\na 1", "the last line has no LF"},
        {"# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n",
         "a bucket is below the one before it"},
        {"# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
         "+Inf and count differ"},
        {"# TYPE a histogram\na 1\n", "a histogram has an odd suffix"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *line;
        ck_assert_pstr_eq(exposition_check(cases[i].text, &line), cases[i].wrong);
    }
}
END_TEST

UNIT_MAIN("format", a_head_has_help_and_type,
          an_openmetrics_head_has_type_unit_and_help_and_no_total, openmetrics_has_an_end,
          a_sample_has_braces_only_where_it_has_labels, buckets_are_cumulative,
          a_family_stands_with_all_its_series_or_not_at_all, whole_counts_stay_exact_to_2_to_the_53,
          a_full_buffer_says_so, the_checker_of_these_tests_sees_what_is_wrong)
