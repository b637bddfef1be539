// SPDX-License-Identifier: Apache-2.0

// Package virtrigaudruntime records what Go's run time says of the program. Who wants that starts it; nothing else does.
//
// The metrics are not in the built-in catalogue: docs/clients/go.md has the file for catalog.d that declares them. Their labels
// are those of virtrigaud_source_up, so that they can be joined with it and with virtrigaud_source_process_*, by which the daemon
// itself shows CPU time, memory, threads and start of each connected process.
package virtrigaudruntime

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	virtrigaud "example.org/virtrigaud"
)

// Collector records the run time of this program.
type Collector struct {
	goroutines, heap, total virtrigaud.Gauge
	cycles, pauses          virtrigaud.Counter

	mu      sync.Mutex
	samples []metrics.Sample
	gc      debug.GCStats
	seen    debug.GCStats // what the counters have been given
}

// New makes a collector for the component and the instance that the client's Config names. It records nothing yet.
func New(set *virtrigaud.Set, component, instance string) *Collector {
	gauge := func(name string) virtrigaud.Gauge {
		return set.Gauge(name, "component", "source").With(component, instance)
	}
	counter := func(name string) virtrigaud.Counter {
		return set.Counter(name, "component", "source").With(component, instance)
	}
	return &Collector{
		goroutines: gauge("virtrigaud_go_goroutines"),
		heap:       gauge("virtrigaud_go_heap_objects_bytes"),
		total:      gauge("virtrigaud_go_memory_bytes"),
		cycles:     counter("virtrigaud_go_gc_cycles_total"),
		pauses:     counter("virtrigaud_go_gc_pause_seconds_total"),
		samples: []metrics.Sample{
			{Name: "/sched/goroutines:goroutines"},
			{Name: "/memory/classes/heap/objects:bytes"},
			{Name: "/memory/classes/total:bytes"},
		},
	}
}

// Collect records the present values. It may be called at any time, by any goroutine, and takes some microseconds.
func (c *Collector) Collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	metrics.Read(c.samples)
	for i, gauge := range []virtrigaud.Gauge{c.goroutines, c.heap, c.total} {
		if c.samples[i].Value.Kind() == metrics.KindUint64 { // else this version of Go does not know it
			gauge.Set(float64(c.samples[i].Value.Uint64()))
		}
	}
	debug.ReadGCStats(&c.gc)
	c.cycles.Add(float64(c.gc.NumGC - c.seen.NumGC))
	c.pauses.Add((c.gc.PauseTotal - c.seen.PauseTotal).Seconds())
	c.seen.NumGC, c.seen.PauseTotal = c.gc.NumGC, c.gc.PauseTotal
}

// Run collects at once and then each time that `every` has passed, 10 seconds if that is not positive, until the context ends.
// It blocks: call it as a goroutine.
func (c *Collector) Run(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = 10 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		c.Collect()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
