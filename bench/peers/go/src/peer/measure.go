// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"time"
)

const (
	eventsAtOnce = 10000
	mostEvents   = 2000000
	longest      = 2 * time.Second
)

func repetitions() int {
	if os.Getenv("BENCH_QUICK") == "1" {
		return 2
	}
	return 5
}

func median(values []float64) float64 {
	sort.Float64s(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// random yields the same numbers below n in each run.
type random struct {
	state uint64
	n     uint64
}

func (r *random) next() int {
	r.state ^= r.state << 13
	r.state ^= r.state >> 7
	r.state ^= r.state << 17
	return int(r.state % r.n)
}

// perEvent returns the nanoseconds that event takes, without those for drawing a number.
func perEvent(n int, event func(i int)) float64 {
	var measured []float64
	r := random{88172645463325252, uint64(n)}
	for repetition := repetitions(); repetition > 0; repetition-- {
		var spent time.Duration
		var events int
		for events = 0; events < mostEvents && spent < longest; events += eventsAtOnce {
			var order [eventsAtOnce]int
			for i := range order {
				order[i] = r.next()
			}
			start := time.Now()
			for _, i := range order {
				event(i)
			}
			spent += time.Since(start)
		}
		measured = append(measured, float64(spent.Nanoseconds())/float64(events))
	}
	return median(measured)
}

func counter(library Library, n int) map[string]any {
	provider := providers(n, countersOfProvider)
	makeCounters(library, provider, n, firstValue)
	runtime.GC()
	lookup := perEvent(n, func(i int) {
		operation, providerType, name, outcome := labelsOf(i, provider)
		library.Count(operation, providerType, name, outcome, 1)
	})
	held := make([]func(), n)
	for i := range held {
		held[i] = library.Hold(labelsOf(i, provider))
	}
	runtime.GC()
	return map[string]any{
		"ns_per_event":      lookup,
		"held_ns_per_event": perEvent(n, func(i int) { held[i]() }),
	}
}

func residentBytes() int {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err)
	}
	_, rest, found := bytes.Cut(text, []byte("VmRSS:"))
	var kilobytes int
	if _, err := fmt.Sscan(string(rest), &kilobytes); !found || err != nil {
		fail(fmt.Errorf("no VmRSS in /proc/self/status"))
	}
	return kilobytes * 1024
}

// memory is measured once: a process can give its first series away but not its first page faults.
func memory(library Library, n, buckets int) map[string]any {
	provider := providers(n, histogramsOfProvider)
	before := residentBytes()
	if buckets > 0 {
		observeAll(library, provider, n)
	} else {
		makeCounters(library, provider, n, firstValue)
	}
	after := residentBytes()
	runtime.KeepAlive(library)
	runtime.KeepAlive(provider)
	return map[string]any{"bytes_per_series": float64(after-before) / float64(n)}
}
