// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

// journal keeps what a logger is told.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) logger() virtrigaud.Logger {
	return virtrigaud.LogFunc(func(level, msg string, args ...any) {
		j.mu.Lock()
		j.lines = append(j.lines, fmt.Sprint(append([]any{level, " ", msg, " "}, args...)...))
		j.mu.Unlock()
	})
}

func (j *journal) has(part string) func() bool {
	return func() bool { return j.count(part) > 0 }
}

func (j *journal) count(part string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, line := range j.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

const patience = time.Minute // in which what happens at once has happened on a machine that has much else to do

func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// folder is a short one, for sockets.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "virtrigaud")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, options virtrigaudtest.Options) (*virtrigaudtest.Daemon, string) {
	t.Helper()
	path := filepath.Join(folder(t), "s")
	d, err := virtrigaudtest.Listen(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d, path
}

func open(set *virtrigaud.Set, path string, j *journal) *virtrigaud.Client {
	return virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Path: path, Logger: j.logger(),
		FlushInterval: 10 * time.Millisecond, CloseTimeout: patience})
}

func closeAll(t *testing.T, c *virtrigaud.Client, j *journal) virtrigaud.Stats {
	t.Helper()
	stats := c.Close(context.Background())
	if stats.Waiting != 0 {
		t.Errorf("after Close %d wait: %+v\n%s", stats.Waiting, stats, j)
	}
	return stats
}

const (
	operationsTotal = "virtrigaud_vm_operations_total"
	operationsCount = "virtrigaud_vm_operations_duration_seconds_count"
)

// counted returns what the daemon has of vm_operation, in a counter and in a histogram.
func counted(d *virtrigaudtest.Daemon) (uint64, uint64) {
	all := []string{"operation", "Describe", "provider_type", "vsphere", "provider", "vc1"}
	return uint64(d.Value(operationsTotal, append(all, "outcome", "success")...)), uint64(d.Value(operationsCount, all...))
}

func describe(set *virtrigaud.Set) virtrigaud.Event {
	return set.Event("vm_operation", "operation", "provider_type", "provider", "outcome").With("Describe", "vsphere", "vc1", "success")
}

func agree(t *testing.T, d *virtrigaudtest.Daemon, stats virtrigaud.Stats, sent uint64, j *journal) {
	t.Helper()
	total, count := counted(d)
	if total != count || total+stats.Lost != sent || d.Lost() != stats.Lost || stats.Applied != total {
		t.Errorf("%d were sent, %d and %d are there, the daemon knows of %d lost: %+v\n%s", sent, total, count, d.Lost(), stats, j)
	}
}

func TestWhatWasRecordedBeforeIsSent(t *testing.T) {
	set := virtrigaud.NewSet()
	operation := describe(set)
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	operation.Observe(1)
	depth.Set(7, "VM")
	d, path := listen(t, virtrigaudtest.Options{})
	j := &journal{}
	c := open(set, path, j)
	until(t, "it is there", func() bool { n, _ := counted(d); return n == 1 })
	operation.Observe(1)
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n, _ := counted(d); n != 2 || d.Value("virtrigaud_queue_depth", "kind", "VM") != 7 {
		t.Errorf("after Flush there are %d", n)
	}
	closeAll(t, c, j)
	operation.Observe(1)
	c = open(set, path, j)
	stats := closeAll(t, c, j)
	if n, _ := counted(d); n != 3 || stats.Applied != 1 || stats.Plain {
		t.Errorf("%d are there: %+v", n, stats)
	}
	hello := d.Hellos()[0]
	if hello.Component != "manager" || hello.Instance != "m1" || *hello.Interval != 10 || hello.Transient != nil {
		t.Errorf("the hello says %+v", hello)
	}
}

func TestASecondClientSaysSo(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	first := open(set, path, j)
	second := open(set, path, j)
	describe(set).Observe(1)
	second.Close(context.Background())
	if err := second.Flush(context.Background()); err != nil || j.count("has a client already") != 1 {
		t.Error(err, j)
	}
	agree(t, d, closeAll(t, first, j), 1, j)
}

