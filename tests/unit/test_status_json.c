// SPDX-License-Identifier: Apache-2.0
#include "web/view.h"

#include "unit.h"

static struct buf out;
static struct view view;

static const struct view_facts facts = {.version = "1.0\"",
                                        .revision = "r",
                                        .now_ms = 1700000090007,
                                        .start_ms = 1700000000000,
                                        .ready = true,
                                        .reload_ms = 1700000000000,
                                        .series = 7,
                                        .series_limit = 100,
                                        .connections = 3,
                                        .refusals_untold = 9};

#define BEGINNING                                                                                  \
    "{\"version\":\"1.0\\\"\",\"revision\":\"r\",\"time\":1700000090.007,"                         \
    "\"start_time\":1700000000.000,\"uptime_seconds\":90.007,\"ready\":true,"                      \
    "\"telemetry_path\":\"/m\",\"last_reload_successful\":false,"                                  \
    "\"last_reload_time\":1700000000.000,"

static void begin(const struct view_facts *f)
{
    out = BUF_INIT;
    view = (struct view){.out = &out, .form = &status_json_form, .telemetry_path = "/m"};
    view_begin(&view, f);
}

START_TEST(all_that_is_known_is_told_with_stable_keys)
{
    begin(&facts);
    const struct view_component component = {"manager", 1, 2, 3, 4.5};
    const struct view_source source = {"provider", {"v\0\xff", 3}, true, 1700000000001, 5};
    const struct view_source silent = {"provider", {"w", 1}, false, 0, 0};
    const struct view_refusal refusal = {1700000000002, "bad_json",      "unknown",    "",   8,
                                         "m",           "d\xe2\x80\xae", {"<\xc3", 2}, 65536};
    const struct view_refusal datagram = {1700000000003, "bad_op", "manager", "i", 0, "", "",
                                          {NULL, 0},     7};
    const struct view_metric counter = {"a_total", "counter", "Help.", 10, 20, 0.25, 1, 2};
    const struct view_metric gauge = {"g", "gauge", "", 0, 20, -1, 0, 0};
    view_part(&view, VIEW_COMPONENT);
    view_component(&view, &component);
    view_part_end(&view, VIEW_COMPONENT);
    view_part(&view, VIEW_SOURCE);
    view_source(&view, &source);
    view_source(&view, &silent);
    view_part_end(&view, VIEW_SOURCE);
    view_part(&view, VIEW_REFUSAL);
    view_refusal(&view, &refusal);
    view_refusal(&view, &datagram);
    view_part_end(&view, VIEW_REFUSAL);
    view_part(&view, VIEW_METRIC);
    view_metric(&view, &counter);
    view_metric(&view, &gauge);
    view_part_end(&view, VIEW_METRIC);
    view_end(&view);
    ck_assert_str_eq(
        buf_string(&out), BEGINNING
        "\"state\":{\"kept\":false,\"ok\":false,\"trouble\":null,\"bytes\":0,\"set_aside\":0},"
        "\"series\":7,\"series_limit\":100,\"connections\":3,\"refusals_untold\":9,\n"
        "\"components\":[\n"
        "{\"component\":\"manager\",\"applied\":1,\"refused\":2,\"lost\":3,"
        "\"applied_per_second\":4.500}],\"components_left_out\":0,\n"
        "\"sources\":[\n"
        "{\"component\":\"provider\",\"instance\":\"v\\u0000\xef\xbf\xbd\",\"connected\":true,"
        "\"last_heard\":1700000000.001,\"lost\":5},\n"
        "{\"component\":\"provider\",\"instance\":\"w\",\"connected\":false,\"last_heard\":null,"
        "\"lost\":0}],\"sources_left_out\":0,\n"
        "\"refusals\":[\n"
        "{\"reason\":\"bad_json\",\"time\":1700000000.002,\"component\":\"unknown\","
        "\"instance\":\"\",\"line\":8,\"name\":\"m\",\"detail\":\"d\\u202e\","
        "\"text\":\"<\xef\xbf\xbd\",\"bytes\":65536},\n"
        "{\"reason\":\"bad_op\",\"time\":1700000000.003,\"component\":\"manager\","
        "\"instance\":\"i\",\"line\":null,\"name\":\"\",\"detail\":\"\"}],"
        "\"refusals_left_out\":0,\n"
        "\"metrics\":[\n"
        "{\"name\":\"a_total\",\"type\":\"counter\",\"help\":\"Help.\",\"series\":10,"
        "\"series_limit\":20,\"per_second\":0.250,\"folded\":1,\"expired\":2},\n"
        "{\"name\":\"g\",\"type\":\"gauge\",\"help\":\"\",\"series\":0,\"series_limit\":20,"
        "\"per_second\":null,\"folded\":0,\"expired\":0}],\"metrics_left_out\":0}\n");
    buf_free(&out);
}
END_TEST

START_TEST(the_state_is_told_with_its_trouble)
{
    struct view_facts f = facts;
    f.state_kept = true;
    f.state_trouble = "No \"space\"";
    f.state_bytes = 5;
    f.state_set_aside = 1;
    begin(&f);
    ck_assert_ptr_nonnull(strstr(buf_string(&out),
                                 "\"state\":{\"kept\":true,\"ok\":false,\"trouble\":\"No "
                                 "\\\"space\\\"\",\"bytes\":5,\"set_aside\":1}"));
    buf_free(&out);
}
END_TEST

START_TEST(long_texts_and_lists_are_cut)
{
    static char help[4000];
    memset(help, 'h', sizeof help - 1);
    const struct view_source source = {"provider", {help, 3999}, true, 0, 0};
    begin(&facts);
    view_part(&view, VIEW_SOURCE);
    for (size_t i = 0; i < VIEW_SOURCES + 7; i++) {
        view_source(&view, &source);
    }
    view_part_end(&view, VIEW_SOURCE);
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(strstr(text, "],\"sources_left_out\":7"));
    ck_assert_uint_eq(strspn(strstr(text, "hhh"), "h"), VIEW_TEXT_MAX);
    buf_free(&out);
}
END_TEST

UNIT_MAIN("status_json", all_that_is_known_is_told_with_stable_keys,
          the_state_is_told_with_its_trouble, long_texts_and_lists_are_cut)
