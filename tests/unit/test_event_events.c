// SPDX-License-Identifier: Apache-2.0
// Events: one line that updates several metrics, or none of them.
#include "event/event.h"

#include "fixture.h"
#include "unit.h"

static struct fixture h;

static void applied(const char *line)
{
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_APPLIED, "%s: %s, %s", line, reject_names[v.rejection.reason],
                  v.rejection.detail);
}

static void refused(const char *line, enum reject_reason reason, const char *detail)
{
    struct event_result v = fixture_line(&h, line);
    ck_assert_msg(v.kind == EVENT_REJECTED && v.rejection.reason == reason, "%s: %s, %s", line,
                  v.kind == EVENT_REJECTED ? reject_names[v.rejection.reason] : "not refused",
                  v.rejection.detail);
    ck_assert_str_eq(v.rejection.detail, detail);
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
    fixture_open(&h, NULL, 1000, 1000);
    applied("{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"},\"value\":7}");
    applied("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    applied("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    applied(
        "{\"event\":\"task_finished\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"}}");
    const char *text = fixture_samples(&h);
    ck_assert_ptr_nonnull(
        strstr(text, "virtrigaud_provider_tasks_inflight{provider_type=\"a\",provider=\"b\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(
        text, "virtrigaud_ip_discovery_duration_seconds_bucket{provider_type=\"a\",le=\"5\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(
        text,
        "virtrigaud_ip_discovery_duration_seconds_bucket{provider_type=\"a\",le=\"10\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "virtrigaud_ip_discovery_duration_seconds_sum{provider_type=\"a\"} 7\n"));
    fixture_close(&h);
}
END_TEST

START_TEST(an_observe_without_a_value_is_left_out_where_the_value_is_optional)
{
    fixture_open(&h, NULL, 1000, 1000);
    applied(OPERATION("Create", ""));
    const char *text = fixture_samples(&h);
    static const char *const outcomes[] = {"success\"} 0\n", "failure\"} 0\n", "error\"} 1\n"};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "virtrigaud_vm_operations_total{operation=\"Create\",provider_type=\"a\","
                 "provider=\"b\",outcome=\"%s",
                 outcomes[i]);
        ck_assert_ptr_nonnull(strstr(text, line));
    }
    ck_assert_ptr_null(strstr(text, "virtrigaud_vm_operations_duration_seconds"));
    applied(OPERATION("Create", ",\"value\":700"));
    text = fixture_samples(&h);
    ck_assert_ptr_nonnull(strstr(
        text, "_bucket{operation=\"Create\",provider_type=\"a\",provider=\"b\",le=\"600\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(
        text, "_bucket{operation=\"Create\",provider_type=\"a\",provider=\"b\",le=\"1800\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "_count{operation=\"Create\",provider_type=\"a\",provider=\"b\"} 1\n"));
    fixture_close(&h);
}
END_TEST

START_TEST(a_conditional_update_counts_where_it_matches)
{
    fixture_open(&h, NULL, 1000, 1000);
    applied(OPERATION("Reconfigure", ""));
    applied(OPERATION("Power", ""));
    const char *text = fixture_samples(&h);
    ck_assert_ptr_nonnull(strstr(
        text, OUTCOMES("virtrigaud_vm_reconfigure_total", "provider_type=\"a\"", "0", "0", "1")));
    fixture_close(&h);
}
END_TEST

START_TEST(an_event_takes_a_value_as_its_catalogue_says)
{
    fixture_open(&h, NULL, 1000, 1000);
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
    ck_assert_str_eq(fixture_text(&h), "");
    fixture_close(&h);
}
END_TEST

static void contains(const char *line)
{
    const char *text = fixture_samples(&h);
    ck_assert_msg(strstr(text, line) != NULL, "%s is not in\n%s", line, text);
}

#define FOUND "{\"event\":\"ip_discovered\",\"labels\":{\"provider_type\":\"a\"}"