// torment sends from several goroutines while something breaks, and compares the sums.
func torment(t *testing.T, d *virtrigaudtest.Daemon, path string, exact bool, breaks func(c *virtrigaud.Client, j *journal, round int)) (virtrigaud.Stats, *journal) {
	t.Helper()
	set, j := virtrigaud.NewSet(), &journal{}
	operation := describe(set)
	c := open(set, path, j)
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	var senders sync.WaitGroup
	sent := uint64(0)
	var mu sync.Mutex
	stop := make(chan struct{})
	for g := 0; g < 3; g++ {
		senders.Add(1)
		go func() {
			defer senders.Done()
			n := uint64(0)
			defer func() { mu.Lock(); sent += n; mu.Unlock() }()
			for {
				for i := 0; i < 5; i++ {
					operation.Observe(0.25)
				}
				n += 5
				depth.Set(float64(n), "VM")
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
	}
	// A session with a position of 0 cannot be told from one that was forgotten.
	until(t, "something is acknowledged", func() bool { return c.Stats().Lines > 0 })
	for round := 0; round < 12; round++ {
		time.Sleep(50 * time.Millisecond)
		breaks(c, j, round)
	}
	close(stop)
	senders.Wait()
	depth.Set(42, "VM")
	d.Breaks(nil)
	stats := closeAll(t, c, j)
	if exact {
		stats.Applied = sent - stats.Lost // without the gauge's calls
		agree(t, d, stats, sent, j)
	} else if total, count := counted(d); total != count || total > sent || total+stats.Lost < sent || d.Lost() < stats.Lost {
		// What was sent and not acknowledged when the session was forgotten may be there and counted as lost, and what was
		// told to be lost then is told again.
		t.Errorf("%d were sent, %d and %d are there, the daemon knows of %d lost: %+v\n%s", sent, total, count, d.Lost(), stats, j)
	}
	if v := d.Value("virtrigaud_queue_depth", "kind", "VM"); v != 42 {
		t.Errorf("the gauge is %v", v)
	}
	return stats, j
}

func restart(t *testing.T, d *virtrigaudtest.Daemon) {
	d.Stop()
	time.Sleep(10 * time.Millisecond)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
}

// oneIn breaks connections now and then, at every kind of line.
func oneIn(n int) func([]byte) virtrigaudtest.Break {
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	return func([]byte) virtrigaudtest.Break {
		if random.Intn(n) > 0 {
			return virtrigaudtest.None
		}
		return virtrigaudtest.Before + virtrigaudtest.Break(random.Intn(2))
	}
}

func TestBreaksLoseNothing(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			d, path := listen(t, virtrigaudtest.Options{Plain: plain})
			d.Breaks(oneIn(10))
			if plain {
				d.Breaks(oneIn(200))
			}
			stats, j := torment(t, d, path, true, func(_ *virtrigaud.Client, _ *journal, round int) {
				if round%3 == 2 {
					restart(t, d)
				}
			})
			// A hello whose answer breaks off again leaves a doubt only where the position is 0, as at the begin.
			if sessions := countSessions(d); stats.Lost > 0 && sessions == 1 {
				t.Errorf("in one session %d are lost\n%s", stats.Lost, j)
			}
			if stats.Plain != plain {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func countSessions(d *virtrigaudtest.Daemon) int {
	ids := map[string]bool{}
	for _, hello := range d.Hellos() {
		ids[hello.Session] = true
	}
	return len(ids)
}

func TestAnotherVersionOfTheDaemonIsNoticed(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	stats, j := torment(t, d, path, true, func(_ *virtrigaud.Client, _ *journal, round int) {
		d.Stop()
		d.SetOptions(virtrigaudtest.Options{Plain: round%2 == 0})
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
	})
	if stats.Lost != 0 || countSessions(d) != 1 || stats.Refused != 0 {
		t.Errorf("%d sessions, %v are refused: %+v\n%s", countSessions(d), d.Refused(), stats, j)
	}
}

func TestADaemonWithoutValuesIsNoticed(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{PlainLines: true})
	stats, j := torment(t, d, path, true, func(*virtrigaud.Client, *journal, int) {})
	refused := d.Refused()
	if stats.Lost != 0 || !stats.Plain || len(refused) == 0 || j.count("refused") != 0 {
		t.Errorf("%v are refused: %+v\n%s", refused, stats, j)
	}
	for _, one := range refused {
		if one.Reason != "unknown_field" {
			t.Errorf("refused: %v", one)
		}
	}
}

func TestSessionsThatAreForgottenAreLost(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	_, j := torment(t, d, path, false, func(c *virtrigaud.Client, j *journal, round int) {
		d.Breaks(oneIn(10))
		if round%3 == 2 {
			begun := j.count("another one begins")
			d.Stop()
			d.ForgetSessions()
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			until(t, "another session begins", func() bool { return j.count("another one begins") > begun })
			lines := c.Stats().Lines
			until(t, "something of it is acknowledged", func() bool { return c.Stats().Lines > lines })
		}
	})
	if countSessions(d) < 5 || j.count("another one begins") < 4 {
		t.Errorf("there are %d sessions\n%s", countSessions(d), j)
	}
}

func TestSessionsThatAreRolledBackAreCounted(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	operation := describe(set)
	c := open(set, path, j)
	for i := 0; i < 50; i++ {
		operation.Observe(1)
		if i%2 == 0 {
			operation.Inc()
			operation.Observe(3)
		}
		if err := c.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := counted(d)
	d.Stop()
	// Else what follows may be sent on the old connection and be lost with it: then nothing is left for another session.
	until(t, "the client knows that the daemon is gone", j.has("connection lost"))
	d.RollBack(20)
	broken := false
	d.Breaks(func(line []byte) virtrigaudtest.Break { // the answer to what is lost is lost, once
		if !broken && strings.HasPrefix(string(line), `{"hello":{"lost"`) {
			broken = true
			return virtrigaudtest.After
		}
		return virtrigaudtest.None
	})
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	operation.Inc()
	stats := closeAll(t, c, j)
	now, _ := counted(d)
	if before != 100 || now+stats.Lost != 101 || d.Lost() != stats.Lost || stats.Applied != now || countSessions(d) != 2 {
		t.Errorf("%d were there, %d are, %d sessions: %+v\n%s", before, now, countSessions(d), stats, j)
	}
}

func TestWhatIsTooMuchIsLostOldestFirst(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	d.Pause()
	c := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Path: path, Logger: j.logger(),
		MaxBytes: 100000, CloseTimeout: patience})
	operation := describe(set)
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	failures := set.Counter("virtrigaud_errors_total", "reason", "component").With("get-vm", "manager")
	const n = 50000
	longest := time.Duration(0)
	for i := 0; i < n; i++ {
		begin := time.Now()
		operation.Observe(float64(i))
		failures.Inc()
		depth.Set(float64(i), "VM")
		if took := time.Since(begin); took > longest {
			longest = took
		}
	}
	if longest > patience/2 { // one that waits for the daemon takes for ever
		t.Errorf("a call takes %v", longest)
	}
	if stats := c.Stats(); stats.Lost < n/2 || stats.Waiting+stats.Lost+stats.Applied != 3*n {
		t.Errorf("%+v", stats)
	}
	d.Resume()
	stats := closeAll(t, c, j)
	total, count := counted(d)
	if total != count || total+stats.Lost != n || d.Lost() != stats.Lost {
		t.Errorf("%d are there, %d lost: %+v", total, d.Lost(), stats)
	}
	sum := d.Value("virtrigaud_vm_operations_duration_seconds_sum", "operation", "Describe", "provider_type", "vsphere", "provider", "vc1")
	newest := float64(0)
	for i := n - int(total); i < n; i++ {
		newest += float64(i)
	}
	if math.Abs(sum-newest) > newest/100 {
		t.Errorf("the sum is %v, that of the newest %v", sum, newest)
	}
	if d.Value("virtrigaud_errors_total", "reason", "get-vm", "component", "manager") != n || d.Value("virtrigaud_queue_depth", "kind", "VM") != n-1 {
		t.Error("a counter or a gauge has lost something")
	}
}

func TestEndsLeaveNothingBehind(t *testing.T) {
	dir := folder(t)
	d, path := listen(t, virtrigaudtest.Options{})
	time.Sleep(50 * time.Millisecond)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for _, where := range []string{path, filepath.Join(dir, "nothing"), strings.Repeat("x", 200)} {
		fastest := patience
		for _, wait := range []time.Duration{0, 30 * time.Millisecond, 300 * time.Millisecond} {
			set, j := virtrigaud.NewSet(), &journal{}
			describe(set).Observe(1)
			limit := 200 * time.Millisecond
			if where == path {
				limit = patience // it ends as soon as all is sent
			}
			c := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Path: where, Logger: j.logger(), CloseTimeout: limit})
			time.Sleep(wait)
			begin := time.Now()
			stats := c.Close(context.Background())
			if took := time.Since(begin); took < fastest {
				fastest = took
			}
			if stats.Waiting+stats.Applied != 1 || (where == path) != (stats.Applied == 1) {
				t.Errorf("%s: %+v\n%s", where, stats, j)
			}
			c.Close(context.Background())
		}
		if fastest > 1900*time.Millisecond { // without its own limit each would take 2 s
			t.Errorf("%s: Close takes %v", where, fastest)
		}
	}
	d.Pause()
	set := virtrigaud.NewSet()
	describe(set).Observe(1)
	c := open(set, path, &journal{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := c.Flush(ctx); err == nil {
		t.Error("Flush ends without an answer")
	}
	if stats := c.Close(ctx); stats.Waiting+stats.Lost != 1 {
		t.Errorf("%+v", stats)
	}
	d.Resume()
	until(t, fmt.Sprintf("goroutines and descriptors are as before: %d, %d", goroutines, files), func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
	})
}

func descriptors(t *testing.T) int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestRunEndsWithItsContext(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	c := open(set, path, j)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	describe(set).Observe(1)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	agree(t, d, c.Stats(), 1, j)
}

func TestWhatIsRefusedIsToldAndNothingElseLost(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	c := open(set, path, j)
	operation := describe(set)
	failures := set.Counter("virtrigaud_errors_total", "reason", "component")
	operation.Observe(1)
	failures.Inc("one is missing")
	failures.Inc("a", "manager", "one too many")
	failures.Inc("\xff", "manager")
	failures.Inc(strings.Repeat("x", 100000), "manager")
	set.Counter("no_such_metric").Inc()
	failures.Add(-1, "a", "manager")
	operation.Observe(math.NaN())
	failures.Inc("good", "manager")
	operation.Inc()
	stats := closeAll(t, c, j)
	if stats.Refused != 5 || stats.Invalid != 2 || stats.Applied != 3 || d.Value("virtrigaud_errors_total", "reason", "good", "component", "manager") != 1 {
		t.Errorf("%+v\n%s", stats, j)
	}
	reasons := map[string]int{}
	for _, one := range d.Refused() {
		reasons[one.Reason]++
	}
	if fmt.Sprint(reasons) != "map[bad_label_value:1 bad_utf8:1 missing_label:1 unknown_label:1 unknown_metric:1]" {
		t.Errorf("refused: %v", reasons)
	}
	if n := j.count("refused"); n != 5 || !strings.Contains(j.String(), `one is missing`) {
		t.Errorf("%d are told\n%s", n, j)
	}
}

func TestGaugesComeBackWithTheDaemon(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	depth := set.Gauge("virtrigaud_queue_depth", "kind")
	failures := set.Counter("virtrigaud_errors_total", "reason", "component")
	c := open(set, path, j)
	depth.Set(3, "VM")
	depth.Set(4, "VMSet")
	failures.Init("get-vm", "manager")
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	d.Forget()
	restart(t, d)
	until(t, "all is there again", func() bool {
		_, declared := d.Lookup("virtrigaud_errors_total", "reason", "get-vm", "component", "manager")
		return declared && d.Value("virtrigaud_queue_depth", "kind", "VM") == 3 && d.Value("virtrigaud_queue_depth", "kind", "VMSet") == 4
	})
	set.Forget(map[string]string{"kind": "VM"})
	if err := c.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	restart(t, d)
	until(t, "it is connected", func() bool { return c.Stats().Connects == 3 && c.Stats().Connected })
	depth.Set(5, "VMSet")
	closeAll(t, c, j)
	if _, ok := d.Lookup("virtrigaud_queue_depth", "kind", "VM"); ok || d.Value("virtrigaud_queue_depth", "kind", "VMSet") != 5 {
		t.Error("what was forgotten comes back")
	}
	for _, part := range []string{"connected ", "connection lost (the daemon closed it)", "connected again"} {
		if !j.has(part)() {
			t.Errorf("%s is not told\n%s", part, j)
		}
	}
}

func TestAHelloThatIsRefusedIsTold(t *testing.T) {
	_, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	c := virtrigaud.New(set, virtrigaud.Config{Component: "nobody", Path: path, Logger: j.logger(), CloseTimeout: 100 * time.Millisecond})
	describe(set).Observe(1)
	until(t, "it is told", j.has("cannot connect (the daemon refused the hello: bad_control: component is none"))
	if stats := c.Close(context.Background()); stats.Waiting != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestALoggerMayPanic(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set := virtrigaud.NewSet()
	c := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Path: path,
		Logger: virtrigaud.LogFunc(func(string, string, ...any) { panic("no") })})
	set.Counter("no_such_metric").Inc()
	describe(set).Observe(1)
	agree(t, d, func() virtrigaud.Stats { s := c.Close(context.Background()); return s }(), 1, &journal{})
}

func TestAPingKeepsTheInterval(t *testing.T) {
	d, path := listen(t, virtrigaudtest.Options{})
	set, j := virtrigaud.NewSet(), &journal{}
	var mu sync.Mutex
	pings, last, shortest := 0, time.Now(), patience
	d.Breaks(func(line []byte) virtrigaudtest.Break {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(string(line), `{"ping"`) {
			if pause := time.Since(last); pings > 0 && pause < shortest {
				shortest = pause
			}
			pings, last = pings+1, time.Now()
		}
		return virtrigaudtest.None
	})
	c := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Path: path, Logger: j.logger(), Interval: time.Second, Transient: true})
	until(t, "two pings within a second", func() bool { mu.Lock(); defer mu.Unlock(); return shortest < time.Second })
	closeAll(t, c, j)
	if hello := d.Hellos()[0]; *hello.Interval != 1 || !*hello.Transient {
		t.Errorf("%+v", hello)
	}
}
