// SPDX-License-Identifier: Apache-2.0
#include "expose/format.c"

#include "unit.h"

#include <float.h>

static const struct format TEXT = {.kind = FORMAT_TEXT,
                                   .created = true}; // which text does not know
static const struct format OPEN = {.kind = FORMAT_OPENMETRICS};
static const struct format CREATED = {.kind = FORMAT_OPENMETRICS, .created = true};

static void expect(struct family_text *s, struct buf *got, const char *want)
{
    ck_assert_str_eq(buf_string(got), want);
    buf_free(got);
    family_text_close(s);
}

START_TEST(a_counter_is_whole_where_it_can_be)
{
    static const struct {
        uint64_t whole;
        double rest;
        const char *text;
    } cases[] = {
        {0, 0, "c_total 0\n"},
        {17, 0, "c_total 17\n"},
        {17, 0.5, "c_total 17.5\n"},
        {((uint64_t)1 << 53) - 1, 0, "c_total 9007199254740991\n"},
        {(uint64_t)1 << 53, 0, "c_total 9.007199254740992e+15\n"},
        {UINT64_MAX, DBL_MAX, "c_total 1.7976931348623157e+308\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct family_text s;
        struct buf b = BUF_INIT;
        const struct family_text_spec family = {.name = "c_total", .type = METRIC_COUNTER};
        const struct format_series series = {.whole = cases[i].whole, .rest = cases[i].rest};
        family_text_init(&s, &TEXT, &family);
        family_text_counter(&s, &b, &series);
        expect(&s, &b, cases[i].text);
    }
}
END_TEST

START_TEST(series_of_one_family_follow_each_other)
{
    struct family_text s;
    struct buf b = BUF_INIT;
    const struct family_text_spec family = {.name = "g", .type = METRIC_GAUGE, .labelled = true};
    family_text_init(&s, &CREATED, &family);
    static const char *const labels[] = {"a=\"\"", "a=\"}\",b=\"c\"",
                                         "a=\"0123456789012345678901234567890123456789\""};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const struct format_series series = {.labels = {labels[i], strlen(labels[i])},
                                             .value = -0.5 * (double)i};
        family_text_gauge(&s, &b, &series);
    }
    expect(&s, &b,
           "g{a=\"\"} 0\ng{a=\"}\",b=\"c\"} -0.5\n"
           "g{a=\"0123456789012345678901234567890123456789\"} -1\n");
}
END_TEST

START_TEST(a_histogram_s_bounds_are_canonical_in_openmetrics)
{
    static const double bounds[] = {0.005, 1, 1e6};
    static const uint64_t counts[] = {1, 0, 2, 30};
    const struct family_text_spec family = {
        .name = "h", .type = METRIC_HISTOGRAM, .labelled = true, .bounds = bounds, .n_bounds = 3};
    const struct format_series series = {
        .labels = {"a=\"b\"", 5}, .counts = counts, .sum = 12.5, .created_ms = 1700000000250};
    struct family_text s;
    struct buf b = BUF_INIT;
    family_text_init(&s, &TEXT, &family);
    family_text_histogram(&s, &b, &series);
    expect(&s, &b,
           "h_bucket{a=\"b\",le=\"0.005\"} 1\nh_bucket{a=\"b\",le=\"1\"} 1\n"
           "h_bucket{a=\"b\",le=\"1000000\"} 3\nh_bucket{a=\"b\",le=\"+Inf\"} 33\n"
           "h_sum{a=\"b\"} 12.5\nh_count{a=\"b\"} 33\n");
    family_text_init(&s, &OPEN, &family);
    family_text_histogram(&s, &b, &series);
    expect(&s, &b,
           "h_bucket{a=\"b\",le=\"0.005\"} 1\nh_bucket{a=\"b\",le=\"1.0\"} 1\n"
           "h_bucket{a=\"b\",le=\"1e+06\"} 3\nh_bucket{a=\"b\",le=\"+Inf\"} 33\n"
           "h_sum{a=\"b\"} 12.5\nh_count{a=\"b\"} 33\n");
}
END_TEST

