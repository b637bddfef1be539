// SPDX-License-Identifier: Apache-2.0
// Events: one line that updates several metrics, or none of them.
#include "event/event.h"

#include "house.h"
#include "unit.h"

static struct house h;

static void applied(const char *line)
{
    struct event_verdict v = house_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s, %s", line, reject_name(v.reason), v.detail);
}

static void refused(const char *line, enum reject reason, const char *detail)
{
    struct event_verdict v = house_line(&h, line);
    ck_assert_msg(v.kind == EVENT_REFUSED && v.reason == reason, "%s: %s, %s", line,
                  v.kind == EVENT_REFUSED ? reject_name(v.reason) : "not refused", v.detail);
    ck_assert_str_eq(v.detail, detail);
}

#define OPERATION(operation, rest)                                                                 \
    "{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"" operation                           \
    "\",\"provider_type\":\"a\",\"provider\":\"b\",\"outcome\":\"error\"}" rest "}"

// All lines of one value of a pre-created counter.
#define OUTCOMES(name, labels, success, failure, error)                                            \
    name "{" labels ",outcome=\"error\"} " error "\n" name "{" labels                              \
         ",outcome=\"success\"} " success "\n" name "{" labels ",outcome=\"failure\"} " failure    \
         "\n"

START_TEST(an_event_updates_all_its_metrics)
{
    house_open(&h, NULL, 1000, 1000);
    applied("{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"},\"value\":7}");
    applied("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    applied("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    applied(
        "{\"event\":\"task_finished\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    const char *text = house_samples(&h);
    ck_assert_ptr_nonnull(
        strstr(text, "virtrigaud_provider_tasks_inflight{provider_type=\"a\",provider=\"b\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(
        text, "virtrigaud_ip_discovery_duration_seconds_bucket{provider_type=\"a\",le=\"5\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(
        text,
        "virtrigaud_ip_discovery_duration_seconds_bucket{provider_type=\"a\",le=\"10\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "virtrigaud_ip_discovery_duration_seconds_sum{provider_type=\"a\"} 7\n"));
    house_close(&h);
}
END_TEST

START_TEST(an_observe_without_a_value_is_left_out_where_the_value_is_optional)
{
    house_open(&h, NULL, 1000, 1000);
    applied(OPERATION("Create", ""));
    ck_assert_str_eq(house_samples(&h),
                     OUTCOMES("virtrigaud_vm_operations_total",
                              "operation=\"Create\",provider_type=\"a\",provider=\"b\"", "0", "0",
                              "1"));
    applied(OPERATION("Create", ",\"value\":700"));
    const char *text = house_samples(&h);
    ck_assert_ptr_nonnull(strstr(
        text, "_bucket{operation=\"Create\",provider_type=\"a\",provider=\"b\",le=\"600\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(
        text, "_bucket{operation=\"Create\",provider_type=\"a\",provider=\"b\",le=\"1800\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "_count{operation=\"Create\",provider_type=\"a\",provider=\"b\"} 1\n"));
    house_close(&h);
}
END_TEST

START_TEST(a_conditional_update_counts_where_it_matches)
{
    house_open(&h, NULL, 1000, 1000);
    applied(OPERATION("Reconfigure", ""));
    applied(OPERATION("Power", ""));
    const char *text = house_samples(&h);
    ck_assert_ptr_nonnull(strstr(
        text, OUTCOMES("virtrigaud_vm_reconfigure_total", "provider_type=\"a\"", "0", "0", "1")));
    house_close(&h);
}
END_TEST

START_TEST(an_event_takes_a_value_as_its_catalogue_says)
{
    house_open(&h, NULL, 1000, 1000);
    refused("{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"}}",
            REJECT_missing_value, "a value is wanted");
    refused("{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"},\"value\":null}",
            REJECT_bad_value, "the value is no finite number");
    refused("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"},"
            "\"value\":1}",
            REJECT_bad_value, "this event takes no value");
    refused(OPERATION("Create", ",\"value\":\"3\""), REJECT_bad_value,
            "the value is no finite number");
    refused(OPERATION("Create", ",\"value\":1e999"), REJECT_bad_value,
            "the value is no finite number");
    ck_assert_str_eq(house_text(&h), "");
    house_close(&h);
}
END_TEST

