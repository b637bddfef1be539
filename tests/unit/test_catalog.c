// SPDX-License-Identifier: Apache-2.0
#include "catalog_unit.h"

// The metrics that components and dashboards depend on, in the order of the exposition.
static const struct {
    const char *name;
    enum metric_type type;
    const char *labels; // joined by commas
} known[] = {
    {"virtrigaud_manager_reconcile_total", METRIC_COUNTER, "kind,outcome"},
    {"virtrigaud_manager_reconcile_duration_seconds", METRIC_HISTOGRAM, "kind"},
    {"virtrigaud_queue_depth", METRIC_GAUGE, "kind"},
    {"virtrigaud_vm_operations_total", METRIC_COUNTER, "operation,provider_type,provider,outcome"},
    {"virtrigaud_vm_operations_duration_seconds", METRIC_HISTOGRAM,
     "operation,provider_type,provider"},
    {"virtrigaud_vm_reconfigure_total", METRIC_COUNTER, "provider_type,outcome"},
    {"virtrigaud_vm_snapshot_total", METRIC_COUNTER, "action,provider_type,outcome"},
    {"virtrigaud_vm_clone_total", METRIC_COUNTER, "linked,provider_type,outcome"},
    {"virtrigaud_vm_image_prepare_total", METRIC_COUNTER, "provider_type,outcome"},
    {"virtrigaud_build_info", METRIC_GAUGE, "version,git_sha,go_version"},
    {"virtrigaud_provider_rpc_requests_total", METRIC_COUNTER, "provider_type,method,code"},
    {"virtrigaud_provider_rpc_latency_seconds", METRIC_HISTOGRAM, "provider_type,method"},
    {"virtrigaud_provider_tasks_inflight", METRIC_GAUGE, "provider_type,provider"},
    {"virtrigaud_ip_discovery_duration_seconds", METRIC_HISTOGRAM, "provider_type"},
    {"virtrigaud_errors_total", METRIC_COUNTER, "reason,component"},
    {"virtrigaud_circuit_breaker_state", METRIC_GAUGE, "provider_type,provider"},
    {"virtrigaud_circuit_breaker_failures_total", METRIC_COUNTER, "provider_type,provider"},
    {"virtrigaud_vsphere_sessions_total", METRIC_COUNTER, "datacenter"},
    {"virtrigaud_vsphere_api_calls_total", METRIC_COUNTER, "method,datacenter"},
    {"virtrigaud_libvirt_connections_total", METRIC_COUNTER, "host"},
    {"virtrigaud_libvirt_domains_total", METRIC_GAUGE, "host,state"},
};

static struct catalog *load_builtin(void)
{
    struct errs errs = ERRS_INIT;
    struct catalog *c = NULL;
    struct catalog_input in = {0};
    int err = catalog_load(&c, &in, &errs);
    ck_assert_msg(err == 0, "%s", errs.n > 0 ? errs.items[0].text : "");
    ck_assert(!errs_has_any(&errs));
    return c;
}

static const struct metric *metric(const struct catalog *c, const char *name)
{
    int found = catalog_find_metric(c, name, strlen(name));
    ck_assert_msg(found >= 0, "%s", name);
    return &c->metrics[found];
}

static const struct label_def *def_of(const struct catalog *c, const char *name, size_t label)
{
    return metric(c, name)->labels[label].def;
}

// What the definition makes of a value; "-" when it refuses it.
static const char *resolve(const struct label_def *def, const char *value)
{
    static char text[300];
    size_t len;
    const char *to = catalog_resolve_label(def, value, strlen(value), &len);
    snprintf(text, sizeof text, "%.*s", to != NULL ? (int)len : 1, to != NULL ? to : "-");
    return text;
}

START_TEST(the_builtin_catalogue_has_exactly_the_metrics_that_users_know)
{
    struct catalog *c = load_builtin();
    ck_assert_uint_eq(c->n_metrics, sizeof known / sizeof known[0]);
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct metric *m = &c->metrics[i];
        ck_assert_str_eq(m->name, known[i].name);
        ck_assert_int_eq(m->type, known[i].type);
        struct buf labels = BUF_INIT;
        for (size_t k = 0; k < m->n_labels; k++) {
            buf_addf(&labels, "%s%s", k > 0 ? "," : "", m->labels[k].name);
        }
        ck_assert_str_eq(buf_string(&labels), known[i].labels);
        buf_free(&labels);
        ck_assert_uint_gt(strlen(m->help), 20);
        ck_assert_uint_eq(m->series_limit, 0);
        ck_assert_uint_eq(m->ttl_ms, 0);
        ck_assert_str_eq(m->unit, m->type == METRIC_HISTOGRAM ? "seconds" : "");
        ck_assert_int_eq(m->owned, m->type == METRIC_GAUGE);
        // Counters with a closed label exist from the start.
        bool closed = false;
        for (size_t k = 0; k < m->n_labels; k++) {
            closed |= m->labels[k].def->closed;
        }
        ck_assert_int_eq(m->precreate, m->type == METRIC_COUNTER && closed);
    }
    catalog_free(c);
}
END_TEST

