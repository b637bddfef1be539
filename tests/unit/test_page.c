// SPDX-License-Identifier: Apache-2.0
#include "web/status_view.c"

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
};

static void write_view(const struct status_view_summary *f)
{
    out = BUF_INIT;
    view.summary = *f;
    status_view_page.write(&out, &view);
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
              "<dt>Connections</dt><dd>3</dd>\n</dl>\n");
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
    ck_assert_str_eq(status_view_page.policy,
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
        write_ago(&out, table[i].ms, 0);
        check_text(expected);
    }
}
END_TEST

START_TEST(a_time_to_come_is_now)
{
    setup();
    write_ago(&out, calm.now_ms, calm.now_ms + 5000);
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
    check_text("<tr><td data-l=\"Metric\"><code>a_total</code></td>"
               "<td data-l=\"Type\"><bdi>counter</bdi></td>"
               "<td class=\"n\" data-l=\"Series\">12</td><td class=\"n\" data-l=\"Limit\">100</td>"
               "<td class=\"n\" data-l=\"Per second\">2.50</td>"
               "<td class=\"n\" data-l=\"Folded\">3</td><td class=\"n\" data-l=\"Expired\">4</td>"
               "<td data-l=\"Help\"><bdi>Things &amp; &lt;others&gt;<i>U+202E</i>.</bdi></td>"
               "</tr>\n");
    const struct status_view_source source = {.component = "provider",
                                              .instance = {"v\0<\xff", 4},
                                              .connected = true,
                                              .up = true,
                                              .heard_ms = 1700000089000,
                                              .lost = 5};
    write_source(&out, calm.now_ms, &source);
    check_text("<tr><td data-l=\"Component\"><bdi>provider</bdi></td>"
               "<td data-l=\"Instance\"><bdi>v<i>U+0000</i>&lt;<i>0xFF</i></bdi></td>"
               "<td data-l=\"Connected\"><b class=\"good\">yes</b></td><td data-l=\"Last heard\">"
               "<time datetime=\"2023-11-14T22:14:49Z\" title=\"2023-11-14T22:14:49Z\">"
               "1 s ago</time></td><td class=\"n\" data-l=\"Lost\">5</td></tr>\n");
    const struct status_view_component component = {
        .name = "m", .applied = 1, .rejected = 2, .lost = 3, .per_second = -1};
    write_component(&out, &component);
    check_text(
        "<tr><td data-l=\"Component\"><bdi>m</bdi></td>"
        "<td class=\"n\" data-l=\"Lines applied\">1</td>"
        "<td class=\"n\" data-l=\"Per second\">–</td><td class=\"n\" data-l=\"Rejected\">2</td>"
        "<td class=\"n\" data-l=\"Lost\">3</td></tr>\n");
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
    check_text("<tr><td data-l=\"When\"><time datetime=\"2023-11-14T22:14:49Z\" "
               "title=\"2023-11-14T22:14:49Z\">1 s ago</time></td>"
               "<td data-l=\"Reason\"><code>bad_json</code></td>"
               "<td data-l=\"Source\"><bdi>provider/&quot;v&quot;</bdi></td>"
               "<td data-l=\"Line\">7</td><td data-l=\"Detail\"><div><bdi>&lt;script&gt;</bdi> "
               "<code>m</code><pre><bdi>{<i>0xC3</i>&lt;script&gt;<i>… 65526 more bytes</i></bdi>"
               "</pre></div></td></tr>\n");
    facts.shows_texts = false;
    row.line.instance[0] = row.line.metric[0] = '\0';
    row.line.line = 0;
    write_rejection(&out, &facts, &row);
    check_text("<tr><td data-l=\"When\"><time datetime=\"2023-11-14T22:14:49Z\" "
               "title=\"2023-11-14T22:14:49Z\">1 s ago</time></td>"
               "<td data-l=\"Reason\"><code>bad_json</code></td>"
               "<td data-l=\"Source\"><bdi>provider</bdi></td>"
               "<td data-l=\"Line\">datagram</td><td data-l=\"Detail\"><div><bdi>&lt;script&gt;"
               "</bdi></div></td></tr>\n");
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
    for (const char *at = text; (at = strstr(at, "<code>m</code>")) != NULL; at++) {
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
          a_refused_line_is_shown_with_its_text_or_without, what_finds_no_room_is_counted)
