# SPDX-License-Identifier: Apache-2.0
"""What a control plane pushes so that every family of the built-in catalogue has a sample, and what must be seen then."""
from client import Client, event, hello, metric

BOUNDS = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300"]
MORE_BOUNDS = BOUNDS + ["600", "1800", "3600"]

# name: (type, labels, value); of a histogram the bounds and the one value that it observes stand for the value.
FAMILIES = {
    "virtrigaud_manager_reconcile_total": ("counter", {"kind": "VirtualMachine", "outcome": "requeue"}, 1),
    "virtrigaud_manager_reconcile_duration_seconds": ("histogram", {"kind": "VirtualMachine"}, (BOUNDS, 0.25)),
    "virtrigaud_queue_depth": ("gauge", {"kind": "VirtualMachine"}, 12),
    "virtrigaud_vm_operations_total": (
        "counter", {"operation": "Reconfigure", "provider_type": "vsphere", "provider": "vc1", "outcome": "failure"}, 1),
    "virtrigaud_vm_operations_duration_seconds": (
        "histogram", {"operation": "Reconfigure", "provider_type": "vsphere", "provider": "vc1"}, (MORE_BOUNDS, 700)),
    "virtrigaud_vm_reconfigure_total": ("counter", {"provider_type": "vsphere", "outcome": "failure"}, 1),
    "virtrigaud_vm_snapshot_total": ("counter", {"action": "revert", "provider_type": "vsphere", "outcome": "success"}, 2),
    "virtrigaud_vm_clone_total": ("counter", {"linked": "true", "provider_type": "vsphere", "outcome": "error"}, 1),
    "virtrigaud_vm_image_prepare_total": ("counter", {"provider_type": "libvirt", "outcome": "success"}, 3),
    "virtrigaud_build_info": ("gauge", {"version": "v0.3.9", "git_sha": "4f2c1d7", "go_version": "go1.24.3"}, 1),
    "virtrigaud_provider_rpc_requests_total": (
        "counter", {"provider_type": "libvirt", "method": "CreateVM", "code": "DEADLINE_EXCEEDED"}, 1),
    "virtrigaud_provider_rpc_latency_seconds": ("histogram", {"provider_type": "libvirt", "method": "CreateVM"}, (BOUNDS, 1.84)),
    "virtrigaud_provider_tasks_inflight": ("gauge", {"provider_type": "vsphere", "provider": "vc1"}, 1),
    "virtrigaud_ip_discovery_duration_seconds": ("histogram", {"provider_type": "vsphere"}, (BOUNDS, 41.7)),
    "virtrigaud_errors_total": ("counter", {"reason": "ConnectionFailed", "component": "provider"}, 1),
    "virtrigaud_circuit_breaker_state": ("gauge", {"provider_type": "libvirt", "provider": "kvm-a"}, 2),
    "virtrigaud_circuit_breaker_failures_total": ("counter", {"provider_type": "libvirt", "provider": "kvm-a"}, 5),
    "virtrigaud_vsphere_sessions_total": ("counter", {"datacenter": "dc \"north\" \\ süd\n2"}, 1),
    "virtrigaud_vsphere_api_calls_total": ("counter", {"method": "CloneVM_Task", "datacenter": "dc \"north\" \\ süd\n2"}, 0.5),
    "virtrigaud_libvirt_connections_total": ("counter", {"host": "kvm-a1"}, 1),
    "virtrigaud_libvirt_domains_total": ("gauge", {"host": "kvm-a1", "state": "running"}, 37),
}


def push(daemon):
    """Three sources push. Returns their clients, which stay connected."""
    manager, vsphere, libvirt = (Client(daemon) for _ in range(3))
    manager.ask(hello("manager", "manager-0"))
    vsphere.ask(hello("provider", "vc1", provider_type="vsphere", provider="vc1", datacenter="dc \"north\" \\ süd\n2"))
    libvirt.ask(hello("provider", "kvm-a", provider_type="libvirt", provider="kvm-a", host="kvm-a1"))
    manager.apply(
        event("reconcile", 0.25, kind="VirtualMachine", outcome="requeue"),
        metric("virtrigaud_queue_depth", 12, kind="VirtualMachine"),
        event("vm_operation", 700, operation="Reconfigure", provider_type="vsphere", provider="vc1", outcome="failure"),
        metric("virtrigaud_vm_snapshot_total", 2, action="revert", provider_type="vsphere", outcome="success"),
        metric("virtrigaud_vm_clone_total", linked="true", provider_type="vsphere", outcome="error"),
        metric("virtrigaud_vm_image_prepare_total", 3, provider_type="libvirt", outcome="success"),
        metric("virtrigaud_build_info", 1, version="v0.3.9", git_sha="4f2c1d7", go_version="go1.24.3"),
        event("rpc", 1.84, provider_type="libvirt", method="Create", code="DeadlineExceeded"),
        event("task_started", provider_type="vsphere", provider="vc1"),
        event("task_started", provider_type="vsphere", provider="vc1"),
        event("task_finished", provider_type="vsphere", provider="vc1"),
        event("ip_discovered", 41.7, provider_type="vsphere"),
        metric("virtrigaud_circuit_breaker_state", 2, provider_type="libvirt", provider="kvm-a"),
        metric("virtrigaud_circuit_breaker_failures_total", 5, provider_type="libvirt", provider="kvm-a"))
    vsphere.apply(metric("virtrigaud_vsphere_sessions_total"), metric("virtrigaud_vsphere_api_calls_total", 0.5, method="CloneVM_Task"))
    libvirt.apply(metric("virtrigaud_libvirt_connections_total"), metric("virtrigaud_libvirt_domains_total", 37, state="running"),
                  metric("virtrigaud_errors_total", reason="ConnectionFailed", component="provider"))
    return manager, vsphere, libvirt


def samples(name, openmetrics=False):
    """The samples of this family that are not 0 because of pre-creation: [(name, labels, value)]."""
    kind, labels, value = FAMILIES[name]
    if kind != "histogram":
        return [(name, labels, value)]
    bounds, seen = value
    shown = [b if "." in b or not openmetrics else b + ".0" for b in bounds] + ["+Inf"]
    out = [(name + "_bucket", labels | {"le": b}, float(seen <= float(b))) for b in shown]
    return out + [(name + "_sum", labels, seen), (name + "_count", labels, 1)]
