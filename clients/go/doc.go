// SPDX-License-Identifier: Apache-2.0

// Package virtrigaud pushes metrics and events to virtrigaud-exporter. It needs Go's standard library alone.
//
// Handles belong to a Set. They are made once, usually as package variables, and work before there is a client, without
// one, and after it was closed:
//
//	var (
//		set        = virtrigaud.NewSet()
//		operations = set.Event("vm_operation", "operation", "provider_type", "provider", "outcome")
//		depth      = set.Gauge("virtrigaud_queue_depth", "kind")
//	)
//
// A Client sends what was recorded:
//
//	client := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Logger: slog.Default()})
//	defer client.Close(context.Background())
//
// and the program records:
//
//	depth.Set(12, "VirtualMachine")
//	timer := operations.Start("Create", "vsphere", "vc1")
//	err := create(vm)
//	timer.Stop(virtrigaud.Outcome(err))
//
// # Calls
//
// No call waits, panics or returns an error. Calls of the same series are added up while they wait: counters and events
// without a value are counted, a gauge keeps its newest value, observations are collected. What is wrong with a call is
// logged: the daemon's reason for what it refuses, such as an unknown metric, and what is no value at all (NaN,
// infinite, a negative number for a counter), which is left out and counted in Stats.Invalid.
//
// A handle that With has bound to all label values is cheapest; With for the first labels only, and values at each call, are
// fine too. A call takes tens of nanoseconds and allocates nothing once its series exists.
//
// # Sending
//
// One goroutine sends what waits every half second, and at once when about 64 KiB wait. While the daemon is away it tries
// again at least every second; then the gauges, and the counters of Init, are sent again. What waits is bounded: of
// observations at most Config.MaxBytes, beyond which the oldest are lost, and of series Config.MaxSeries, beyond which idle
// ones are left out and then calls for new ones are lost, which is logged; a gauge that is there keeps its newest value. The
// client reports to the daemon how many calls were lost, and virtrigaud_exporter_client_lost_events_total shows it.
//
// Each call counts once, also over restarts and kills of the daemon, as far as the daemon keeps its state. A daemon that
// knows neither count nor values, which carry what is added up, is noticed, and gets single lines.
//
// # Tests
//
// Package virtrigaudtest has a recorder for unit tests and a daemon to test a whole program with. Package adapter has the
// surface that virtrigaud's own components call, virtrigaudruntime records goroutines and memory, and virtrigaudgrpc has interceptors for gRPC.
//
// The protocol is described in virtrigaud-events(7).
package virtrigaud
