// SPDX-License-Identifier: Apache-2.0

package virtrigaudruntime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudruntime"
)

// drained returns what waits in the set, by metric.
func drained(t *testing.T, set *virtrigaud.Set) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	set.Drain(func(line []byte) {
		var sample struct {
			Metric string
			Labels map[string]string
			Value  float64
		}
		if err := json.Unmarshal(line, &sample); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if fmt.Sprint(sample.Labels) != "map[component:manager source:m1]" {
			t.Errorf("labels of %s", line)
		}
		values[sample.Metric] += sample.Value
	})
	return values
}

func TestWhatTheRunTimeSaysIsRecorded(t *testing.T) {
	set := virtrigaud.NewSet()
	collector := virtrigaudruntime.New(set, "manager", "m1")
	if values := drained(t, set); len(values) != 0 {
		t.Errorf("before it is asked: %v", values)
	}
	runtime.GC() // before the first one the run time may know of no object
	collector.Collect()
	before := drained(t, set)
	if before["virtrigaud_go_goroutines"] < 1 || before["virtrigaud_go_heap_objects_bytes"] < 1000 ||
		before["virtrigaud_go_memory_bytes"] < before["virtrigaud_go_heap_objects_bytes"] {
		t.Errorf("gauges: %v", before)
	}
	stop := make(chan struct{})
	for i := 0; i < 50; i++ {
		go func() { <-stop }()
	}
	runtime.GC()
	runtime.GC()
	collector.Collect()
	after := drained(t, set)
	close(stop)
	if after["virtrigaud_go_goroutines"] < before["virtrigaud_go_goroutines"]+50 {
		t.Errorf("goroutines: %v, then %v", before, after)
	}
	// Counters get what came since, and not the sum again.
	if cycles := after["virtrigaud_go_gc_cycles_total"]; cycles < 2 || cycles > 20 {
		t.Errorf("cycles since: %v", cycles)
	}
	if pauses := after["virtrigaud_go_gc_pause_seconds_total"]; pauses <= 0 || pauses > 60 {
		t.Errorf("pauses since: %v", pauses)
	}
}

func TestManyMayCollect(t *testing.T) {
	set := virtrigaud.NewSet()
	collector := virtrigaudruntime.New(set, "manager", "m1")
	var before, after runtime.MemStats
	var wait sync.WaitGroup
	collector.Collect()
	drained(t, set)
	runtime.ReadMemStats(&before)
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 100; n++ {
				collector.Collect()
			}
		}()
	}
	wait.Wait()
	runtime.GC()
	collector.Collect()
	runtime.ReadMemStats(&after)
	most := float64(after.NumGC - before.NumGC)
	if cycles := drained(t, set)["virtrigaud_go_gc_cycles_total"]; cycles < 1 || cycles > most+1 {
		t.Errorf("%v cycles are counted, of %v", cycles, most)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	set := virtrigaud.NewSet()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		virtrigaudruntime.New(set, "manager", "m1").Run(ctx, time.Millisecond)
		close(ended)
	}()
	for i := 0; i < 2; i++ { // it goes on
		for deadline := time.Now().Add(time.Minute); drained(t, set)["virtrigaud_go_goroutines"] == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is recorded")
			}
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	virtrigaudruntime.New(set, "manager", "m1").Run(ctx, 0) // an ended context: nothing
}

func Example() {
	set := virtrigaud.NewSet()
	client := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Path: "/nowhere"})
	ctx, cancel := context.WithCancel(context.Background())
	go virtrigaudruntime.New(set, "manager", "m1").Run(ctx, 10*time.Second)
	// The program does its work.
	cancel()
	client.Close(ctx)
	// Output:
}
