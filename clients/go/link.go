// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"time"
)

const (
	answerTime = 30 * time.Second // for a reply
	retryFirst = 50 * time.Millisecond
	retryLast  = time.Second
	mergeTime  = 10 * time.Millisecond // that the first record after a silence waits for others
)

var (
	errEnd    = errors.New("virtrigaud: the client ends")
	errDoubt  = errors.New("virtrigaud: the session is over")
	errOld    = errors.New("virtrigaud: the daemon does not know all keys of a hello")
	errTime   = errors.New("no answer in time")
	errClosed = errors.New("the daemon closed it")
)

// link is the conversation with the daemon, over all connections.
type link struct {
	session    string
	fresh      bool    // the session's hello was never answered
	unheard    bool    // the answer to the session's last hello was not read
	position   uint64  // the session's: lines that were dealt with
	past       history // of these lines
	toldBefore uint64  // of what was lost and told, in former sessions
	old        bool    // the next hello has only keys that every daemon knows
	batch      batch   // what was sent and not acknowledged
	retry      time.Duration
	trouble    string // why there is no connection, as it was told
	since      time.Time
	lost       uint64 // of what was lost, what the logger was told
	waiters    []chan struct{}

	conn              net.Conn // of this connection, as what follows
	replies           chan reply
	broken            chan struct{} // closed when nobody receives replies any more
	number            uint64        // lines written
	ids               uint64
	applied, rejected uint64
	merge             bool // the daemon knows count and values, as far as is known
	confirmed         bool // it has applied a line with them
}

type reply struct {
	Hello *struct {
		Applied uint64 `json:"applied"`
		Known   bool   `json:"known"`
	} `json:"hello"`
	Sync     *uint64         `json:"sync"`
	Ping     *uint64         `json:"ping"`
	Forget   json.RawMessage `json:"forget"`
	Applied  uint64          `json:"applied"`
	Rejected uint64          `json:"rejected"`
	Error    string          `json:"error"`
	Line     uint64          `json:"line"`
	Detail   string          `json:"detail"`
}

func newLink() link {
	return link{session: newSession(), fresh: true, retry: retryFirst}
}

func (c *Client) run() {
	defer c.end()
	for {
		err := c.converse()
		wasConnected := c.connected.Swap(false)
		switch {
		case errors.Is(err, errEnd) || c.ctx.Err() != nil:
			c.giveUp()
			return
		case errors.Is(err, errOld):
			continue
		case errors.Is(err, errDoubt):
			lost := c.set.lost.Load()
			c.renew()
			c.logger.Warn("the daemon does not know the session any more, another one begins", "lost", c.set.lost.Load()-lost)
		default:
			c.link.old = false // the next daemon may be another one
			c.tellTrouble(err, wasConnected)
		}
		if !c.rest() {
			c.giveUp()
			return
		}
	}
}

// rest waits before the next connection. It returns false when the client is to end.
func (c *Client) rest() bool {
	l := &c.link
	timer := time.NewTimer(l.retry)
	defer timer.Stop()
	if l.retry *= 2; l.retry > retryLast {
		l.retry = retryLast
	}
	closing := c.closing
	for {
		if c.isClosing() && !c.hasWork() {
			return false
		}
		select {
		case <-timer.C:
			return true
		case done := <-c.flushes:
			l.waiters = append(l.waiters, done)
		case <-closing:
			closing = nil
		case <-c.ctx.Done():
			return false
		}
	}
}

func (c *Client) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

func (c *Client) hasWork() bool {
	return len(c.link.batch.lines) > 0 || c.set.queue.hasWork() || c.set.lost.Load() > c.set.told.Load() || c.set.firstForget() != nil
}

// giveUp ends the accounts: what was sent and not acknowledged cannot be sent again by another client.
func (c *Client) giveUp() {
	l := &c.link
	c.lose(l.batch.lines)
	l.batch.clear()
	c.publish()
	if n := c.set.waiting(); n > 0 {
		c.logger.Warn("closed before all was sent", "waiting", n)
	}
}