START_TEST(the_builtin_buckets_reach_beyond_the_alerts)
{
    static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                    5,     10,   30,    60,   120, 300,  600, 1800, 3600};
    struct catalog *c = load_builtin();
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct metric *m = &c->metrics[i];
        if (m->type == METRIC_HISTOGRAM) {
            bool long_one = strcmp(m->name, "virtrigaud_vm_operations_duration_seconds") == 0;
            ck_assert_uint_eq(m->n_bounds, long_one ? 18 : 15);
            ck_assert_mem_eq(m->bounds, bounds, m->n_bounds * sizeof bounds[0]);
            ck_assert_str_eq(m->bounds_name, long_one ? "operation_seconds" : "duration_seconds");
        }
    }
    catalog_free(c);
}
END_TEST

START_TEST(the_builtin_labels_take_what_components_send)
{
    struct catalog *c = load_builtin();
    const struct label_def *code = def_of(c, "virtrigaud_provider_rpc_requests_total", 2);
    const struct label_def *method = def_of(c, "virtrigaud_provider_rpc_requests_total", 1);
    const struct label_def *state = def_of(c, "virtrigaud_libvirt_domains_total", 1);
    ck_assert_uint_eq(code->n_values, 17);
    ck_assert_uint_eq(state->n_values, 8);
    const struct {
        const struct label_def *def;
        const char *sent;
        const char *kept;
    } cases[] = {
        {code, "OK", "OK"},
        {code, "InvalidArgument", "INVALID_ARGUMENT"},
        {code, "DeadlineExceeded", "DEADLINE_EXCEEDED"},
        {code, "Unauthenticated", "UNAUTHENTICATED"},
        {code, "Canceled", "CANCELLED"},
        {code, "CANCELED", "CANCELLED"},
        {code, "Cancelled", "CANCELLED"},
        {code, "CANCELLED", "CANCELLED"},
        {code, "ok", "UNKNOWN"},
        {code, "INVALID_ARGUMENT2", "UNKNOWN"},
        {code, "Code(42)", "UNKNOWN"},
        {def_of(c, "virtrigaud_vm_operations_total", 2), "", "none"},
        {def_of(c, "virtrigaud_vm_operations_total", 2), "vc1", "vc1"},
        {method, "Create", "CreateVM"},
        {method, "CloneVM", "CloneVM"},
        {method, "Clone", "CloneVM"},
        {method, "Validate", "Validate"},
        {method, "Anything", "Anything"},
        {def_of(c, "virtrigaud_vsphere_api_calls_total", 0), "Create", "Create"},
        {def_of(c, "virtrigaud_manager_reconcile_total", 1), "requeue", "requeue"},
        {def_of(c, "virtrigaud_vm_operations_total", 3), "requeue", "-"},
        {def_of(c, "virtrigaud_vm_operations_total", 3), "failure", "failure"},
        {def_of(c, "virtrigaud_vm_operations_total", 1), "firecracker", "firecracker"},
        {def_of(c, "virtrigaud_vm_clone_total", 0), "true", "true"},
        {def_of(c, "virtrigaud_vm_clone_total", 0), "yes", "-"},
        {def_of(c, "virtrigaud_vm_snapshot_total", 0), "revert", "revert"},
        {def_of(c, "virtrigaud_vm_snapshot_total", 0), "Revert", "-"},
        {def_of(c, "virtrigaud_errors_total", 1), "provider", "provider"},
        {def_of(c, "virtrigaud_errors_total", 1), "unknown", "-"},
        {def_of(c, "virtrigaud_errors_total", 0), "tls-not-configured", "tls-not-configured"},
        {state, "pmsuspended", "pmsuspended"},
        {state, "suspended", "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(resolve(cases[i].def, cases[i].sent), cases[i].kept);
    }
    catalog_free(c);
}
END_TEST

START_TEST(a_value_need_not_end_in_a_nul)
{
    struct catalog *c = load_builtin();
    const struct label_def *code = def_of(c, "virtrigaud_provider_rpc_requests_total", 2);
    size_t len = 0;
    const char sent[] = {'O', 'K', 'x', '\0', 'y'};
    ck_assert_ptr_eq(catalog_resolve_label(code, sent, 2, &len), sent);
    ck_assert_uint_eq(len, 2);
    ck_assert_ptr_null(catalog_find_value(code, sent, 1, &len));
    ck_assert_ptr_null(catalog_find_value(code, sent, 3, &len));
    ck_assert_ptr_null(catalog_find_value(code, sent, sizeof sent, &len));
    ck_assert_ptr_null(catalog_find_value(code, "OK\0", 3, &len));
    ck_assert_uint_eq(len, 2);
    ck_assert_str_eq(catalog_resolve_label(code, "OK\0", 3, &len), "UNKNOWN");
    ck_assert_uint_eq(len, strlen("UNKNOWN"));
    catalog_free(c);
}
END_TEST

START_TEST(names_lead_to_positions)
{
    struct catalog *c = load_builtin();
    for (size_t i = 0; i < c->n_metrics; i++) {
        const char *name = c->metrics[i].name;
        ck_assert_int_eq(catalog_find_metric(c, name, strlen(name)), (int)i);
        ck_assert_int_eq(catalog_find_metric(c, name, strlen(name) - 1), -1);
    }
    ck_assert_int_eq(catalog_find_metric(c, "rpc", 3), -1);
    ck_assert_int_eq(catalog_find_event(c, "reconcile", 9), 0);
    ck_assert_int_eq(catalog_find_event(c, "rpc_and_more", 3), 1);
    ck_assert_int_eq(catalog_find_event(c, "", 0), -1);
    ck_assert_int_eq(catalog_find_component(c, "unknown", 7), COMPONENT_UNKNOWN);
    ck_assert_int_eq(catalog_find_component(c, "manager", 7), COMPONENT_MANAGER);
    ck_assert_int_eq(catalog_find_component(c, "provider", 8), COMPONENT_PROVIDER);
    ck_assert_int_eq(catalog_find_component(c, "agent", 5), -1);
    catalog_free(c);
    catalog_free(NULL);
}
END_TEST

START_TEST(a_reconfiguration_counts_twice_and_everything_else_once)
{
    struct catalog *c = load_builtin();
    const struct event *ev = &c->events[catalog_find_event(c, "vm_operation", 12)];
    ck_assert_int_eq(ev->value, EVENT_VALUE_OPTIONAL);
    ck_assert_uint_eq(ev->n_updates, 3);
    const struct update *last = &ev->updates[2];
    ck_assert_str_eq(c->metrics[last->metric].name, "virtrigaud_vm_reconfigure_total");
    ck_assert_uint_eq(last->n_conditions, 1);
    ck_assert_str_eq(last->conditions[0].values[0], "Reconfigure");
    // provider_type, outcome of operation, provider_type, provider, outcome
    ck_assert_uint_eq(last->map[0], 1);
    ck_assert_uint_eq(last->map[1], 3);
    ev = &c->events[catalog_find_event(c, "task_finished", 13)];
    ck_assert(ev->updates[0].by == -1);
    ck_assert_int_eq(ev->value, EVENT_VALUE_NONE);
    ck_assert_uint_eq(c->n_events, 6);
    catalog_free(c);
}
END_TEST

START_TEST(keys_that_are_left_out_have_defaults)
{
    struct catalog *c =
        load_text("components: [agent]\nmetrics:\n"
                  "- {name: a, type: gauge, help: h}\n"
                  "- {name: b_bytes_total, type: counter, help: h, unit: bytes,\n"
                  "   series_limit: 5, ttl: 1h30m, component: agent, labels: [z]}\n");
    const struct metric *a = metric(c, "a");
    const struct metric *b = metric(c, "b_bytes_total");
    ck_assert_uint_eq(a->component, COMPONENT_ANY);
    ck_assert_uint_eq(a->n_labels, 0);
    ck_assert_str_eq(a->unit, "");
    ck_assert(!a->owned && !a->precreate && a->bounds_name == NULL && a->n_bounds == 0);
    ck_assert_str_eq(b->unit, "bytes");
    ck_assert_uint_eq(b->series_limit, 5);
    ck_assert_uint_eq(b->ttl_ms, 5400000);
    ck_assert_uint_eq(b->component, 3);
    ck_assert(b->labels[0].def->implied && !b->labels[0].def->closed);
    ck_assert_uint_eq(c->n_defs, 1);
    catalog_free(c);
    c = load_text("");
    ck_assert_uint_eq(c->n_metrics, 0);
    ck_assert_int_eq(catalog_find_metric(c, "a", 1), -1);
    catalog_free(c);
}
END_TEST

UNIT_MAIN("catalog", the_builtin_catalogue_has_exactly_the_metrics_that_users_know,
          the_builtin_buckets_reach_beyond_the_alerts, the_builtin_labels_take_what_components_send,
          a_value_need_not_end_in_a_nul, names_lead_to_positions,
          a_reconfiguration_counts_twice_and_everything_else_once,
          keys_that_are_left_out_have_defaults)
