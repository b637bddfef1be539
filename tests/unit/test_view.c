// SPDX-License-Identifier: Apache-2.0
#include "ctl/view.h"

#include "unit.h"

#include <jansson.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    ck_assert_msg(value != NULL, "%s: %s", text, error.text);
    return value;
}

static void expect_text(struct buf *out, const char *want)
{
    const char *text = buf_string(out);
    ck_assert_str_eq(text, want);
    buf_free(out);
}

// The status in its shortest form, with parts of it as the test wants them.
struct parts {
    const char *state;
    const char *reload;
    const char *scrape;
    const char *ends;
    const char *components;
    const char *metrics;
};

static json_t *status_of(const struct parts *p)
{
    char text[4096];
    const char *none = "{\"kept\":false,\"ok\":false,\"trouble\":\"\",\"bytes\":0,\"set_aside\":0}";
    snprintf(
        text, sizeof text,
        "{\"version\":\"1\",\"revision\":\"r\",\"time\":1000000,\"uptime_seconds\":60,\"series\":3,"
        "\"series_limit\":100,\"connections\":2,\"summary\":\"All is well.\",\"state\":%s,"
        "\"last_reload_successful\":%s,\"last_reload_time\":999940,\"last_scrape\":%s,"
        "\"certificate_expires\":%s,\"http\":{\"unauthorized\":1,\"unavailable\":2,"
        "\"tls_failures\":3},\"components\":[%s],\"metrics\":[%s],\"refusals\":[]}",
        p->state != NULL ? p->state : none, p->reload != NULL ? p->reload : "true",
        p->scrape != NULL ? p->scrape : "null", p->ends != NULL ? p->ends : "null",
        p->components != NULL ? p->components : "", p->metrics != NULL ? p->metrics : "");
    return parse(text);
}

static void expect_status(const struct parts *p, const char *want)
{
    struct buf out = BUF_INIT;
    json_t *status = status_of(p);
    ck_assert(view_is_status(status));
    view_status(&out, status);
    json_decref(status);
    if (strstr(buf_string(&out), want) == NULL) {
        expect_text(&out, want);
    }
    buf_free(&out);
}

START_TEST(a_status_is_a_page)
{
    expect_status(
        &(struct parts){0},
        "virtrigaud-exporter 1, revision r, up for 1 min, 3 of 100 series, 2 connections\n"
        "All is well.\n"
        "State file: none, series end with the process\n"
        "Configuration: loaded 1 min ago\n"
        "Last scrape: none since the start\n"
        "Not served since the start: 401 1, 503 2, failed TLS 3\n"
        "\n"
        "COMPONENT  APPLIED  PER SECOND  REJECTED  LOST\n"
        "\n"
        "METRIC  TYPE  SERIES  LIMIT  PER SECOND  FOLDED  EXPIRED\n");
}
END_TEST

START_TEST(a_status_says_what_is_wrong)
{
    expect_status(&(struct parts){.state = "{\"kept\":true,\"ok\":true,\"trouble\":\"\",\"bytes\":"
                                           "4096,\"set_aside\":0}"},
                  "\nState file: written, 4096 bytes\n");
    expect_status(&(struct parts){.state = "{\"kept\":true,\"ok\":false,\"trouble\":\"disk "
                                           "\\u001bfull\",\"bytes\":0,\"set_aside\":2}"},
                  "\nState file: not written: disk \\u001bfull; damaged ones set aside: 2\n");
    expect_status(&(struct parts){.reload = "false"},
                  "\nConfiguration: the last reload was refused, in force is that of 1 min ago\n");
    expect_status(&(struct parts){.scrape = "{\"time\":999999,\"peer\":\"10.0.0.1\","
                                            "\"duration_seconds\":0.0124,\"status\":200}"},
                  "\nLast scrape: 1 s ago by 10.0.0.1, 12 ms, 200\n");
    expect_status(&(struct parts){.ends = "1086400"}, "\nCertificate: ends in 1 d\n");
    expect_status(&(struct parts){.ends = "999998"}, "\nCertificate: ended 2 s ago\n");
}
END_TEST

START_TEST(rates_that_are_not_known_are_no_zero)
{
    expect_status(
        &(struct parts){.components =
                            "{\"component\":\"a\",\"applied\":12,\"refused\":0,\"lost\":1,"
                            "\"applied_per_second\":0.123},"
                            "{\"component\":\"b\",\"applied\":5,\"refused\":0,\"lost\":0}"},
        "COMPONENT  APPLIED  PER SECOND  REJECTED  LOST\n"
        "a               12        0.12         0     1\n"
        "b                5           -         0     0\n");
    // Metrics of which there is nothing to say are left out.
    expect_status(
        &(struct parts){.metrics =
                            "{\"name\":\"m\",\"type\":\"gauge\",\"series\":1,\"series_limit\":9,"
                            "\"folded\":0,\"expired\":0,\"per_second\":1234.5},"
                            "{\"name\":\"no\",\"type\":\"gauge\",\"series\":0,\"series_limit\":9,"
                            "\"folded\":0,\"expired\":0},"
                            "{\"name\":\"gone\",\"type\":\"gauge\",\"series\":0,\"series_limit\":9,"
                            "\"folded\":0,\"expired\":4}"},
        "METRIC  TYPE   SERIES  LIMIT  PER SECOND  FOLDED  EXPIRED\n"
        "m       gauge       1      9        1234       0        0\n"
        "gone    gauge       0      9           -       0        4\n");
}
END_TEST

