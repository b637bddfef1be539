// SPDX-License-Identifier: Apache-2.0
#include "expose/expose.h"

#include "base/process.h"
#include "dialogue.h"
#include "unit.h"

static struct fixture h;

// The names of the manual that exist in this build, with their types, in order.
static const char *const NAMES[][2] = {
    {"virtrigaud_exporter_build_info", "gauge"},
    {"virtrigaud_exporter_events_total", "counter"},
    {"virtrigaud_exporter_events_rejected_total", "counter"},
    {"virtrigaud_exporter_event_bytes_total", "counter"},
    {"virtrigaud_exporter_connections", "gauge"},
    {"virtrigaud_exporter_connections_total", "counter"},
    {"virtrigaud_exporter_replies_dropped_total", "counter"},
    {"virtrigaud_exporter_series", "gauge"},
    {"virtrigaud_exporter_series_limit", "gauge"},
    {"virtrigaud_exporter_series_folded_total", "counter"},
    {"virtrigaud_exporter_series_expired_total", "counter"},
    {"virtrigaud_exporter_client_lost_events_total", "counter"},
    {"virtrigaud_exporter_cache_hits_total", "counter"},
    {"virtrigaud_exporter_cache_misses_total", "counter"},
    {"virtrigaud_exporter_tls_handshake_errors_total", "counter"},
    {"virtrigaud_exporter_http_auth_failures_total", "counter"},
    {"virtrigaud_exporter_accept_errors_total", "counter"},
    {"virtrigaud_exporter_sockets_lost", "gauge"},
    {"virtrigaud_exporter_clock_difference_seconds", "gauge"},
    {"virtrigaud_exporter_precreate_skipped_total", "counter"},
    {"virtrigaud_exporter_worker_busy_seconds_total", "counter"},
    {"virtrigaud_exporter_scrapes_total", "counter"},
    {"virtrigaud_exporter_scrape_duration_seconds", "histogram"},
    {"virtrigaud_exporter_config_last_reload_successful", "gauge"},
    {"virtrigaud_exporter_config_last_reload_timestamp_seconds", "gauge"},
    {"virtrigaud_source_up", "gauge"},
    {"virtrigaud_source_last_event_timestamp_seconds", "gauge"},
    {"virtrigaud_source_events_total", "counter"},
    {"virtrigaud_source_events_rejected_total", "counter"},
    {"virtrigaud_source_process_cpu_seconds_total", "counter"},
    {"virtrigaud_source_process_resident_memory_bytes", "gauge"},
    {"virtrigaud_source_process_threads", "gauge"},
    {"virtrigaud_source_process_start_time_seconds", "gauge"},
    {"process_cpu_seconds_total", "counter"},
    {"process_open_fds", "gauge"},
    {"process_max_fds", "gauge"},
    {"process_virtual_memory_bytes", "gauge"},
    {"process_resident_memory_bytes", "gauge"},
    {"process_start_time_seconds", "gauge"},
};

static bool fixture_wants_every(const void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return true;
}

static bool is(const void *ctx, const char *name)
{
    return strcmp(ctx, name) == 0;
}

// The samples of one family.
static const char *only(const char *name)
{
    struct expose_filter filter = {.wants = is, .ctx = name};
    struct format_sink sink = format_sink_text(&h.text);
    buf_clear(&h.text);
    ck_assert_int_eq(
        expose_write(&sink, h.store, &h.self, &filter, &(struct format){.kind = FORMAT_TEXT}), 0);
    const char *text = buf_string(&h.text);
    for (int heads = 0; *text == '#' && heads < 2; heads++) {
        text = strchr(text, '\n') + 1;
    }
    return text;
}

