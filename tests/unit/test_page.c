// SPDX-License-Identifier: Apache-2.0
#include "web/page.c"

#include "unit.h"

static struct buf out;
static struct status_view view;

static const struct status_view_summary calm = {
    .version = "1.0<b>",
    .revision = "r&",
    .telemetry_path = "/a b\"/<x>",
    .now_ms = 1700000090000,
    .start_ms = 1700000000000,
    .uptime_ms = 90000,
    .ready = true,
    .reload_ok = true,
    .reload_ms = 1700000000000,
    .series = 7,
    .series_limit = 100,
    .connections = 3,
    .sources = 2,
    .resident_bytes = 9.5 * 1024 * 1024,
    .open_fds = 31,
    .max_fds = INFINITY,
};

static void write_view(const struct status_view_summary *f)
{
    out = BUF_INIT;
    view.summary = *f;
    view.history.n = view.history.n > 0 ? view.history.n : 1;
    page_form.write(&out, &view);
}

static void check_has(const char *expected)
{
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(text, expected) != NULL, "lacks %s\nin %s", expected, text);
}

START_TEST(the_page_says_what_the_daemon_is)
{
    write_view(&calm);
    ck_assert_ptr_eq(strstr(buf_string(&out), "<!DOCTYPE html>\n"), out.p);
    check_has("<title>virtrigaud-exporter</title>");
    check_has("<a href=\"./a%20b%22/%3Cx%3E\">Metrics</a>");
    static const char *const links[] = {"./status", "./healthz", "./readyz", "./sd"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char link[32];
        snprintf(link, sizeof link, "<a href=\"%s\">", links[i]);
        check_has(link);
    }
    check_has("<dt>Version</dt><dd>1.0&lt;b&gt;, revision r&amp;</dd>\n"
              "<dt>Uptime</dt><dd>1 min 30 s</dd>\n"
              "<dt>State file</dt><dd>none: series end with the process</dd>\n"
              "<dt>Last reload</dt><dd><b class=\"good\">succeeded</b>, "
              "<time datetime=\"2023-11-14T22:13:20Z\" title=\"2023-11-14T22:13:20Z\">"
              "1 min 30 s ago</time></dd>\n"
              "<dt>Series</dt><dd>7 of 100</dd>\n"
              "<dt>Connections</dt><dd>3</dd>\n"
              "<dt>Last scrape</dt><dd>none since the start</dd>\n"
              "<dt>Answers 401</dt><dd>0 in the last hour, 0 since the start</dd>\n"
              "<dt>Answers 503</dt><dd>0 in the last hour, 0 since the start</dd>\n"
              "<dt>Failed TLS</dt><dd>0 in the last hour, 0 since the start</dd>\n"
              "<dt>Memory</dt><dd>9.5 MiB</dd>\n"
              "<dt>Descriptors</dt><dd>31</dd>\n</dl>\n");
    check_has("<code>virtrigaud-exporter(8)</code>");
    buf_free(&out);
}
END_TEST

START_TEST(the_page_says_what_is_wrong)
{
    struct status_view_summary f = calm;
    f.ready = f.reload_ok = false;
    f.state_kept = true;
    f.state_trouble = "No space <left>";
    f.state_set_aside = 2;
    f.rejections_unlisted = 9;
    write_view(&f);
    check_has("30 s, <b class=\"bad\">not ready</b>");
    check_has("<b class=\"bad\">not written, in memory only</b>: No space &lt;left&gt;; 2 damaged "
              "ones set aside</dd>");
    check_has("<b class=\"bad\">refused</b>; the last successful one <time");
    check_has("<dt>Rejected lines</dt><dd>9 arrived too fast to be listed below</dd>");
    f.state_ok = true;
    f.state_trouble = NULL;
    f.state_bytes = 4096;
    buf_free(&out);
    write_view(&f);
    check_has("<dt>State file</dt><dd><b class=\"good\">written</b>, 4096 bytes; 2 damaged");
    buf_free(&out);
}
END_TEST