START_TEST(a_count_multiplies_constants_and_a_list_is_observed)
{
    fixture_open(&h, NULL, 1000, 1000);
    applied("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"},"
            "\"count\":1000000}");
    applied("{\"count\":3,\"event\":\"task_finished\",\"labels\":{\"provider_type\":\"a\","
            "\"provider\":\"b\"}}");
    contains("virtrigaud_provider_tasks_inflight{provider_type=\"a\",provider=\"b\"} 999997\n");
    applied(OPERATION("Reconfigure", ",\"count\":4"));
    contains("virtrigaud_vm_reconfigure_total{provider_type=\"a\",outcome=\"error\"} 4\n");
    ck_assert_ptr_null(strstr(fixture_samples(&h), "virtrigaud_vm_operations_duration_seconds"));
    applied(OPERATION("Reconfigure", ",\"values\":[0.25,700,0.5]"));
    contains("virtrigaud_vm_reconfigure_total{provider_type=\"a\",outcome=\"error\"} 7\n");
    contains(
        "virtrigaud_vm_operations_duration_seconds_bucket{operation=\"Reconfigure\",provider_type="
        "\"a\",provider=\"b\",le=\"0.5\"} 2\n");
    contains("_sum{operation=\"Reconfigure\",provider_type=\"a\",provider=\"b\"} 700.75\n");
    contains("_count{operation=\"Reconfigure\",provider_type=\"a\",provider=\"b\"} 3\n");
    applied(
        "{\"metric\":\"virtrigaud_ip_discovery_duration_seconds\",\"labels\":{\"provider_type\":"
        "\"a\"},\"values\":[1,2]}");
    applied(FOUND ",\"values\":[3]}");
    contains("virtrigaud_ip_discovery_duration_seconds_sum{provider_type=\"a\"} 6\n");
    contains("virtrigaud_ip_discovery_duration_seconds_count{provider_type=\"a\"} 3\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_count_and_a_list_have_their_places)
{
    fixture_open(&h, NULL, 1000, 1000);
    refused(FOUND ",\"count\":2}", REJECT_missing_value, "a value is wanted");
    refused(FOUND ",\"count\":2,\"value\":1}", REJECT_bad_value,
            "only one of value, values and count is wanted");
    refused(FOUND ",\"values\":[]}", REJECT_bad_value, "values is no list of 1 to 1000 numbers");
    refused(FOUND ",\"values\":[1e308,1e308]}", REJECT_bad_value, "the sum would not be finite");
    refused("[" FOUND ",\"values\":[1e308]}," FOUND ",\"values\":[7,1e308]}]", REJECT_bad_value,
            "the sum would not be finite");
    refused("{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"a\"},\"values\":[1]}",
            REJECT_bad_value, "only a histogram takes several values");
    refused("{\"metric\":\"virtrigaud_vm_clone_total\",\"labels\":{\"linked\":\"true\",\"provider_"
            "type\":"
            "\"a\",\"outcome\":\"error\"},\"values\":[1]}",
            REJECT_bad_value, "only a histogram takes several values");
    refused("{\"metric\":\"virtrigaud_vm_clone_total\",\"labels\":{\"linked\":\"true\",\"provider_"
            "type\":"
            "\"a\",\"outcome\":\"error\"},\"count\":1}",
            REJECT_unknown_field, "only an event has a count");
    refused("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"},"
            "\"values\":[1]}",
            REJECT_bad_value, "this event takes no value");
    struct buf line = BUF_INIT;
    for (int n = 1000; n <= 1001; n++) {
        buf_clear(&line);
        buf_str(&line, FOUND ",\"values\":[0");
        for (int i = 1; i < n; i++) {
            buf_addf(&line, ",%d", i);
        }
        buf_str(&line, "]}");
        struct event_result v = fixture_line(&h, buf_string(&line));
        ck_assert_int_eq(v.kind, n == 1000 ? EVENT_APPLIED : EVENT_REJECTED);
    }
    buf_free(&line);
    contains("virtrigaud_ip_discovery_duration_seconds_count{provider_type=\"a\"} 1000\n");
    contains("virtrigaud_ip_discovery_duration_seconds_sum{provider_type=\"a\"} 499500\n");
    fixture_close(&h);
}
END_TEST

