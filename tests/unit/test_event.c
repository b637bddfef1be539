// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "fixture.h"
#include "unit.h"

#define Q "{\"metric\":\"virtrigaud_queue_depth\""
#define QK Q ",\"labels\":{\"kind\":\"VMSet\"}"
#define S "{\"metric\":\"virtrigaud_vsphere_sessions_total\",\"labels\":{\"datacenter\":\"d\"}"
#define H                                                                                          \
    "{\"metric\":\"virtrigaud_ip_discovery_duration_seconds\",\"labels\":{\"provider_type\":"      \
    "\"a\"}"
#define R "{\"metric\":\"virtrigaud_provider_rpc_requests_total\",\"labels\":"

static struct fixture h;

// A line, and how it is refused; reason REJECT_NONE: it is applied.
struct line_case {
    const char *line;
    enum reject_reason reason;
    const char *detail;
};

static void expect_all(const struct line_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct event_result v = fixture_line(&h, cases[i].line);
        enum reject_reason reason = v.kind == EVENT_REJECTED ? v.rejection.reason : REJECT_NONE;
        ck_assert_msg(v.kind != EVENT_CONTROL && reason == cases[i].reason, "%s: %s, %s",
                      cases[i].line, reject_names[reason], v.rejection.detail);
        ck_assert_str_eq(v.rejection.detail, cases[i].detail);
        ck_assert_int_eq(v.rejection.element, -1);
    }
}

#define EXPECT_ALL(cases) expect_all(cases, sizeof cases / sizeof cases[0])

// Applies lines, then compares all samples.
static void expect_samples(const char *const *lines, size_t n, const char *samples)
{
    fixture_open(&h, NULL, 1000, 1000);
    for (size_t i = 0; i < n; i++) {
        struct event_result v = fixture_line(&h, lines[i]);
        ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s, %s", lines[i],
                      reject_names[v.rejection.reason], v.rejection.detail);
    }
    ck_assert_str_eq(fixture_samples(&h), samples);
    fixture_close(&h);
}

#define EXPECT_SAMPLES(samples, ...)                                                               \
    do {                                                                                           \
        const char *const lines[] = {__VA_ARGS__};                                                 \
        expect_samples(lines, sizeof lines / sizeof lines[0], samples);                            \
    } while (0)

START_TEST(a_counter_adds_and_its_value_is_1_unless_told)
{
    EXPECT_SAMPLES("virtrigaud_vsphere_sessions_total{datacenter=\"d\"} 6.5\n", S "}",
                   S ",\"op\":\"add\"}", S ",\"value\":2.5}", S ",\"op\":\"add\",\"value\":2}",
                   S ",\"value\":0}", S ",\"value\":-0.0}");
    EXPECT_SAMPLES("virtrigaud_vsphere_sessions_total{datacenter=\"d\"} 1.2345678901234568e+29\n",
                   S ",\"value\":123456789012345678901234567890}");
    EXPECT_SAMPLES("virtrigaud_vsphere_sessions_total{datacenter=\"d\"} 5e-324\n",
                   S ",\"value\":5e-324}");
}
END_TEST

START_TEST(a_gauge_is_set_unless_told_to_add)
{
    EXPECT_SAMPLES("virtrigaud_queue_depth{kind=\"VMSet\"} 7\n", QK ",\"value\":3}",
                   QK ",\"value\":7}");
    EXPECT_SAMPLES("virtrigaud_queue_depth{kind=\"VMSet\"} -1.5\n",
                   QK ",\"op\":\"set\",\"value\":3}", QK ",\"op\":\"add\",\"value\":-4.5}");
    EXPECT_SAMPLES("virtrigaud_queue_depth{kind=\"VMSet\"} -2\n",
                   QK ",\"op\":\"add\",\"value\":-2}");
}
END_TEST

START_TEST(a_histogram_observes)
{
    fixture_open(&h, "metrics:\n  - {name: s, type: histogram, help: h, buckets: [0.5, 1, 10]}\n",
                 9, 9);
    static const char *const values[] = {"0.5", "0.50001", "1", "10.5", "-3", "1e2"};
    for (size_t i = 0; i < 6; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"metric\":\"s\",%s\"value\":%s}",
                 i % 2 ? "\"op\":\"observe\"," : "", values[i]);
        ck_assert_int_eq(fixture_line(&h, line).kind, EVENT_APPLIED);
    }
    ck_assert_str_eq(fixture_samples(&h), "s_bucket{le=\"0.5\"} 2\ns_bucket{le=\"1\"} 4\n"
                                          "s_bucket{le=\"10\"} 4\ns_bucket{le=\"+Inf\"} 6\n"
                                          "s_sum 109.50001\ns_count 6\n");
    fixture_close(&h);
}
END_TEST