START_TEST(a_page_may_be_framed_by_nobody_and_loads_nothing)
{
    ck_assert_str_eq(page_form.policy,
                     "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                     "form-action 'none'; frame-ancestors 'none'");
    write_view(&calm);
    static const char *const bad[] = {"<script", "src=", "url(", "@import", "http:", "<link"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = buf_string(&out);
        ck_assert_msg(strstr(text, bad[i]) == NULL, "%s", bad[i]);
    }
    buf_free(&out);
}
END_TEST

static void setup(void)
{
    out = BUF_INIT;
}

static void check_text(const char *expected)
{
    const char *text = buf_string(&out);
    ck_assert_str_eq(text, expected);
    buf_free(&out);
    setup();
}

START_TEST(a_span_is_told_in_its_two_largest_units)
{
    static const struct {
        uint64_t ms;
        const char *expected;
    } table[] = {
        {0, "0 s"},
        {999, "0 s"},
        {59999, "59 s"},
        {60000, "1 min"},
        {61000, "1 min 1 s"},
        {3600000, "1 h"},
        {3661000, "1 h 1 min"},
        {86400000, "1 d"},
        {90061000, "1 d 1 h"},
        {86460000, "1 d"},
        {UINT64_MAX, "213503982334 d 14 h"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char expected[128];
        snprintf(expected, sizeof expected,
                 "<time datetime=\"1970-01-01T00:00:00Z\" title=\"1970-01-01T00:00:00Z\">"
                 "%s ago</time>",
                 table[i].expected);
        setup();
        html_ago(&out, table[i].ms, 0);
        check_text(expected);
    }
}
END_TEST

START_TEST(a_time_to_come_is_now)
{
    setup();
    html_ago(&out, calm.now_ms, calm.now_ms + 5000);
    check_text("<time datetime=\"2023-11-14T22:14:55Z\" title=\"2023-11-14T22:14:55Z\">"
               "0 s ago</time>");
}
END_TEST

START_TEST(a_row_escapes_all_text)
{
    setup();
    const struct status_view_metric metric = {.name = "a_total",
                                              .type = "counter",
                                              .help = "Things & <others>\xe2\x80\xae.",
                                              .series = 12,
                                              .limit = 100,
                                              .per_second = 2.5,
                                              .folded = 3,
                                              .expired = 4};
    write_metric(&out, &metric);
    check_text("<tr><th scope=\"row\"><code><a href=\"./metric/a_total\">a_total</a></code></th>"
               "<td><bdi>counter</bdi></td>"
               "<td class=\"n\">12</td><td class=\"n\">100</td>"
               "<td class=\"n\">2.50</td><td class=\"n\">3</td><td class=\"n\">4</td>"
               "<td><bdi>Things &amp; &lt;others&gt;<i>U+202E</i>.</bdi></td></tr>\n");
    const struct status_view_source source = {.component = "provider",
                                              .instance = {"v\0<\xff", 4},
                                              .connected = true,
                                              .up = true,
                                              .heard_ms = 1700000089000,
                                              .applied = 6,
                                              .rejected = 7,
                                              .per_second = 20,
                                              .lost = 5};
    write_source(&out, calm.now_ms, &source);
    check_text("<tr><th scope=\"row\"><bdi>v<i>U+0000</i>&lt;<i>0xFF</i></bdi></th>"
               "<td><bdi>provider</bdi></td>"
               "<td><b class=\"good\">yes</b></td><td>"
               "<time datetime=\"2023-11-14T22:14:49Z\" title=\"2023-11-14T22:14:49Z\">"
               "1 s ago</time></td><td class=\"n\">6</td><td class=\"n\">20</td>"
               "<td class=\"n\">7</td><td class=\"n\">5</td></tr>\n");
    const struct status_view_component component = {
        .name = "m", .applied = 1, .rejected = 2, .lost = 3, .per_second = -1};
    write_component(&out, &component);
    check_text("<tr><th scope=\"row\">m</th><td class=\"n\">1</td><td class=\"n\">–</td>"
               "<td class=\"n\">2</td><td class=\"n\">3</td></tr>\n");
}
END_TEST

START_TEST(a_refused_line_is_shown_with_its_text_or_without)
{
    struct status_view_summary facts = calm;
    struct status_view_rejection row = {.at_ms = 1700000089000,
                                        .component = "provider",
                                        .line = {.reason = REJECT_bad_json,
                                                 .instance = "\"v\"",
                                                 .line = 7,
                                                 .metric = "m",
                                                 .detail = "<script>",
                                                 .text = "{\xc3<script>",
                                                 .text_len = 10,
                                                 .line_len = 65536}};
    facts.shows_texts = true;
    setup();
    write_rejection(&out, &facts, &row);
    check_text("<tr><th scope=\"row\"><time datetime=\"2023-11-14T22:14:49Z\" "
               "title=\"2023-11-14T22:14:49Z\">1 s ago</time></th>"
               "<td><code>bad_json</code></td>"
               "<td><bdi>provider/&quot;v&quot;</bdi></td>"
               "<td>7</td><td><bdi>&lt;script&gt;</bdi> "
               "<code>m</code><pre><bdi>{<i>0xC3</i>&lt;script&gt;<i>… 65526 more bytes</i></bdi>"
               "</pre></td></tr>\n");
    facts.shows_texts = false;
    row.line.instance[0] = row.line.metric[0] = '\0';
    row.line.line = 0;
    write_rejection(&out, &facts, &row);
    check_text("<tr><th scope=\"row\"><time datetime=\"2023-11-14T22:14:49Z\" "
               "title=\"2023-11-14T22:14:49Z\">1 s ago</time></th>"
               "<td><code>bad_json</code></td>"
               "<td><bdi>provider</bdi></td>"
               "<td>datagram</td><td><bdi>&lt;script&gt;</bdi></td></tr>\n");
}
END_TEST

static void check_sentence(const struct status_view_summary *f, const char *expected)
{
    setup();
    view.summary = *f;
    write_sentence(&out, &view);
    check_text(expected);
}

START_TEST(one_sentence_says_how_things_are)
{
    struct status_view_summary f = calm;
    // The oldest reading of the last ten minutes is the second one.
    view.history = (struct history_view){.n = 3,
                                         .samples = {{.at_ms = 1000, .rejected = 100},
                                                     {.at_ms = 601000, .rejected = 159},
                                                     {.at_ms = 1201000, .rejected = 200}}};
    f.uptime_ms = 1201000;
    f.sources = 12;
    f.sources_down = 3;
    check_sentence(&f, "<p class=\"state bad\">3 of 12 sources are down; 41 lines were rejected in "
                       "the last 10 minutes.</p>\n");
    view.history.samples[2].rejected = 160;
    f.sources_down = 1;
    check_sentence(&f, "<p class=\"state bad\">1 of 12 sources is down; 1 line was rejected in "
                       "the last 10 minutes.</p>\n");
    view.history.samples[2].rejected = 159;
    f.sources_down = 0;
    check_sentence(&f, "<p class=\"state\">All 12 sources are up; no line was rejected in the last "
                       "10 minutes.</p>\n");
    f.sources = f.sources_down = 1;
    check_sentence(&f, "<p class=\"state bad\">1 of 1 source is down; no line was rejected in the "
                       "last 10 minutes.</p>\n");
    f.sources_down = 0;
    f.scraped = true;
    f.scrape_status = 200;
    check_sentence(&f, "<p class=\"state\">The only source is up; no line was rejected in the last "
                       "10 minutes.</p>\n");
    f.sources = 0;
    f.uptime_ms = 61000;
    f.ready = f.reload_ok = false;
    f.state_kept = true;
    f.scrape_status = 503;
    check_sentence(&f,
                   "<p class=\"state bad\">No source has connected yet; no line was rejected in "
                   "the last 1 min 1 s, since the start; the exporter is not ready; the last "
                   "reload was refused; series are in memory only; the last scrape was answered "
                   "with 503.</p>\n");
    view.history = (struct history_view){.n = 1};
}
END_TEST

START_TEST(rejected_lines_come_first_when_there_are_any)
{
    write_view(&calm);
    const char *text = buf_string(&out);
    ck_assert(strstr(text, "id=\"sources\"") < strstr(text, "id=\"refusals\""));
    buf_free(&out);
    view.n_rejections.n = 1;
    view.rejections[0].component = "provider";
    write_view(&calm);
    text = buf_string(&out);
    ck_assert(strstr(text, "id=\"sources\"") > strstr(text, "id=\"refusals\""));
    view.n_rejections.n = 0;
    buf_free(&out);
}
END_TEST

START_TEST(the_last_scrape_and_failures_are_told)
{
    struct status_view_summary f = calm;
    f.scraped = true;
    f.scrape_ms = f.now_ms - 4000;
    f.scrape_ns = 12345678;
    f.scrape_status = 503;
    strcpy(f.scrape_peer, "[::1]:9090");
    f.resident_bytes = f.open_fds = NAN;
    f.max_fds = 1024;
    view.history = (struct history_view){
        .n = 2,
        .samples = {{.at_ms = 1, .unauthorized = 5, .unavailable = 1, .tls_failures = 3},
                    {.at_ms = 10001, .unauthorized = 7, .unavailable = 1, .tls_failures = 4}}};
    write_view(&f);
    check_has("4 s ago</time> by [::1]:9090, 12 ms, <b class=\"bad\">503</b></dd>");
    check_has("<dt>Answers 401</dt><dd><b class=\"bad\">2 in the last hour</b>, 7 since the start");
    check_has("<dt>Answers 503</dt><dd>0 in the last hour, 1 since the start");
    check_has("<dt>Failed TLS</dt><dd><b class=\"bad\">1 in the last hour</b>, 4 since the start");
    check_has("<dt>Memory</dt><dd>not known</dd>\n<dt>Descriptors</dt><dd>not known of 1024</dd>");
    buf_free(&out);
    view.history = (struct history_view){.n = 1};
}
END_TEST

START_TEST(the_last_hour_is_drawn)
{
    view.history = (struct history_view){
        .n = 4,
        .samples = {
            {.at_ms = 0, .series = 1},
            {.at_ms = 10000, .applied = 50, .scrapes = 2, .scrape_ns = 6000000, .series = 4},
            {.at_ms = 20000,
             .applied = 50,
             .rejected = 1,
             .scrapes = 2,
             .scrape_ns = 6000000,
             .series = 2},
            {.at_ms = 30000,
             .applied = 60,
             .rejected = 1,
             .scrapes = 3,
             .scrape_ns = 7000000,
             .series = 2}}};
    write_view(&calm);
    check_has("aria-label=\"Lines applied: 1 a second, at most 5 a second\">"
              "<path class=\"line \" d=\"M596.7 2.0h0L598.3 78.0L600.0 62.8\"/></svg>\n"
              "<figcaption>Lines applied: 1 a second, at most 5 a second</figcaption>");
    check_has("Lines rejected: 0 a second, at most 0.1 a second");
    // Between two readings without a scrape there is no point.
    check_has("Time of a scrape: 1 ms, at most 3 ms\"><path class=\"line \" "
              "d=\"M596.7 2.0h0L600.0 52.7\"/>");
    check_has("Series: 2, at most 4");
    buf_free(&out);
    view.history = (struct history_view){.n = 1};
}
END_TEST

START_TEST(a_page_loads_itself_again_only_when_asked_to)
{
    struct status_view_summary f = calm;
    write_view(&f);
    ck_assert_ptr_null(strstr(buf_string(&out), "http-equiv"));
    check_has("<a href=\"?refresh=15\">Load again every 15 s</a>");
    buf_free(&out);
    f.refresh_s = 20;
    write_view(&f);
    check_has("<meta http-equiv=\"refresh\" content=\"20\">");
    check_has("<a href=\"?\">Stop loading again (now every 20 s)</a>");
    buf_free(&out);
}
END_TEST

START_TEST(what_finds_no_room_is_counted)
{
    static struct status_view full;
    const struct status_view_metric metric = {.name = "m", .type = "gauge", .help = ""};
    for (size_t i = 0; i < 10000; i++) {
        int row = status_view_row(&full.n_metrics, STATUS_VIEW_METRICS);
        if (row >= 0) {
            full.metrics[row] = metric;
        }
    }
    setup();
    write_tables(&out, &full);
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(
        strstr(text, "<p class=\"bad\">9000 more are not shown.</p>\n</section>\n"));
    size_t rows = 0;
    for (const char *at = text; (at = strstr(at, ">m</a></code>")) != NULL; at++) {
        rows++;
    }
    ck_assert_uint_eq(rows, STATUS_VIEW_METRICS);
    ck_assert_ptr_eq(strstr(text, "not shown"), strstr(text, "not shown.</p>\n</section>\n"));
    ck_assert_ptr_nonnull(strstr(text, "<p>No source with an instance has connected yet.</p>"));
    buf_free(&out);
}
END_TEST

UNIT_MAIN("page", the_page_says_what_the_daemon_is, the_page_says_what_is_wrong,
          a_page_may_be_framed_by_nobody_and_loads_nothing, a_span_is_told_in_its_two_largest_units,
          a_time_to_come_is_now, a_row_escapes_all_text,
          a_refused_line_is_shown_with_its_text_or_without, one_sentence_says_how_things_are,
          rejected_lines_come_first_when_there_are_any, the_last_scrape_and_failures_are_told,
          the_last_hour_is_drawn, a_page_loads_itself_again_only_when_asked_to,
          what_finds_no_room_is_counted)