START_TEST(all_families_stand_in_order_with_their_types)
{
    fixture_open(&h, NULL, 100, 50);
    struct dialogue d;
    dialogue_open(&d, &h);
    dialogue_line(&d, "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\"}}\n");
    struct format_sink sink = format_sink_text(&h.text);
    buf_clear(&h.text);
    ck_assert_int_eq(
        expose_write(&sink, h.store, &h.self, NULL, &(struct format){.kind = FORMAT_TEXT}), 0);
    struct buf want = BUF_INIT;
    struct buf got = BUF_INIT;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        buf_addf(&want, "# TYPE %s %s\n", NAMES[i][0], NAMES[i][1]);
    }
    const char *from = strstr(buf_string(&h.text), "# HELP virtrigaud_exporter_");
    for (const char *at = from; (at = strstr(at, "# TYPE ")) != NULL; at++) {
        buf_add(&got, at, (size_t)(strchr(at, '\n') + 1 - at));
    }
    ck_assert_str_eq(buf_string(&got), buf_string(&want));
    buf_free(&got);
    buf_free(&want);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(every_reason_of_every_component_begins_at_0)
{
    static const char *const components[] = {"unknown", "manager", "provider"};
    fixture_open(&h, NULL, 100, 50);
    struct buf want = BUF_INIT;
    for (size_t c = 0; c < 3; c++) {
        for (unsigned r = 0; r < REJECT_COUNT; r++) {
            buf_addf(
                &want,
                "virtrigaud_exporter_events_rejected_total{component=\"%s\",reason=\"%s\"} 0\n",
                components[c], reject_names[r]);
        }
    }
    ck_assert_str_eq(only("virtrigaud_exporter_events_rejected_total"), buf_string(&want));
    ck_assert_str_eq(only("virtrigaud_exporter_events_total"),
                     "virtrigaud_exporter_events_total{component=\"unknown\"} 0\n"
                     "virtrigaud_exporter_events_total{component=\"manager\"} 0\n"
                     "virtrigaud_exporter_events_total{component=\"provider\"} 0\n");
    ck_assert_str_eq(only("virtrigaud_exporter_client_lost_events_total"),
                     "virtrigaud_exporter_client_lost_events_total{component=\"unknown\"} 0\n"
                     "virtrigaud_exporter_client_lost_events_total{component=\"manager\"} 0\n"
                     "virtrigaud_exporter_client_lost_events_total{component=\"provider\"} 0\n");
    buf_free(&want);
    fixture_close(&h);
}
END_TEST

START_TEST(figures_of_series_stand_for_every_metric)
{
    fixture_open(&h,
                 "metrics:\n"
                 "  - {name: a_total, type: counter, help: h, labels: [l], series_limit: 1}\n"
                 "  - {name: b, type: gauge, help: h}\n",
                 100, 50);
    fixture_line(&h, "{\"metric\":\"a_total\",\"labels\":{\"l\":\"1\"}}");
    fixture_line(&h, "{\"metric\":\"a_total\",\"labels\":{\"l\":\"2\"}}");
    fixture_line(&h, "{\"metric\":\"a_total\",\"labels\":{\"l\":\"3\"}}");
    ck_assert_str_eq(only("virtrigaud_exporter_series"),
                     "virtrigaud_exporter_series{metric=\"a_total\"} 1\n"
                     "virtrigaud_exporter_series{metric=\"b\"} 0\n");
    ck_assert_str_eq(only("virtrigaud_exporter_series_limit"),
                     "virtrigaud_exporter_series_limit{metric=\"a_total\"} 1\n"
                     "virtrigaud_exporter_series_limit{metric=\"b\"} 50\n");
    ck_assert_str_eq(only("virtrigaud_exporter_series_folded_total"),
                     "virtrigaud_exporter_series_folded_total{metric=\"a_total\"} 2\n"
                     "virtrigaud_exporter_series_folded_total{metric=\"b\"} 0\n");
    ck_assert_str_eq(only("virtrigaud_exporter_series_expired_total"),
                     "virtrigaud_exporter_series_expired_total{metric=\"a_total\"} 0\n"
                     "virtrigaud_exporter_series_expired_total{metric=\"b\"} 0\n");
    ck_assert_str_eq(only("virtrigaud_exporter_precreate_skipped_total"),
                     "virtrigaud_exporter_precreate_skipped_total{metric=\"a_total\"} 0\n"
                     "virtrigaud_exporter_precreate_skipped_total{metric=\"b\"} 0\n");
    fixture_close(&h);
}
END_TEST

