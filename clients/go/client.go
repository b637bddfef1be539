// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultPath     = "/run/virtrigaud-exporter/events.sock"
	defaultInterval = 10 * time.Second
	defaultFlush    = 500 * time.Millisecond
	defaultClose    = 2 * time.Second
)

// Config says who pushes, and where. Only Component is required.
type Config struct {
	Component string            // manager, provider, or another one of the catalogue
	Instance  string            // which one of them; "" for none
	Labels    map[string]string // stand in for labels that a handle leaves out; the daemon's zero series follow them
	Path      string            // the daemon's socket; "": $VIRTRIGAUD_EVENTS_SOCKET, else the daemon's default
	Logger    Logger            // gets what goes wrong, and that it is over; nil: nothing is logged

	FlushInterval time.Duration // how long things wait to be sent together; 0: 500 ms
	Interval      time.Duration // in which the daemon hears of this client at least once, from 1 s to 1 h; 0: 10 s
	CloseTimeout  time.Duration // how long Close waits at most for the daemon; 0: 2 s
	Transient     bool          // comes and goes, as a batch job does: no source that is missed when it has gone
	MaxBytes      int           // of observations that may wait; 0: 16 MiB
	MaxSeries     int           // that are kept track of, of 2 KiB on average; 0: 20,000
}

// Stats says what became of the calls that recorded something, gauges' Set and Add included. A call is in one of Waiting,
// Applied, Refused and Lost at any time.
type Stats struct {
	Waiting   uint64 // not acknowledged yet
	Applied   uint64 // dealt with by the daemon and not refused, as far as is known
	Refused   uint64 // refused by the daemon
	Lost      uint64 // dropped for want of room, or lost with a session that the daemon forgot or rolled back
	Invalid   uint64 // not sent, and in none of the others: a value that is no number, infinite, or negative for a counter
	Unknown   uint64 // of Applied: the connection broke before the daemon could say whether it had refused it
	Lines     uint64 // that were acknowledged
	Connected bool   // right now
	Connects  uint64 // connections on which the daemon has answered
	Plain     bool   // the daemon knows neither count nor values: each observation is a line of its own
}

// Client sends what is recorded in a set to the daemon. It is made by New and ended by Close.
type Client struct {
	set    *Set
	config Config
	logger guarded

	ctx     context.Context // done: end at once
	abort   context.CancelFunc
	closing chan struct{} // closed: send what waits, then end
	ended   chan struct{} // closed by the goroutine
	once    sync.Once
	flushes chan chan struct{}

	mu    sync.Mutex // guards what follows up to the blank line
	stats Stats
	conn  net.Conn // the present one

	link      link // the goroutine's own
	connected atomic.Bool
}

// New starts a client that sends what is recorded in the set, from now on and up to now. It never fails: that the daemon is
// not there, or not to be reached, is logged and tried again every second. A set has one client at a time; a
// second one sends nothing, and says so.
func New(set *Set, config Config) *Client {
	c := &Client{set: set, config: config.withDefaults()}
	c.logger = guarded{c.config.Logger}
	c.ctx, c.abort = context.WithCancel(context.Background())
	c.closing = make(chan struct{})
	c.ended = make(chan struct{})
	c.flushes = make(chan chan struct{})
	if !set.bind.CompareAndSwap(nil, c) {
		c.logger.Error("the set has a client already, this one sends nothing")
		close(c.ended)
		return c
	}
	set.limit(c.config.MaxBytes, c.config.MaxSeries)
	c.link = newLink()
	go c.run()
	return c
}

func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = os.Getenv("VIRTRIGAUD_EVENTS_SOCKET")
	}
	if c.Path == "" {
		c.Path = defaultPath
	}
	if c.FlushInterval <= 0 {
		c.FlushInterval = defaultFlush
	}
	if c.Interval <= 0 {
		c.Interval = defaultInterval
	}
	if c.Interval < time.Second {
		c.Interval = time.Second
	}
	if c.Interval > time.Hour {
		c.Interval = time.Hour
	}
	if c.CloseTimeout <= 0 {
		c.CloseTimeout = defaultClose
	}
	labels := make(map[string]string, len(c.Labels))
	for name, value := range c.Labels {
		labels[name] = value
	}
	c.Labels = labels
	return c
}

// Run waits until the context is done and closes the client then. It always returns nil: controller-runtime's manager
// takes it as a Runnable.
func (c *Client) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-c.ended:
	}
	c.Close(context.Background())
	return nil
}

// Close sends what waits and ends the client. It waits at most until the context is done or Config.CloseTimeout is over,
// whichever comes first; nothing of the client is left then. What could not be sent stays in the set. Further calls of
// Close return the same.
func (c *Client) Close(ctx context.Context) Stats {
	ctx, cancel := context.WithTimeout(ctx, c.config.CloseTimeout)
	defer cancel()
	c.once.Do(func() { close(c.closing) })
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.stop()
		<-c.ended
	}
	c.abort()
	return c.Stats()
}

// stop ends the goroutine wherever it is.
func (c *Client) stop() {
	c.abort()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

func (c *Client) setConn(conn net.Conn) {
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
}

// Flush waits until the daemon has dealt with everything that was recorded before the call. It returns the context's error
// when that comes first, and nil at once when the client is closed.
func (c *Client) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case c.flushes <- done:
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
	case <-c.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Stats tells how things stand.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	stats := c.stats
	c.mu.Unlock()
	stats.Waiting += c.set.waiting()
	stats.Applied += c.set.unwanted.Load()
	stats.Lost = c.set.lost.Load()
	stats.Invalid = c.set.invalid.Load()
	stats.Connected = c.connected.Load()
	return stats
}

// end is the last that the goroutine does.
func (c *Client) end() {
	c.set.bind.CompareAndSwap(c, nil)
	close(c.ended)
}