START_TEST(sources_that_are_gone_come_first)
{
    static const char *const texts[] = {
        "{\"component\":\"c\",\"instance\":\"i\",\"connected\":true,\"up\":true,\"last_heard\":98,"
        "\"applied\":1,\"applied_per_second\":0,\"refused\":2,\"lost\":3,\"pid\":77}",
        "{\"component\":\"c\",\"instance\":\"s\",\"connected\":true,\"up\":false,\"last_heard\":40,"
        "\"applied\":1,\"refused\":0,\"lost\":0,\"pid\":null}",
        "{\"component\":\"c\",\"instance\":\"\",\"connected\":false,\"up\":false,\"last_heard\":0,"
        "\"applied\":0,\"refused\":0,\"lost\":0}",
    };
    json_t *rows[3];
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < 3; i++) {
        rows[i] = parse(texts[i]);
        ck_assert(view_is_source(rows[i]));
    }
    view_sources(&out, (const json_t *const *)rows, 3, 100);
    expect_text(&out, "SOURCE  STATE   LAST HEARD  APPLIED  PER SECOND  REJECTED  LOST  PID\n"
                      "c       gone         never        0           -         0     0    -\n"
                      "c/s     silent   1 min ago        1           -         0     0    -\n"
                      "c/i     up         2 s ago        1           0         2     3   77\n");
    for (size_t i = 0; i < 3; i++) {
        json_decref(rows[i]);
    }
}
END_TEST

START_TEST(a_histogram_shows_the_quantiles_of_prometheus)
{
    static const struct {
        const char *series;
        const char *want;
    } rows[] = {
        {"{\"labels\":{},\"value\":2.5}", "m 2.5\n"},
        {"{\"labels\":{}}", "m -\n"},
        {"{\"labels\":{\"a\":\"x\\\"\\u0000\",\"b\":1},\"value\":2}",
         "m{a=\"x\\\"\\u0000\",b=\"\"} 2\n"},
        // Nothing was observed.
        {"{\"labels\":{},\"buckets\":[],\"count\":0,\"sum\":0}", "m count 0 sum 0\n"},
        {"{\"labels\":{},\"buckets\":[{\"le\":1,\"count\":0},{\"le\":\"+Inf\",\"count\":0}],"
         "\"count\":0,\"sum\":0}",
         "m count 0 sum 0\n"},
        {"{\"labels\":{},\"buckets\":[{\"le\":1,\"count\":2},{\"le\":3,\"count\":4},"
         "{\"le\":\"+Inf\",\"count\":4}],\"count\":4,\"sum\":5}",
         "m count 4 sum 5 median 1 p95 2.8\n"},
        // Above all bounds it is the highest of these, and below a first one of 0 it is that.
        {"{\"labels\":{},\"buckets\":[{\"le\":2,\"count\":0},{\"le\":\"+Inf\",\"count\":4}],"
         "\"count\":4,\"sum\":50}",
         "m count 4 sum 50 median 2 p95 2\n"},
        {"{\"labels\":{},\"buckets\":[{\"le\":-1,\"count\":4},{\"le\":\"+Inf\",\"count\":4}],"
         "\"count\":4,\"sum\":-8}",
         "m count 4 sum -8 median -1 p95 -1\n"},
        // Bounds without the last one, as no exporter says.
        {"{\"labels\":{},\"buckets\":[{\"le\":2,\"count\":9},{\"le\":3,\"count\":1}],\"count\":1,"
         "\"sum\":1,\"native\":{\"schema\":3,\"buckets\":5}}",
         "m count 1 sum 1 median 0.111 p95 0.211 native schema 3 buckets 5\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT;
        json_t *series = parse(rows[i].series);
        view_series(&out, "m", series);
        json_decref(series);
        expect_text(&out, rows[i].want);
    }
}
END_TEST

START_TEST(a_rejected_line_says_who_sent_what)
{
    static const struct {
        const char *line;
        const char *want;
    } rows[] = {
        {"{\"time\":86400,\"component\":\"c\",\"instance\":\"\",\"reason\":\"bad_json\",\"detail\":"
         "\"d\"}",
         "1970-01-02T00:00:00Z c bad_json: d\n"},
        {"{\"time\":1,\"component\":\"c\",\"instance\":\"i\",\"uid\":0,\"line\":9,\"reason\":\"r\","
         "\"detail\":\"d\\u0007\",\"text\":\"\\u0000x\",\"bytes\":256}",
         "1970-01-01T00:00:01Z c/i uid 0 line 9 r: d\\u0007\n  \\u0000x\n"},
        {"{\"time\":1,\"component\":\"c\",\"instance\":\"i\",\"reason\":\"r\",\"detail\":\"d\","
         "\"text\":\"x\",\"bytes\":257}",
         "1970-01-01T00:00:01Z c/i r: d\n  x... (257 bytes)\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = BUF_INIT;
        json_t *line = parse(rows[i].line);
        ck_assert(view_is_rejected(line));
        view_rejected(&out, line);
        json_decref(line);
        expect_text(&out, rows[i].want);
    }
}
END_TEST

UNIT_MAIN("view", a_status_is_a_page, a_status_says_what_is_wrong,
          rates_that_are_not_known_are_no_zero, sources_that_are_gone_come_first,
          a_histogram_shows_the_quantiles_of_prometheus, a_rejected_line_says_who_sent_what)