// At the other end of the connection is this process.
START_TEST(the_process_of_a_source_is_shown_while_it_is_the_same)
{
    UNIT_NOT_EMULATED("qemu makes up /proc/self/stat, with no threads");
    fixture_open(&h, NULL, 100, 50);
    struct dialogue d;
    dialogue_open(&d, &h);
    ck_assert_str_eq(only("virtrigaud_source_process_threads"), "");
    dialogue_line(&d, "{\"hello\":{\"component\":\"manager\",\"instance\":\"a\"}}\n");
    // 1, or one more where a checker of threads has its own.
    const char *threads = only("virtrigaud_source_process_threads");
    const char *series = "virtrigaud_source_process_threads{component=\"manager\",source=\"a\"} ";
    ck_assert_mem_eq(threads, series, strlen(series));
    ck_assert_str_eq(threads + strlen(series) + 1, "\n");
    ck_assert(threads[strlen(series)] == '1' || threads[strlen(series)] == '2');
    const char *start = strstr(only("virtrigaud_source_process_start_time_seconds"), "} ");
    ck_assert_double_eq_tol(strtod(start + 2, NULL), (double)process_start_ms() / 1000, 1);
    ck_assert_ptr_nonnull(
        strstr(only("virtrigaud_source_process_cpu_seconds_total"), "source=\"a\"} "));
    const char *memory = strstr(only("virtrigaud_source_process_resident_memory_bytes"), "} ");
    ck_assert_double_gt(strtod(memory + 2, NULL), 1 << 20);
    // Its number is another process' now.
    struct source *src = (struct source *)(uintptr_t)sources_find(h.sources, COMPONENT_MANAGER,
                                                                  (struct slice){"a", 1});
    source_set_process(src, getpid(), 1);
    ck_assert_str_eq(only("virtrigaud_source_process_threads"), "");
    source_set_process(src, 0, 0);
    ck_assert_str_eq(only("virtrigaud_source_process_threads"), "");
    struct process_other self;
    ck_assert_int_eq(process_read_other(getpid(), &self), 0);
    source_set_process(src, getpid(), self.start_ticks);
    ck_assert_str_ne(only("virtrigaud_source_process_threads"), "");
    dialogue_close(&d);
    ck_assert_str_eq(only("virtrigaud_source_process_threads"), "");
    fixture_close(&h);
}
END_TEST

START_TEST(what_a_client_did_is_counted)
{
    fixture_open(&h, NULL, 100, 50);
    struct dialogue d;
    dialogue_open(&d, &h);
    static const char said[] =
        "{\"hello\":{\"component\":\"manager\",\"instance\":\"a\\\"b\",\"lost\":6}}\n[]\nx\n";
    dialogue_line(&d, said);
    char bytes[100];
    snprintf(bytes, sizeof bytes, "virtrigaud_exporter_event_bytes_total %zu\n", sizeof said - 1);
    ck_assert_str_eq(only("virtrigaud_exporter_event_bytes_total"), bytes);
    ck_assert_ptr_nonnull(
        strstr(only("virtrigaud_exporter_events_total"), "{component=\"manager\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(only("virtrigaud_exporter_events_rejected_total"),
                                 "{component=\"manager\",reason=\"bad_json\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(only("virtrigaud_exporter_client_lost_events_total"),
                                 "{component=\"manager\"} 6\n"));
    ck_assert_str_eq(only("virtrigaud_source_up"),
                     "virtrigaud_source_up{component=\"manager\",source=\"a\\\"b\"} 1\n");
    ck_assert_str_eq(
        only("virtrigaud_source_last_event_timestamp_seconds"),
        "virtrigaud_source_last_event_timestamp_seconds{component=\"manager\",source=\"a\\\"b\"} "
        "1700000000\n");
    ck_assert_str_eq(only("virtrigaud_source_events_total"),
                     "virtrigaud_source_events_total{component=\"manager\",source=\"a\\\"b\"} 1\n");
    ck_assert_str_eq(
        only("virtrigaud_source_events_rejected_total"),
        "virtrigaud_source_events_rejected_total{component=\"manager\",source=\"a\\\"b\"} 1\n");
    dialogue_close(&d);
    ck_assert_str_eq(only("virtrigaud_source_up"),
                     "virtrigaud_source_up{component=\"manager\",source=\"a\\\"b\"} 0\n");
    fixture_close(&h);
}
END_TEST