START_TEST(an_op_fits_its_type)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const struct line_case cases[] = {
        {S ",\"op\":\"set\",\"value\":1}", REJECT_bad_op, "op \"set\" does not fit a counter"},
        {S ",\"op\":\"observe\",\"value\":1}", REJECT_bad_op,
         "op \"observe\" does not fit a counter"},
        {QK ",\"op\":\"observe\",\"value\":1}", REJECT_bad_op,
         "op \"observe\" does not fit a gauge"},
        {H ",\"op\":\"add\",\"value\":1}", REJECT_bad_op, "op \"add\" does not fit a histogram"},
        {H ",\"op\":\"set\",\"value\":1}", REJECT_bad_op, "op \"set\" does not fit a histogram"},
        {S ",\"op\":\"Add\"}", REJECT_bad_op, "op \"Add\" does not fit a counter"},
        {S ",\"op\":\"add\\u0000\"}", REJECT_bad_op, "op \"add\" does not fit a counter"},
        {S ",\"op\":\"\"}", REJECT_bad_op, "op \"\" does not fit a counter"},
        {S ",\"op\":null}", REJECT_bad_op, "op \"\" does not fit a counter"},
        {S ",\"op\":1}", REJECT_bad_op, "op \"\" does not fit a counter"},
        {"{\"event\":\"task_started\",\"op\":\"add\"}", REJECT_bad_op, "an event has no op"},
        {"{\"event\":\"task_started\",\"op\":null}", REJECT_bad_op, "an event has no op"},
    };
    EXPECT_ALL(cases);
    fixture_close(&h);
}
END_TEST

START_TEST(names_and_fields_are_those_that_exist)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const struct line_case cases[] = {
        {"{}", REJECT_unknown_field, "exactly one of metric and event is wanted"},
        {"{\"labels\":{}}", REJECT_unknown_field, "exactly one of metric and event is wanted"},
        {"{\"metric\":\"a\",\"event\":\"b\"}", REJECT_unknown_field,
         "exactly one of metric and event is wanted"},
        {"{\"Metric\":\"a\"}", REJECT_unknown_field, "unknown key \"Metric\""},
        {QK ",\"value\":1,\"timestamp\":5}", REJECT_unknown_field, "unknown key \"timestamp\""},
        {"{\"metric\":\"nothing\"}", REJECT_unknown_metric,
         "the catalogue has no metric \"nothing\""},
        {"{\"metric\":\"rpc\"}", REJECT_unknown_metric, "the catalogue has no metric \"rpc\""},
        {"{\"metric\":\"\"}", REJECT_unknown_metric, "the catalogue has no metric \"\""},
        {"{\"metric\":\"virtrigaud_queue_depth\\u0000\"}", REJECT_unknown_metric,
         "the catalogue has no metric \"virtrigaud_queue_depth\""},
        {"{\"metric\":null}", REJECT_unknown_metric, "the name is no string"},
        {"{\"metric\":[\"a\"]}", REJECT_unknown_metric, "the name is no string"},
        {"{\"event\":\"nothing\"}", REJECT_unknown_event, "the catalogue has no event \"nothing\""},
        {"{\"event\":\"virtrigaud_queue_depth\"}", REJECT_unknown_event,
         "the catalogue has no event \"virtrigaud_queue_depth\""},
        {"{\"event\":7}", REJECT_unknown_event, "the name is no string"},
    };
    EXPECT_ALL(cases);
    fixture_close(&h);
}
END_TEST

