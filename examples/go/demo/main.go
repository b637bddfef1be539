// SPDX-License-Identifier: Apache-2.0

// Demo shows the package at work: one call of each kind, calls through the interceptor, then COUNT events, PER_SECOND
// of them in a second (0: as fast as it goes). It ends with its account as one line of JSON.
//
//	demo SOCKET COUNT PER_SECOND
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"example.com/virtrigaud-push/virtrigaud"
)

// What gRPC calls ClientConn, CallOption and UnaryInvoker.
type (
	conn    struct{}
	option  struct{}
	invoker func(ctx context.Context, method string, request, answer any, c *conn, options ...option) error
)

// call stands for gRPC's own way to make a call.
func call(_ context.Context, method string, _, _ any, _ *conn, _ ...option) error {
	if method == "/provider.v1.Provider/Delete" {
		return errors.New("not there")
	}
	return nil
}

func code(err error) string {
	if err != nil {
		return "NotFound"
	}
	return "OK"
}

func main() {
	count, _ := strconv.Atoi(os.Args[2])
	perSecond, _ := strconv.Atoi(os.Args[3])
	client, err := virtrigaud.New(virtrigaud.Config{Component: "manager", Instance: "demo", Path: os.Args[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failures := client.Counter("virtrigaud_errors_total", "reason", "component")
	depth := client.Gauge("virtrigaud_queue_depth", "kind")
	durations := client.Histogram("virtrigaud_manager_reconcile_duration_seconds", "kind")
	operations := client.Event("vm_operation", "operation", "provider_type", "provider", "outcome")

	failures.Inc("quoted \"reason\"", "manager")
	depth.Set(12, "VirtualMachine")
	depth.Add(-2, "VirtualMachine")
	durations.Start().Stop("VirtualMachine")
	operations.Send("Create", "vsphere", "vc1", virtrigaud.Outcome(nil))
	failures.Inc("one label is missing")
	intercept := virtrigaud.UnaryClientInterceptor[*conn, option, invoker](client, "vsphere", code)
	for _, method := range []string{"Create", "Delete"} {
		_ = intercept(context.Background(), "/provider.v1.Provider/"+method, nil, nil, nil, call)
	}

	longest := time.Duration(0)
	for i := 0; i < count; i++ {
		begin := time.Now()
		operations.SendValue(0.25, "Describe", "vsphere", "vc1", "success")
		if took := time.Since(begin); took > longest {
			longest = took
		}
		if perSecond > 0 {
			time.Sleep(time.Second / time.Duration(perSecond))
		}
	}
	account := client.Close(30 * time.Second)
	_ = json.NewEncoder(os.Stdout).Encode(struct {
		virtrigaud.Account
		LongestSeconds float64
	}{account, longest.Seconds()})
}