// OpenMetrics' names of the families above, which end the exposition; `# EOF` comes after the last of them.
START_TEST(no_two_families_have_the_same_name_in_openmetrics)
{
    fixture_open(&h, NULL, 100, 50);
    struct dialogue d;
    dialogue_open(&d, &h);
    dialogue_line(&d, "{\"hello\":{\"component\":\"provider\",\"instance\":\"i\"}}\n");
    const char *at =
        strstr(fixture_open_text(&h, fixture_wants_every, false), "# TYPE virtrigaud_exporter_");
    struct buf want = BUF_INIT;
    struct buf got = BUF_INIT;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t len = strlen(NAMES[i][0]);
        // The gauge of this name without `_total` was there first.
        bool unknown = strcmp(NAMES[i][0], "virtrigaud_exporter_connections_total") == 0;
        bool counter = strcmp(NAMES[i][1], "counter") == 0 && !unknown;
        const char *type = unknown ? "unknown" : NAMES[i][1];
        len -= counter ? strlen("_total") : 0;
        buf_addf(&want, "# TYPE %.*s %s\n", (int)len, NAMES[i][0], type);
        for (size_t k = 0; k < i; k++) {
            size_t other = strlen(NAMES[k][0]) - (strcmp(NAMES[k][1], "counter") == 0 ? 6 : 0);
            bool same = other == len && memcmp(NAMES[k][0], NAMES[i][0], len) == 0;
            ck_assert_msg(!same, "%s and %s", NAMES[i][0], NAMES[k][0]);
        }
    }
    for (; (at = strstr(at, "# TYPE ")) != NULL; at++) {
        buf_add(&got, at, (size_t)(strchr(at, '\n') + 1 - at));
    }
    ck_assert_str_eq(buf_string(&got), buf_string(&want));
    ck_assert_str_eq(strstr(h.text.p, "# EOF"), "# EOF\n");
    ck_assert_ptr_nonnull(strstr(h.text.p, "# UNIT process_cpu_seconds seconds\n"));
    ck_assert_ptr_nonnull(strstr(h.text.p, "# UNIT process_resident_memory_bytes bytes\n"));
    ck_assert_ptr_nonnull(strstr(h.text.p, "\nprocess_cpu_seconds_total "));
    buf_free(&want);
    buf_free(&got);
    dialogue_close(&d);
    fixture_close(&h);
}
END_TEST

