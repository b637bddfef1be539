// SPDX-License-Identifier: Apache-2.0
#include "web/page_rows.c"

#include "unit.h"

static struct buf out;
static struct view view;

static void setup(void)
{
    out = BUF_INIT;
    view = (struct view){.out = &out, .form = &page_form, .now_ms = 1700000090000};
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
        setup();
        page_span(&out, table[i].ms);
        check_text(table[i].expected);
    }
}
END_TEST

START_TEST(a_time_to_come_is_now)
{
    setup();
    page_ago(&view, view.now_ms + 5000);
    check_text("<time datetime=\"2023-11-14T22:14:55Z\" title=\"2023-11-14T22:14:55Z\">"
               "0 s ago</time>");
}
END_TEST

START_TEST(a_row_escapes_all_text)
{
    setup();
    const struct view_metric metric = {.name = "a_total",
                                       .type = "counter",
                                       .help = "Things & <others>\xe2\x80\xae.",
                                       .series = 12,
                                       .limit = 100,
                                       .per_second = 2.5,
                                       .folded = 3,
                                       .expired = 4};
    page_metric(&view, &metric);
    check_text("<tr><td data-l=\"Metric\"><code>a_total</code></td>"
               "<td data-l=\"Type\"><bdi>counter</bdi></td>"
               "<td class=\"n\" data-l=\"Series\">12</td><td class=\"n\" data-l=\"Limit\">100</td>"
               "<td class=\"n\" data-l=\"per second\">2.50</td>"
               "<td class=\"n\" data-l=\"Folded\">3</td><td class=\"n\" data-l=\"Expired\">4</td>"
               "<td data-l=\"Help\"><bdi>Things &amp; &lt;others&gt;<i>U+202E</i>.</bdi></td>"
               "</tr>\n");
    const struct view_source source = {.component = "provider",
                                       .instance = {"v\0<\xff", 4},
                                       .connected = true,
                                       .heard_ms = 1700000089000,
                                       .lost = 5};
    page_source(&view, &source);
    check_text("<tr><td data-l=\"Component\"><bdi>provider</bdi></td>"
               "<td data-l=\"Instance\"><bdi>v<i>U+0000</i>&lt;<i>0xFF</i></bdi></td>"
               "<td data-l=\"Connected\"><b class=\"good\">yes</b></td><td data-l=\"Last heard\">"
               "<time datetime=\"2023-11-14T22:14:49Z\" title=\"2023-11-14T22:14:49Z\">"
               "1 s ago</time></td><td class=\"n\" data-l=\"Lost\">5</td></tr>\n");
    const struct view_component component = {
        .name = "m", .applied = 1, .refused = 2, .lost = 3, .per_second = -1};
    page_component(&view, &component);
    check_text(
        "<tr><td data-l=\"Component\"><bdi>m</bdi></td>"
        "<td class=\"n\" data-l=\"Lines applied\">1</td>"
        "<td class=\"n\" data-l=\"per second\">–</td><td class=\"n\" data-l=\"refused\">2</td>"
        "<td class=\"n\" data-l=\"lost\">3</td></tr>\n");
}
END_TEST

START_TEST(a_refused_line_is_shown_with_its_text_or_without)
{
    struct view_refusal row = {.at_ms = 1700000089000,
                               .reason = "bad_json",
                               .component = "provider",
                               .instance = "\"v\"",
                               .line = 7,
                               .metric = "m",
                               .detail = "<script>",
                               .text = {"{\xc3<script>", 10},
                               .line_len = 65536};
    setup();
    page_refusal(&view, &row);
    check_text("<tr><td data-l=\"When\"><time datetime=\"2023-11-14T22:14:49Z\" "
               "title=\"2023-11-14T22:14:49Z\">1 s ago</time></td>"
               "<td data-l=\"Reason\"><code>bad_json</code></td>"
               "<td data-l=\"Source\"><bdi>provider/&quot;v&quot;</bdi></td>"
               "<td data-l=\"Line\">7</td><td data-l=\"Detail\"><div><bdi>&lt;script&gt;</bdi> "
               "<code>m</code><pre><bdi>{<i>0xC3</i>&lt;script&gt;<i>… 65526 more bytes</i></bdi>"
               "</pre></div></td></tr>\n");
    row.text = (struct slice){0};
    row.instance = row.metric = "";
    row.line = 0;
    page_refusal(&view, &row);
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
    setup();
    const struct view_metric metric = {.name = "m", .type = "gauge", .help = ""};
    view_part(&view, VIEW_METRIC);
    for (size_t i = 0; i < 10000; i++) {
        view_metric(&view, &metric);
    }
    view_part_end(&view, VIEW_METRIC);
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(
        strstr(text, "<p class=\"bad\">9000 more are left out here.</p>\n</section>\n"));
    size_t rows = 0;
    for (const char *at = text; (at = strstr(at, "<code>m</code>")) != NULL; at++) {
        rows++;
    }
    ck_assert_uint_eq(rows, VIEW_METRICS);
    buf_free(&out);
    setup();
    view_part(&view, VIEW_SOURCE);
    view_part_end(&view, VIEW_SOURCE);
    ck_assert_ptr_null(strstr(buf_string(&out), "left out"));
    ck_assert_ptr_nonnull(strstr(buf_string(&out), "<p>No source has named itself yet.</p>"));
    buf_free(&out);
}
END_TEST

UNIT_MAIN("page_rows", a_span_is_told_in_its_two_largest_units, a_time_to_come_is_now,
          a_row_escapes_all_text, a_refused_line_is_shown_with_its_text_or_without,
          what_finds_no_room_is_counted)
