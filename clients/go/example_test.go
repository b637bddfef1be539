// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

func Example() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "events.sock")
	daemon, err := virtrigaudtest.Listen(path, virtrigaudtest.Options{}) // stands for virtrigaud-exporter
	if err != nil {
		fmt.Println(err)
		return
	}
	defer daemon.Stop()

	set := virtrigaud.NewSet()
	operations := set.Event("vm_operation", "operation", "provider_type", "provider", "outcome")
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	client := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Path: path})

	depth.Set(12, "VirtualMachine")
	timer := operations.Start("Create", "vsphere", "vc1")
	err = errors.New("no room") // what the operation returns
	timer.Stop(virtrigaud.Outcome(err))

	stats := client.Close(context.Background())
	fmt.Println(stats.Applied, "applied,", stats.Refused, "refused,", stats.Lost, "lost")
	fmt.Println(daemon.Value("virtrigaud_vm_operations_total",
		"operation", "Create", "provider_type", "vsphere", "provider", "vc1", "outcome", "error"))
	// Output:
	// 2 applied, 0 refused, 0 lost
	// 1
}

func ExampleCounter_With() {
	set := virtrigaud.NewSet()
	failures := set.Counter("virtrigaud_errors_total", "reason", "component")
	resolve := failures.With("provider-resolve", "manager") // kept, it makes calls cheaper
	resolve.Inc()
	resolve.Add(2)
	failures.Inc("get-vm", "manager")
	failures.With("get-vm").Inc("manager")
	set.Drain(func(line []byte) { fmt.Println(string(line)) })
	// Output:
	// {"metric":"virtrigaud_errors_total","labels":{"reason":"provider-resolve","component":"manager"},"value":3}
	// {"metric":"virtrigaud_errors_total","labels":{"reason":"get-vm","component":"manager"},"value":2}
}

func ExampleEvent() {
	set := virtrigaud.NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	rpc.Observe(0.84, "vsphere", "Create", "OK")
	rpc.Observe(0.5, "vsphere", "Create", "OK")
	started := set.Event("task_started", "provider_type", "provider").With("vsphere", "vc1")
	started.Inc()
	started.Inc()
	set.Drain(func(line []byte) { fmt.Println(string(line)) })
	// Output:
	// {"event":"task_started","labels":{"provider_type":"vsphere","provider":"vc1"},"count":2}
	// {"event":"rpc","labels":{"provider_type":"vsphere","method":"Create","code":"OK"},"values":[0.84,0.5]}
}

func ExampleLogFunc() {
	set := virtrigaud.NewSet()
	client := virtrigaud.New(set, virtrigaud.Config{
		Component: "manager",
		Path:      "/nowhere/events.sock",
		Logger: virtrigaud.LogFunc(func(level, msg string, args ...any) {
			fmt.Println(level, msg, args)
		}),
	})
	ctx, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_ = client.Flush(ctx)
	client.Close(context.Background())
	// Output:
	// WARN virtrigaud: cannot connect (no socket there: the daemon does not run, or has another path) [socket /nowhere/events.sock]
}

func ExampleSet_Forget() {
	set := virtrigaud.NewSet()
	inflight := set.Gauge("virtrigaud_provider_tasks_inflight", "provider_type", "provider")
	inflight.Set(3, "vsphere", "vc1")
	inflight.Set(4, "vsphere", "vc2")
	set.Forget(map[string]string{"provider": "vc1"}) // it was removed
	set.Drain(func(line []byte) { fmt.Println(string(line)) })
	// Output:
	// {"forget":{"labels":{"provider":"vc1"}}}
	// {"metric":"virtrigaud_provider_tasks_inflight","labels":{"provider_type":"vsphere","provider":"vc2"},"value":4}
}
