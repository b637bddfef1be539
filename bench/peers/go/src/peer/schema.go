// SPDX-License-Identifier: Apache-2.0

package peer

import "fmt"

// Type of a metric.
type Type byte

// The types.
const (
	Counter Type = iota
	Gauge
	Histogram
)

// Op is what an update does.
type Op byte

// The ops.
const (
	Add Op = iota
	Set
	Observe
)

// Metric is a metric of the built-in catalogue.
type Metric struct {
	Index  int
	Name   string
	Type   Type
	Labels []string
	Bounds []float64
}

// Event is an event of the built-in catalogue. Its labels are the union of its updates'.
type Event struct {
	Index   int
	Labels  []string
	Needs   bool // a value
	Updates []Update
}

// Update is what an event does to one metric.
type Update struct {
	Metric *Metric
	Op     Op
	Places []int  // of the metric's labels among the event's
	When   string // the operation for which it holds; empty: all
}

// Operations is the counter that is measured.
const Operations = "virtrigaud_vm_operations_total"

const durations = "virtrigaud_vm_operations_duration_seconds"

// Timing is the histogram that is measured. No line names it.
var Timing = &Metric{
	Name:   "virtrigaud_timing_seconds",
	Type:   Histogram,
	Labels: []string{"operation", "provider_type", "provider"},
	Bounds: bounds,
}

// Metrics are all of them, in the order of the catalogue.
var Metrics = []*Metric{
	{Name: "virtrigaud_manager_reconcile_total", Type: Counter, Labels: []string{"kind", "outcome"}},
	{Name: "virtrigaud_manager_reconcile_duration_seconds", Type: Histogram, Labels: []string{"kind"}},
	{Name: "virtrigaud_queue_depth", Type: Gauge, Labels: []string{"kind"}},
	{Name: Operations, Type: Counter, Labels: []string{"operation", "provider_type", "provider", "outcome"}},
	{Name: durations, Type: Histogram, Labels: []string{"operation", "provider_type", "provider"}},
	{Name: "virtrigaud_vm_reconfigure_total", Type: Counter, Labels: []string{"provider_type", "outcome"}},
	{Name: "virtrigaud_vm_snapshot_total", Type: Counter, Labels: []string{"action", "provider_type", "outcome"}},
	{Name: "virtrigaud_vm_clone_total", Type: Counter, Labels: []string{"linked", "provider_type", "outcome"}},
	{Name: "virtrigaud_vm_image_prepare_total", Type: Counter, Labels: []string{"provider_type", "outcome"}},
	{Name: "virtrigaud_build_info", Type: Gauge, Labels: []string{"version", "git_sha", "go_version"}},
	{Name: "virtrigaud_provider_rpc_requests_total", Type: Counter, Labels: []string{"provider_type", "method", "code"}},
	{Name: "virtrigaud_provider_rpc_latency_seconds", Type: Histogram, Labels: []string{"provider_type", "method"}},
	{Name: "virtrigaud_provider_tasks_inflight", Type: Gauge, Labels: []string{"provider_type", "provider"}},
	{Name: "virtrigaud_ip_discovery_duration_seconds", Type: Histogram, Labels: []string{"provider_type"}},
	{Name: "virtrigaud_errors_total", Type: Counter, Labels: []string{"reason", "component"}},
	{Name: "virtrigaud_circuit_breaker_state", Type: Gauge, Labels: []string{"provider_type", "provider"}},
	{Name: "virtrigaud_circuit_breaker_failures_total", Type: Counter, Labels: []string{"provider_type", "provider"}},
	{Name: "virtrigaud_vsphere_sessions_total", Type: Counter, Labels: []string{"datacenter"}},
	{Name: "virtrigaud_vsphere_api_calls_total", Type: Counter, Labels: []string{"method", "datacenter"}},
	{Name: "virtrigaud_libvirt_connections_total", Type: Counter, Labels: []string{"host"}},
	{Name: "virtrigaud_libvirt_domains_total", Type: Gauge, Labels: []string{"host", "state"}},
}

var (
	metricOf = map[string]*Metric{}
	eventOf  = map[string]*Event{}
)

func update(op Op, name string, when string, eventLabels []string) Update {
	metric := metricOf[name]
	u := Update{Metric: metric, Op: op, When: when}
	for _, label := range metric.Labels {
		for place, has := range eventLabels {
			if has == label {
				u.Places = append(u.Places, place)
			}
		}
	}
	if len(u.Places) != len(metric.Labels) {
		panic(fmt.Sprintf("%s has a label that its event has not", name))
	}
	return u
}

func init() {
	for i, metric := range Metrics {
		metric.Index = i
		if metric.Type == Histogram {
			metric.Bounds = bounds
		}
		metricOf[metric.Name] = metric
	}
	metricOf[durations].Bounds = append(append([]float64{}, bounds...), 600, 1800, 3600)

	labels := []string{"kind", "outcome"}
	eventOf["reconcile"] = &Event{Labels: labels, Needs: true, Updates: []Update{
		update(Add, "virtrigaud_manager_reconcile_total", "", labels),
		update(Observe, "virtrigaud_manager_reconcile_duration_seconds", "", labels),
	}}
	labels = []string{"provider_type", "method", "code"}
	eventOf["rpc"] = &Event{Labels: labels, Needs: true, Updates: []Update{
		update(Add, "virtrigaud_provider_rpc_requests_total", "", labels),
		update(Observe, "virtrigaud_provider_rpc_latency_seconds", "", labels),
	}}
	labels = []string{"operation", "provider_type", "provider", "outcome"}
	eventOf["vm_operation"] = &Event{Labels: labels, Updates: []Update{
		update(Add, Operations, "", labels),
		update(Observe, durations, "", labels),
		update(Add, "virtrigaud_vm_reconfigure_total", "Reconfigure", labels),
	}}
	index := len(Metrics)
	for _, event := range eventOf {
		event.Index = index
		index++
	}
}
