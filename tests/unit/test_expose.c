// SPDX-License-Identifier: Apache-2.0
#include "expose/expose.h"

#include "exposition.h"
#include "fixture.h"
#include "forget.h"
#include "unit.h"

static const char CATALOG[] = "metrics:\n"
                              "  - {name: zeta_total, type: counter, help: Z.}\n"
                              "  - {name: alpha, type: gauge, help: A., labels: [l]}\n"
                              "  - {name: beta_total, type: counter, help: B.}\n";

static struct fixture h;

static void fill(void)
{
    fixture_open(&h, CATALOG, 100, 100);
    fixture_line(&h, "{\"metric\":\"beta_total\"}");
    fixture_line(&h, "{\"metric\":\"alpha\",\"labels\":{\"l\":\"z\"},\"value\":1}");
    fixture_line(&h, "{\"metric\":\"zeta_total\"}");
    fixture_line(&h, "{\"metric\":\"alpha\",\"labels\":{\"l\":\"a\"},\"value\":2}");
}

START_TEST(families_come_in_the_order_of_the_catalogue_and_series_in_that_of_creation)
{
    fill();
    ck_assert_str_eq(fixture_text(&h),
                     "# HELP zeta_total Z.\n# TYPE zeta_total counter\nzeta_total 1\n"
                     "# HELP alpha A.\n# TYPE alpha gauge\nalpha{l=\"z\"} 1\nalpha{l=\"a\"} 2\n"
                     "# HELP beta_total B.\n# TYPE beta_total counter\nbeta_total 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(the_exporter_s_own_families_come_last)
{
    fill();
    const char *text = fixture_text_all(&h);
    const char *line;
    const char *own = strstr(text, "# HELP virtrigaud_exporter_build_info ");
    ck_assert_ptr_nonnull(own);
    ck_assert_ptr_nonnull(strstr(text, "beta_total 1\n# HELP virtrigaud_exporter_build_info "));
    ck_assert_ptr_null(exposition_check(text, &line));
    fixture_close(&h);
}
END_TEST

static bool is(const void *ctx, const char *name)
{
    return strcmp(ctx, name) == 0;
}

static const char *only(const char *name)
{
    struct expose_filter filter = {.wants = is, .ctx = name};
    struct format_sink sink = format_sink_text(&h.text);
    buf_clear(&h.text);
    ck_assert_int_eq(
        expose_write(&sink, h.store, &h.self, &filter, &(struct format){.kind = FORMAT_TEXT}), 0);
    return buf_string(&h.text);
}

START_TEST(a_filter_takes_whole_families)
{
    fill();
    ck_assert_str_eq(only("beta_total"),
                     "# HELP beta_total B.\n# TYPE beta_total counter\nbeta_total 1\n");
    ck_assert_str_eq(only("alpha"),
                     "# HELP alpha A.\n# TYPE alpha gauge\nalpha{l=\"z\"} 1\nalpha{l=\"a\"} 2\n");
    ck_assert_str_eq(only("alph"), "");
    ck_assert_str_eq(only(""), "");
    ck_assert_str_eq(
        only("virtrigaud_exporter_connections"),
        "# HELP virtrigaud_exporter_connections Clients connected to the stream socket now.\n"
        "# TYPE virtrigaud_exporter_connections gauge\n"
        "virtrigaud_exporter_connections 0\n");
    fixture_close(&h);
}
END_TEST

START_TEST(removed_series_and_empty_families_are_left_out)
{
    fill();
    struct event_result v = fixture_line(&h, "{\"forget\":{\"labels\":{\"l\":\"z\"}}}");
    rcu_enter();
    forget_all(h.store, &v.control.forget, &h.origin);
    rcu_leave();
    ck_assert_str_eq(only("alpha"), "# HELP alpha A.\n# TYPE alpha gauge\nalpha{l=\"a\"} 2\n");
    v = fixture_line(&h, "{\"forget\":{\"labels\":{\"l\":\"a\"}}}");
    rcu_enter();
    forget_all(h.store, &v.control.forget, &h.origin);
    rcu_leave();
    ck_assert_str_eq(only("alpha"), "");
    fixture_close(&h);
}
END_TEST

START_TEST(everything_at_once_is_sane)
{
    fixture_open(&h, NULL, 10000, 1000);
    uint64_t state = unit_seed() | 1;
    for (int i = 0; i < 20000; i++) {
        static const char *const kinds[][2] = {
            {"{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"p",
             "\",\"method\":\"Create\",\"code\":\"OK\"},\"value\":"},
            {"{\"event\":\"reconcile\",\"labels\":{\"outcome\":\"success\",\"kind\":\"k\\\\\\\"",
             "\"},\"value\":"},
            {"{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"k\\n",
             "\"},\"value\":-"},
        };
        const char *const *kind = kinds[unit_random(&state) % 3];
        char line[300];
        snprintf(line, sizeof line, "%s%d%s%d.%d}", kind[0], (int)(unit_random(&state) % 50),
                 kind[1], (int)(unit_random(&state) % 400), (int)(unit_random(&state) % 1000));
        ck_assert_int_eq(fixture_line(&h, line).kind, EVENT_APPLIED);
    }
    const char *line = "";
    const char *wrong = exposition_check(fixture_text_all(&h), &line);
    ck_assert_msg(wrong == NULL, "%s: %.200s", wrong, line);
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("expose", families_come_in_the_order_of_the_catalogue_and_series_in_that_of_creation,
          the_exporter_s_own_families_come_last, a_filter_takes_whole_families,
          removed_series_and_empty_families_are_left_out, everything_at_once_is_sane)
