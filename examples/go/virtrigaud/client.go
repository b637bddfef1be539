// SPDX-License-Identifier: Apache-2.0

// Package virtrigaud pushes metrics and events to virtrigaud-exporter. It needs Go's standard library alone: copy the
// folder.
//
//	client, err := virtrigaud.New(virtrigaud.Config{Component: "manager", Instance: "m1"})
//	operations := client.Event("vm_operation", "operation", "provider_type", "provider", "outcome")
//	depth := client.Gauge("virtrigaud_queue_depth", "kind")
//	...
//	depth.Set(12, "VirtualMachine")
//	timer := operations.Start()
//	err = create(vm)
//	timer.Stop("Create", "vsphere", "vc1", virtrigaud.Outcome(err))
//	...
//	account := client.Close(2 * time.Second)
//
// Calls put a line into a queue and return: they never wait for the daemon, and may be made by many goroutines. One
// goroutine sends the lines, batch by batch, in a session: what was sent and not acknowledged is sent again after a
// break from where the daemon had come to, so that every line counts once, whichever side restarts the connection.
// When the queue is full, new lines are dropped; Account.Lost counts them, and the daemon is told.
//
// Nothing is added up here, and nothing is kept about a series: a process that restarts resets no counter. Protocol:
// virtrigaud-events(7).
package virtrigaud

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"sync"
	"time"
)

const (
	socketPath = "/run/virtrigaud-exporter/events.sock"
	queueLines = 10000
)

// Config says who pushes, and where.
type Config struct {
	Component string            // manager, provider, or another one of the catalogue
	Instance  string            // which one of them
	Labels    map[string]string // stand in for labels that a metric or event here leaves out
	Path      string            // the socket; "": $VIRTRIGAUD_EVENTS_SOCKET, else the daemon's default
	Queue     int               // lines that may wait; 0: 10000
}

// Account says what became of the lines. Each is in one place at any time.
type Account struct {
	Applied  uint64 // acknowledged as applied
	Rejected uint64 // acknowledged as refused: they do not fit the catalogue
	Unknown  uint64 // dealt with once, applied or refused; the answer got lost
	Lost     uint64 // dropped, since the queue was full, or with a session that the daemon forgot
	Waiting  uint64 // not acknowledged yet
}

// Client is made by New.
type Client struct {
	config Config
	work   chan struct{} // something waits to be sent
	ended  chan struct{} // closed by the goroutine

	mutex   sync.Mutex // guards what follows up to the blank line; held for moments only
	queue   [][]byte   // lines that are not acknowledged
	account Account    // but for Waiting
	closing bool

	link link // the goroutine's own
}

// New makes a client. That the daemon is not there is no error: lines wait for it.
func New(config Config) (*Client, error) {
	if config.Component == "" {
		return nil, errors.New("virtrigaud: a component is needed")
	}
	if config.Path == "" {
		config.Path = os.Getenv("VIRTRIGAUD_EVENTS_SOCKET")
	}
	if config.Path == "" {
		config.Path = socketPath
	}
	if config.Queue <= 0 {
		config.Queue = queueLines
	}
	session, err := newSession()
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, work: make(chan struct{}, 1), ended: make(chan struct{})}
	c.link = link{session: session, fresh: true, retry: retryFirst}
	go c.run()
	return c, nil
}

// Account tells how things stand.
func (c *Client) Account() Account {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	account := c.account
	account.Waiting = uint64(len(c.queue))
	return account
}

// Close waits for the last acknowledgement, but no longer than that, and tells how things stand.
func (c *Client) Close(wait time.Duration) Account {
	c.mutex.Lock()
	c.closing = true
	c.mutex.Unlock()
	c.wake()
	select {
	case <-c.ended:
	case <-time.After(wait):
	}
	return c.Account()
}

func newSession() (string, error) {
	var id [16]byte
	_, err := rand.Read(id[:])
	return hex.EncodeToString(id[:]), err
}

func (c *Client) wake() {
	select {
	case c.work <- struct{}{}:
	default: // it will look anyway
	}
}

// send queues a line, or drops it.
func (c *Client) send(line []byte) {
	c.mutex.Lock()
	if len(c.queue) < c.config.Queue && !c.closing {
		c.queue = append(c.queue, line)
	} else {
		c.account.Lost++
	}
	c.mutex.Unlock()
	c.wake()
}
