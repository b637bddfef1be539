// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultMaxBytes  = 16 << 20
	defaultMaxSeries = 20000
	seriesBytes      = 2 << 10 // that a series may take on average
)

// Set holds handles and what was recorded through them until a client has sent it. Handles of a set may be made and used
// before there is a client, without one, and after one: what they record waits here and is bounded in memory. All methods
// may be called by many goroutines.
type Set struct {
	off  atomic.Bool
	bind atomic.Pointer[Client] // the client that sends what waits here
	seed maphash.Seed

	queue queue // of what waits

	mu        sync.Mutex // guards what follows, and every change of a table; taken before that of a series
	vecs      []*vec
	forgets   []*forget
	maxSeries int
	number    int // of series
	bytes     int // that they take, about
	swept     time.Time

	lost     atomic.Uint64 // calls that were dropped
	told     atomic.Uint64 // of these, what the daemon has been told
	unwanted atomic.Uint64 // calls of gauges that were forgotten before they were sent
	invalid  atomic.Uint64 // calls with a value that can be none
	refusals refusals      // what the next client has to tell about invalid calls
}

// forget is a request to remove series. What was recorded for them before is sent first.
type forget struct {
	labels map[string]string
	series []*series
	has    map[*series]bool // the same
	chunks []*chunk
}

// NewSet makes an empty set.
func NewSet() *Set {
	s := &Set{seed: maphash.MakeSeed(), maxSeries: defaultMaxSeries}
	s.queue.init(&s.lost)
	return s
}

// Disable makes every call through the set's handles return at once and record nothing, for a component that is
// configured to push no metrics. Enable takes it back. What waits stays.
func (s *Set) Disable() { s.off.Store(true) }

// Enable takes Disable back.
func (s *Set) Enable() { s.off.Store(false) }

// limit sets how much may wait; 0 leaves it.
func (s *Set) limit(maxBytes, maxSeries int) {
	if maxBytes > 0 {
		s.queue.limit(maxBytes)
	}
	if maxSeries > 0 {
		s.mu.Lock()
		s.maxSeries = maxSeries
		s.mu.Unlock()
	}
}

// Forget removes series of the daemon's that this client has updated and that have all these label values, when something
// is gone for good, such as a provider. What was recorded for them before the call is sent before, and what is recorded
// after it begins anew. Gauges that match are not sent again. A label that only the client's own Labels give is matched by
// the daemon, but gauges without it in their handle are sent again at the next connection.
func (s *Set) Forget(labels map[string]string) {
	if s.off.Load() || len(labels) == 0 {
		return
	}
	record := &forget{labels: make(map[string]string, len(labels)), has: map[*series]bool{}}
	for name, value := range labels {
		record.labels[name] = value
	}
	s.mu.Lock()
	for _, v := range s.vecs {
		if v.declares(labels) {
			s.forgetOf(v, record)
		}
	}
	s.queue.extract(record)
	s.forgets = append(s.forgets, record)
	s.mu.Unlock()
	s.queue.wake()
}

// forgetOf takes the matching series out of a table. Called with the mutex held.
func (s *Set) forgetOf(v *vec, record *forget) {
	gone := map[*series]bool{}
	v.table.Load().each(func(one *series) {
		if one.matches(record.labels) {
			gone[one] = true
		}
	})
	if len(gone) == 0 {
		return
	}
	v.table.Store(v.table.Load().without(gone))
	s.leave(gone)
	for one := range gone {
		one.mu.Lock()
		one.detached, one.record = true, record
		if one.vec.kind == kindGauge {
			s.unwanted.Add(one.calls)
			one.calls = 0
		}
		one.known, one.declared, one.send = false, false, false
		one.mu.Unlock()
		record.series = append(record.series, one)
		record.has[one] = true
	}
}

// firstForget returns the oldest request that is not done.
func (s *Set) firstForget() *forget {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.forgets) == 0 {
		return nil
	}
	return s.forgets[0]
}

// forgotten ends the oldest request.
func (s *Set) forgotten(record *forget) {
	s.mu.Lock()
	s.forgets = s.forgets[1:]
	for _, one := range record.series {
		one.mu.Lock()
		one.record = nil
		one.mu.Unlock()
	}
	s.mu.Unlock()
}

// each calls do for every series, those that are about to be forgotten too, with the series locked.
func (s *Set) each(do func(*series)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.vecs {
		v.table.Load().each(func(one *series) {
			one.mu.Lock()
			do(one)
			one.mu.Unlock()
		})
	}
	for _, record := range s.forgets {
		for _, one := range record.series {
			one.mu.Lock()
			do(one)
			one.mu.Unlock()
		}
	}
}

// resend marks what a new connection must be told again: the last value of each gauge, and each counter of Init.
func (s *Set) resend() {
	s.each(func(one *series) {
		if !one.detached && (one.known || one.declared) {
			one.send = true
			one.mark()
		}
	})
}

// waiting counts the calls that no line has carried yet.
func (s *Set) waiting() uint64 {
	n := uint64(0)
	s.each(func(one *series) { n += one.waiting() })
	s.mu.Lock()
	for _, record := range s.forgets {
		for _, c := range record.chunks {
			n += uint64(c.to - c.from)
		}
	}
	s.mu.Unlock()
	return n + s.queue.waiting()
}

func (s *Set) fits(one *series) bool {
	return s.number < s.maxSeries && s.bytes+one.size() <= s.maxSeries*seriesBytes
}

// leave counts series that are in no table any more. Called with the mutex held.
func (s *Set) leave(gone map[*series]bool) {
	s.number -= len(gone)
	for one := range gone {
		s.bytes -= one.size()
	}
}

// room makes room for another series, and says whether there is any. Called with the mutex held.
func (s *Set) room(wanted *series) bool {
	if s.fits(wanted) {
		return true
	}
	if time.Since(s.swept) < time.Second {
		return false
	}
	s.swept = time.Now()
	for _, v := range s.vecs {
		gone := map[*series]bool{}
		v.table.Load().each(func(one *series) {
			one.mu.Lock()
			if one.isIdle() {
				one.detached = true
				gone[one] = true
			}
			one.mu.Unlock()
		})
		if len(gone) > 0 {
			v.table.Store(v.table.Load().without(gone))
			s.leave(gone)
		}
	}
	return s.fits(wanted)
}
