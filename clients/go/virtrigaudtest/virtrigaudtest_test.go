// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

func TestTheBuiltinCatalogueIsTheDaemons(t *testing.T) {
	program := os.Getenv("VIRTRIGAUD_EXPORTER")
	if program == "" {
		t.Skip("VIRTRIGAUD_EXPORTER names no program")
	}
	printed, err := exec.Command(program, "--config.file=/dev/null", "--catalog.dir=", "--catalog.print=json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(printed, virtrigaudtest.BuiltinJSON()) {
		t.Error("catalog.json is not what virtrigaud-exporter --catalog.print=json prints: write it anew")
	}
}

func TestTheRecorderFollowsTheCatalogue(t *testing.T) {
	set := virtrigaud.NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	operation := set.Event("vm_operation", "operation", "provider_type", "provider", "outcome")
	tasks := set.Event("task_finished", "provider_type", "provider")
	rpc.Observe(1, "dropped", "with", "OK")
	recorder := virtrigaudtest.NewRecorder(set)
	rpc.Observe(0.25, "vsphere", "Create", "InvalidArgument")
	rpc.Observe(0.5, "vsphere", "CreateVM", "Code(42)")
	operation.Inc("Reconfigure", "mock", "", "success")
	operation.Inc("Create", "mock", "", "success")
	operation.Inc("Create", "mock", "", "success")
	tasks.Inc("mock", "p")
	value := func(wanted float64, name string, labels ...string) {
		t.Helper()
		if v := recorder.Value(name, labels...); v != wanted {
			t.Errorf("%s%v is %v, wanted %v", name, labels, v, wanted)
		}
	}
	value(1, "virtrigaud_provider_rpc_requests_total", "provider_type", "vsphere", "method", "CreateVM", "code", "INVALID_ARGUMENT")
	value(1, "virtrigaud_provider_rpc_requests_total", "provider_type", "vsphere", "method", "Create", "code", "Unknown")
	value(2, "virtrigaud_provider_rpc_latency_seconds_count", "provider_type", "vsphere", "method", "Create")
	value(0.75, "virtrigaud_provider_rpc_latency_seconds_sum", "provider_type", "vsphere", "method", "Create")
	value(2, "virtrigaud_vm_operations_total", "operation", "Create", "provider_type", "mock", "provider", "none", "outcome", "success")
	value(1, "virtrigaud_vm_reconfigure_total", "provider_type", "mock", "outcome", "success")
	value(-1, "virtrigaud_provider_tasks_inflight", "provider_type", "mock", "provider", "p")
	value(0, "no_such_metric")
	set.Forget(map[string]string{"provider_type": "vsphere"})
	if _, ok := recorder.Lookup("virtrigaud_provider_rpc_requests_total", "provider_type", "vsphere", "method", "Create", "code", "Unknown"); ok {
		t.Error("what was forgotten is there")
	}
	recorder.Reset()
	value(0, "virtrigaud_vm_operations_total", "operation", "Create", "provider_type", "mock", "provider", "none", "outcome", "success")
}

func TestTheRecorderHasTheClientsLabels(t *testing.T) {
	set := virtrigaud.NewSet()
	recorder := virtrigaudtest.NewRecorder(set).WithLabels("provider_type", "vsphere", "provider", "vc1")
	set.Event("vm_operation", "operation", "outcome").Inc("Create", "success")
	set.Event("vm_operation", "operation", "provider", "outcome").Inc("Create", "vc2", "success")
	for _, provider := range []string{"vc1", "vc2"} {
		if n := recorder.Value("virtrigaud_vm_operations_total", "operation", "Create", "provider_type", "vsphere", "provider", provider,
			"outcome", "success"); n != 1 {
			t.Errorf("%s has %v, refused is %v", provider, n, recorder.Refused())
		}
	}
}

func TestTheRecorderRefuses(t *testing.T) {
	for _, one := range []struct {
		reason string
		record func(*virtrigaud.Set)
	}{
		{"unknown_metric", func(s *virtrigaud.Set) { s.Counter("no").Inc() }},
		{"unknown_event", func(s *virtrigaud.Set) { s.Event("no").Inc() }},
		{"unknown_label", func(s *virtrigaud.Set) { s.Gauge("virtrigaud_queue_depth", "kind", "x").Set(1, "a", "b") }},
		{"missing_label", func(s *virtrigaud.Set) { s.Gauge("virtrigaud_queue_depth").Set(1) }},
		{"label_value_not_allowed", func(s *virtrigaud.Set) { s.Event("reconcile", "kind", "outcome").Observe(1, "VM", "no") }},
		{"missing_value", func(s *virtrigaud.Set) { s.Event("reconcile", "kind", "outcome").Inc("VM", "error") }},
		{"bad_utf8", func(s *virtrigaud.Set) { s.Gauge("virtrigaud_queue_depth", "kind").Set(1, "\xff") }},
		{"bad_value", func(s *virtrigaud.Set) { s.Event("task_started", "provider_type", "provider").Observe(1, "a", "b") }},
	} {
		set := virtrigaud.NewSet()
		recorder := virtrigaudtest.NewRecorder(set)
		one.record(set)
		if refused := recorder.Refused(); len(refused) != 1 || refused[0].Reason != one.reason || refused[0].Line == "" {
			t.Errorf("refused: %v, wanted %s", refused, one.reason)
		}
	}
}
