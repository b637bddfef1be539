// SPDX-License-Identifier: Apache-2.0

// Calls measures what a call of clients/go takes beside client_golang, in one process:
//
//	calls [quick]                    each kind of call, one JSON object a line: name, ns, allocations
//	calls pace WHAT SECONDS RATE     CPU nanoseconds of this process for an event of an RPC, at RATE events a second that a client
//	                                 sends to the socket WHAT, or that client_golang counts, or, with "loop", of the loop alone
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	virtrigaud "example.org/virtrigaud"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	rounds = 9
	calls  = 2000000
)

type row struct {
	Name   string  `json:"name"`
	Ns     float64 `json:"ns"`
	Allocs int64   `json:"allocs"`
}

// measure prints the best of a few rounds, in CPU time, so that other work on the machine counts for little.
func measure(name string, loop func(n int)) {
	best := row{Name: name, Ns: 1e9}
	loop(calls / 10)
	for i := 0; i < rounds; i++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := cpu()
		loop(calls)
		if ns := float64(cpu()-begin) / float64(calls); ns < best.Ns {
			runtime.ReadMemStats(&after)
			best.Ns, best.Allocs = ns, int64(after.Mallocs-before.Mallocs)/int64(calls)
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(best)
}

func ours() {
	set := virtrigaud.NewSet()
	// Nobody is there. What waits stays as small as it is while a daemon takes it.
	client := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Path: "/nowhere/events.sock", MaxBytes: 1 << 17})
	defer client.Close(context.Background())
	rpc := set.Event("rpc", "provider_type", "method", "code")
	bound := rpc.With("vsphere", "Create", "OK")
	failures := set.Counter("virtrigaud_errors_total", "reason", "component")
	measure("rpc, label values", func(n int) {
		for i := 0; i < n; i++ {
			rpc.With("vsphere", "Create", "OK").Observe(0.25)
		}
	})
	measure("rpc, label values in the call", func(n int) {
		for i := 0; i < n; i++ {
			rpc.Observe(0.25, "vsphere", "Create", "OK")
		}
	})
	measure("rpc, bound", func(n int) {
		for i := 0; i < n; i++ {
			bound.Observe(0.25)
		}
	})
	measure("rpc, timer", func(n int) {
		for i := 0; i < n; i++ {
			rpc.Start("vsphere", "Create").Stop("OK")
		}
	})
	measure("counter, label values", func(n int) {
		for i := 0; i < n; i++ {
			failures.With("get-vm", "manager").Inc()
		}
	})
	set.Disable()
	measure("rpc, disabled", func(n int) {
		for i := 0; i < n; i++ {
			rpc.Observe(0.25, "vsphere", "Create", "OK")
		}
	})
}

func theirRPC() (*prometheus.CounterVec, *prometheus.HistogramVec) {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c"}, []string{"provider_type", "method", "code"}),
		prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}}, []string{"provider_type", "method"})
}

func theirs() {
	requests, latency := theirRPC()
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "e"}, []string{"reason", "component"})
	measure("client_golang: rpc, label values", func(n int) {
		for i := 0; i < n; i++ {
			requests.WithLabelValues("vsphere", "Create", "OK").Inc()
			latency.WithLabelValues("vsphere", "Create").Observe(0.25)
		}
	})
	counter, histogram := requests.WithLabelValues("vsphere", "Create", "OK"), latency.WithLabelValues("vsphere", "Create")
	measure("client_golang: rpc, bound", func(n int) {
		for i := 0; i < n; i++ {
			counter.Inc()
			histogram.Observe(0.25)
		}
	})
	measure("client_golang: counter, label values", func(n int) {
		for i := 0; i < n; i++ {
			failures.WithLabelValues("get-vm", "manager").Inc()
		}
	})
}

func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pace has ten methods and four providers' types, of which twenty pairs come up. Each event comes with others, every 20 ms.
func pace(what string, seconds, rate int) {
	set := virtrigaud.NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	record := func(seconds float64, provider, method string) { rpc.Observe(seconds, provider, method, "OK") }
	var client *virtrigaud.Client
	switch what {
	case "loop":
		set.Disable()
	case "client_golang":
		requests, latency := theirRPC()
		record = func(seconds float64, provider, method string) {
			requests.WithLabelValues(provider, method, "OK").Inc()
			latency.WithLabelValues(provider, method).Observe(seconds)
		}
	default:
		client = virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "bench", Path: what})
		_ = client.Flush(context.Background())
	}
	types := []string{"vsphere", "libvirt", "proxmox", "mock"}
	methods := []string{"Create", "Delete", "Power", "Describe", "Reconfigure", "Clone", "Validate", "TaskStatus", "ListVMs", "GetDiskInfo"}
	begin, before, n := time.Now(), cpu(), 0
	for time.Since(begin) < time.Duration(seconds)*time.Second {
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			record(time.Duration(n%1000*137123).Seconds(), types[n%4], methods[n%10])
		}
		time.Sleep(20 * time.Millisecond)
	}
	if client != nil {
		client.Close(context.Background())
	}
	fmt.Println(float64(cpu()-before) / float64(n))
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "pace" {
		seconds, _ := strconv.Atoi(os.Args[3])
		rate, _ := strconv.Atoi(os.Args[4])
		pace(os.Args[2], seconds, rate)
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "quick" {
		rounds, calls = 1, 20000
	}
	ours()
	theirs()
}
