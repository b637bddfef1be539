// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"
)

// Options of a Daemon.
type Options struct {
	Catalog *Catalog // nil: the built-in one
	// Plain makes it one of the first release: it knows neither interval and transient in a hello nor count and values.
	Plain bool
	// PlainLines makes it refuse count and values only.
	PlainLines bool
}

// Daemon listens on a Unix socket and deals with lines as the real daemon does: it checks them against the catalogue, adds
// up, and keeps sessions over its own restarts. Its methods may be called by many goroutines.
type Daemon struct {
	path    string
	options Options

	mu       sync.Mutex // guards what follows
	store    *store
	sessions map[string]*session
	gone     uint64 // of lost, of sessions that are forgotten
	hellos   []Hello
	lines    int
	listener net.Listener
	conns    map[net.Conn]bool
	wait     sync.WaitGroup
	breaks   func(line []byte) Break
	stopped  chan struct{} // not nil: lines wait until it is closed
}

// Hello is the first hello of a connection.
type Hello struct {
	Component, Instance, Session string
	Labels                       map[string]string
	Interval                     *float64
	Transient                    *bool
	Lost                         *uint64
}

type session struct {
	lines      [][]byte // that were dealt with
	defaults   map[string]string
	lost       uint64
	rolledBack bool
	conn       net.Conn
}

// Break is what becomes of a connection with a line.
type Break int

// The kinds of breaks.
const (
	None   Break = iota // it goes on
	Before              // it ends before the line is dealt with
	After               // it ends after that, without a reply
)

// Listen starts a daemon. The socket file must not be there.
func Listen(path string, options Options) (*Daemon, error) {
	if options.Catalog == nil {
		options.Catalog = Builtin()
	}
	d := &Daemon{path: path, options: options, sessions: map[string]*session{}, conns: map[net.Conn]bool{}}
	d.store = d.newStore()
	return d, d.Start()
}

func (d *Daemon) newStore() *store {
	s := newStore(d.options.Catalog)
	s.plain = d.options.Plain || d.options.PlainLines
	return s
}

// Start listens again after Stop.
func (d *Daemon) Start() error {
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.listener = listener
	d.mu.Unlock()
	d.wait.Add(1)
	go d.accept(listener)
	return nil
}

// Stop ends all connections and removes the socket. What was added up, and the sessions, are kept.
func (d *Daemon) Stop() {
	d.mu.Lock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
	for conn := range d.conns {
		conn.Close()
	}
	d.mu.Unlock()
	d.Resume()
	d.wait.Wait()
	_ = os.Remove(d.path)
}

// Pause makes it stand still: it takes connections, but deals with no line until Resume.
func (d *Daemon) Pause() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped == nil {
		d.stopped = make(chan struct{})
	}
}

// Resume ends Pause.
func (d *Daemon) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped != nil {
		close(d.stopped)
		d.stopped = nil
	}
}

// SetOptions changes what the daemon knows, as another version of it would; the catalogue stays.
func (d *Daemon) SetOptions(options Options) {
	d.mu.Lock()
	defer d.mu.Unlock()
	options.Catalog = d.options.Catalog
	d.options = options
	d.store.plain = options.Plain || options.PlainLines
}

// Breaks sets what is asked for each line what becomes of its connection; nil for nothing. It
// may call no method of the daemon.
func (d *Daemon) Breaks(breaks func(line []byte) Break) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.breaks = breaks
}

// ForgetSessions forgets all sessions, as a daemon without a state file does with its end. What was added up stays.
func (d *Daemon) ForgetSessions() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.sessions {
		d.gone += one.lost
	}
	d.sessions = map[string]*session{}
}

// RollBack takes the last lines of each session back, as a daemon does that finds an older state file.
func (d *Daemon) RollBack(lines int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	refused := d.store.refused
	d.store = d.newStore()
	for _, one := range d.sessions {
		keep := len(one.lines) - lines
		if keep < 1 {
			keep = 1
		}
		if keep < len(one.lines) {
			one.lines, one.lost, one.rolledBack = one.lines[:keep], 0, true
		}
		for _, line := range one.lines {
			d.store.apply(line, one.defaults)
		}
	}
	d.store.refused = refused
}

// Value returns the value of a series, as that of a Recorder.
func (d *Daemon) Value(name string, labels ...string) float64 {
	value, _ := d.Lookup(name, labels...)
	return value
}

// Lookup returns the value of a series, and whether it is there.
func (d *Daemon) Lookup(name string, labels ...string) (float64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store.value(name, pairs(labels))
}

// Refused returns the lines that were refused.
func (d *Daemon) Refused() []Refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Refusal(nil), d.store.refused...)
}

// Lost returns what clients have said to be lost.
func (d *Daemon) Lost() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.gone
	for _, one := range d.sessions {
		n += one.lost
	}
	return n
}

