// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	virtrigaud "example.org/virtrigaud"
	metrics "example.org/virtrigaud/adapter"
	"example.org/virtrigaud/virtrigaudtest"
)

// What package initialisers of the control plane make, before anything is set up.
var (
	early   = metrics.NewReconcileMetrics("VirtualMachine")
	breaker = metrics.NewCircuitBreakerMetrics("vsphere", "vc1")
)

type result struct {
	requeue bool
	err     error
}

// reconcile is as the controllers are: a deferred block at the top.
func reconcile(kind string, end result) {
	timer := metrics.NewReconcileTimer(kind)
	defer func() {
		outcome := metrics.OutcomeSuccess
		if end.err != nil {
			outcome = metrics.OutcomeError
			metrics.RecordError("get-vm", metrics.ComponentManager)
		} else if end.requeue {
			outcome = metrics.OutcomeRequeue
		}
		timer.Finish(outcome)
	}()
}

// recordVMOp is as the client of providers is, which makes its objects for each call.
func recordVMOp(provider, operation string, err *error) {
	outcome := metrics.OutcomeSuccess
	if *err != nil {
		outcome = metrics.OutcomeError
	}
	metrics.NewVMOperationMetrics("vsphere", provider).RecordOperation(operation, outcome)
}

func call(method, code string) {
	timer := metrics.NewTimer()
	metrics.NewProviderRPCMetrics("vsphere").RecordRPC(method, code, timer.Duration())
}

// work makes each of the calls, n times from each of a few goroutines.
func work(n int) {
	var all sync.WaitGroup
	for g := 0; g < 4; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < n; i++ {
				reconcile("VirtualMachine", result{requeue: true})
				reconcile("Provider", result{err: errors.New("no")})
				reconcile("VMSet", result{})
				var err error
				recordVMOp("vc1", metrics.OpCreate, &err)
				recordVMOp("", metrics.OpDescribe, &err)
				err = errors.New("no")
				recordVMOp("vc1", metrics.OpReconfigure, &err)
				recordVMOp("vc1", metrics.OpDelete, &err)
				recordVMOp("vc1", metrics.OpPower, &err)
				call("Create", "OK")
				call("Validate", "InvalidArgument")
				call("TaskStatus", "Code(42)")
				metrics.NewRPCTimer("libvirt", "Describe").Finish("DeadlineExceeded")
				metrics.RecordIPDiscovery("vsphere", 3*time.Second)
				early.RecordReconcile(metrics.OutcomeSuccess, time.Second)
				metrics.RecordError("ConnectionFailed", metrics.ComponentProvider)
				breaker.RecordFailure()
			}
		}()
	}
	all.Wait()
	early.SetQueueDepth(12)
	breaker.SetState(metrics.CircuitBreakerHalfOpen)
	metrics.NewCircuitBreakerMetrics("libvirt", "").SetState(metrics.CircuitBreakerClosed)
	metrics.NewCircuitBreakerMetrics("mock", "m").SetState(metrics.CircuitBreakerOpen)
	inflight := map[string]bool{"a": true, "b": true}
	metrics.NewTaskMetrics("vsphere", "vc1").SetInflightTasks(float64(len(inflight)))
	delete(inflight, "a")
	metrics.NewTaskMetrics("vsphere", "vc1").SetInflightTasks(float64(len(inflight)))
}

type source interface {
	Value(name string, labels ...string) float64
	Lookup(name string, labels ...string) (float64, bool)
	Refused() []virtrigaudtest.Refusal
}

