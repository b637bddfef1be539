// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	virtrigaud "example.org/virtrigaud"
)

func lines(set *virtrigaud.Set) []string {
	var all []string
	set.Drain(func(line []byte) { all = append(all, string(line)) })
	return all
}

func expect(t *testing.T, set *virtrigaud.Set, wanted ...string) {
	t.Helper()
	if found := lines(set); !reflect.DeepEqual(found, wanted) {
		t.Errorf("there is\n%s\nwanted\n%s", strings.Join(found, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestCallsMergeBySeries(t *testing.T) {
	set := virtrigaud.NewSet()
	failures := set.Counter("virtrigaud_errors_total", "reason", "component")
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	durations := set.Histogram("virtrigaud_manager_reconcile_duration_seconds", "kind")
	operations := set.Event("vm_operation", "operation", "outcome")
	failures.Inc("a \"b\"", "manager")
	failures.Add(2.5, "a \"b\"", "manager")
	depth.Set(3, "VM")
	depth.With("VM").Dec()
	depth.Inc("VMSet")
	durations.Observe(0.25, "VM")
	durations.With("VM").Observe(1e-3)
	operations.Inc("Create", "success")
	operations.With("Create").Inc("success")
	operations.With("Create", "success").Inc()
	operations.Observe(3, "Create", "success")
	operations.Inc("Delete", "success")
	expect(t, set,
		`{"metric":"virtrigaud_errors_total","labels":{"reason":"a \"b\"","component":"manager"},"value":3.5}`,
		`{"metric":"virtrigaud_queue_depth","labels":{"kind":"VM"},"value":2}`,
		`{"metric":"virtrigaud_queue_depth","labels":{"kind":"VMSet"},"value":1}`,
		`{"event":"vm_operation","labels":{"operation":"Create","outcome":"success"},"count":3}`,
		`{"event":"vm_operation","labels":{"operation":"Delete","outcome":"success"}}`,
		`{"metric":"virtrigaud_manager_reconcile_duration_seconds","labels":{"kind":"VM"},"values":[0.25,0.001]}`,
		`{"event":"vm_operation","labels":{"operation":"Create","outcome":"success"},"value":3}`)
	expect(t, set)
	depth.Add(0.5, "VM")
	set.Counter("without_labels_total").Inc()
	set.Counter("declared_total", "x").Init("y")
	set.Gauge("declared", "x").Init("y")
	expect(t, set,
		`{"metric":"virtrigaud_queue_depth","labels":{"kind":"VM"},"value":2.5}`,
		`{"metric":"without_labels_total","value":1}`,
		`{"metric":"declared_total","labels":{"x":"y"},"value":0}`,
		`{"metric":"declared","labels":{"x":"y"},"value":0}`)
}

func TestManyCallsAreManyLines(t *testing.T) {
	set := virtrigaud.NewSet()
	event := set.Event("vm_operation", "operation").With("Describe")
	for i := 0; i < 1000; i++ {
		event.Observe(float64(i))
	}
	for i := 0; i < 1500000; i++ {
		event.Inc()
	}
	counts, values := 0, 0
	for _, line := range lines(set) {
		if len(line) > 65536 {
			t.Errorf("a line has %d bytes", len(line))
		}
		if strings.Contains(line, "count") {
			counts++
		}
		values += strings.Count(line, ",") - 1
	}
	if counts != 2 || values < 950 {
		t.Errorf("%d lines with count, %d commas in others", counts, values)
	}
}

func TestExemplarsGoWithTheNewestValue(t *testing.T) {
	set := virtrigaud.NewSet()
	durations := set.Histogram("h", "kind")
	durations.ObserveWithExemplar(1, map[string]string{"trace_id": "a"}, "VM")
	durations.ObserveWithExemplar(2, map[string]string{"trace_id": "b", "span": "c"}, "VM")
	durations.Observe(3, "VM")
	found := lines(set)
	shape := regexp.MustCompile(`^\{"metric":"h","labels":\{"kind":"VM"\},"exemplar":\{"labels":\{"span":"c","trace_id":"b"\},"timestamp":\d+\.\d{3}\},"value":2\}$`)
	if len(found) != 2 || !shape.MatchString(found[0]) || !strings.HasSuffix(found[1], `"values":[1,3]}`) {
		t.Errorf("there is %s", found)
	}
}

func TestExemplarsThatWouldBeRejectedAreLeftOut(t *testing.T) {
	set := virtrigaud.NewSet()
	durations := set.Histogram("h")
	for i, bad := range []map[string]string{nil, {}, {"trace_id": strings.Repeat("x", 121)}, {"trace-id": "x"}, {"": "x"}, {"0": "x"},
		{"x": "\xff"}, {"x": "\x00"}, {"é": "x"}} {
		durations.ObserveWithExemplar(float64(i), bad)
	}
	if found := lines(set); len(found) != 1 || found[0] != `{"metric":"h","values":[0,1,2,3,4,5,6,7,8]}` {
		t.Errorf("there is %s", found)
	}
	durations.ObserveWithExemplar(1, map[string]string{"trace_id": strings.Repeat("é", 112), "_0": "", "B": "12345"})
	if found := lines(set); len(found) != 1 || !strings.Contains(found[0], `"exemplar":{"labels":{"B":"12345","_0":"","trace_id":"é`) {
		t.Errorf("there is %s", found)
	}
}

func TestTimersTakeTheOutcomeAtTheEnd(t *testing.T) {
	set := virtrigaud.NewSet()
	operations := set.Event("vm_operation", "a", "b", "c", "d", "e", "f")
	timer := operations.Start("1", "2")
	if took := timer.Stop("3", "4", "5", virtrigaud.Outcome(nil)); took < 0 {
		t.Errorf("it took %v", took)
	}
	operations.Start("1", "2", "3", "4", "5").Stop("error")
	set.Histogram("h", "a").With("bound").Start().Stop()
	virtrigaud.Timer{}.Stop("nothing")
	found := strings.Join(lines(set), "\n")
	for _, part := range []string{`"e":"5","f":"success"},"value":`, `"e":"5","f":"error"},"value":`, `"a":"bound"},"value":`} {
		if !strings.Contains(found, part) {
			t.Errorf("without %s:\n%s", part, found)
		}
	}
}

func TestNoCallPanics(t *testing.T) {
	set := virtrigaud.NewSet()
	counter, gauge := set.Counter("c", "x"), set.Gauge("g", "x")
	histogram, event := set.Histogram("h", "x"), set.Event("e", "x")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		counter.Add(v, "y")
		gauge.Set(v, "y")
		gauge.Add(v, "y")
		histogram.Observe(v, "y")
		event.Observe(v, "y")
		event.ObserveWithExemplar(v, nil, "y")
	}
	counter.Add(-1, "y")
	expect(t, set)
	counter.Add(math.MaxFloat64, "y")
	counter.Add(math.MaxFloat64, "y")
	counter.Inc()
	counter.Inc("1", "2")
	counter.With("1").With("2").Inc("3")
	counter.Inc("\xff\n")
	expect(t, set,
		`{"metric":"c","labels":{"x":"y"},"value":1.7976931348623157e+308}`,
		`{"metric":"c","value":1}`,
		`{"metric":"c","labels":{"x":"1","surplus_1":"2"},"value":1}`,
		`{"metric":"c","labels":{"x":"1","surplus_1":"2","surplus_2":"3"},"value":1}`,
		`{"metric":"c","labels":{"x":"`+"\xff"+`\u000a"},"value":1}`)
	counter.Inc(strings.Repeat("x", 1<<20))
	if found := lines(set); len(found) != 1 || len(found[0]) > 400 {
		t.Errorf("a huge label value makes %d lines", len(found))
	}
	virtrigaud.Counter{}.Inc("x")
	virtrigaud.Counter{}.With("x").Inc()
	virtrigaud.Gauge{}.Set(1)
	virtrigaud.Histogram{}.Observe(1)
	virtrigaud.Histogram{}.Start().Stop()
	virtrigaud.Event{}.Inc()
	set.Forget(nil)
	set.Forget(map[string]string{"nowhere": "x"})
	expect(t, set, `{"forget":{"labels":{"nowhere":"x"}}}`)
}

func TestADisabledSetRecordsNothing(t *testing.T) {
	set := virtrigaud.NewSet()
	counter := set.Counter("c", "x")
	set.Disable()
	bound := counter.With("y")
	counter.Inc("y")
	bound.Inc()
	set.Gauge("g").Set(1)
	set.Event("e").Observe(1)
	set.Event("e").Inc()
	set.Histogram("h").ObserveWithExemplar(1, nil)
	set.Counter("c").Init()
	expect(t, set)
	set.Enable()
	bound.Inc()
	expect(t, set, `{"metric":"c","labels":{"x":"y"},"value":1}`)
}

func TestForgetSendsWhatWasBefore(t *testing.T) {
	set := virtrigaud.NewSet()
	inflight := set.Gauge("inflight", "provider")
	operations := set.Event("vm_operation", "operation", "provider")
	for i := 0; i < 100; i++ {
		operations.Observe(1, "Create", "vc1")
	}
	operations.Inc("Create", "vc1")
	bound := operations.With("Create", "vc1")
	inflight.Set(1, "vc1")
	inflight.Set(2, "vc2")
	set.Forget(map[string]string{"provider": "vc1"})
	bound.Inc()
	inflight.Set(3, "vc1")
	found := lines(set)
	forget := 0
	for i, line := range found {
		if line == `{"forget":{"labels":{"provider":"vc1"}}}` {
			forget = i
		}
	}
	before, after := strings.Join(found[:forget], "\n"), strings.Join(found[forget:], "\n")
	if n := strings.Count(before, "1,") + strings.Count(before, "1]"); n < 100 || !strings.Contains(before, `"vc1"}}`) || strings.Contains(before, "inflight") {
		t.Errorf("before there is\n%s", before)
	}
	for _, part := range []string{`"provider":"vc1"},"value":3}`, `"provider":"vc2"},"value":2}`, `"operation":"Create","provider":"vc1"}}`} {
		if !strings.Contains(after, part) {
			t.Errorf("afterwards there is no %s:\n%s", part, after)
		}
	}
}

func TestManyGoroutinesAddUp(t *testing.T) {
	set := virtrigaud.NewSet()
	counter := set.Counter("c", "x")
	event := set.Event("e", "x")
	stop := make(chan struct{})
	var drained sync.WaitGroup
	sum := 0
	drained.Add(1)
	go func() {
		defer drained.Done()
		for {
			for _, line := range lines(set) {
				sum += countOf(t, line)
			}
			select {
			case <-stop:
				for _, line := range lines(set) {
					sum += countOf(t, line)
				}
				return
			default:
			}
		}
	}()
	var senders sync.WaitGroup
	for g := 0; g < 4; g++ {
		senders.Add(1)
		go func() {
			defer senders.Done()
			bound := event.With("a")
			for i := 0; i < 5000; i++ {
				counter.Inc(string(rune('a' + i%20)))
				bound.Observe(0.5)
				event.Inc("b")
			}
		}()
	}
	senders.Wait()
	close(stop)
	drained.Wait()
	if sum != 4*3*5000 {
		t.Errorf("%d of %d arrive", sum, 4*3*5000)
	}
}

func TestCallsDoNotAllocate(t *testing.T) {
	set := virtrigaud.NewSet()
	event := set.Event("rpc", "provider_type", "method", "code")
	bound := event.With("vsphere", "Create", "OK")
	counter, gauge := set.Counter("c", "x"), set.Gauge("g", "x")
	partly := event.With("vsphere")
	call := func() {
		partly.Observe(0.25, "Create", "OK")
		partly.Start("Create").Stop("OK")
		event.Observe(0.25, "vsphere", "Create", "OK")
		event.With("vsphere", "Create", "OK").Observe(0.25)
		bound.Observe(0.5)
		event.Start("vsphere", "Create").Stop("OK")
		event.Inc("vsphere", "Create", "OK")
		counter.Inc("y")
		gauge.Set(1, "y")
	}
	for i := 0; i < 1000; i++ {
		call()
	}
	set.Drain(func([]byte) {})
	if n := testing.AllocsPerRun(1000, call); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// countOf returns how many calls a line stands for; a counter's are those with 1.
func countOf(t *testing.T, line string) int {
	var one struct {
		Metric string
		Value  *float64
		Values []float64
		Count  int
	}
	if err := json.Unmarshal([]byte(line), &one); err != nil {
		t.Errorf("%v: %s", err, line)
	}
	switch {
	case one.Metric == "c":
		return int(*one.Value)
	case one.Values != nil:
		return len(one.Values)
	case one.Count > 0:
		return one.Count
	}
	return 1
}
