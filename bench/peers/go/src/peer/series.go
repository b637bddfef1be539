// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"net/http"
	"sync"
)

// The series of the measurements, as bench/README.md numbers them: provider varies slowest.
var (
	operations    = []string{"Create", "Delete", "Power", "Describe", "Reconfigure"}
	providerTypes = []string{"vsphere", "libvirt", "proxmox", "mock"}
	outcomes      = []string{"success", "failure", "error"}
	bounds        = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}
)

const (
	countersOfProvider   = 60
	histogramsOfProvider = 20
)

// providers returns the names that n series need when each provider has perProvider of them.
func providers(n, perProvider int) []string {
	names := make([]string, (n+perProvider-1)/perProvider)
	for i := range names {
		names[i] = fmt.Sprintf("provider-%06d", i)
	}
	return names
}

func labelsOf(i int, provider []string) (string, string, string, string) {
	return operations[i%5], providerTypes[i/5%4], provider[i/countersOfProvider], outcomes[i/20%3]
}

// firstValue has one to seven digits.
func firstValue(i int) int {
	limit := 10
	for digits := i % 7; digits > 0; digits-- {
		limit *= 10
	}
	return 1 + int(uint64(i)*0x9e3779b97f4a7c15>>33)%(limit-1)
}

func makeCounters(library Library, provider []string, n int, value func(i int) int) {
	for i := 0; i < n; i++ {
		operation, providerType, name, outcome := labelsOf(i, provider)
		library.Count(operation, providerType, name, outcome, value(i))
	}
}

// observeAll observes once in every bucket of every histogram, so that each line of the exposition changes.
func observeAll(library Library, provider []string, n int) {
	for i := 0; i < n; i++ {
		for _, bound := range bounds {
			library.Observe(operations[i%5], providerTypes[i/5%4], provider[i/histogramsOfProvider], bound*0.9)
		}
	}
}

// fill makes n series with values and returns what changes them all.
func fill(library Library, n, buckets int) http.Handler {
	var change func()
	if buckets > 0 {
		provider := providers(n, histogramsOfProvider)
		change = func() { observeAll(library, provider, n) }
		change()
	} else {
		provider := providers(n, countersOfProvider)
		makeCounters(library, provider, n, firstValue)
		change = func() { makeCounters(library, provider, n, func(i int) int { return 1 + i%9 }) }
	}
	var one sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		one.Lock()
		defer one.Unlock()
		change()
		fmt.Fprint(w, "ok\n")
	})
}
