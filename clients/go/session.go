// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"time"
)

const pastLines = 65536 // whose calls are remembered one by one

// history remembers how many calls each of the session's lines stood for, in case that it is rolled back.
type history struct {
	calls  []uint32 // of the last lines
	before uint64   // lines before these
	sum    uint64   // of their calls
}

func (h *history) add(l *line) {
	if len(h.calls) == 2*pastLines {
		for _, n := range h.calls[:pastLines] {
			h.sum += uint64(n)
		}
		h.before += pastLines
		h.calls = append(h.calls[:0], h.calls[pastLines:]...)
	}
	n := uint32(l.calls)
	if l.kind == lineGauge {
		n = 0 // its newest value is sent again
	}
	h.calls = append(h.calls, n)
}

// after returns the calls of the lines from a position on. Of lines long ago it is about right.
func (h *history) after(position uint64) uint64 {
	n := uint64(0)
	if position < h.before {
		n = uint64(float64(h.sum) * float64(h.before-position) / float64(h.before))
		position = h.before
	}
	for _, calls := range h.calls[position-h.before:] {
		n += uint64(calls)
	}
	return n
}

func newSession() string {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	}
	return hex.EncodeToString(id[:])
}

// helloError is a hello that was refused.
type helloError struct{ reason, detail string }

func (e *helloError) Error() string {
	return "the daemon refused the hello: " + e.reason + ": " + e.detail
}

func (c *Client) hello() []byte {
	l := &c.link
	text := appendText([]byte(`{"hello":{"component":`), c.config.Component)
	if c.config.Instance != "" {
		text = appendText(append(text, `,"instance":`...), c.config.Instance)
	}
	if len(c.config.Labels) > 0 {
		text = appendLabels(append(text, `,"labels":`...), c.config.Labels)
	}
	if !l.old {
		text = append(text, `,"interval":`...)
		text = strconv.AppendInt(text, int64((c.config.Interval+time.Second-1)/time.Second), 10)
		if c.config.Transient {
			text = append(text, `,"transient":true`...)
		}
	}
	text = appendText(append(text, `,"session":`...), l.session)
	return append(text, "}}\n"...)
}

// greet says who speaks, and finds out what the daemon has dealt with.
func (c *Client) greet() error {
	l := &c.link
	unheard := l.unheard
	l.number = 1
	l.unheard = !l.fresh
	answer, err := c.ask(c.hello(), func(r *reply) bool { return r.Hello != nil || r.Error != "" })
	if err != nil {
		return err
	}
	old := l.old
	l.old = false // the next daemon may be another one
	if answer.Hello == nil {
		if answer.Error == "bad_control" && !old {
			l.old = true
			l.unheard = unheard // it was not about the session
			return errOld
		}
		l.unheard = unheard
		return &helloError{answer.Error, answer.Detail}
	}
	at, open := answer.Hello.Applied, uint64(len(l.batch.lines))
	if !answer.Hello.Known && !l.fresh && at > 0 && at <= l.position+open {
		return c.rollBack(at)
	}
	forgotten := unheard && open > 0 && at == 0 // it may be, for all that we know
	if forgotten || (!answer.Hello.Known && !l.fresh) || at < l.position || at-l.position > open {
		return errDoubt
	}
	l.fresh, l.unheard = false, false
	c.resume(int(at - l.position))
	l.merge, l.confirmed = !old, false // count, values and the newer keys of a hello came together
	l.retry = retryFirst
	c.welcome()
	return nil
}

// resume ends the lines of the last batch that the daemon has dealt with, and gives back the others: they are never dealt
// with, for the connection that they were sent on has been closed before the hello was answered. Where no refusal was read,
// a line counts as unknown, and is not sent again: the next daemon may be another one, and shows nothing of what this one did.
func (c *Client) resume(dealt int) {
	l := &c.link
	again := c.endLines(dealt, false)
	undo(append(again, l.batch.lines...))
	l.batch.clear()
	c.publish()
}

