// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	batchLines = 200 // between two acknowledgements
	answerTime = 30 * time.Second
	retryFirst = 100 * time.Millisecond
	retryLast  = 10 * time.Second
)

// The daemon does not know the session, or counts otherwise than we do.
var errDoubt = errors.New("virtrigaud: the session is over")

// link is the conversation with the daemon, over all connections.
type link struct {
	session    string
	fresh      bool   // the session's hello was never answered
	unheard    bool   // the answer to the session's last hello was not read
	position   uint64 // the session's, of the first line of the queue
	open       int    // lines of the queue that were sent and not acknowledged
	told       uint64 // of Lost, what was acknowledged
	toldBefore uint64 // of that, in former sessions
	syncs      uint64
	retry      time.Duration

	conn              net.Conn // of this connection
	replies           *bufio.Reader
	applied, rejected uint64
}

type helloBody struct {
	Component string            `json:"component,omitempty"`
	Instance  string            `json:"instance,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Session   string            `json:"session,omitempty"`
	Lost      uint64            `json:"lost,omitempty"`
}

type reply struct {
	Hello *struct {
		Applied uint64 `json:"applied"`
		Known   bool   `json:"known"`
	} `json:"hello"`
	Sync     *uint64 `json:"sync"`
	Applied  uint64  `json:"applied"`
	Rejected uint64  `json:"rejected"`
	Error    string  `json:"error"`
}

func (c *Client) run() {
	defer close(c.ended)
	for !c.isDone() {
		if err := c.converse(); errors.Is(err, errDoubt) {
			c.renew()
		}
		if c.isDone() {
			return
		}
		time.Sleep(c.link.retry)
		if c.link.retry *= 2; c.link.retry > retryLast {
			c.link.retry = retryLast
		}
	}
}

func (c *Client) isDone() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.closing && len(c.queue) == 0 && c.account.Lost == c.link.told
}

// hasWork waits until there is something to send. It returns false at the end.
func (c *Client) hasWork() bool {
	for {
		c.mutex.Lock()
		work := len(c.queue) > 0 || c.account.Lost > c.link.told
		closing := c.closing
		c.mutex.Unlock()
		if work || closing {
			return work
		}
		<-c.work
	}
}

func (c *Client) converse() error {
	l := &c.link
	conn, err := net.DialTimeout("unix", c.config.Path, answerTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	l.conn, l.replies, l.applied, l.rejected = conn, bufio.NewReader(conn), 0, 0
	if err := c.greet(); err != nil {
		return err
	}
	l.retry = retryFirst
	for c.hasWork() {
		if err := c.sendBatch(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) greet() error {
	l := &c.link
	unheard := l.unheard
	l.unheard = !l.fresh
	hello := spellHello(helloBody{c.config.Component, c.config.Instance, c.config.Labels, l.session, 0})
	answer, err := l.ask(hello, func(r *reply) bool { return r.Hello != nil || r.Error != "" })
	if err != nil {
		return err
	}
	if answer.Hello == nil {
		l.retry = retryLast // refused
		return errors.New("virtrigaud: hello: " + answer.Error)
	}
	at := answer.Hello.Applied
	forgotten := unheard && l.open > 0 && at == 0 // it may be, for all that we know
	if forgotten || (!answer.Hello.Known && !l.fresh) || at < l.position || at-l.position > uint64(l.open) {
		return errDoubt
	}
	l.fresh, l.unheard = false, false
	c.settle(0, 0, at-l.position)
	l.open = 0
	return nil
}

// sendBatch sends lines and waits until the daemon has dealt with them.
func (c *Client) sendBatch() error {
	l := &c.link
	c.mutex.Lock()
	l.open = len(c.queue)
	if l.open > batchLines {
		l.open = batchLines
	}
	var text []byte
	for _, line := range c.queue[:l.open] {
		text = append(text, line...)
	}
	lost := c.account.Lost
	c.mutex.Unlock()
	if lost > l.told {
		text = append(text, spellHello(helloBody{Lost: lost - l.toldBefore})...)
	}
	l.syncs++
	text = append(text, fmt.Sprintf("{\"sync\":%d}\n", l.syncs)...)
	answer, err := l.ask(text, func(r *reply) bool { return r.Sync != nil })
	if err != nil {
		return err
	}
	applied, rejected := answer.Applied-l.applied, answer.Rejected-l.rejected
	if *answer.Sync != l.syncs || applied+rejected != uint64(l.open) {
		return errDoubt
	}
	l.applied, l.rejected, l.told = answer.Applied, answer.Rejected, lost
	c.settle(applied, rejected, 0)
	l.open = 0
	return nil
}

func spellHello(body helloBody) []byte {
	text, _ := json.Marshal(map[string]helloBody{"hello": body}) // of strings and a number never fails
	return append(text, '\n')
}

// ask sends lines and reads replies up to the one that is wanted. Refusals before a sync are counted by it.
func (l *link) ask(text []byte, wanted func(*reply) bool) (*reply, error) {
	if err := l.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if _, err := l.conn.Write(text); err != nil {
		return nil, err
	}
	for {
		line, err := l.replies.ReadSlice('\n') // at most 4096 bytes, as replies have
		if err != nil {
			return nil, err
		}
		r := new(reply)
		if err := json.Unmarshal(line, r); err != nil {
			return nil, err
		}
		if wanted(r) {
			return r, nil
		}
	}
}

// settle takes lines from the queue that the daemon has dealt with.
func (c *Client) settle(applied, rejected, unknown uint64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	n := applied + rejected + unknown
	c.account.Applied += applied
	c.account.Rejected += rejected
	c.account.Unknown += unknown
	c.link.position += n
	c.drop(int(n))
}

// drop moves what is left to the front, so that the memory is used again.
func (c *Client) drop(n int) {
	left := copy(c.queue, c.queue[n:])
	for i := left; i < len(c.queue); i++ {
		c.queue[i] = nil
	}
	c.queue = c.queue[:left]
}

// renew begins another session. What was sent and not acknowledged may have been counted or not: it is not sent again.
func (c *Client) renew() {
	l := &c.link
	c.mutex.Lock()
	c.drop(l.open)
	c.account.Lost += uint64(l.open)
	c.mutex.Unlock()
	if session, err := newSession(); err == nil {
		l.session = session
	}
	l.fresh, l.position, l.open, l.toldBefore = true, 0, 0, l.told
}