START_TEST(single_figures_read_as_given)
{
    static const char *const cases[][2] = {
        {"virtrigaud_exporter_build_info",
         "virtrigaud_exporter_build_info{version=\"1.2.3\",revision=\"abc\"} 1\n"},
        {"virtrigaud_exporter_connections", "virtrigaud_exporter_connections 0\n"},
        {"virtrigaud_exporter_connections_total", "virtrigaud_exporter_connections_total 0\n"},
        {"virtrigaud_exporter_replies_dropped_total",
         "virtrigaud_exporter_replies_dropped_total 0\n"},
        {"virtrigaud_exporter_tls_handshake_errors_total",
         "virtrigaud_exporter_tls_handshake_errors_total{reason=\"expired\"} 5\n"
         "virtrigaud_exporter_tls_handshake_errors_total{reason=\"other\"} 0\n"},
        {"virtrigaud_exporter_http_auth_failures_total",
         "virtrigaud_exporter_http_auth_failures_total 6\n"},
        {"virtrigaud_exporter_accept_errors_total", "virtrigaud_exporter_accept_errors_total 7\n"},
        {"virtrigaud_exporter_sockets_lost", "virtrigaud_exporter_sockets_lost 0\n"},
        {"virtrigaud_exporter_clock_difference_seconds",
         "virtrigaud_exporter_clock_difference_seconds{evidence=\"state_file\"} 0\n"
         "virtrigaud_exporter_clock_difference_seconds{evidence=\"certificate\"} 0\n"
         "virtrigaud_exporter_clock_difference_seconds{evidence=\"exemplar\"} 0\n"},
        {"virtrigaud_exporter_worker_busy_seconds_total",
         "virtrigaud_exporter_worker_busy_seconds_total{worker=\"0\"} 1.5\n"},
        {"virtrigaud_exporter_scrapes_total",
         "virtrigaud_exporter_scrapes_total{format=\"text\"} 3\n"
         "virtrigaud_exporter_scrapes_total{format=\"openmetrics\"} 4\n"
         "virtrigaud_exporter_scrapes_total{format=\"protobuf\"} 0\n"},
        {"virtrigaud_exporter_scrape_duration_seconds",
         "virtrigaud_exporter_scrape_duration_seconds_bucket{le=\"0.5\"} 2\n"
         "virtrigaud_exporter_scrape_duration_seconds_bucket{le=\"2\"} 2\n"
         "virtrigaud_exporter_scrape_duration_seconds_bucket{le=\"+Inf\"} 3\n"
         "virtrigaud_exporter_scrape_duration_seconds_sum 7.25\n"
         "virtrigaud_exporter_scrape_duration_seconds_count 3\n"},
        {"virtrigaud_exporter_config_last_reload_successful",
         "virtrigaud_exporter_config_last_reload_successful 1\n"},
        {"virtrigaud_exporter_config_last_reload_timestamp_seconds",
         "virtrigaud_exporter_config_last_reload_timestamp_seconds 2.5\n"},
        {"process_start_time_seconds", "process_start_time_seconds 1.5\n"},
        {"virtrigaud_source_up", ""},
        {"virtrigaud_source_last_event_timestamp_seconds", ""},
        {"virtrigaud_source_events_total", ""},
        {"virtrigaud_source_events_rejected_total", ""},
        {"virtrigaud_source_process_cpu_seconds_total", ""},
        {"virtrigaud_source_process_resident_memory_bytes", ""},
        {"virtrigaud_source_process_threads", ""},
        {"virtrigaud_source_process_start_time_seconds", ""},
    };
    fixture_open(&h, NULL, 100, 50);
    count_add(&h.ingest->workers[0].stats.busy_ns, 1500000000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(only(cases[i][0]), cases[i][1]);
    }
    atomic_store(&h.self.reload_ok, false);
    ck_assert_str_eq(only("virtrigaud_exporter_config_last_reload_successful"),
                     "virtrigaud_exporter_config_last_reload_successful 0\n");
    fixture_close(&h);
}
END_TEST

START_TEST(the_process_is_this_one)
{
    struct process before;
    struct process after;
    process_read(&before);
    ck_assert(before.cpu_seconds >= 0);
    ck_assert(before.resident_bytes > 100000);
    ck_assert(before.virtual_bytes >= before.resident_bytes);
    ck_assert(before.max_fds >= before.open_fds);
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    process_read(&after);
    ck_assert(after.open_fds == before.open_fds + 2);
    close(fds[0]);
    close(fds[1]);
    // A forked child's start is its own, a moment ago; clock ticks are 10 ms.
    uint64_t now = (uint64_t)time(NULL) * 1000;
    ck_assert_uint_le(process_start_ms(), now + 2000);
    ck_assert_uint_ge(process_start_ms(), now - 600000);
}
END_TEST

UNIT_MAIN("self", no_two_families_have_the_same_name_in_openmetrics,
          all_families_stand_in_order_with_their_types, every_reason_of_every_component_begins_at_0,
          figures_of_series_stand_for_every_metric,
          the_process_of_a_source_is_shown_while_it_is_the_same, what_a_client_did_is_counted,
          single_figures_read_as_given, the_process_is_this_one)
