// SPDX-License-Identifier: Apache-2.0

// Package metrics has the surface of the control plane's own package of metrics, so that its call sites stay as they are
// when the import is changed. What is called is recorded in Set, from the first package initialiser on; SetupMetrics, or
// Bind, starts the client that sends it.
//
// Nothing here keeps a value: Prometheus gets the metrics from virtrigaud-exporter. What a component still serves on a port
// of its own (workqueue_*, controller_runtime_*, go_*, process_*) does not change.
package metrics

import (
	"context"
	"os"
	"runtime"
	"sync"
	"time"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

// How a reconcile loop or an operation has ended.
const (
	OutcomeSuccess = "success"
	OutcomeError   = "error"
	OutcomeRequeue = "requeue"
)

// Operations on a VM.
const (
	OpCreate      = "Create"
	OpDelete      = "Delete"
	OpPower       = "Power"
	OpDescribe    = "Describe"
	OpReconfigure = "Reconfigure"
)

// States of a circuit breaker.
const (
	CircuitBreakerClosed   = 0
	CircuitBreakerHalfOpen = 1
	CircuitBreakerOpen     = 2
)

// Components.
const (
	ComponentManager  = "manager"
	ComponentProvider = "provider"
)

// Set holds what is recorded.
var Set = virtrigaud.NewSet()

var (
	reconciles  = Set.Event("reconcile", "kind", "outcome")
	operations  = Set.Event("vm_operation", "operation", "provider_type", "provider", "outcome")
	calls       = Set.Event("rpc", "provider_type", "method", "code")
	discoveries = Set.Event("ip_discovered", "provider_type")
	buildInfo   = Set.Gauge("virtrigaud_build_info", "version", "git_sha", "go_version", "component")
	depths      = Set.Gauge("virtrigaud_queue_depth", "kind")
	inflight    = Set.Gauge("virtrigaud_provider_tasks_inflight", "provider_type", "provider")
	states      = Set.Gauge("virtrigaud_circuit_breaker_state", "provider_type", "provider")
	failures    = Set.Counter("virtrigaud_circuit_breaker_failures_total", "provider_type", "provider")
	mistakes    = Set.Counter("virtrigaud_errors_total", "reason", "component")
)

var (
	mutex  sync.Mutex
	client *virtrigaud.Client
)

// SetupMetrics records which build runs, and starts the client if there is none yet: for the component, with the host's name
// as instance, unless $VIRTRIGAUD_EVENTS_SOCKET is "off", which records nothing at all. Who wants it otherwise calls Bind
// before.
func SetupMetrics(version, gitSHA, component string) {
	if os.Getenv("VIRTRIGAUD_EVENTS_SOCKET") == "off" {
		Set.Disable()
		return
	}
	buildInfo.Set(1, version, gitSHA, runtime.Version(), component)
	mutex.Lock()
	bound := client != nil
	mutex.Unlock()
	if !bound {
		instance, _ := os.Hostname()
		Bind(virtrigaud.Config{Component: component, Instance: instance})
	}
}

// Bind starts the client that sends what is recorded, and ends the one before.
func Bind(config virtrigaud.Config) *virtrigaud.Client {
	mutex.Lock()
	defer mutex.Unlock()
	if client != nil {
		client.Close(context.Background())
	}
	client = virtrigaud.New(Set, config)
	return client
}

// Shutdown sends what waits and ends the client. A program that ends without it loses half a second of metrics at most.
func Shutdown(ctx context.Context) virtrigaud.Stats {
	mutex.Lock()
	defer mutex.Unlock()
	if client == nil {
		return virtrigaud.Stats{}
	}
	stats := client.Close(ctx)
	client = nil
	return stats
}

// GetRegistry returns what has been recorded, for unit tests: it has Gather, whose families, series and labels have the
// getters of client_golang's, and Value, which is shorter. It begins with the first call, and records nothing while a client
// runs.
func GetRegistry() *virtrigaudtest.Recorder {
	registry.Do(func() { recorder = virtrigaudtest.NewRecorderKeeping(Set, virtrigaudtest.Builtin()) })
	return recorder
}

var (
	registry sync.Once
	recorder *virtrigaudtest.Recorder
)

// RecordError counts an error by a short fixed reason.
func RecordError(reason, component string) { mistakes.Inc(reason, component) }

// RecordIPDiscovery records the time from the creation of a VM until its first IP address was seen.
func RecordIPDiscovery(providerType string, duration time.Duration) {
	discoveries.Observe(duration.Seconds(), providerType)
}

// Timer measures a duration.
type Timer struct{ begin time.Time }

// NewTimer starts one.
func NewTimer() *Timer { return &Timer{time.Now()} }

// Duration returns the time since NewTimer.
func (t *Timer) Duration() time.Duration { return time.Since(t.begin) }

// ReconcileTimer measures a reconcile loop.
type ReconcileTimer struct{ timer virtrigaud.Timer }

// NewReconcileTimer starts one.
func NewReconcileTimer(kind string) *ReconcileTimer { return &ReconcileTimer{reconciles.Start(kind)} }

// Finish records how the loop has ended, and how long it took.
func (t *ReconcileTimer) Finish(outcome string) { t.timer.Stop(outcome) }

// ReconcileMetrics is about the loops of one kind.
type ReconcileMetrics struct {
	kind  string
	depth virtrigaud.Gauge
}

// NewReconcileMetrics makes one.
func NewReconcileMetrics(kind string) *ReconcileMetrics {
	return &ReconcileMetrics{kind, depths.With(kind)}
}

// RecordReconcile records a loop that has ended.
func (m *ReconcileMetrics) RecordReconcile(outcome string, duration time.Duration) {
	reconciles.Observe(duration.Seconds(), m.kind, outcome)
}

// SetQueueDepth sets how many resources wait.
func (m *ReconcileMetrics) SetQueueDepth(depth float64) { m.depth.Set(depth) }

// VMOperationMetrics is about operations on the VMs of one provider.
type VMOperationMetrics struct{ providerType, provider string }

// NewVMOperationMetrics makes one.
func NewVMOperationMetrics(providerType, provider string) *VMOperationMetrics {
	return &VMOperationMetrics{providerType, provider}
}

// RecordOperation counts an operation that has been answered.
func (m *VMOperationMetrics) RecordOperation(operation, outcome string) {
	operations.Inc(operation, m.providerType, m.provider, outcome)
}

// ProviderRPCMetrics is about calls to providers of one type.
type ProviderRPCMetrics struct{ providerType string }

// NewProviderRPCMetrics makes one.
func NewProviderRPCMetrics(providerType string) *ProviderRPCMetrics {
	return &ProviderRPCMetrics{providerType}
}

// RecordRPC records a call that has returned. The method is gRPC's short name, the code as Go spells it.
func (m *ProviderRPCMetrics) RecordRPC(method, code string, duration time.Duration) {
	calls.Observe(duration.Seconds(), m.providerType, method, code)
}

// RPCTimer measures a call.
type RPCTimer struct{ timer virtrigaud.Timer }

// NewRPCTimer starts one.
func NewRPCTimer(providerType, method string) *RPCTimer {
	return &RPCTimer{calls.Start(providerType, method)}
}

// Finish records the code of the call, and how long it took.
func (t *RPCTimer) Finish(code string) { t.timer.Stop(code) }

// TaskMetrics is about the tasks of one provider.
type TaskMetrics struct{ inflight virtrigaud.Gauge }

// NewTaskMetrics makes one.
func NewTaskMetrics(providerType, provider string) *TaskMetrics {
	return &TaskMetrics{inflight.With(providerType, provider)}
}

// SetInflightTasks sets how many tasks are not finished.
func (m *TaskMetrics) SetInflightTasks(count float64) { m.inflight.Set(count) }

// CircuitBreakerMetrics is about the breaker in front of one provider.
type CircuitBreakerMetrics struct {
	state    virtrigaud.Gauge
	failures virtrigaud.Counter
}

// NewCircuitBreakerMetrics makes one.
func NewCircuitBreakerMetrics(providerType, provider string) *CircuitBreakerMetrics {
	return &CircuitBreakerMetrics{states.With(providerType, provider), failures.With(providerType, provider)}
}

// SetState sets the state: CircuitBreakerClosed, CircuitBreakerHalfOpen or CircuitBreakerOpen.
func (m *CircuitBreakerMetrics) SetState(state int) { m.state.Set(float64(state)) }

// RecordFailure counts a failed call.
func (m *CircuitBreakerMetrics) RecordFailure() { m.failures.Inc() }
