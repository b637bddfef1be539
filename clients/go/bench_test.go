// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"testing"
	"time"
)

// The calls, while nobody sends: in a set of its own for each, which drops what is too much.
func BenchmarkLabels(b *testing.B) {
	rpc := NewSet().Event("rpc", "provider_type", "method", "code")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		rpc.Observe(0.25, "vsphere", "Create", "OK")
	}
}

func BenchmarkWith(b *testing.B) {
	rpc := NewSet().Event("rpc", "provider_type", "method", "code")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		rpc.With("vsphere", "Create", "OK").Observe(0.25)
	}
}

func BenchmarkBound(b *testing.B) {
	rpc := NewSet().Event("rpc", "provider_type", "method", "code").With("vsphere", "Create", "OK")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		rpc.Observe(0.25)
	}
}

func BenchmarkBoundParallel(b *testing.B) {
	rpc := NewSet().Event("rpc", "provider_type", "method", "code").With("vsphere", "Create", "OK")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rpc.Observe(0.25)
		}
	})
}

func BenchmarkCounterBound(b *testing.B) {
	failures := NewSet().Counter("virtrigaud_errors_total", "reason", "component").With("x", "manager")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		failures.Inc()
	}
}

func BenchmarkDisabled(b *testing.B) {
	set := NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	set.Disable()
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		rpc.Observe(0.25, "vsphere", "Create", "OK")
	}
}

// What the sender's goroutine does for an event, but for the kernel's part.
func BenchmarkDrain(b *testing.B) {
	set := NewSet()
	rpc := set.Event("rpc", "provider_type", "method", "code")
	types := []string{"vsphere", "libvirt", "proxmox", "mock"}
	methods := []string{"Create", "Delete", "Power", "Describe", "Reconfigure", "Clone", "Validate", "TaskStatus", "ListVMs", "GetDiskInfo"}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		rpc.Observe(time.Duration(i%1000*137123).Seconds(), types[i%4], methods[i%10], "OK")
		if i%2500 == 2499 {
			set.Drain(func([]byte) {})
		}
	}
}