func expect(t *testing.T, where string, s source, n float64) {
	t.Helper()
	for _, one := range []struct {
		wanted float64
		name   string
		labels []string
	}{
		{n, "virtrigaud_manager_reconcile_total", []string{"kind", "VirtualMachine", "outcome", "requeue"}},
		{n, "virtrigaud_manager_reconcile_total", []string{"kind", "VirtualMachine", "outcome", "success"}},
		{n, "virtrigaud_manager_reconcile_total", []string{"kind", "Provider", "outcome", "error"}},
		{n, "virtrigaud_manager_reconcile_total", []string{"kind", "VMSet", "outcome", "success"}},
		{2 * n, "virtrigaud_manager_reconcile_duration_seconds_count", []string{"kind", "VirtualMachine"}},
		{n, "virtrigaud_errors_total", []string{"reason", "get-vm", "component", "manager"}},
		{n, "virtrigaud_errors_total", []string{"reason", "ConnectionFailed", "component", "provider"}},
		{n, "virtrigaud_vm_operations_total", []string{"operation", "Create", "provider_type", "vsphere", "provider", "vc1", "outcome", "success"}},
		{n, "virtrigaud_vm_operations_total", []string{"operation", "Describe", "provider_type", "vsphere", "provider", "none", "outcome", "success"}},
		{n, "virtrigaud_vm_operations_total", []string{"operation", "Delete", "provider_type", "vsphere", "provider", "vc1", "outcome", "error"}},
		{n, "virtrigaud_vm_reconfigure_total", []string{"provider_type", "vsphere", "outcome", "error"}},
		{n, "virtrigaud_provider_rpc_requests_total", []string{"provider_type", "vsphere", "method", "CreateVM", "code", "OK"}},
		{n, "virtrigaud_provider_rpc_requests_total", []string{"provider_type", "vsphere", "method", "Validate", "code", "INVALID_ARGUMENT"}},
		{n, "virtrigaud_provider_rpc_requests_total", []string{"provider_type", "vsphere", "method", "TaskStatus", "code", "UNKNOWN"}},
		{n, "virtrigaud_provider_rpc_requests_total", []string{"provider_type", "libvirt", "method", "DescribeVM", "code", "DEADLINE_EXCEEDED"}},
		{n, "virtrigaud_provider_rpc_latency_seconds_count", []string{"provider_type", "libvirt", "method", "DescribeVM"}},
		{3 * n, "virtrigaud_ip_discovery_duration_seconds_sum", []string{"provider_type", "vsphere"}},
		{n, "virtrigaud_circuit_breaker_failures_total", []string{"provider_type", "vsphere", "provider", "vc1"}},
		{1, "virtrigaud_circuit_breaker_state", []string{"provider_type", "vsphere", "provider", "vc1"}},
		{0, "virtrigaud_circuit_breaker_state", []string{"provider_type", "libvirt", "provider", "none"}},
		{2, "virtrigaud_circuit_breaker_state", []string{"provider_type", "mock", "provider", "m"}},
		{12, "virtrigaud_queue_depth", []string{"kind", "VirtualMachine"}},
		{1, "virtrigaud_provider_tasks_inflight", []string{"provider_type", "vsphere", "provider", "vc1"}},
	} {
		if value, ok := s.Lookup(one.name, one.labels...); !ok || value != one.wanted {
			t.Errorf("%s: %s%v is %v, wanted %v", where, one.name, one.labels, value, one.wanted)
		}
	}
	if refused := s.Refused(); len(refused) != 0 {
		t.Errorf("%s: refused: %v", where, refused)
	}
}

// The tests of the control plane gather, and look for a series; written so that it compiles with client_golang's types too.
func gathered(t *testing.T, name, label, wanted string) (float64, uint64) {
	t.Helper()
	families, err := metrics.GetRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				if pair.GetName() == label && pair.GetValue() == wanted {
					return metric.GetCounter().GetValue() + metric.GetGauge().GetValue(), metric.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	t.Fatalf("there is no %s with %s=%q", name, label, wanted)
	return 0, 0
}

func TestCallsArriveInTheRegistry(t *testing.T) {
	work(25)
	expect(t, "registry", metrics.GetRegistry(), 100)
	if value, _ := gathered(t, "virtrigaud_errors_total", "reason", "get-vm"); value != 100 {
		t.Errorf("gathered: %v", value)
	}
	if _, count := gathered(t, "virtrigaud_ip_discovery_duration_seconds", "provider_type", "vsphere"); count != 100 {
		t.Errorf("gathered: %v", count)
	}
	families, _ := metrics.GetRegistry().Gather()
	for _, family := range families {
		if family.GetHelp() == "" || family.GetType().String() == "" {
			t.Errorf("%s has no help or type", family.GetName())
		}
		for _, metric := range family.GetMetric() {
			n := uint64(0)
			for _, bucket := range metric.GetHistogram().GetBucket() {
				if bucket.GetCumulativeCount() < n {
					t.Errorf("%s goes down at %v", family.GetName(), bucket.GetUpperBound())
				}
				n = bucket.GetCumulativeCount()
			}
		}
	}
	metrics.GetRegistry().Reset()
}

func TestCallsArriveInADaemon(t *testing.T) {
	dir, err := os.MkdirTemp("", "virtrigaud")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	d, err := virtrigaudtest.Listen(path, virtrigaudtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Stop()
	work(5)
	t.Setenv("VIRTRIGAUD_EVENTS_SOCKET", path)
	metrics.SetupMetrics("v1.2.3", "4e3560b", metrics.ComponentManager)
	work(20)
	client := metrics.Bind(virtrigaud.Config{Component: "manager", Instance: "other"})
	if err := client.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, "daemon", d, 100)
	build, _ := d.Lookup("virtrigaud_build_info", "version", "v1.2.3", "git_sha", "4e3560b", "go_version", runtime.Version())
	if stats := metrics.Shutdown(context.Background()); build != 1 || stats.Waiting+stats.Lost+stats.Refused != 0 {
		t.Errorf("build info is %v; %+v", build, stats)
	}
	metrics.Shutdown(context.Background())
	t.Setenv("VIRTRIGAUD_EVENTS_SOCKET", "off")
	metrics.SetupMetrics("v1.2.3", "4e3560b", metrics.ComponentManager)
	work(1)
	metrics.Set.Enable()
	expect(t, "off", d, 100)
}