START_TEST(openmetrics_has_no_sum_that_it_does_not_know)
{
    static const double bounds[] = {-1, 1};
    static const uint64_t counts[] = {1, 0, 2};
    static const struct {
        size_t n; // bounds
        double sum;
        const char *text;
        const char *open;
    } cases[] = {
        {2, 4,
         "h_bucket{le=\"-1\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count "
         "3\n",
         "h_bucket{le=\"-1.0\"} 1\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 3\n"},
        {0, -0.5, "h_bucket{le=\"+Inf\"} 1\nh_sum -0.5\nh_count 1\n", "h_bucket{le=\"+Inf\"} 1\n"},
        {0, 0, "h_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n",
         "h_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct family_text_spec family = {
            .name = "h", .type = METRIC_HISTOGRAM, .bounds = bounds, .n_bounds = cases[i].n};
        const struct format_series series = {.counts = counts, .sum = cases[i].sum};
        struct family_text s;
        struct buf b = BUF_INIT;
        family_text_init(&s, &TEXT, &family);
        family_text_histogram(&s, &b, &series);
        expect(&s, &b, cases[i].text);
        family_text_init(&s, &OPEN, &family);
        family_text_histogram(&s, &b, &series);
        expect(&s, &b, cases[i].open);
    }
}
END_TEST

START_TEST(what_began_when_is_told_when_asked)
{
    struct family_text s;
    struct buf b = BUF_INIT;
    const struct family_text_spec counter = {
        .name = "c_total", .type = METRIC_COUNTER, .labelled = true};
    const struct family_text_spec histogram = {.name = "h", .type = METRIC_HISTOGRAM};
    const struct format_series series = {
        .labels = {"a=\"b\"", 5}, .counts = (const uint64_t[]){7}, .created_ms = 1700000000250};
    const struct format_series bare = {.counts = (const uint64_t[]){7}, .created_ms = 5};
    family_text_init(&s, &CREATED, &counter);
    family_text_counter(&s, &b, &series);
    expect(&s, &b, "c_total{a=\"b\"} 0\nc_created{a=\"b\"} 1700000000.250\n");
    family_text_init(&s, &CREATED, &histogram);
    family_text_histogram(&s, &b, &bare);
    expect(&s, &b, "h_bucket{le=\"+Inf\"} 7\nh_sum 0\nh_count 7\nh_created 0.005\n");
}
END_TEST

// Names, labels and numbers as long as they may be: the one reservation must do for all lines.
START_TEST(the_longest_lines_fit_the_room_that_is_made_for_them)
{
    static char name[200];
    static char labels[4096];
    static double bounds[CATALOG_MAX_BOUNDS];
    static uint64_t counts[CATALOG_MAX_BOUNDS + 1];
    memset(name, 'n', sizeof name - 1);
    memset(labels, 'l', sizeof labels);
    counts[0] = UINT64_MAX;
    for (size_t i = 0; i < CATALOG_MAX_BOUNDS; i++) {
        bounds[i] = 2.2250738585072014e-308 * (double)(i + 1);
    }
    const struct family_text_spec family = {.name = name,
                                            .type = METRIC_HISTOGRAM,
                                            .labelled = true,
                                            .bounds = bounds,
                                            .n_bounds = CATALOG_MAX_BOUNDS};
    const struct format_series series = {.labels = {labels, sizeof labels},
                                         .counts = counts,
                                         .sum = 2.2250738585072014e-308,
                                         .created_ms = UINT64_MAX};
    struct family_text s;
    struct buf b = BUF_INIT;
    family_text_init(&s, &CREATED, &family);
    family_text_histogram(&s, &b, &series);
    ck_assert(!b.failed);
    size_t lines = 0;
    for (size_t i = 0; i < b.len; i++) {
        lines += b.p[i] == '\n';
    }
    ck_assert_uint_eq(lines, CATALOG_MAX_BOUNDS + 4);
    ck_assert_uint_le(b.len + FAMILY_TEXT_PIECE, s.room + s.lines * sizeof labels);
    buf_free(&b);
    family_text_close(&s);
}
END_TEST

START_TEST(without_room_the_buffer_fails_and_keeps_what_it_has)
{
    struct family_text s;
    struct buf b = {.max = 20};
    const struct family_text_spec family = {.name = "c_total", .type = METRIC_COUNTER};
    const struct format_series series = {.whole = 1};
    family_text_init(&s, &TEXT, &family);
    buf_str(&b, "x");
    family_text_counter(&s, &b, &series);
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 1);
    buf_free(&b);
    struct buf other = BUF_INIT;
    s.text.failed = true;
    family_text_counter(&s, &other, &series);
    ck_assert(other.failed);
    family_text_close(&s);
}
END_TEST

UNIT_MAIN("format_family", a_counter_is_whole_where_it_can_be,
          series_of_one_family_follow_each_other, a_histogram_s_bounds_are_canonical_in_openmetrics,
          what_began_when_is_told_when_asked, openmetrics_has_no_sum_that_it_does_not_know,
          the_longest_lines_fit_the_room_that_is_made_for_them,
          without_room_the_buffer_fails_and_keeps_what_it_has)
