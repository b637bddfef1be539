// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"strconv"
	"time"
)

const (
	batchBytes = 60 << 10 // of a batch, after which no line is added
	batchLines = 512      // so that the replies to it fit into what the daemon keeps for a client
	maxCount   = 1000000  // of a line
)

type lineKind uint8

const (
	lineSum      lineKind = iota // a counter's
	lineZero                     // a counter of Init
	lineGauge                    //
	lineCount                    // happenings of an event without a value
	lineValue                    // one observation
	lineValues                   // a chunk of them
	lineExemplar                 // one observation with an exemplar
)

// line is what one line of a batch carries.
type line struct {
	series   *series
	kind     lineKind
	merged   bool   // spelled with count or values
	refused  bool   // by the daemon
	again    bool   // that was since it knows neither count nor values
	calls    uint64 // that it stands for
	value    float64
	chunk    *chunk
	exemplar *exemplar
	end      int // of its text
}

// batch is lines that are sent together. Its memory is used again.
type batch struct {
	text  []byte
	lines []line
	// The daemon may know neither count nor values, though it knows the newer keys of a hello: the batch ends with the first
	// line that has one of them, for a single call, so that no more is unknown when the connection breaks before the answer.
	probe, probed bool
}

func (b *batch) clear() {
	for i := range b.lines {
		b.lines[i] = line{}
	}
	b.text, b.lines, b.probed = b.text[:0], b.lines[:0], false
}

// drop ends the first lines.
func (b *batch) drop(n int) {
	for i := range b.lines[:n] {
		b.lines[i].done()
	}
	rest := copy(b.lines, b.lines[n:])
	for i := range b.lines[rest:] {
		b.lines[rest+i] = line{}
	}
	b.lines = b.lines[:rest]
}

// refuse notes that the daemon has refused a line, and adds it to what is to be told, unless it is sent in another way.
func (b *batch) refuse(i int, r *reply, tell []refusal) []refusal {
	if i < 0 || i >= len(b.lines) || b.lines[i].refused {
		return tell
	}
	one := &b.lines[i]
	one.refused, one.again = true, one.merged && r.Error == "unknown_field"
	if one.again {
		return tell
	}
	return append(tell, refusal{"refused", r.Error, r.Detail, b.lineText(i)})
}

func (b *batch) isFull() bool {
	return len(b.text) >= batchBytes || len(b.lines) >= batchLines || b.probed
}

// lineText returns the text of one line.
func (b *batch) lineText(i int) string {
	begin := 0
	if i > 0 {
		begin = b.lines[i-1].end
	}
	return string(b.text[begin : b.lines[i].end-1])
}

func (b *batch) end(l line) {
	b.text = append(b.text, '}', '\n')
	l.end = len(b.text)
	b.lines = append(b.lines, l)
}

// number adds a line with one value.
func (b *batch) number(l line, v float64) {
	b.text = append(b.text, l.series.prefix...)
	b.text = append(b.text, `,"value":`...)
	b.text = appendNumber(b.text, v)
	b.end(l)
}

// fill takes what waits into the batch, as much as there is room for. Without merging, each happening of an event and each
// observation is a line of its own, as a daemon wants it that does not know count and values.
func (b *batch) fill(q *queue, merge bool) {
	q.bytes.Store(0)
	list := q.take()
	for i, s := range list {
		if b.isFull() {
			q.back(list[i:])
			break
		}
		s.mu.Lock()
		s.dirty = false
		if !b.series(s, merge) {
			s.mark()
		}
		s.mu.Unlock()
	}
	for i := range list {
		list[i] = nil
	}
	for !b.isFull() {
		c := q.pop()
		if c == nil {
			return
		}
		if !b.chunk(c, merge) {
			q.unpop(c)
		}
	}
}

// fillForget takes what was recorded before series are forgotten.
func (b *batch) fillForget(set *Set, record *forget, merge bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for len(record.chunks) > 0 && !b.isFull() {
		if b.chunk(record.chunks[0], merge) {
			record.chunks = record.chunks[1:]
		}
	}
	for _, s := range record.series {
		if b.isFull() {
			return
		}
		s.mu.Lock()
		held := s.held
		s.held = nil
		b.series(s, merge)
		s.mu.Unlock()
		if held != nil {
			record.chunks = append(record.chunks, held)
		}
	}
	for len(record.chunks) > 0 && !b.isFull() {
		if b.chunk(record.chunks[0], merge) {
			record.chunks = record.chunks[1:]
		}
	}
}

