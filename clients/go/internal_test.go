// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"encoding/json"
	"math"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNumbersReadAsTheyWere(t *testing.T) {
	seed := time.Now().UnixNano()
	random := rand.New(rand.NewSource(seed))
	check := func(v float64) {
		text := string(appendNumber(nil, v))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != v || !json.Valid([]byte(text)) {
			t.Fatalf("seed %d: %v is spelled %s", seed, v, text)
		}
	}
	for _, v := range []float64{0, 1, -1, 0.1, 0.3, 1e-9, 1e9, 1e15, -1e15, 1e22, math.MaxFloat64, math.SmallestNonzeroFloat64, 999999.999999999, 1e6} {
		check(v)
	}
	for i := 0; i < 20000; i++ {
		check(time.Duration(random.Int63n(1 << (random.Intn(50) + 1))).Seconds())
		check(float64(random.Intn(1 << 20)))
		if v := math.Float64frombits(random.Uint64()); isFinite(v) {
			check(v)
		}
	}
	if text := string(appendNumber(nil, 0.25)); text != "0.25" {
		t.Errorf("0.25 is spelled %s", text)
	}
}

func TestTextsAreJSON(t *testing.T) {
	for _, s := range []string{"", "a", "quoted \"reason\" \\", "new\nline\x00\x1f", "ä→\U0001f600", "\x7f"} {
		var back string
		if err := json.Unmarshal(appendText(nil, s), &back); err != nil || back != s {
			t.Errorf("%q is spelled %s", s, appendText(nil, s))
		}
	}
}

func TestHistoryIsExactForTheLastLines(t *testing.T) {
	var h history
	for i := 0; i < 3*pastLines; i++ {
		h.add(&line{calls: 3})
	}
	h.add(&line{calls: 7, kind: lineGauge})
	for _, back := range []uint64{1, 2, 1000, pastLines, 3*pastLines + 1} {
		if n := h.after(3*pastLines + 1 - back); n != 3*(back-1) {
			t.Errorf("the last %d lines had %d calls", back, n)
		}
	}
	h.cut(3*pastLines - 1)
	if n := h.after(0); n != 3*(3*pastLines-1) {
		t.Errorf("after a cut there are %d calls", n)
	}
	h.cut(5)
	if n := h.after(3); n != 6 {
		t.Errorf("after another cut there are %d calls", n)
	}
}

// denied dials as a user who may not open the socket.
func denied(path string) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with its file system user
		if os.Getuid() == 0 {
			if err := syscall.Setfsgid(65534); err != nil {
				done <- err
				return
			}
			if err := syscall.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		done <- err
	}()
	return <-done
}

func TestExplanations(t *testing.T) {
	dir, err := os.MkdirTemp("", "virtrigaud")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	has := func(path string, err error, want string) {
		t.Helper()
		if got := explain(path, err); !strings.Contains(got, want) {
			t.Errorf("%v is explained as %q, without %q", err, got, want)
		}
	}
	_, err = net.Dial("unix", path)
	has(path, err, "the daemon does not run, or has another path")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o660)
	if os.Getuid() != 0 {
		mode = 0
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	has(path, denied(path), "permission denied: socket's group is ")
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	_, err = net.Dial("unix", path)
	has(path, err, "nobody listens")
	has(strings.Repeat("x", 108), errTime, "the socket's path has 108 bytes, 107 are possible")
	has(path, &helloError{"bad_control", "why"}, "refused the hello: bad_control: why")
	has(path, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}, "no file descriptor")
}

func TestRefusalsAreNotToldTooOften(t *testing.T) {
	var r refusals
	all := make([]refusal, 100)
	told, silent := r.take(all)
	if len(told) != toldRefusals || silent != 0 {
		t.Fatalf("%d are told, and %d that are not", len(told), silent)
	}
	if told, _ = r.take(all); len(told) != 0 {
		t.Fatalf("%d more are told", len(told))
	}
	r.begin = r.begin.Add(-toldEvery)
	if told, silent = r.take(nil); len(told) != 0 || silent != 198 {
		t.Fatalf("later %d are told, and %d that were not", len(told), silent)
	}
}

func TestSeriesThatAreIdleMakeRoom(t *testing.T) {
	set := NewSet()
	set.limit(0, 10)
	depth := set.Gauge("g", "x")
	depth.Set(1, "stays")
	counter := set.Counter("c", "x")
	bound := counter.With("0")
	for i := 0; i < 100; i++ {
		counter.Inc(strconv.Itoa(i))
		set.Drain(func([]byte) {})
		set.mu.Lock()
		set.swept = time.Time{}
		set.mu.Unlock()
	}
	if n := set.lost.Load(); n != 0 {
		t.Errorf("%d calls are lost", n)
	}
	bound.Inc()
	lines := 0
	set.Drain(func(line []byte) {
		if string(line) != `{"metric":"c","labels":{"x":"0"},"value":1}` {
			t.Errorf("there is %s", line)
		}
		lines++
	})
	if lines != 1 {
		t.Errorf("a handle that was bound before has %d lines", lines)
	}
	for i := 0; i < 20; i++ {
		depth.Set(1, strconv.Itoa(i))
	}
	if n := set.lost.Load(); n != 11 {
		t.Errorf("%d calls are lost where there is room for 9 more", n)
	}
	if told, _ := set.refusals.take(nil); len(told) == 0 || told[0].what != "lost" || told[0].reason != "no_room" {
		t.Errorf("of these calls is told %v", told)
	}
}

func TestLongSeriesAreFewer(t *testing.T) {
	set := NewSet()
	set.limit(0, 10) // 20 KiB
	labels := make([]string, 10)
	for i := range labels {
		labels[i] = "l" + strconv.Itoa(i)
	}
	depth := set.Gauge("g", labels...)
	for i := 0; i < 10; i++ {
		values := make([]string, len(labels))
		for k := range values {
			values[k] = strings.Repeat(string(rune('a'+i)), 300)
		}
		depth.Set(1, values...)
	}
	if n := set.lost.Load(); n != 7 {
		t.Errorf("%d calls are lost where 3 series of 6 KiB have room", n)
	}
}

// In a steady stream the sender has a time at which it looks again, and a record wakes nobody.
func TestRecordsWakeASenderThatSleeps(t *testing.T) {
	set := NewSet()
	one, other := set.Counter("a"), set.Counter("b")
	one.Inc()
	if len(set.queue.signal) != 0 {
		t.Error("a sender is woken that looks by itself")
	}
	set.queue.take()
	set.queue.asleep.Store(true)
	other.Inc()
	if len(set.queue.signal) != 1 {
		t.Error("a sender that sleeps is not woken")
	}
}

func TestAnExemplarFromAWrongClockHasNoTime(t *testing.T) {
	now := time.UnixMilli(1700000000500)
	for _, one := range []struct {
		when time.Time
		want string
	}{
		{now.Add(-time.Second), `,"timestamp":1699999999.500}`},
		{now, `,"timestamp":1700000000.500}`},
		{now.Add(time.Millisecond), `}`}, // the clock was set back
		{time.Unix(1, 0), `}`},           // it was not set yet
	} {
		if got := string(appendTime(nil, one.when, now)); got != one.want {
			t.Errorf("%v: %s", one.when, got)
		}
	}
}
