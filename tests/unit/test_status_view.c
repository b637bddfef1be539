// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.h"

#include "unit.h"

#include <math.h>

static struct buf out;
static struct status_view view;

static const struct status_view_summary facts = {.version = "1.0\"",
                                                 .revision = "r",
                                                 .telemetry_path = "/m",
                                                 .now_ms = 1700000090007,
                                                 .start_ms = 1700000000000,
                                                 .uptime_ms = 90007,
                                                 .ready = true,
                                                 .reload_ms = 1700000000000,
                                                 .series = 7,
                                                 .series_limit = 100,
                                                 .connections = 3,
                                                 .rejections_unlisted = 9};

#define BEGINNING                                                                                  \
    "{\"version\":\"1.0\\\"\",\"revision\":\"r\",\"time\":1700000090.007,"                         \
    "\"start_time\":1700000000.000,\"uptime_seconds\":90.007,\"ready\":true,"                      \
    "\"telemetry_path\":\"/m\",\"last_reload_successful\":false,"                                  \
    "\"last_reload_time\":1700000000.000,"

static void write_view(const struct status_view_summary *f)
{
    out = BUF_INIT;
    view.summary = *f;
    view.history.n = view.history.n > 0 ? view.history.n : 1;
    status_view_json_form.write(&out, &view);
}

START_TEST(all_that_is_known_is_told_with_stable_keys)
{
    struct status_view_summary f = facts;
    f.shows_texts = true;
    f.sources = 4;
    f.sources_down = 3;
    f.scraped = true;
    f.scrape_ms = 1700000089000;
    f.scrape_ns = 12345678;
    f.scrape_status = 503;
    strcpy(f.scrape_peer, "unix");
    f.resident_bytes = 4096;
    f.open_fds = 7;
    f.max_fds = INFINITY;
    view = (struct status_view){
        .history = {.n = 2,
                    .samples = {{.at_ms = 500, .applied = 1, .rejected = 1, .scrapes = 1},
                                {.at_ms = 11000,
                                 .applied = 9,
                                 .rejected = 3,
                                 .scrapes = 3,
                                 .scrape_ns = 500000000,
                                 .unavailable = 4,
                                 .unauthorized = 5,
                                 .tls_failures = 6,
                                 .series = 7}}},
        .n_components = {1, 0},
        .n_sources = {2, 0},
        .n_rejections = {2, 0},
        .n_metrics = {2, 0},
        .components = {{"manager", 1, 2, 3, 4.5}},
        .sources = {{.component = "provider",
                     .instance = {"v\0\xff", 3},
                     .connected = true,
                     .connections = 2,
                     .interval_s = 15,
                     .process = 4711,
                     .heard_ms = 1700000000001,
                     .applied = 3,
                     .rejected = 4,
                     .per_second = 0.5,
                     .lost = 5},
                    {.component = "provider", .instance = {"w", 1}, .per_second = -1}},
        .rejections =
            {{1700000000002,
              "unknown",
              {.reason = REJECT_bad_json,
               .line = 8,
               .metric = "m",
               .detail = "d\xe2\x80\xae",
               .text = "<\xc3",
               .text_len = 2,
               .user = 1000,
               .entry = "sources[1]",
               .line_len = 65536}},
             {1700000000003,
              "manager",
              {.reason = REJECT_bad_op, .instance = "i", .user = PEER_NOBODY, .line_len = 7}}},
        .metrics = {{"a_total", "counter", "Help.", 10, 20, 0.25, 1, 2},
                    {"g", "gauge", "", 0, 20, -1, 0, 0}},
    };
    write_view(&f);
    ck_assert_str_eq(
        buf_string(&out), BEGINNING
        "\"state\":{\"kept\":false,\"ok\":false,\"trouble\":null,\"bytes\":0,\"set_aside\":0},"
        "\"series\":7,\"series_limit\":100,\"connections\":3,\"refusals_untold\":9,"
        "\"certificate_expires\":null,"
        "\"summary\":\"3 of 4 sources are down; 2 lines were rejected in the last 1 min 30 s, "
        "since the start; the last reload was refused; the last scrape was answered with 503.\","
        "\"sources_known\":4,\"sources_down\":3,\"refused_last_10_minutes\":2,"
        "\"last_scrape\":{\"time\":1700000089.000,\"peer\":\"unix\","
        "\"duration_seconds\":0.012,\"status\":503},"
        "\"http\":{\"scrapes\":3,\"unavailable\":4,\"unauthorized\":5,\"tls_failures\":6},"
        "\"process\":{\"resident_bytes\":4096,\"open_fds\":7,\"max_fds\":null},\n"
        "\"last_hour\":{\"time\":[1700000090.007],\"seconds\":[10.500],\"applied\":[8],"
        "\"refused\":[2],\"scrapes\":[2],\"scrape_seconds\":[0.5],\"unavailable\":[4],"
        "\"unauthorized\":[5],\"tls_failures\":[6],\"series\":[7]},\n"
        "\"components\":[\n"
        "{\"component\":\"manager\",\"applied\":1,\"refused\":2,\"lost\":3,"
        "\"applied_per_second\":4.500}],\"components_left_out\":0,\n"
        "\"sources\":[\n"
        "{\"component\":\"provider\",\"instance\":\"v\\u0000\xef\xbf\xbd\",\"connected\":true,"
        "\"up\":false,"
        "\"last_heard\":1700000000.001,\"connections\":2,\"interval_seconds\":15,\"pid\":4711,"
        "\"applied\":3,\"refused\":4,\"applied_per_second\":0.500,\"lost\":5},\n"
        "{\"component\":\"provider\",\"instance\":\"w\",\"connected\":false,\"up\":false,\"last_"
        "heard\":null,"
        "\"connections\":0,\"interval_seconds\":null,\"pid\":null,\"applied\":0,\"refused\":0,"
        "\"applied_per_second\":null,\"lost\":0}],\"sources_left_out\":0,\n"
        "\"refusals\":[\n"
        "{\"reason\":\"bad_json\",\"time\":1700000000.002,\"component\":\"unknown\","
        "\"instance\":\"\",\"line\":8,\"name\":\"m\",\"detail\":\"d\\u202e\","
        "\"text\":\"<\xef\xbf\xbd\",\"bytes\":65536,\"uid\":1000,\"entry\":\"sources[1]\"},\n"
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
    struct status_view_summary f = facts;
    f.state_kept = true;
    f.state_trouble = "No \"space\"";
    f.state_bytes = 5;
    f.state_set_aside = 1;
    write_view(&f);
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
    const struct status_view_source source = {
        .component = "provider", .instance = {help, 3999}, .connected = true, .up = true};
    view.n_sources = (struct status_view_rows){0};
    for (size_t i = 0; i < STATUS_VIEW_SOURCES + 7; i++) {
        int row = status_view_row(&view.n_sources, STATUS_VIEW_SOURCES);
        if (row >= 0) {
            view.sources[row] = source;
        }
    }
    write_view(&facts);
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(strstr(text, "],\"sources_left_out\":7"));
    ck_assert_uint_eq(strspn(strstr(text, "hhh"), "h"), STATUS_VIEW_TEXT_MAX);
    buf_free(&out);
}
END_TEST

UNIT_MAIN("status_view", all_that_is_known_is_told_with_stable_keys,
          the_state_is_told_with_its_trouble, long_texts_and_lists_are_cut)
