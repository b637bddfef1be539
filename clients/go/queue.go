// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	chunkValues = 64
	freeChunks  = 256
	valueBytes  = 10       // of the text of an observation, about
	manyBytes   = 64 << 10 // of text that are sent without waiting for a flush
)

// chunk holds observations of one series, v[from:to].
type chunk struct {
	next     *chunk
	series   *series
	from, to int
	v        [chunkValues]float64
}

// queue is what waits, of all series: those that have something, and full chunks in the order in which they became full.
type queue struct {
	signal chan struct{}  // something waits
	asleep atomic.Bool    // the sender does not look before it is woken
	bytes  atomic.Int64   // of text that wait, about
	lost   *atomic.Uint64 // calls that were dropped

	mu         sync.Mutex // guards what follows; taken last
	dirty      []*series
	spare      []*series
	head, tail *chunk
	chunks     int // from head to tail
	maxChunks  int
	free       *chunk
	freeNumber int
}

func (q *queue) init(lost *atomic.Uint64) {
	q.lost = lost
	q.signal = make(chan struct{}, 1)
	q.limit(defaultMaxBytes)
}

func (q *queue) limit(bytes int) {
	q.mu.Lock()
	q.maxChunks = bytes / int(unsafe.Sizeof(chunk{}))
	if q.maxChunks < 2 {
		q.maxChunks = 2
	}
	q.mu.Unlock()
}

func (q *queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default: // it will look anyway
	}
}

// grow counts observations that wait, and wakes the sender when there are many.
func (q *queue) grow(values int) {
	bytes := int64(values * valueBytes)
	if now := q.bytes.Add(bytes); now >= manyBytes && now-bytes < manyBytes {
		q.wake()
	}
}

// add puts a series into the list. Called with the series locked.
func (q *queue) add(s *series) {
	q.mu.Lock()
	q.dirty = append(q.dirty, s)
	first := len(q.dirty) == 1
	q.mu.Unlock()
	if first && q.asleep.Load() {
		q.wake()
	}
}

// take returns the list of series that have something, which is the caller's until the next call.
func (q *queue) take() []*series {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.dirty
	q.dirty, q.spare = q.spare[:0], list
	return list
}

// back puts series back that the list had.
func (q *queue) back(list []*series) {
	q.mu.Lock()
	q.dirty = append(q.dirty, list...)
	q.mu.Unlock()
}

func (q *queue) hasWork() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.dirty) > 0 || q.head != nil
}

// get returns an empty chunk.
func (q *queue) get(s *series) *chunk {
	q.mu.Lock()
	c := q.free
	if c != nil {
		q.free = c.next
		q.freeNumber--
	}
	q.mu.Unlock()
	if c == nil {
		c = new(chunk)
	}
	c.next, c.series, c.from, c.to = nil, s, 0, 0
	return c
}

// put takes a chunk that nobody needs. Called with the mutex held.
func (q *queue) put(c *chunk) {
	c.series, c.next = nil, nil
	if q.freeNumber < freeChunks {
		c.next, q.free = q.free, c
		q.freeNumber++
	}
}

func (q *queue) release(c *chunk) {
	q.mu.Lock()
	q.put(c)
	q.mu.Unlock()
}

// push appends a chunk that is full. When there are too many, the oldest one is lost.
func (q *queue) push(c *chunk) {
	q.mu.Lock()
	q.append(c)
	q.shrink()
	q.mu.Unlock()
}

// move appends a chunk that is about to be sent. It takes no more memory than before: nothing is lost for it.
func (q *queue) move(c *chunk) {
	q.mu.Lock()
	q.append(c)
	q.mu.Unlock()
}

// append is called with the mutex held.
func (q *queue) append(c *chunk) {
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	q.chunks++
}

// shrink is called with the mutex held.
func (q *queue) shrink() {
	for q.chunks > q.maxChunks {
		old := q.head
		q.unlink()
		q.lost.Add(uint64(old.to - old.from))
		q.put(old)
	}
}

// unlink takes the first chunk out of the list. Called with the mutex held.
func (q *queue) unlink() {
	q.head = q.head.next
	if q.head == nil {
		q.tail = nil
	}
	q.chunks--
}

// pop returns the oldest chunk.
func (q *queue) pop() *chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.head
	if c != nil {
		q.unlink()
		c.next = nil
	}
	return c
}

// pushFront takes back what was sent. When there are too many, it is lost.
func (q *queue) pushFront(c *chunk) {
	q.mu.Lock()
	q.prepend(c)
	q.shrink()
	q.mu.Unlock()
}

// unpop takes back what is left of what pop has just returned.
func (q *queue) unpop(c *chunk) {
	q.mu.Lock()
	q.prepend(c)
	q.mu.Unlock()
}

// prepend is called with the mutex held.
func (q *queue) prepend(c *chunk) {
	c.next, q.head = q.head, c
	if q.tail == nil {
		q.tail = c
	}
	q.chunks++
}

// pushFrontValue takes back the one observation of a chunk, into the first chunk where that has room for it.
func (q *queue) pushFrontValue(one *chunk) {
	q.mu.Lock()
	if c := q.head; c != nil && c.series == one.series && c.from > 0 {
		c.from--
		c.v[c.from] = one.v[one.from]
		q.put(one)
		q.mu.Unlock()
		return
	}
	q.mu.Unlock()
	q.pushFront(one)
}

// extract moves what waits for series that are to be forgotten to their record.
func (q *queue) extract(record *forget) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.head
	q.head, q.tail, q.chunks = nil, nil, 0
	for kept != nil {
		c := kept
		kept = c.next
		c.next = nil
		if record.has[c.series] {
			record.chunks = append(record.chunks, c)
			continue
		}
		q.append(c)
	}
	dirty := q.dirty[:0]
	for _, s := range q.dirty {
		if !record.has[s] {
			dirty = append(dirty, s)
		}
	}
	for i := len(dirty); i < len(q.dirty); i++ {
		q.dirty[i] = nil
	}
	q.dirty = dirty
}

// waiting counts the observations in chunks.
func (q *queue) waiting() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for c := q.head; c != nil; c = c.next {
		n += c.to - c.from
	}
	return uint64(n)
}
