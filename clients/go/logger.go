// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	toldRefusals = 2 // of each reason in
	keptRefusals = 8 // that wait to be told
	toldEvery    = 10 * time.Second
	maxPath      = 107 // bytes of a Unix socket's path
)

// Logger is what log/slog's Logger has: args are keys and values in turn. It is called by the client's own goroutine, never
// by one that records something.
type Logger interface {
	Debug(msg string, args ...any)
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// LogFunc is a Logger that has one function for all levels: "DEBUG", "INFO", "WARN" and "ERROR".
type LogFunc func(level, msg string, args ...any)

// Debug calls the function.
func (f LogFunc) Debug(msg string, args ...any) { f("DEBUG", msg, args...) }

// Info calls the function.
func (f LogFunc) Info(msg string, args ...any) { f("INFO", msg, args...) }

// Warn calls the function.
func (f LogFunc) Warn(msg string, args ...any) { f("WARN", msg, args...) }

// Error calls the function.
func (f LogFunc) Error(msg string, args ...any) { f("ERROR", msg, args...) }

// guarded outlives a logger that panics, or that there is none.
type guarded struct{ logger Logger }

func (g guarded) tell(do func()) {
	if g.logger != nil {
		defer func() { _ = recover() }()
		do()
	}
}

func (g guarded) Info(msg string, args ...any) {
	g.tell(func() { g.logger.Info("virtrigaud: "+msg, args...) })
}

func (g guarded) Warn(msg string, args ...any) {
	g.tell(func() { g.logger.Warn("virtrigaud: "+msg, args...) })
}

func (g guarded) Error(msg string, args ...any) {
	g.tell(func() { g.logger.Error("virtrigaud: "+msg, args...) })
}

// refusals limits how often refused lines are logged. It has a mutex of its own, which is the last one that is taken.
type refusals struct {
	mu     sync.Mutex
	begin  time.Time
	told   map[string]int // since then, by reason
	silent uint64         // that were not told
	wait   []refusal
}

type refusal struct {
	what                 string // refused (by the daemon), invalid or lost
	reason, detail, line string
}

// add keeps a call of which something was left out until the client tells it, and wakes it for the first one.
func (r *refusals) add(what, reason, detail string, s *series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wait) == 0 {
		s.set.queue.wake()
	}
	if len(r.wait) < keptRefusals {
		r.wait = append(r.wait, refusal{what, reason, detail, string(s.prefix) + "}"})
	} else {
		r.silent++
	}
}

// take returns what is to be told now, and how many others were not.
func (r *refusals) take(more []refusal) ([]refusal, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	silent := uint64(0)
	if now := time.Now(); r.told == nil || now.Sub(r.begin) >= toldEvery {
		silent, r.silent = r.silent, 0
		r.begin, r.told = now, map[string]int{}
	}
	var tell []refusal
	for _, one := range append(r.wait, more...) {
		if r.told[one.what+one.reason]++; r.told[one.what+one.reason] <= toldRefusals {
			tell = append(tell, one)
		} else {
			r.silent++
		}
	}
	r.wait = nil
	return tell, silent
}

// tellRefused tells the logger of refused lines, not too often.
func (c *Client) tellRefused(more []refusal) {
	told, silent := c.set.refusals.take(more)
	if silent > 0 {
		c.logger.Warn(fmt.Sprintf("%d more were refused, invalid or lost", silent))
	}
	for _, r := range told {
		c.logger.Warn(r.what+": "+r.reason, "detail", r.detail, "line", r.line)
	}
}

// explain says why there is no connection, as someone needs it who is to mend that.
func explain(path string, err error) string {
	if len(path) > maxPath {
		return fmt.Sprintf("the socket's path has %d bytes, %d are possible", len(path), maxPath)
	}
	var refused *helloError
	var broken *net.OpError
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "permission denied" + ownership(path)
	case errors.Is(err, syscall.ENOENT):
		return "no socket there: the daemon does not run, or has another path"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens: the daemon does not run"
	case errors.Is(err, syscall.EPROTOTYPE):
		return "it is a datagram socket, which takes single lines only"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "no file descriptor is left"
	case errors.As(err, &broken) && broken.Err != nil:
		return broken.Err.Error()
	}
	return err.Error()
}

// ownership names the group that may open the socket, where that can be seen.
func ownership(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ": a directory above the socket may not be entered"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	name := strconv.FormatUint(uint64(stat.Gid), 10)
	if group, err := user.LookupGroupId(name); err == nil {
		name = group.Name
	}
	return fmt.Sprintf(": socket's group is %s, its mode %04o", name, info.Mode().Perm())
}
