// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"sync"
	"time"
)

// series is what waits for one combination of label values.
type series struct {
	vec    *vec
	set    *Set
	hash   uint64
	values []string
	prefix []byte // its lines up to the labels

	mu       sync.Mutex // guards what follows; held for moments only, and before that of the queue
	dirty    bool       // it is in the queue's list
	detached bool       // it is in no table any more: another one takes its place
	known    bool       // a gauge that was set
	declared bool       // a counter of Init
	send     bool       // a gauge's value, or a zero, must be sent
	value    float64    // of a gauge the newest value, of a counter what was added and not sent
	calls    uint64     // that value stands for
	count    uint64     // of an event: happenings without value
	held     *chunk     // observations
	exemplar *exemplar  // the newest one
	record   *forget    // that it waits for
}

// exemplar is an observation with labels of its own, such as a trace's id.
type exemplar struct {
	value float64
	text  []byte // as it is sent, up to its time
	when  time.Time
}

// lock returns the series to write to, locked; nil when there is no room for it.
func (s *series) lock() *series {
	s.mu.Lock()
	if !s.detached {
		return s
	}
	s.mu.Unlock()
	s = s.vec.attach(s)
	return s
}

// mark puts the series into the queue's list. Called with the series locked.
func (s *series) mark() {
	if !s.dirty {
		s.dirty = true
		s.set.queue.add(s)
	}
}

func isFinite(v float64) bool { return v-v == 0 }

func (s *series) add(by float64) {
	if s.set.off.Load() {
		return
	}
	if !isFinite(by) || by < 0 {
		s.refuse(by)
		return
	}
	set := s.set
	if s = s.lock(); s == nil {
		set.lost.Add(1)
		return
	}
	if sum := s.value + by; isFinite(sum) {
		s.value = sum
		s.calls++
	} else {
		set.lost.Add(1) // more than a double holds
	}
	if !s.dirty {
		s.mark()
	}
	s.mu.Unlock()
}

// update sets a gauge, or moves it.
func (s *series) update(value float64, move bool) {
	if s.set.off.Load() {
		return
	}
	if !isFinite(value) {
		s.refuse(value)
		return
	}
	set := s.set
	if s = s.lock(); s == nil {
		set.lost.Add(1)
		return
	}
	if move {
		value += s.value
	}
	if !isFinite(value) { // a sum, for which the gauge keeps its value
		s.mu.Unlock()
		s.refuse(value)
		return
	}
	s.value, s.known, s.send = value, true, true
	s.calls++
	if !s.dirty {
		s.mark()
	}
	s.mu.Unlock()
}

// happen counts a happening without a value.
func (s *series) happen() {
	if s.set.off.Load() {
		return
	}
	set := s.set
	if s = s.lock(); s == nil {
		set.lost.Add(1)
		return
	}
	s.count++
	if !s.dirty {
		s.mark()
	}
	s.mu.Unlock()
}

func (s *series) observe(v float64) {
	if s.set.off.Load() {
		return
	}
	if !isFinite(v) {
		s.refuse(v)
		return
	}
	s.mu.Lock()
	if c := s.held; c != nil && s.dirty && !s.detached && c.to&15 != 15 { // as it nearly always is
		c.v[c.to&(chunkValues-1)] = v
		c.to++
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	set := s.set
	if s = s.lock(); s == nil {
		set.lost.Add(1)
		return
	}
	s.keep(v)
	s.mu.Unlock()
}

// keep is called with the series locked.
func (s *series) keep(v float64) {
	c := s.held
	if c == nil {
		c = s.set.queue.get(s)
		s.held = c
	}
	c.v[c.to] = v
	c.to++
	if c.to&15 == 0 {
		if c.to == chunkValues {
			s.held = nil
			s.set.queue.push(c)
		}
		s.set.queue.grow(16)
	}
	if !s.dirty {
		s.mark()
	}
}

// observeExemplar keeps the newest exemplar; the value of the one before becomes a plain observation.
func (s *series) observeExemplar(v float64, labels map[string]string) {
	if s.set.off.Load() {
		return
	}
	if !isFinite(v) {
		s.refuse(v)
		return
	}
	if !isExemplar(labels) {
		if len(labels) > 0 {
			s.set.refusals.add("invalid", "bad_exemplar", "the exemplar was left out", s)
		}
		s.observe(v)
		return
	}
	text, now := spellExemplar(labels), time.Now()
	set := s.set
	if s = s.lock(); s == nil {
		set.lost.Add(1)
		return
	}
	if s.exemplar != nil {
		s.keep(s.exemplar.value)
	}
	s.exemplar = &exemplar{value: v, text: text, when: now}
	s.mark()
	s.mu.Unlock()
}

// init declares a series: a counter that is 0 so far, or a gauge that is 0 unless it was set.
func (s *series) init() {
	if s.set.off.Load() {
		return
	}
	if s = s.lock(); s == nil {
		return
	}
	if s.vec.kind == kindGauge {
		s.known = true
	} else {
		s.declared = true
	}
	s.send = true
	s.mark()
	s.mu.Unlock()
}

// refuse counts a call whose value can be none.
func (s *series) refuse(v float64) {
	s.set.invalid.Add(1)
	reason := "bad_value"
	if isFinite(v) {
		reason = "negative_counter"
	}
	s.set.refusals.add("invalid", reason, "the call was left out", s)
}

// waiting counts calls. Called with the series locked.
func (s *series) waiting() uint64 {
	n := s.calls + s.count
	if s.held != nil {
		n += uint64(s.held.to - s.held.from)
	}
	if s.exemplar != nil {
		n++
	}
	return n
}

// size is about the memory that a series takes.
func (s *series) size() int { return 320 + 2*len(s.prefix) }

// isIdle tells whether nothing would be lost without it. Called with the series locked.
func (s *series) isIdle() bool {
	return !s.dirty && !s.known && !s.declared && s.waiting() == 0
}

func (s *series) matches(labels map[string]string) bool {
	for i, name := range s.vec.labels {
		if value, ok := labels[name]; ok && (i >= len(s.values) || s.values[i] != value) {
			return false
		}
	}
	return true
}
