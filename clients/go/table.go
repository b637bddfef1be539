// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
)

type kind uint8

const (
	kindCounter kind = iota
	kindGauge
	kindHistogram
	kindEvent
)

const maxValue = 300 // bytes of a label value that are kept: the daemon refuses one of more than 256

// vec is a name of the catalogue with its series. Reading its table takes no lock.
type vec struct {
	set    *Set
	kind   kind
	name   string
	labels []string
	table  atomic.Pointer[table]
}

// table finds series by their label values: open addressing, never full.
type table struct {
	slots []atomic.Pointer[series]
	used  int // changed with the set's mutex held
}

func newTable(size int) *table { return &table{slots: make([]atomic.Pointer[series], size)} }

func (s *Set) newVec(kind kind, name string, labels []string) *vec {
	v := &vec{set: s, kind: kind, name: name, labels: append([]string(nil), labels...)}
	v.table.Store(newTable(8))
	s.mu.Lock()
	s.vecs = append(s.vecs, v)
	s.mu.Unlock()
	return v
}

func (v *vec) hash(values []string) uint64 {
	h := uint64(len(values))
	for _, value := range values {
		h = bits.RotateLeft64(h, 5) ^ maphash.String(v.set.seed, value)
		h *= 0x9e3779b97f4a7c15
	}
	return h
}

// find returns the series with these values, or makes it. It returns nil when there is no room for one more.
func (v *vec) find(values []string) *series {
	for _, value := range values {
		if len(value) > maxValue {
			values = cut(values)
			break
		}
	}
	hash := v.hash(values)
	if s := v.table.Load().find(hash, values); s != nil {
		return s
	}
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	return v.add(hash, values)
}

func cut(values []string) []string {
	short := make([]string, len(values))
	for i, value := range values {
		if len(value) > maxValue {
			value = value[:maxValue]
		}
		short[i] = strings.Clone(value)
	}
	return short
}

// add is called with the set's mutex held.
func (v *vec) add(hash uint64, values []string) *series {
	if s := v.table.Load().find(hash, values); s != nil {
		return s
	}
	s := v.newSeries(hash, values)
	if !v.set.room(s) {
		v.set.refusals.add("lost", "no_room", "there is no room for another series", s)
		return nil
	}
	t := v.table.Load()
	if 2*(t.used+1) > len(t.slots) {
		t = t.copy(2*len(t.slots), nil)
		t.put(s)
		v.table.Store(t)
	} else {
		t.put(s)
	}
	v.set.number++
	v.set.bytes += s.size()
	return s
}

// newSeries makes a series that is in no table.
func (v *vec) newSeries(hash uint64, values []string) *series {
	kept := make([]string, len(values))
	for i, value := range values {
		kept[i] = strings.Clone(value)
	}
	return &series{vec: v, set: v.set, hash: hash, values: kept, prefix: v.spell(kept)}
}

// attach returns, locked, the series that has taken the place of one that was taken out of the table; nil when there is no
// room for it.
func (v *vec) attach(old *series) *series {
	for {
		v.set.mu.Lock()
		s := v.add(old.hash, old.values)
		v.set.mu.Unlock()
		if s == nil {
			return nil
		}
		s.mu.Lock()
		if !s.detached {
			return s
		}
		s.mu.Unlock()
	}
}

// declares tells whether the handle has all these labels.
func (v *vec) declares(labels map[string]string) bool {
	n := 0
	for _, name := range v.labels {
		if _, ok := labels[name]; ok {
			n++
		}
	}
	return n == len(labels)
}

func (t *table) find(hash uint64, values []string) *series {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i].Load()
		if s == nil || (s.hash == hash && isEqual(s.values, values)) {
			return s
		}
	}
}

func isEqual(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (t *table) put(s *series) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	t.slots[i].Store(s)
	t.used++
}

func (t *table) each(do func(*series)) {
	for i := range t.slots {
		if s := t.slots[i].Load(); s != nil {
			do(s)
		}
	}
}

func (t *table) copy(size int, gone map[*series]bool) *table {
	other := newTable(size)
	t.each(func(s *series) {
		if !gone[s] {
			other.put(s)
		}
	})
	return other
}

func (t *table) without(gone map[*series]bool) *table {
	size := 8
	for size < 4*(t.used-len(gone)) {
		size *= 2
	}
	return t.copy(size, gone)
}