START_TEST(two_definitions_of_one_label_both_have_their_say)
{
    fixture_open(&h, NULL, 1000, 1000);
    applied("{\"event\":\"reconcile\",\"labels\":{\"kind\":\"VMSet\",\"outcome\":\"requeue\"},"
            "\"value\":1}");
    refused(
        "{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Create\",\"provider_type\":\"a\","
        "\"provider\":\"b\",\"outcome\":\"requeue\"}}",
        REJECT_label_value_not_allowed, "label \"outcome\" does not know \"requeue\"");
    applied("{\"event\":\"rpc\",\"labels\":{\"provider_type\":\"a\",\"method\":\"Clone\",\"code\":"
            "\"NotFound\"},\"value\":1}");
    const char *text = fixture_samples(&h);
    ck_assert_ptr_nonnull(strstr(text, "{kind=\"VMSet\",outcome=\"requeue\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "{provider_type=\"a\",method=\"CloneVM\",code=\"NOT_FOUND\"} 1\n"));
    ck_assert_ptr_null(strstr(text, "vm_operations"));
    fixture_close(&h);
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
    fixture_open(&h, CONDITIONS, 100, 100);
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"begin\",\"size\":\"s\"},\"value\":9}");
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"go\",\"size\":\"l\"},\"value\":9}");
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"stop\",\"size\":\"l\"},\"value\":9}");
    ck_assert_str_eq(fixture_samples(&h),
                     "all_total{op=\"start\"} 5\nall_total{op=\"stop\"} 2.5\n"
                     "some_total{size=\"s\"} 1\nsome_total{size=\"l\"} 2\nlevel 5\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_label_that_only_an_unmatched_update_wants_is_unknown)
{
    fixture_open(&h, CONDITIONS, 100, 100);
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
    ck_assert_str_eq(fixture_samples(&h), "all_total{op=\"pause\"} 2.5\n");
    fixture_close(&h);
}
END_TEST

START_TEST(a_default_that_no_update_wants_is_no_defect)
{
    fixture_open(&h, CONDITIONS, 100, 100);
    char name[] = "size";
    char value[] = "xl";
    struct origin_defaults defaults = {.n = 1, .names = {name}, .values = {value}};
    h.origin.defaults = &defaults;
    applied("{\"event\":\"e\",\"labels\":{\"op\":\"pause\"},\"value\":9}");
    refused("{\"event\":\"e\",\"labels\":{\"op\":\"start\"},\"value\":9}",
            REJECT_label_value_not_allowed, "label \"size\" does not know \"xl\"");
    fixture_close(&h);
}
END_TEST

START_TEST(labels_of_every_condition_are_required)
{
    fixture_open(&h, CONDITIONS, 100, 100);
    refused("{\"event\":\"both\",\"labels\":{\"op\":\"start\"}}", REJECT_missing_label,
            "label \"size\" is absent or empty");
    refused("{\"event\":\"both\",\"labels\":{\"size\":\"l\"}}", REJECT_missing_label,
            "label \"op\" is absent or empty");
    applied("{\"event\":\"both\",\"labels\":{\"op\":\"start\",\"size\":\"s\"}}");
    ck_assert_str_eq(fixture_samples(&h), "");
    applied("{\"event\":\"both\",\"labels\":{\"op\":\"go\",\"size\":\"l\"}}");
    ck_assert_str_eq(fixture_samples(&h), "level 1\n");
    fixture_close(&h);
}
END_TEST

START_TEST(one_refused_update_refuses_the_event)
{
    fixture_open(&h,
                 "metrics:\n"
                 "  - {name: a_total, type: counter, help: h, labels: [l]}\n"
                 "  - {name: g, type: gauge, help: h, labels: [l], series_limit: 1}\n"
                 "events:\n"
                 "  - {name: e, labels: [l], updates: [{add: a_total}, {add: g}]}\n",
                 100, 100);
    applied("{\"event\":\"e\",\"labels\":{\"l\":\"x\"}}");
    refused("{\"event\":\"e\",\"labels\":{\"l\":\"y\"}}", REJECT_series_limit,
            "g is at its limit of series");
    ck_assert_str_eq(fixture_samples(&h), "a_total{l=\"x\"} 1\ng{l=\"x\"} 1\n");
    fixture_close(&h);
}
END_TEST

#define TIME "the timestamp is before 2000 or more than 60 s ahead"

START_TEST(an_exemplar_s_time_may_be_a_minute_ahead)
{
    fixture_open(&h, NULL, 1000, 1000);
    for (int ahead = 0; ahead <= 120; ahead += 30) {
        char line[300];
        snprintf(
            line, sizeof line,
            "{\"metric\":\"virtrigaud_vsphere_sessions_total\",\"labels\":{\"datacenter\":\"d\"},"
            "\"exemplar\":{\"labels\":{},\"timestamp\":%lld}}",
            (long long)time(NULL) + ahead);
        if (ahead < 60) {
            applied(line);
        } else if (ahead > 60) {
            refused(line, REJECT_bad_exemplar, TIME);
        }
    }
    fixture_close(&h);
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
        {"{\"labels\":{\"a\":\"\"},\"timestamp\":946684800}", NULL},
        {"{\"labels\":{\"a\":\"\"},\"timestamp\":946684799.999}", TIME},
        {"{\"labels\":{},\"timestamp\":-5}", TIME},
        {"{\"labels\":{},\"timestamp\":0}", TIME},
        {"{\"labels\":{},\"timestamp\":1700000000500}", TIME},
        {"{\"labels\":{},\"timestamp\":1e300}", TIME},
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
    fixture_open(&h, NULL, 1000, 1000);
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
    fixture_close(&h);
}
END_TEST

START_TEST(a_gauge_takes_no_exemplar_and_an_event_of_gauges_neither)
{
    fixture_open(&h, NULL, 1000, 1000);
    refused("{\"metric\":\"virtrigaud_queue_depth\",\"labels\":{\"kind\":\"a\"},\"value\":1,"
            "\"exemplar\":{\"labels\":{}}}",
            REJECT_bad_exemplar, "a gauge has no exemplar");
    refused("{\"event\":\"task_started\",\"labels\":{\"provider_type\":\"a\",\"provider\":\"b\"},"
            "\"exemplar\":{\"labels\":{}}}",
            REJECT_bad_exemplar, "a gauge has no exemplar");
    applied(OPERATION("Create", ",\"exemplar\":{\"labels\":{}}"));
    fixture_close(&h);
}
END_TEST

UNIT_MAIN("event_events", an_event_updates_all_its_metrics,
          an_observe_without_a_value_is_left_out_where_the_value_is_optional,
          a_conditional_update_counts_where_it_matches,
          an_event_takes_a_value_as_its_catalogue_says,
          a_count_multiplies_constants_and_a_list_is_observed, a_count_and_a_list_have_their_places,
          two_definitions_of_one_label_both_have_their_say,
          conditions_look_behind_aliases_and_at_lists,
          a_label_that_only_an_unmatched_update_wants_is_unknown,
          a_default_that_no_update_wants_is_no_defect, labels_of_every_condition_are_required,
          one_refused_update_refuses_the_event, an_exemplar_s_time_may_be_a_minute_ahead,
          an_exemplar_has_128_characters_and_labels_of_text,
          a_gauge_takes_no_exemplar_and_an_event_of_gauges_neither)
