// SPDX-License-Identifier: Apache-2.0
#include "web/page.c"

#include "unit.h"

static struct buf out;
static struct view view;

static const struct view_facts calm = {
    .version = "1.0<b>",
    .revision = "r&",
    .now_ms = 1700000090000,
    .start_ms = 1700000000000,
    .ready = true,
    .reload_ok = true,
    .reload_ms = 1700000000000,
    .series = 7,
    .series_limit = 100,
    .connections = 3,
};

static void begin_view(const struct view_facts *f)
{
    out = BUF_INIT;
    view = (struct view){.out = &out, .form = &page_form, .telemetry_path = "/a b\"/<x>"};
    view_begin(&view, f);
}

static void check_has(const char *expected)
{
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strstr(text, expected) != NULL, "lacks %s\nin %s", expected, text);
}

START_TEST(the_page_says_what_the_daemon_is)
{
    begin_view(&calm);
    view_end(&view);
    ck_assert_ptr_eq(strstr(buf_string(&out), "<!DOCTYPE html>\n"), out.p);
    check_has("<title>virtrigaud-exporter</title>");
    check_has("<a href=\"/a%20b%22/%3Cx%3E\">Metrics</a>");
    static const char *const links[] = {"/status", "/healthz", "/readyz", "/sd"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char link[32];
        snprintf(link, sizeof link, "<a href=\"%s\">", links[i]);
        check_has(link);
    }
    check_has("<dt>Version</dt><dd>1.0&lt;b&gt;, revision r&amp;</dd>\n"
              "<dt>Uptime</dt><dd>1 min 30 s</dd>\n"
              "<dt>State file</dt><dd>none: series end with the process</dd>\n"
              "<dt>Last reload</dt><dd><b class=\"good\">good</b>, "
              "<time datetime=\"2023-11-14T22:13:20Z\" title=\"2023-11-14T22:13:20Z\">"
              "1 min 30 s ago</time></dd>\n"
              "<dt>Series</dt><dd>7 of at most 100</dd>\n"
              "<dt>Connections</dt><dd>3</dd>\n</dl>\n");
    check_has("<code>virtrigaud-exporter(8)</code>");
    buf_free(&out);
}
END_TEST

START_TEST(the_page_says_what_is_wrong)
{
    struct view_facts f = calm;
    f.ready = f.reload_ok = false;
    f.state_kept = true;
    f.state_trouble = "No space <left>";
    f.state_set_aside = 2;
    f.refusals_untold = 9;
    begin_view(&f);
    check_has("30 s, <b class=\"bad\">not ready</b>");
    check_has("<b class=\"bad\">not kept, in memory only</b>: No space &lt;left&gt;; 2 damaged set "
              "aside</dd>");
    check_has("<b class=\"bad\">refused</b>; the last good one <time");
    check_has("<dt>Refused lines</dt><dd>9 came too fast to be told below</dd>");
    f.state_ok = true;
    f.state_trouble = NULL;
    f.state_bytes = 4096;
    buf_free(&out);
    begin_view(&f);
    check_has("<dt>State file</dt><dd><b class=\"good\">kept</b>, 4096 bytes; 2 damaged");
    buf_free(&out);
}
END_TEST

START_TEST(a_page_may_be_framed_by_nobody_and_loads_nothing)
{
    ck_assert_str_eq(page_form.policy,
                     "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                     "form-action 'none'; frame-ancestors 'none'");
    begin_view(&calm);
    for (enum view_part part = 0; part < VIEW_PARTS; part++) {
        view_part(&view, part);
        view_part_end(&view, part);
    }
    view_end(&view);
    static const char *const bad[] = {"<script", "src=", "url(", "@import", "http:", "<link"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = buf_string(&out);
        ck_assert_msg(strstr(text, bad[i]) == NULL, "%s", bad[i]);
    }
    buf_free(&out);
}
END_TEST

UNIT_MAIN("page", the_page_says_what_the_daemon_is, the_page_says_what_is_wrong,
          a_page_may_be_framed_by_nobody_and_loads_nothing)