START_TEST(labels_are_exactly_those_declared)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const struct line_case cases[] = {
        {Q ",\"value\":1}", REJECT_missing_label, "label \"kind\" is absent or empty"},
        {Q ",\"labels\":{},\"value\":1}", REJECT_missing_label,
         "label \"kind\" is absent or empty"},
        {Q ",\"labels\":{\"kind\":\"\"},\"value\":1}", REJECT_missing_label,
         "label \"kind\" is absent or empty"},
        {Q ",\"labels\":{\"kind\":\"a\",\"Kind\":\"a\"},\"value\":1}", REJECT_unknown_label,
         "label \"Kind\" is not declared"},
        {Q ",\"labels\":{\"\":\"a\"},\"value\":1}", REJECT_unknown_label,
         "label \"\" is not declared"},
        {Q ",\"labels\":null,\"value\":1}", REJECT_bad_label_value, "labels is no object"},
        {Q ",\"labels\":[],\"value\":1}", REJECT_bad_label_value, "labels is no object"},
        {Q ",\"labels\":\"kind\",\"value\":1}", REJECT_bad_label_value, "labels is no object"},
        {Q ",\"labels\":{\"kind\":1},\"value\":1}", REJECT_bad_label_value,
         "label \"kind\" is no string of 1 to 256 bytes without NUL"},
        {Q ",\"labels\":{\"kind\":null},\"value\":1}", REJECT_bad_label_value,
         "label \"kind\" is no string of 1 to 256 bytes without NUL"},
        {Q ",\"labels\":{\"kind\":1e999},\"value\":1}", REJECT_bad_label_value,
         "label \"kind\" is no string of 1 to 256 bytes without NUL"},
        {Q ",\"labels\":{\"kind\":\"a\\u0000\"},\"value\":1}", REJECT_bad_label_value,
         "label \"kind\" is no string of 1 to 256 bytes without NUL"},
        {Q ",\"labels\":{\"kind\":\"\\u0000\"},\"value\":1}", REJECT_bad_label_value,
         "label \"kind\" is no string of 1 to 256 bytes without NUL"},
        {"{\"metric\":\"virtrigaud_manager_reconcile_total\",\"labels\":{\"kind\":\"a\","
         "\"outcome\":\"ok\"}}",
         REJECT_label_value_not_allowed, "label \"outcome\" does not know \"ok\""},
        {R "{\"provider_type\":\"a\",\"method\":\"b\",\"code\":\"OK\\u0000\"}}",
         REJECT_bad_label_value, "label \"code\" is no string of 1 to 256 bytes without NUL"},
    };
    EXPECT_ALL(cases);
    ck_assert_str_eq(fixture_text(&h), "");
    fixture_close(&h);
}
END_TEST

START_TEST(values_that_the_catalogue_replaces_are_applied)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const char *const lines[] = {
        R "{\"provider_type\":\"a\",\"method\":\"b\",\"code\":\"Code(42)\"}}",
        R "{\"provider_type\":\"a\",\"method\":\"b\",\"code\":\"Unknown\"}}",
        "{\"metric\":\"virtrigaud_provider_tasks_inflight\",\"labels\":{\"provider_type\":\"a\","
        "\"provider\":\"\"},\"value\":3}",
        "{\"metric\":\"virtrigaud_build_info\",\"labels\":{\"version\":\"1\",\"git_sha\":\"g\","
        "\"component\":\"manager\",\"go_version\":\"o\"},\"value\":1}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_msg(fixture_line(&h, lines[i]).kind == EVENT_APPLIED, "%s", lines[i]);
    }
    const char *text = fixture_samples(&h);
    ck_assert_ptr_nonnull(strstr(text, ",code=\"UNKNOWN\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(text, ",provider=\"none\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "{version=\"1\",git_sha=\"g\",go_version=\"o\"} 1\n"));
    ck_assert_ptr_null(strstr(text, "Code(42)"));
    // Absent is not empty.
    ck_assert_int_eq(fixture_line(&h, "{\"metric\":\"virtrigaud_provider_tasks_inflight\","
                                      "\"labels\":{\"provider_type\":\"a\"},\"value\":3}")
                         .rejection.reason,
                     REJECT_missing_label);
    fixture_close(&h);
}
END_TEST

START_TEST(a_label_value_has_at_most_256_bytes)
{
    fixture_open(&h, NULL, 1000, 1000);
    char line[400];
    for (int len = 255; len <= 257; len++) {
        snprintf(line, sizeof line, Q ",\"labels\":{\"kind\":\"%0*d\"},\"value\":1}", len, 7);
        ck_assert_int_eq(fixture_line(&h, line).kind, len <= 256 ? EVENT_APPLIED : EVENT_REJECTED);
    }
    // Bytes count, not characters; and not the escapes that JSON spells them with.
    struct buf long_line = BUF_INIT;
    buf_str(&long_line, Q ",\"labels\":{\"kind\":\"");
    for (int i = 0; i < 128; i++) {
        buf_str(&long_line, "\\u00e9");
    }
    buf_str(&long_line, "\"},\"value\":1}");
    ck_assert_int_eq(fixture_bytes(&h, long_line.p, long_line.len).kind, EVENT_APPLIED);
    buf_free(&long_line);
    fixture_close(&h);
}
END_TEST

