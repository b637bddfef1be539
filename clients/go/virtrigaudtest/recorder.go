// SPDX-License-Identifier: Apache-2.0

// Package virtrigaudtest helps to test components that record metrics: a Recorder for unit tests, which has the value of
// each series without a daemon, and a Daemon for tests of a whole program, which listens on a socket, checks each line
// against a catalogue and adds up as the real one does.
//
//	func TestCreate(t *testing.T) {
//		recorder := virtrigaudtest.NewRecorder(metrics.Set)
//		create(vm)
//		n := recorder.Value("virtrigaud_vm_operations_total", "operation", "Create", "provider_type", "mock",
//			"provider", "p1", "outcome", "success")
//		if n != 1 { ... }
//	}
//
// What counts as right is the catalogue: the built-in one, or the one of ParseCatalog.
package virtrigaudtest

import (
	"bytes"
	"encoding/json"
	"sync"

	virtrigaud "example.org/virtrigaud"
)

// Recorder adds up what is recorded in a set, as the daemon would.
type Recorder struct {
	set *virtrigaud.Set

	mu     sync.Mutex
	store  *store
	labels map[string]string
}

// NewRecorder makes a recorder for a set that has no client, with the built-in catalogue. What waits in the set is dropped
// first.
func NewRecorder(set *virtrigaud.Set) *Recorder { return NewRecorderWith(set, Builtin()) }

// NewRecorderWith does so with another catalogue.
func NewRecorderWith(set *virtrigaud.Set, catalog *Catalog) *Recorder {
	set.Drain(func([]byte) {})
	return NewRecorderKeeping(set, catalog)
}

// NewRecorderKeeping does so and begins with what waits in the set.
func NewRecorderKeeping(set *virtrigaud.Set, catalog *Catalog) *Recorder {
	return &Recorder{set: set, store: newStore(catalog)}
}

// WithLabels sets what stands in for labels that handles leave out, as Config.Labels of a client does: names and values in
// turn. It returns the recorder.
func (r *Recorder) WithLabels(labels ...string) *Recorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.labels = pairs(labels)
	return r
}

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.update()
	r.store = newStore(r.store.catalog)
}

// update is called with the mutex held.
func (r *Recorder) update() {
	r.set.Drain(func(line []byte) {
		if bytes.HasPrefix(line, []byte(`{"forget"`)) {
			var control struct {
				Forget struct{ Labels map[string]string }
			}
			if json.Unmarshal(line, &control) == nil {
				r.store.forget(control.Forget.Labels)
			}
			return
		}
		r.store.apply(line, r.labels)
	})
}

// Value returns the value of a series, and 0 when it is not there. The name is that of a counter or gauge, or that of a
// histogram with _count or _sum; labels are names and values in turn, and values may be spelled in every way that the
// catalogue takes.
func (r *Recorder) Value(name string, labels ...string) float64 {
	value, _ := r.Lookup(name, labels...)
	return value
}

// Lookup returns the value of a series, and whether it is there.
func (r *Recorder) Lookup(name string, labels ...string) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.update()
	return r.store.value(name, pairs(labels))
}

// Refused returns what does not fit the catalogue.
func (r *Recorder) Refused() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.update()
	return append([]Refusal(nil), r.store.refused...)
}

// Gather returns all series, as a Gatherer of client_golang does: a test that only reads them by their getters compiles
// with either.
func (r *Recorder) Gather() ([]*Family, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.update()
	return r.store.gather(), nil
}

func pairs(list []string) map[string]string {
	labels := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		labels[list[i]] = list[i+1]
	}
	return labels
}