// series takes what a series has, and returns false when something is left. Its chunk goes to the queue's end. Called with
// the series locked.
func (b *batch) series(s *series, merge bool) bool {
	switch s.vec.kind {
	case kindGauge:
		if s.send && s.known {
			b.number(line{series: s, kind: lineGauge, calls: s.calls}, s.value)
			s.send, s.calls = false, 0
		}
	case kindCounter:
		if s.calls > 0 {
			b.number(line{series: s, kind: lineSum, calls: s.calls, value: s.value}, s.value)
			s.value, s.calls, s.send = 0, 0, false
		} else if s.send {
			b.number(line{series: s, kind: lineZero}, 0)
			s.send = false
		}
	}
	for s.count > 0 && !b.isFull() {
		b.happenings(s, merge)
	}
	if s.exemplar != nil {
		e := s.exemplar
		s.exemplar = nil
		b.text = append(b.text, s.prefix...)
		b.text = appendTime(append(b.text, e.text...), e.when, time.Now())
		b.text = append(b.text, `,"value":`...)
		b.text = appendNumber(b.text, e.value)
		b.end(line{series: s, kind: lineExemplar, calls: 1, exemplar: e})
	}
	if s.held != nil && s.held.to > 0 {
		s.set.queue.move(s.held)
		s.held = nil
	}
	return s.count == 0
}

// happenings takes happenings without a value. Called with the series locked.
func (b *batch) happenings(s *series, merge bool) {
	n := s.count
	merge = merge && n > 1
	if !merge || b.probe {
		n = 1
	} else if n > maxCount {
		n = maxCount
	}
	s.count -= n
	b.text = append(b.text, s.prefix...)
	if merge {
		b.probed = b.probe
		b.text = append(b.text, `,"count":`...)
		b.text = strconv.AppendUint(b.text, n, 10)
	}
	b.end(line{series: s, kind: lineCount, calls: n, merged: merge})
}

// chunk takes observations, and returns false when some are left.
func (b *batch) chunk(c *chunk, merge bool) bool {
	s := c.series
	if !merge || c.to-c.from == 1 {
		for ; c.from < c.to; c.from++ {
			if b.isFull() {
				return false
			}
			b.number(line{series: s, kind: lineValue, calls: 1, value: c.v[c.from]}, c.v[c.from])
		}
		s.set.queue.release(c)
		return true
	}
	b.text = append(b.text, s.prefix...)
	b.text = append(b.text, `,"values":[`...)
	if b.probe {
		b.probed = true
		v := c.v[c.from]
		c.from++
		b.text = append(appendNumber(b.text, v), ']')
		b.end(line{series: s, kind: lineValue, calls: 1, value: v, merged: true})
		return false // there are others
	}
	for i := c.from; i < c.to; i++ {
		if i > c.from {
			b.text = append(b.text, ',')
		}
		b.text = appendNumber(b.text, c.v[i])
	}
	b.text = append(b.text, ']')
	b.end(line{series: s, kind: lineValues, calls: uint64(c.to - c.from), chunk: c, merged: true})
	return true
}

// done releases what a line that was dealt with carried.
func (l *line) done() {
	if l.chunk != nil {
		l.series.set.queue.release(l.chunk)
		l.chunk = nil
	}
}

// undo gives back what lines carried that the daemon has not dealt with and never will.
func undo(lines []line) {
	for i := len(lines) - 1; i >= 0; i-- {
		lines[i].undo()
	}
}

func (l *line) undo() {
	s := l.series
	queue := &s.set.queue
	switch l.kind {
	case lineValues:
		if !s.toRecord(l.chunk) {
			queue.pushFront(l.chunk)
		}
		l.chunk = nil
		queue.wake()
		return
	case lineValue:
		c := queue.get(s)
		c.from, c.to = chunkValues-1, chunkValues
		c.v[c.from] = l.value
		if !s.toRecord(c) {
			queue.pushFrontValue(c)
		}
		queue.wake()
		return
	}
	s.mu.Lock()
	if s.detached && s.record == nil {
		s.mu.Unlock()
		if s = s.vec.attach(s); s == nil {
			queue.lost.Add(l.calls)
			return
		}
	}
	switch l.kind {
	case lineSum:
		s.value += l.value
		s.calls += l.calls
	case lineZero:
		s.send = s.declared
	case lineGauge:
		if s.known {
			s.send = true
			s.calls += l.calls
		} else { // it is of no interest any more
			s.set.unwanted.Add(l.calls)
		}
	case lineCount:
		s.count += l.calls
	case lineExemplar:
		if s.exemplar == nil {
			s.exemplar = l.exemplar
		} else {
			s.keep(l.exemplar.value)
		}
	}
	if s.record == nil {
		s.mark()
	}
	s.mu.Unlock()
}

// toRecord gives a chunk to the request that the series waits for, if there is one.
func (s *series) toRecord(c *chunk) bool {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.mu.Lock()
	record := s.record
	s.mu.Unlock()
	if record == nil {
		return false
	}
	record.chunks = append(record.chunks, c)
	return true
}