// Lines returns the number of lines that were dealt with.
func (d *Daemon) Lines() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// Hellos returns the hello of each connection.
func (d *Daemon) Hellos() []Hello {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Hello(nil), d.hellos...)
}

// Forget removes all series, as a daemon does that has lost its state.
func (d *Daemon) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.store.series, d.store.order = map[string]*series{}, nil
}

func (d *Daemon) accept(listener net.Listener) {
	defer d.wait.Done()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		if d.listener != listener {
			d.mu.Unlock()
			conn.Close()
			return
		}
		d.conns[conn] = true
		d.wait.Add(1)
		d.mu.Unlock()
		go d.serve(conn)
	}
}

// connection is what is known of one.
type connection struct {
	conn              net.Conn
	line              int
	applied, rejected int
	greeted           bool
	session           *session
	defaults          map[string]string
}

var errBroken = errors.New("broken")

func (d *Daemon) serve(conn net.Conn) {
	defer d.wait.Done()
	defer func() {
		d.mu.Lock()
		delete(d.conns, conn)
		d.mu.Unlock()
		conn.Close()
	}()
	c := &connection{conn: conn}
	lines := bufio.NewReaderSize(conn, 2*maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		d.mu.Lock()
		stopped := d.stopped
		d.mu.Unlock()
		if stopped != nil {
			<-stopped
		}
		d.mu.Lock()
		answer, err := d.take(c, append([]byte(nil), line[:len(line)-1]...))
		d.mu.Unlock()
		if answer != nil {
			text, _ := json.Marshal(answer)
			_, _ = conn.Write(append(text, '\n'))
		}
		if err != nil {
			return
		}
	}
}

type object map[string]any

// take deals with a line. Called with the mutex held.
func (d *Daemon) take(c *connection, line []byte) (any, error) {
	if !d.conns[c.conn] || (c.session != nil && c.session.conn != c.conn) {
		return nil, errBroken
	}
	kind := None
	if d.breaks != nil {
		kind = d.breaks(line)
	}
	if kind == Before {
		return nil, errBroken
	}
	c.line++
	answer, err := d.deal(c, line)
	if kind == After {
		return nil, errBroken
	}
	return answer, err
}

func (d *Daemon) deal(c *connection, line []byte) (any, error) {
	var control map[string]json.RawMessage
	if json.Unmarshal(line, &control) == nil && len(control) == 1 {
		for key, value := range control {
			switch key {
			case "hello":
				return d.hello(c, value)
			case "sync":
				return object{"sync": value, "applied": c.applied, "rejected": c.rejected}, nil
			case "ping":
				return object{"ping": value}, nil
			case "forget":
				var body struct{ Labels map[string]string }
				_ = json.Unmarshal(value, &body)
				return object{"forget": object{"series": d.store.forget(body.Labels)}}, nil
			}
		}
	}
	d.lines++
	if c.session != nil {
		c.session.lines = append(c.session.lines, line)
	}
	if reason := d.store.apply(line, c.defaults); reason != "" {
		c.rejected++
		return object{"error": reason, "line": c.line, "detail": "it does not fit the catalogue"}, nil
	}
	c.applied++
	return nil, nil
}

func (d *Daemon) hello(c *connection, text []byte) (any, error) {
	refuse := func(detail string) (any, error) {
		c.rejected++
		return object{"error": "bad_control", "line": c.line, "detail": detail}, errBroken
	}
	var h Hello
	if json.Unmarshal(text, &h) != nil {
		return refuse("hello is no object of its keys")
	}
	if !c.greeted {
		if d.options.Plain && (h.Interval != nil || h.Transient != nil) {
			return refuse("unknown key in hello")
		}
		if h.Component != "" && !d.options.Catalog.components[h.Component] {
			return refuse("component is none that the catalogue knows")
		}
		c.greeted, c.defaults = true, h.Labels
		d.hellos = append(d.hellos, h)
		if h.Session != "" {
			return d.open(c, &h), nil
		}
	}
	if h.Lost != nil && c.session != nil && *h.Lost > c.session.lost {
		c.session.lost = *h.Lost
	}
	applied := c.applied
	if c.session != nil {
		applied = len(c.session.lines)
	}
	return object{"hello": object{"protocol": 1, "applied": applied, "known": true}}, nil
}

// open begins a session, or goes on with it.
func (d *Daemon) open(c *connection, h *Hello) any {
	key := h.Component + "\x00" + h.Instance + "\x00" + h.Session
	one := d.sessions[key]
	known := one != nil && !one.rolledBack
	if one == nil {
		one = &session{}
		d.sessions[key] = one
	}
	if one.conn != nil {
		one.conn.Close()
	}
	one.conn, one.defaults = c.conn, h.Labels
	c.session = one
	if h.Lost != nil && *h.Lost > one.lost {
		one.lost = *h.Lost
	}
	return object{"hello": object{"protocol": 1, "applied": len(one.lines), "known": known}}
}