// rollBack counts as lost what was acknowledged behind the position: it is in no count of the daemon's any more. The
// session is told the sum of what is lost, since what it was told may have been rolled back, too; when that breaks off, the
// next hello is answered in the same way.
func (c *Client) rollBack(at uint64) error {
	l := &c.link
	if at > l.position {
		undo(c.endLines(int(at-l.position), false))
	}
	gone := l.past.after(at)
	c.mu.Lock()
	for _, count := range []*uint64{&c.stats.Applied, &c.stats.Refused} {
		part := gone // which of them it was nobody knows any more
		if part > *count {
			part = *count
		}
		*count -= part
		gone -= part
		c.set.lost.Add(part)
	}
	c.mu.Unlock()
	l.position = at
	l.past.cut(at)
	c.lose(l.batch.lines)
	l.batch.clear()
	c.publish()
	lost := c.set.lost.Load()
	l.number++
	text := fmt.Sprintf("{\"hello\":{\"lost\":%d}}\n", lost-l.toldBefore)
	answer, err := c.ask([]byte(text), func(r *reply) bool { return r.Hello != nil || r.Error != "" })
	if err != nil {
		return err
	}
	if answer.Hello == nil {
		return &helloError{answer.Error, answer.Detail}
	}
	c.set.told.Store(lost)
	return errDoubt
}

// cut removes the lines from a position on.
func (h *history) cut(position uint64) {
	if position < h.before {
		h.sum = uint64(float64(h.sum) * float64(position) / float64(h.before))
		h.before, h.calls = position, h.calls[:0]
		return
	}
	h.calls = h.calls[:position-h.before]
}

// renew begins another session. What was sent and not acknowledged may have been counted or not: it is not sent again.
func (c *Client) renew() {
	l := &c.link
	c.lose(l.batch.lines)
	l.batch.clear()
	c.publish()
	l.session = newSession()
	l.fresh, l.unheard, l.position, l.past = true, false, 0, history{}
	l.toldBefore = c.set.told.Load()
}

// lose counts lines as lost, but for gauges, whose newest value is sent again.
func (c *Client) lose(lines []line) {
	for i := range lines {
		one := &lines[i]
		if one.kind == lineGauge || one.kind == lineZero {
			one.undo()
			continue
		}
		c.set.lost.Add(one.calls)
		one.done()
	}
}

// welcome is what follows an answered hello.
func (c *Client) welcome() {
	l := &c.link
	c.mu.Lock()
	c.stats.Connects++
	first := c.stats.Connects == 1
	c.stats.Plain = !l.merge
	c.mu.Unlock()
	c.set.resend()
	c.connected.Store(true)
	lost := c.set.lost.Load()
	args := []any{"socket", c.config.Path}
	if l.trouble != "" {
		args = append(args, "after", time.Since(l.since).Round(time.Millisecond).String())
	}
	switch {
	case !first && (l.trouble != "" || lost > l.lost):
		c.logger.Info(fmt.Sprintf("connected again, %d lost", lost-l.lost), args...)
	case first && lost > l.lost:
		c.logger.Info(fmt.Sprintf("connected, %d lost before", lost-l.lost), args...)
	case first:
		c.logger.Info("connected", args...)
	}
	l.trouble, l.lost = "", lost
}

// tellTrouble tells why there is no connection, once for each reason.
func (c *Client) tellTrouble(err error, wasConnected bool) {
	l := &c.link
	why := explain(c.config.Path, err)
	if l.trouble == "" {
		l.since = time.Now()
	}
	switch {
	case wasConnected:
		l.trouble = why
		c.logger.Warn("connection lost ("+why+")", "socket", c.config.Path)
	case why != l.trouble:
		l.trouble = why
		c.logger.Warn("cannot connect ("+why+")", "socket", c.config.Path)
	}
	c.tellRefused(nil)
}
