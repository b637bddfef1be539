// SPDX-License-Identifier: Apache-2.0
#include "web/metric_page.h"

#include "series/rate.h"
#include "series_unit.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

static const char catalog[] =
    "metrics:\n"
    "  - {name: g, type: gauge, help: 'A & <b>', component: any, labels: [a, b]}\n"
    "  - {name: plain_total, type: counter, help: h, component: any}\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [a]}\n"
    "  - {name: h_seconds, type: histogram, help: h, component: any, labels: [a], buckets: [1, "
    "2]}\n";

static struct series_store *store;
static struct buf out;
static struct rates rates;

static void setup(void)
{
    rcu_join();
    rates = (struct rates){0};
    store = unit_store(catalog, 100000, 100000);
    out = BUF_INIT;
}

static void teardown(void)
{
    buf_free(&out);
    schema_close(store);
    rcu_part();
}

static const char *page_of(const char *metric, unsigned refresh_s)
{
    const struct metric_page p = {.family = unit_family(store, metric),
                                  .telemetry_path = "/a b",
                                  .refresh_s = refresh_s,
                                  .now_ms = UINT64_C(1) << 50,
                                  .mono_ms = 181000};
    buf_clear(&out);
    rcu_enter();
    metric_page_write(&out, &p);
    rcu_leave();
    return buf_string(&out);
}

static void check_has(const char *expected)
{
    ck_assert_msg(strstr(buf_string(&out), expected) != NULL, "lacks %s\nin %s", expected,
                  buf_string(&out));
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        n++;
    }
    return n;
}

START_TEST(a_quantile_is_interpolated_as_prometheus_does)
{
    static const double bounds[] = {1, 2, 4};
    static const double negative[] = {-1, 2, 4};
    static const uint64_t none[4] = {0};
    static const uint64_t some[4] = {2, 0, 2, 0};
    static const uint64_t high[4] = {1, 0, 0, 9};
    ck_assert(isnan(metric_page_quantile(none, bounds, 3, 0.5)));
    ck_assert_double_eq(metric_page_quantile(some, bounds, 3, 0.25), 0.5);
    ck_assert_double_eq(metric_page_quantile(some, bounds, 3, 0.5), 1);
    ck_assert_double_eq(metric_page_quantile(some, bounds, 3, 0.75), 3);
    ck_assert_double_eq(metric_page_quantile(some, bounds, 3, 1), 4);
    ck_assert_double_eq(metric_page_quantile(some, negative, 3, 0.25), -1);
    ck_assert(isinf(metric_page_quantile(high, bounds, 3, 0.5)));
}
END_TEST

START_TEST(series_are_shown_with_their_values_whatever_their_labels)
{
    setup();
    struct series *s = unit_add(unit_table(store, "g"), "a=\"<i>\\\"\\\\\xe2\x80\xae\",b=\"\\n\"");
    atomic_store(series_gauge(s), -1.5);
    page_of("g", 0);
    check_has("<title>g</title>");
    check_has("<h1>g</h1>");
    check_has("<a href=\"../\">Overview</a>\n<a href=\"../a%20b\">Metrics</a>");
    check_has("<bdi>A &amp; &lt;b&gt;</bdi>");
    check_has("<th scope=\"col\">a</th><th scope=\"col\">b</th><th scope=\"col\" class=\"n\">Value"
              "</th><th scope=\"col\">Created</th><th scope=\"col\">Last hour</th>");
    check_has("<tr><th scope=\"row\"><bdi>&lt;i&gt;&quot;\\<i>U+202E</i></bdi></th>"
              "<td><bdi><i>U+000A</i></bdi></td><td class=\"n\">-1.5</td><td><time ");
    check_has("Nothing is known yet");
    ck_assert_ptr_null(strstr(buf_string(&out), "http-equiv"));
    page_of("g", 30);
    check_has("content=\"30\"");
    page_of("c_total", 0);
    check_has("<p>There are none.</p>");
    struct table *t = unit_table(store, "plain_total");
    cell_count(table_cell(t, &unit_writer, unit_add(t, "")), 7);
    page_of("plain_total", 0);
    check_has("<tr><th scope=\"row\">plain_total</th><td class=\"n\">7</td>");
    teardown();
}
END_TEST

START_TEST(a_histogram_is_shown_as_a_heatmap_of_its_last_hour)
{
    setup();
    struct table *t = unit_table(store, "h_seconds");
    struct cell_histogram *c = table_cell(t, &unit_writer, unit_add(t, "a=\"1\""));
    rates_tick(&rates, store, 60000);
    for (int i = 0; i < 10; i++) {
        cell_observe(c, 1, 1.5);
    }
    rates_tick(&rates, store, 120000);
    cell_observe(c, 2, 5);
    rates_tick(&rates, store, 180000);
    const char *text = page_of("h_seconds", 0);
    ck_assert_uint_eq(count(text, "<rect"), 2);
    check_has("<title>10 at most 2</title>");
    check_has("<title>1 at most +Inf</title>");
    check_has("<dt>Median</dt><dd>1.55</dd>\n<dt>p95</dt><dd>more than 2</dd>");
    check_has("Per second: 0.0167, at most 0.167");
    check_has("<td class=\"n\">11</td><td class=\"n\">20</td><td class=\"n\">1.55</td>"
              "<td class=\"n\">more than 2</td>");
    teardown();
}
END_TEST

