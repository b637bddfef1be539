// SPDX-License-Identifier: Apache-2.0
/* The manager of scripts/sample, written on the library for C: manager SOCKET [PID]. It pushes what a small control plane does
 * in a few minutes, and then a little every two seconds as long as the process PID runs. */
#include <virtrigaud-client.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LABELS_MAX = 8, CLOSE_MS = 10000 };

static struct virtrigaud_client *client;

// Reads names and values in turn, up to NULL. Returns how many labels there are.
static size_t read_labels(struct virtrigaud_label labels[LABELS_MAX], va_list *list)
{
    size_t n = 0;
    for (const char *name; n < LABELS_MAX && (name = va_arg(*list, const char *)) != NULL; n++) {
        labels[n] = (struct virtrigaud_label){name, va_arg(*list, const char *)};
    }
    return n;
}

// An event that takes a value.
static void took(const char *event, double seconds, ...)
{
    struct virtrigaud_label labels[LABELS_MAX];
    va_list list;
    va_start(list, seconds);
    size_t n = read_labels(labels, &list);
    va_end(list);
    virtrigaud_event_value(client, event, labels, n, seconds);
}

// One that takes none.
static void happened(const char *event, ...)
{
    struct virtrigaud_label labels[LABELS_MAX];
    va_list list;
    va_start(list, event);
    size_t n = read_labels(labels, &list);
    va_end(list);
    virtrigaud_event(client, event, labels, n);
}

static void set(const char *gauge, double value, ...)
{
    struct virtrigaud_label labels[LABELS_MAX];
    va_list list;
    va_start(list, value);
    size_t n = read_labels(labels, &list);
    va_end(list);
    virtrigaud_gauge_set(client, gauge, labels, n, value);
}

static void count(const char *counter, ...)
{
    struct virtrigaud_label labels[LABELS_MAX];
    va_list list;
    va_start(list, counter);
    size_t n = read_labels(labels, &list);
    va_end(list);
    virtrigaud_counter_add(client, counter, labels, n, 1);
}

static void reconciled(const char *kind, const char *outcome, double seconds)
{
    took("reconcile", seconds, "kind", kind, "outcome", outcome, NULL);
}

static void called(const char *type, const char *method, const char *code, double seconds)
{
    took("rpc", seconds, "provider_type", type, "method", method, "code", code, NULL);
}

static void begin(void)
{
    set("virtrigaud_build_info", 1, "version", "v0.3.9", "git_sha", "4f2c1d7", "go_version",
        "go1.24.3", NULL);
    set("virtrigaud_queue_depth", 12, "kind", "VirtualMachine", NULL);
    set("virtrigaud_queue_depth", 1, "kind", "VMSnapshot", NULL);
    set("virtrigaud_queue_depth", 0, "kind", "Provider", NULL);
    reconciled("Provider", "success", 0.038);
    reconciled("VirtualMachine", "requeue", 0.094);
    reconciled("VirtualMachine", "requeue", 0.121);
    reconciled("VirtualMachine", "requeue", 0.087);
    reconciled("VirtualMachine", "error", 0.012);
    reconciled("VMSnapshot", "requeue", 0.203);
}

static void call_vsphere(void)
{
    called("vsphere", "Validate", "OK", 0.021);
    called("vsphere", "Describe", "OK", 0.064);
    called("vsphere", "Create", "OK", 1.84);
    called("vsphere", "TaskStatus", "OK", 0.033);
    called("vsphere", "Reconfigure", "InvalidArgument", 0.018);
    took("vm_operation", 74.5, "operation", "Create", "provider_type", "vsphere", "provider", "vc1",
         "outcome", "success", NULL);
    happened("vm_operation", "operation", "Describe", "provider_type", "vsphere", "provider", "vc1",
             "outcome", "success", NULL);
    took("vm_operation", 0.02, "operation", "Reconfigure", "provider_type", "vsphere", "provider",
         "vc1", "outcome", "error", NULL);
    count("virtrigaud_vm_snapshot_total", "action", "create", "provider_type", "vsphere", "outcome",
          "success", NULL);
    count("virtrigaud_vm_clone_total", "linked", "true", "provider_type", "vsphere", "outcome",
          "success", NULL);
    happened("task_started", "provider_type", "vsphere", "provider", "vc1", NULL);
    happened("task_started", "provider_type", "vsphere", "provider", "vc1", NULL);
    happened("task_finished", "provider_type", "vsphere", "provider", "vc1", NULL);
    took("ip_discovered", 41.7, "provider_type", "vsphere", NULL);
}

static void call_libvirt(void)
{
    called("libvirt", "Validate", "OK", 0.41);
    called("libvirt", "Describe", "OK", 6.2);
    called("libvirt", "Describe", "DeadlineExceeded", 30);
    happened("vm_operation", "operation", "Describe", "provider_type", "libvirt", "provider",
             "kvm-a", "outcome", "success", NULL);
    took("vm_operation", 3.1, "operation", "Power", "provider_type", "libvirt", "provider", "kvm-a",
         "outcome", "success", NULL);
    count("virtrigaud_vm_image_prepare_total", "provider_type", "libvirt", "outcome", "success",
          NULL);
    set("virtrigaud_circuit_breaker_state", 0, "provider_type", "libvirt", "provider", "kvm-a",
        NULL);
    count("virtrigaud_circuit_breaker_failures_total", "provider_type", "libvirt", "provider",
          "kvm-a", NULL);
    count("virtrigaud_errors_total", "reason", "provider-describe", "component", "manager", NULL);
}

static void go_on(void)
{
    reconciled("VirtualMachine", "requeue", 0.101);
    called("vsphere", "Validate", "OK", 0.019);
    called("vsphere", "Describe", "OK", 0.058);
    happened("vm_operation", "operation", "Describe", "provider_type", "vsphere", "provider", "vc1",
             "outcome", "success", NULL);
}

int main(int argc, char **argv)
{
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    struct virtrigaud_stats stats;
    pid_t daemon = argc > 2 ? (pid_t)atoi(argv[2]) : 0;
    config.component = "manager";
    config.instance = "manager-0";
    config.socket = argc > 1 ? argv[1] : NULL;
    client = virtrigaud_new();
    if (virtrigaud_start(client, &config) != 0) {
        return 3;
    }
    begin();
    call_vsphere();
    call_libvirt();
    while (daemon > 0 && sleep(2) == 0 && kill(daemon, 0) == 0) {
        go_on();
    }
    virtrigaud_close(client, daemon > 0 ? 0 : CLOSE_MS, &stats);
    virtrigaud_free(client);
    return daemon > 0 || stats.applied == stats.sent ? 0 : 1;
}