START_TEST(aliases_are_rewritten_where_a_label_is_bound_to_them)
{
    EXPECT_SAMPLES("virtrigaud_vsphere_api_calls_total{method=\"Create\",datacenter=\"d\"} 1\n",
                   "{\"metric\":\"virtrigaud_vsphere_api_calls_total\",\"labels\":{\"method\":"
                   "\"Create\",\"datacenter\":\"d\"}}");
    fixture_open(&h,
                 "labels:\n  m: {values: [CreateVM], aliases: {Create: CreateVM}}\n"
                 "metrics:\n  - {name: a_total, type: counter, help: h, labels: [{method: m}]}\n",
                 9, 9);
    static const struct line_case cases[] = {
        {"{\"metric\":\"a_total\",\"labels\":{\"method\":\"Create\"}}", REJECT_NONE, ""},
        {"{\"metric\":\"a_total\",\"labels\":{\"method\":\"CreateVM\"}}", REJECT_NONE, ""},
        {"{\"metric\":\"a_total\",\"labels\":{\"method\":\"create\"}}", REJECT_NONE, ""},
    };
    EXPECT_ALL(cases);
    ck_assert_str_eq(fixture_samples(&h),
                     "a_total{method=\"CreateVM\"} 2\na_total{method=\"create\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(label_values_are_escaped_once)
{
    EXPECT_SAMPLES(
        "virtrigaud_queue_depth{kind=\"a\\\\b\\\"c\\nd,e={}\xc3\xa9\xf0\x9f\x98\x80\"} 2\n",
        Q ",\"labels\":{\"kind\":\"a\\\\b\\\"c\\nd,e={}\\u00e9\\ud83d\\ude00\"},\"value\":1}",
        Q ",\"labels\":{\"kind\":\"a\\u005cb\\u0022c\\u000ad,e={}\xc3\xa9\xf0\x9f\x98\x80\"},"
          "\"value\":2}");
}
END_TEST

START_TEST(a_value_is_a_finite_number)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const struct line_case cases[] = {
        {QK "}", REJECT_missing_value, "a value is wanted"},
        {QK ",\"op\":\"add\"}", REJECT_missing_value, "a value is wanted"},
        {H "}", REJECT_missing_value, "a value is wanted"},
        {QK ",\"value\":null}", REJECT_bad_value, "the value is no finite number"},
        {S ",\"value\":null}", REJECT_bad_value, "the value is no finite number"},
        {QK ",\"value\":\"1\"}", REJECT_bad_value, "the value is no finite number"},
        {QK ",\"value\":true}", REJECT_bad_value, "the value is no finite number"},
        {QK ",\"value\":[1]}", REJECT_bad_value, "the value is no finite number"},
        {QK ",\"value\":1e400}", REJECT_bad_value, "the value is no finite number"},
        {QK ",\"value\":-1e999}", REJECT_bad_value, "the value is no finite number"},
        {S ",\"value\":-1}", REJECT_negative_counter, "a counter cannot go down"},
        {S ",\"value\":-5e-324}", REJECT_negative_counter, "a counter cannot go down"},
        {QK ",\"value\":1e-400}", REJECT_NONE, ""},
        {QK ",\"value\":1.7976931348623157e308}", REJECT_NONE, ""},
    };
    EXPECT_ALL(cases);
    ck_assert_str_eq(fixture_samples(&h),
                     "virtrigaud_queue_depth{kind=\"VMSet\"} 1.7976931348623157e+308\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_sum_stays_finite)
{
    fixture_open(&h, NULL, 1000, 1000);
    static const struct line_case cases[] = {
        {S ",\"value\":1e308}", REJECT_NONE, ""},
        {S ",\"value\":1e308}", REJECT_bad_value, "the sum would not be finite"},
        {S ",\"value\":7e307}", REJECT_NONE, ""},
        {H ",\"value\":-1e308}", REJECT_NONE, ""},
        {H ",\"value\":-1e308}", REJECT_bad_value, "the sum would not be finite"},
        {QK ",\"value\":1e308}", REJECT_NONE, ""},
        {QK ",\"op\":\"add\",\"value\":1e308}", REJECT_bad_value, "the sum would not be finite"},
        {QK ",\"op\":\"add\",\"value\":-1e308}", REJECT_NONE, ""},
        {QK ",\"op\":\"add\",\"value\":-1e308}", REJECT_NONE, ""},
        {QK ",\"op\":\"add\",\"value\":-1e308}", REJECT_bad_value, "the sum would not be finite"},
        {QK ",\"value\":5}", REJECT_NONE, ""},
    };
    EXPECT_ALL(cases);
    fixture_close(&h);
}
END_TEST

START_TEST(defaults_of_a_hello_fill_what_a_line_declares)
{
    fixture_open(&h, NULL, 1000, 1000);
    char name[][16] = {"datacenter", "kind", "nothing"};
    char value[][8] = {"dc", "VMSet", "x"};
    struct origin_defaults defaults = {
        .n = 3, .names = {name[0], name[1], name[2]}, .values = {value[0], value[1], value[2]}};
    h.origin.defaults = &defaults;
    static const struct line_case cases[] = {
        {Q ",\"value\":1}", REJECT_NONE, ""},
        {Q ",\"labels\":{},\"value\":2}", REJECT_NONE, ""},
        {Q ",\"labels\":{\"kind\":\"VMClass\"},\"value\":3}", REJECT_NONE, ""},
        {Q ",\"labels\":{\"kind\":\"\"},\"value\":3}", REJECT_missing_label,
         "label \"kind\" is absent or empty"},
        {Q ",\"labels\":{\"datacenter\":\"dc\"},\"value\":3}", REJECT_unknown_label,
         "label \"datacenter\" is not declared"},
        {"{\"event\":\"ip_discovered\",\"value\":1}", REJECT_missing_label,
         "label \"provider_type\" is absent or empty"},
        {"{\"metric\":\"virtrigaud_vsphere_api_calls_total\",\"labels\":{\"method\":\"m\"}}",
         REJECT_NONE, ""},
    };
    EXPECT_ALL(cases);
    ck_assert_str_eq(fixture_samples(&h),
                     "virtrigaud_queue_depth{kind=\"VMSet\"} 2\n"
                     "virtrigaud_queue_depth{kind=\"VMClass\"} 3\n"
                     "virtrigaud_vsphere_api_calls_total{method=\"m\",datacenter=\"dc\"} 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_detail_is_cut_and_never_too_long)
{
    fixture_open(&h, NULL, 1000, 1000);
    char line[2000];
    snprintf(line, sizeof line, "{\"metric\":\"%01500d\"}", 0);
    struct event_result v = fixture_line(&h, line);
    ck_assert_uint_eq(strlen(v.rejection.detail), strlen("the catalogue has no metric \"\"") + 80);
    snprintf(line, sizeof line, "{\"%01500d\":1}", 0);
    v = fixture_line(&h, line);
    ck_assert_uint_eq(strlen(v.rejection.detail), strlen("unknown key \"\"") + 64);
    fixture_close(&h);
}
END_TEST

START_TEST(reasons_have_names)
{
    for (int r = 0; r < REJECT_COUNT; r++) {
        ck_assert_uint_gt(strlen(reject_names[r]), 5);
    }
    ck_assert_str_eq(reject_names[REJECT_too_long], "too_long");
    ck_assert_str_eq(reject_names[REJECT_series_limit], "series_limit");
    ck_assert_str_eq(reject_names[REJECT_NONE], "none");
}
END_TEST

UNIT_MAIN("event", a_counter_adds_and_its_value_is_1_unless_told, a_gauge_is_set_unless_told_to_add,
          a_histogram_observes, an_op_fits_its_type, names_and_fields_are_those_that_exist,
          labels_are_exactly_those_declared, values_that_the_catalogue_replaces_are_applied,
          a_label_value_has_at_most_256_bytes, aliases_are_rewritten_where_a_label_is_bound_to_them,
          label_values_are_escaped_once, a_value_is_a_finite_number, a_sum_stays_finite,
          defaults_of_a_hello_fill_what_a_line_declares, a_detail_is_cut_and_never_too_long,
          reasons_have_names)