START_TEST(two_definitions_of_one_label_both_have_their_say)
{
    house_open(&h, NULL, 1000, 1000);
    applied("{\"event\":\"reconcile\",\"labels\":{\"kind\":\"VMSet\",\"outcome\":\"requeue\"},"
            "\"value\":1}");
    refused(
        "{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Create\",\"provider_type\":\"a\","
        "\"provider\":\"b\",\"outcome\":\"requeue\"}}",
        REJECT_label_value_not_allowed, "label \"outcome\" does not know \"requeue\"");
    applied("{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"a\",\"method\":\"Clone\",\"code\":"
            "\"NotFound\"},\"value\":1}");
    const char *text = house_samples(&h);
    ck_assert_ptr_nonnull(strstr(text, "{kind=\"VMSet\",outcome=\"requeue\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "{provider_type=\"a\",method=\"CloneVM\",code=\"NOT_FOUND\"} 1\n"));
    ck_assert_ptr_null(strstr(text, "vm_operations"));
    house_close(&h);
}
END_TEST

static const char CONDITIONS[] =
    "labels:\n"
    "  op: {values: [start, stop], aliases: {begin: start, go: start}}\n"
    "  size: {values: [s, l], closed: true}\n"
    "metrics:\n"
    "  - {name: all_total, type: counter, help: h, labels: [op]}\n"
    "  - {name: some_total, type: counter, help: h, labels: [size]}\n"
    "  - {name: level, type: gauge, help: h}\n"
    "events:\n"
    "  - name: e\n"
    "    labels: [op, size]\n"
    "    value: seconds\n"
    "    updates:\n"
    "      - {add: all_total, by: 2.5}\n"
    "      - {add: some_total, when: {op: [start, stop]}}\n"
    "      - {set: level, when: {op: stop}}\n"
    "      - {add: level, by: -4, when: {op: stop}}\n"
    "  - name: both\n"
    "    labels: [op, size]\n"
    "    updates:\n"
    "      - {add: level, when: {op: start, size: l}}\n";

START_TEST(conditions_look_behind_aliases_and_at_lists)
{
    house_open(&h, CONDITIONS, 100, 100);
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"begin\",\"size\":\"s\"},\"value\":9}");
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"go\",\"size\":\"l\"},\"value\":9}");
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"stop\",\"size\":\"l\"},\"value\":9}");
    ck_assert_str_eq(house_samples(&h),
                     "all_total{op=\"start\"} 5\nall_total{op=\"stop\"} 2.5\n"
                     "some_total{size=\"s\"} 1\nsome_total{size=\"l\"} 2\nlevel 5\n");
    house_close(&h);
}
END_TEST

START_TEST(a_label_that_only_an_unmatched_update_wants_is_unknown)
{
    house_open(&h, CONDITIONS, 100, 100);
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"pause\",\"size\":\"s\"},\"value\":9}",
            REJECT_unknown_label, "label \"size\" has no meaning here");
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"pause\"},\"value\":9}");
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"start\"},\"value\":9}", REJECT_missing_label,
            "label \"size\" is absent or empty");
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"start\",\"size\":\"xl\"},\"value\":9}",
            REJECT_label_value_not_allowed, "label \"size\" does not know \"xl\"");
    // It was not asked for, so what it holds does not matter.
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"pause\",\"size\":7},\"value\":9}",
            REJECT_unknown_label, "label \"size\" has no meaning here");
    ck_assert_str_eq(house_samples(&h), "all_total{op=\"pause\"} 2.5\n");
    house_close(&h);
}
END_TEST

START_TEST(a_default_that_no_update_wants_is_no_defect)
{
    house_open(&h, CONDITIONS, 100, 100);
    char name[] = "size";
    char value[] = "xl";
    struct event_defaults defaults = {.n = 1, .names = {name}, .values = {value}};
    h.origin.defaults = &defaults;
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"pause\"},\"value\":9}");
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"start\"},\"value\":9}",
            REJECT_label_value_not_allowed, "label \"size\" does not know \"xl\"");
    house_close(&h);
}
END_TEST

START_TEST(labels_of_every_condition_are_required)
{
    house_open(&h, CONDITIONS, 100, 100);
    refused("{\"event\":\"both\",\"labels\":{\"op\":\"start\"}}", REJECT_missing_label,
            "label \"size\" is absent or empty");
    refused("{\"event\":\"both\",\"labels\":{\"size\":\"l\"}}", REJECT_missing_label,
            "label \"op\" is absent or empty");
    applied("{\"event\":\"both\",\"labels\":{\"op\":\"start\",\"size\":\"s\"}}");
    ck_assert_str_eq(house_samples(&h), "");
    applied("{\"event\":\"both\",\"labels\":{\"op\":\"go\",\"size\":\"l\"}}");
    ck_assert_str_eq(house_samples(&h), "level 1\n");
    house_close(&h);
}
END_TEST