// converse has one connection, from its begin to its end.
func (c *Client) converse() error {
	l := &c.link
	if len(c.config.Path) > maxPath {
		return errTime // explain has more
	}
	dialer := net.Dialer{Timeout: answerTime}
	conn, err := dialer.DialContext(c.ctx, "unix", c.config.Path)
	if err != nil {
		return err
	}
	l.conn, l.number, l.applied, l.rejected = conn, 0, 0, 0
	l.replies, l.broken = make(chan reply, 16), make(chan struct{})
	replies := l.replies
	c.setConn(conn)
	go read(conn, replies, l.broken)
	defer func() {
		c.setConn(nil)
		close(l.broken)
		conn.Close()
		for range replies { // until the reader has ended
		}
	}()
	if err := c.greet(); err != nil {
		return err
	}
	return c.work()
}

// read takes replies until the connection ends.
func read(conn net.Conn, replies chan<- reply, broken <-chan struct{}) {
	defer close(replies)
	lines := bufio.NewReaderSize(conn, 16<<10)
	for {
		text, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		var r reply
		if err := json.Unmarshal(text, &r); err != nil {
			continue // a reply that this client does not know
		}
		select {
		case replies <- r:
		case <-broken:
			return
		}
	}
}

// work sends what comes until the connection breaks or the client ends.
func (c *Client) work() error {
	l := &c.link
	heard := time.Now()
	next := heard
	silence := c.config.Interval / 3
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		has := c.hasWork()
		urgent := len(l.waiters) > 0 || c.isClosing() || c.set.queue.bytes.Load() >= manyBytes
		switch {
		case has && (urgent || !now.Before(next)):
			drained, err := c.round()
			if err != nil {
				return err
			}
			heard = now
			if drained {
				next = now.Add(c.config.FlushInterval)
			}
			continue
		case !has:
			c.endWaiters(len(l.waiters))
			if c.isClosing() {
				return errEnd
			}
		}
		if now.Sub(heard) >= silence {
			if err := c.ping(); err != nil {
				return err
			}
			heard = now
			continue
		}
		// In a steady stream records come before the next batch is due, and none of them wakes this goroutine.
		asleep := !has && !now.Before(next)
		if asleep {
			c.set.queue.asleep.Store(true)
			has = c.hasWork() // what came before that wakes nobody
		}
		wait := silence - now.Sub(heard)
		if asleep && has {
			wait = 0
		} else if !asleep && next.Sub(now) < wait {
			wait = next.Sub(now)
		}
		err := c.wait(timer, wait)
		c.set.queue.asleep.Store(false)
		if err != nil {
			return err
		}
		if first := time.Now().Add(mergeTime); asleep && next.Before(first) {
			next = first
		}
	}
}

// wait waits for something to do.
func (c *Client) wait(timer *time.Timer, wait time.Duration) error {
	l := &c.link
	if !timer.Stop() {
		select {
		case <-timer.C:
		default:
		}
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
	case <-c.set.queue.signal:
	case <-c.closing:
	case done := <-c.flushes:
		l.waiters = append(l.waiters, done)
	case _, ok := <-l.replies:
		if !ok {
			return errClosed
		}
	case <-c.ctx.Done():
		return errEnd
	}
	c.tellRefused(nil)
	return nil
}

func (c *Client) endWaiters(n int) {
	l := &c.link
	for _, done := range l.waiters[:n] {
		close(done)
	}
	l.waiters = append(l.waiters[:0], l.waiters[n:]...)
}

// round sends a batch, or a request to forget. It returns whether everything was sent that was there before the call.
func (c *Client) round() (bool, error) {
	l := &c.link
	waiters, closing := len(l.waiters), c.isClosing()
	drained := false
	l.batch.probe = l.merge && !l.confirmed
	if record := c.set.firstForget(); record != nil {
		l.batch.fillForget(c.set, record, l.merge)
		if len(l.batch.lines) == 0 {
			return false, c.askForget(record)
		}
	} else {
		l.batch.fill(&c.set.queue, l.merge)
		drained = !l.batch.isFull()
	}
	whole, err := c.sendBatch()
	if err != nil || !drained || !whole {
		return false, err
	}
	c.endWaiters(waiters)
	if closing {
		return true, errEnd
	}
	return true, nil
}