START_TEST(the_first_series_have_a_line_of_their_last_hour)
{
    setup();
    struct table *g = unit_table(store, "g");
    atomic_store(series_gauge(unit_add(g, "a=\"1\",b=\"\"")), -1);
    rates_tick(&rates, store, 60000);
    rates_tick(&rates, store, 120000);
    atomic_store(series_gauge(unit_find(g, "a=\"1\",b=\"\"")), 3);
    rates_tick(&rates, store, 180000);
    unit_add(g, "a=\"2\",b=\"\"");
    const char *text = page_of("g", 0);
    check_has("Of the first 20 series the table below also shows each one's last hour: its value.");
    ck_assert_uint_eq(count(text, "<svg class=\"spark\""), 1);
    check_has("</time></td><td><svg class=\"spark\" viewBox=\"0 0 120 20\" role=\"img\">"
              "<title>min -1, max 3</title><path class=\"line \" d=\"M");
    check_has("</time></td><td></td></tr>");
    // What is older than an hour is not shown.
    rates_tick(&rates, store, UINT64_C(4) * 3600 * 1000);
    const struct metric_page later = {.family = unit_family(store, "g"),
                                      .telemetry_path = "/metrics",
                                      .now_ms = UINT64_C(1) << 50,
                                      .mono_ms = UINT64_C(4) * 3600 * 1000};
    buf_clear(&out);
    rcu_enter();
    metric_page_write(&out, &later);
    rcu_leave();
    ck_assert_ptr_nonnull(buf_string(&out));
    check_has("<title>min 3, max 3</title>");
    struct table *c = unit_table(store, "c_total");
    cell_count(table_cell(c, &unit_writer, unit_add(c, "a=\"1\"")), 60);
    rates = (struct rates){0};
    rates_tick(&rates, store, 60000);
    cell_count(table_cell(c, &unit_writer, unit_find(c, "a=\"1\"")), 60);
    rates_tick(&rates, store, 120000);
    page_of("c_total", 0);
    check_has("each one's last hour: how fast it grew.");
    check_has("<title>min 1, max 1</title>");
    teardown();
}
END_TEST

START_TEST(many_series_are_cut_and_it_is_said_how_many)
{
    setup();
    for (unsigned i = 0; i < 10000; i++) {
        char key[32];
        snprintf(key, sizeof key, "a=\"%u\"", i);
        unit_add(unit_table(store, "c_total"), key);
    }
    const char *text = page_of("c_total", 0);
    ck_assert_uint_eq(count(text, "<tr><th scope=\"row\">"), METRIC_PAGE_SERIES);
    check_has("<p class=\"bad\">9500 more are not shown.</p>");
    check_has("<code>virtrigaud-ctl series</code>");
    ck_assert_uint_lt(out.len, 200 * METRIC_PAGE_SERIES + 16384);
    teardown();
}
END_TEST

START_TEST(a_page_of_long_labels_is_cut_earlier)
{
    setup();
    char hidden[251] = "";
    char key[600];
    memset(hidden, '\x01', sizeof hidden - 1);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "a=\"%s%u\",b=\"%s\"", hidden, i, hidden);
        unit_add(unit_table(store, "g"), key);
    }
    const char *text = page_of("g", 0);
    unsigned rows = count(text, "<tr><th scope=\"row\">");
    ck_assert_uint_lt(rows, 500);
    char left[64];
    snprintf(left, sizeof left, ">%u more are not shown.<", 500 - rows);
    check_has(left);
    ck_assert_uint_lt(out.len, METRIC_PAGE_BYTES + 65536);
    teardown();
}
END_TEST

static atomic_bool over;

// Hours of a metric that is observed in all the time.
static void *pass_hours(void *arg)
{
    struct table *t = unit_table(store, "h_seconds");
    struct cell_histogram *c = arg;
    rcu_join();
    for (uint64_t minute = 1; minute <= 5 * RATE_STEPS; minute++) {
        cell_observe(c, minute % 3, 1);
        rates_tick(&rates, store, minute * 60000);
        if (minute % 10 == 0) {
            char key[32];
            snprintf(key, sizeof key, "a=\"%u\"", (unsigned)minute);
            rcu_enter();
            unit_add(t, key);
            rcu_leave();
        }
    }
    atomic_store(&over, true);
    rcu_part();
    return NULL;
}

START_TEST(a_page_is_written_while_its_history_goes_on)
{
    pthread_t thread;
    setup();
    struct table *t = unit_table(store, "h_seconds");
    struct cell_histogram *c = table_cell(t, &unit_writer, unit_add(t, "a=\"1\""));
    ck_assert_int_eq(pthread_create(&thread, NULL, pass_hours, c), 0);
    for (bool last = false; !last;) {
        last = atomic_load(&over);
        const char *text = page_of("h_seconds", 0);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(count(text, "</html>"), 1);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    check_has("Per second: 0.0167, at most 0.0167");
    ck_assert_uint_eq(count(buf_string(&out), "<tr><th scope=\"row\">"), 1 + 5 * RATE_STEPS / 10);
    teardown();
}
END_TEST

UNIT_MAIN("metric_page", a_quantile_is_interpolated_as_prometheus_does,
          series_are_shown_with_their_values_whatever_their_labels,
          a_histogram_is_shown_as_a_heatmap_of_its_last_hour,
          the_first_series_have_a_line_of_their_last_hour,
          many_series_are_cut_and_it_is_said_how_many, a_page_of_long_labels_is_cut_earlier,
          a_page_is_written_while_its_history_goes_on)