START_TEST(one_refused_update_refuses_the_event)
{
    house_open(&h,
               "metrics:\n"
               "  - {name: a_total, type: counter, help: h, labels: [l]}\n"
               "  - {name: g, type: gauge, help: h, labels: [l], series_limit: 1}\n"
               "events:\n"
               "  - {name: e, labels: [l], updates: [{add: a_total}, {add: g}]}\n",
               100, 100);
    applied("{\"event\":\"e\",\"labels\":{\"l\":\"x\"}}");
    refused("{\"event\":\"e\",\"labels\":{\"l\":\"y\"}}", REJECT_series_limit,
            "g is at its limit of series");
    ck_assert_str_eq(house_samples(&h), "a_total{l=\"x\"} 1\ng{l=\"x\"} 1\n");
    house_close(&h);
}
END_TEST

START_TEST(an_exemplar_has_128_characters_and_labels_of_text)
{
    static const struct {
        const char *exemplar;
        const char *detail; // NULL: fine
    } cases[] = {
        {"{\"labels\":{}}", NULL},
        {"{\"labels\":{\"trace_id\":\"abc\"},\"timestamp\":1700000000.5}", NULL},
        {"{\"labels\":{\"a\":\"\"},\"timestamp\":-1}", NULL},
        {"{}", "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"1", "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"null", "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"{\"labels\":[]}", "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"{\"labels\":{},\"timestamp\":\"1\"}",
         "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"{\"labels\":{},\"timestamp\":1e999}",
         "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"{\"labels\":{},\"value\":1}", "an exemplar is {\"labels\":{...},\"timestamp\":N}"},
        {"{\"labels\":{\"a-b\":\"c\"}}", "label \"a-b\" is no label with a string"},
        {"{\"labels\":{\"a\":1}}", "label \"a\" is no label with a string"},
        {"{\"labels\":{\"a\":\"b\\u0000\"}}", "label \"a\" is no label with a string"},
    };
    house_open(&h, NULL, 1000, 1000);
    char line[1000];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(line, sizeof line,
                 "{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"},\"value\":1,"
                 "\"exemplar\":%s}",
                 cases[i].exemplar);
        if (cases[i].detail == NULL) {
            applied(line);
        } else {
            refused(line, REJECT_bad_exemplar, cases[i].detail);
        }
    }
    for (int bytes = 2; bytes <= 4; bytes++) {
        static const char *const letters[] = {"", "", "\xc3\xa9", "\xe2\x82\xac",
                                              "\xf0\x9f\x98\x80"};
        for (int n = 127; n <= 128; n++) {
            struct buf b = BUF_INIT;
            buf_str(&b,
                    "{\"metric\":\"virtrigaud_vsphere_sessions_total\",\"labels\":{\"datacenter\":"
                    "\"d\"},\"exemplar\":{\"labels\":{\"i\":\"");
            for (int i = 0; i < n; i++) {
                buf_str(&b, letters[bytes]);
            }
            buf_str(&b, "\"}}}");
            if (n == 127) {
                applied(buf_string(&b));
            } else {
                refused(buf_string(&b), REJECT_bad_exemplar,
                        "129 characters of names and values are too many");
            }
            buf_free(&b);
        }
    }
    house_close(&h);
}
END_TEST

START_TEST(a_gauge_takes_no_exemplar_and_an_event_of_gauges_neither)
{
    house_open(&h, NULL, 1000, 1000);
    refused("{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"a\"},\"value\":1,"
            "\"exemplar\":{\"labels\":{}}}",
            REJECT_bad_exemplar, "a gauge has no exemplar");
    refused("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"},"
            "\"exemplar\":{\"labels\":{}}}",
            REJECT_bad_exemplar, "a gauge has no exemplar");
    applied(OPERATION("Create", ",\"exemplar\":{\"labels\":{}}"));
    house_close(&h);
}
END_TEST

UNIT_MAIN("event_events", an_event_updates_all_its_metrics,
          an_observe_without_a_value_is_left_out_where_the_value_is_optional,
          a_conditional_update_counts_where_it_matches,
          an_event_takes_a_value_as_its_catalogue_says,
          two_definitions_of_one_label_both_have_their_say,
          conditions_look_behind_aliases_and_at_lists,
          a_label_that_only_an_unmatched_update_wants_is_unknown,
          a_default_that_no_update_wants_is_no_defect, labels_of_every_condition_are_required,
          one_refused_update_refuses_the_event, an_exemplar_has_128_characters_and_labels_of_text,
          a_gauge_takes_no_exemplar_and_an_event_of_gauges_neither)