// sendBatch sends lines and waits until the daemon has dealt with them. It returns false when some must be sent again.
func (c *Client) sendBatch() (bool, error) {
	l := &c.link
	lost := c.set.lost.Load()
	if len(l.batch.lines) == 0 && lost <= c.set.told.Load() {
		return true, nil
	}
	c.publish()
	begin := l.number
	l.number += uint64(len(l.batch.lines))
	text := l.batch.text
	if lost > c.set.told.Load() {
		text = append(text, `{"hello":{"lost":`...)
		text = strconv.AppendUint(text, lost-l.toldBefore, 10)
		text = append(text, "}}\n"...)
		l.number++
	}
	l.ids++
	l.number++
	text = append(text, `{"sync":`...)
	text = strconv.AppendUint(text, l.ids, 10)
	text = append(text, "}\n"...)
	l.batch.text = text
	var tell []refusal
	answer, err := c.ask(text, func(r *reply) bool {
		if r.Error != "" {
			tell = l.batch.refuse(int(r.Line-begin)-1, r, tell)
		}
		return r.Sync != nil && *r.Sync == l.ids
	})
	c.tellRefused(tell)
	if err != nil {
		return false, err
	}
	if answer.Applied+answer.Rejected-l.applied-l.rejected != uint64(len(l.batch.lines)) {
		return false, errDoubt
	}
	rejected := answer.Rejected - l.rejected
	l.applied, l.rejected = answer.Applied, answer.Rejected
	c.set.told.Store(lost)
	for i := range l.batch.lines {
		if l.batch.lines[i].refused {
			rejected--
		}
	}
	c.mu.Lock()
	c.stats.Unknown += rejected // where a reply was dropped
	c.mu.Unlock()
	again := c.endLines(len(l.batch.lines), true)
	if len(again) > 0 {
		l.merge = false
	}
	l.batch.clear()
	undo(again)
	c.publish()
	return len(again) == 0, nil
}

// endLines ends the first lines of the batch, which were dealt with, and leaves the others in it. Without an answer, what was
// not refused is unknown. It returns those that are to be sent again in another way.
func (c *Client) endLines(n int, answered bool) []line {
	l := &c.link
	var again []line
	c.mu.Lock()
	for i := range l.batch.lines[:n] {
		one := &l.batch.lines[i]
		switch {
		case one.again:
			again = append(again, *one)
			*one = line{}
		case one.refused:
			c.stats.Refused += one.calls
		case answered:
			c.stats.Applied += one.calls
			l.confirmed = l.confirmed || one.merged
		default:
			c.stats.Applied += one.calls
			c.stats.Unknown += one.calls
		}
		l.past.add(one)
	}
	c.stats.Lines += uint64(n)
	c.mu.Unlock()
	l.position += uint64(n)
	l.batch.drop(n)
	return again
}

// publish makes the calls of what was sent visible to Stats.
func (c *Client) publish() {
	n := uint64(0)
	for i := range c.link.batch.lines {
		n += c.link.batch.lines[i].calls
	}
	c.mu.Lock()
	c.stats.Waiting = n
	c.stats.Plain = c.stats.Connects > 0 && !c.link.merge
	c.mu.Unlock()
}

// ask sends text and waits for the reply that is wanted.
func (c *Client) ask(text []byte, wanted func(*reply) bool) (*reply, error) {
	l := &c.link
	if err := l.conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if c.ctx.Err() != nil {
		return nil, errEnd
	}
	if _, err := l.conn.Write(text); err != nil {
		return nil, err
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		select {
		case r, ok := <-l.replies:
			if !ok {
				return nil, errClosed
			}
			if wanted(&r) {
				return &r, nil
			}
		case <-timer.C:
			return nil, errTime
		case <-c.ctx.Done():
			return nil, errEnd
		}
	}
}

// ping is a sign of life of both.
func (c *Client) ping() error {
	l := &c.link
	l.ids++
	l.number++
	text := strconv.AppendUint([]byte(`{"ping":`), l.ids, 10)
	_, err := c.ask(append(text, "}\n"...), func(r *reply) bool { return r.Ping != nil && *r.Ping == l.ids })
	return err
}

// askForget asks the daemon to remove series. What it refuses is logged, and not tried again.
func (c *Client) askForget(record *forget) error {
	l := &c.link
	l.number++
	text := appendLabels([]byte(`{"forget":{"labels":`), record.labels)
	text = append(text, "}}\n"...)
	answer, err := c.ask(text, func(r *reply) bool { return r.Forget != nil || (r.Error != "" && r.Line == l.number) })
	if err != nil {
		return err
	}
	c.set.forgotten(record)
	if answer.Error != "" {
		l.rejected++
		c.tellRefused([]refusal{{"refused", answer.Error, answer.Detail, string(text[:len(text)-1])}})
	}
	return nil
}
