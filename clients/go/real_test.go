// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	virtrigaud "example.org/virtrigaud"
)

// real is virtrigaud-exporter itself.
type real struct {
	t       *testing.T
	dir     string
	path    string
	command *exec.Cmd
	address string
}

// exporter returns a daemon that is not started yet, or skips the test where $VIRTRIGAUD_EXPORTER does not name the program.
func exporter(t *testing.T) *real {
	if os.Getenv("VIRTRIGAUD_EXPORTER") == "" {
		t.Skip("VIRTRIGAUD_EXPORTER names no program")
	}
	r := &real{t: t, dir: folder(t)}
	r.path = filepath.Join(r.dir, "s")
	t.Cleanup(func() {
		if r.command != nil {
			r.end(syscall.SIGKILL)
		}
	})
	return r
}

func (r *real) start() {
	r.t.Helper()
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	r.command = exec.Command(os.Getenv("VIRTRIGAUD_EXPORTER"), "--events.socket="+r.path, "--web.listen-address=127.0.0.1:0",
		"--catalog.dir=", "--state.file="+filepath.Join(r.dir, "state"))
	r.command.Stderr = log
	if err := r.command.Start(); err != nil {
		r.t.Fatal(err)
	}
	port := regexp.MustCompile(`port="?(\d+)`)
	until(r.t, "the daemon is ready", func() bool {
		text, _ := os.ReadFile(log.Name())
		found := port.FindSubmatch(text)
		if found == nil || !strings.Contains(string(text), "msg=ready") {
			return false
		}
		r.address = "127.0.0.1:" + string(found[1])
		return true
	})
}

func (r *real) end(how syscall.Signal) {
	_ = r.command.Process.Signal(how)
	_ = r.command.Wait()
	r.command = nil
}

// scrape returns every sample by its text up to the value.
func (r *real) scrape() map[string]float64 {
	r.t.Helper()
	conn, err := net.DialTimeout("tcp", r.address, 5*time.Second) // net/http would take long to build
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
		r.t.Fatal(err)
	}
	all := map[string]float64{}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if at := strings.LastIndexByte(lines.Text(), ' '); at > 0 && lines.Text()[0] != '#' {
			all[lines.Text()[:at]], _ = strconv.ParseFloat(lines.Text()[at+1:], 64)
		}
	}
	return all
}

func TestKillsUnderLoadLoseNothing(t *testing.T) {
	r := exporter(t)
	kills := 5
	if os.Getenv("VE_LONG") != "" {
		kills = 20
	}
	set, j := virtrigaud.NewSet(), &journal{}
	operation, failures := describe(set), set.Counter("virtrigaud_errors_total", "reason", "component")
	depth := set.Gauge("virtrigaud_queue_depth", "kind").With("VM")
	c := open(set, r.path, j)
	var senders sync.WaitGroup
	stop := make(chan struct{})
	sent := make([]float64, 3)
	for g := range sent {
		senders.Add(1)
		go func(g int) {
			defer senders.Done()
			for {
				for i := 0; i < 10; i++ {
					operation.Observe(0.25)
					failures.Inc("get-vm", "manager")
				}
				operation.Inc()
				sent[g] += 10
				depth.Set(sent[g])
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}(g)
	}
	for n := 0; n < kills; n++ {
		r.start()
		time.Sleep(300 * time.Millisecond)
		until(t, "its state file has the name that the next daemon opens, and the session a position", func() bool {
			_, err := os.Stat(filepath.Join(r.dir, "state.new"))
			return os.IsNotExist(err) && c.Stats().Lines > 0
		})
		r.end(syscall.SIGKILL)
	}
	r.start()
	close(stop)
	senders.Wait()
	depth.Set(42)
	stats := closeAll(t, c, j)
	all, found := sent[0]+sent[1]+sent[2], r.scrape()
	if stats.Lost != 0 || stats.Refused != 0 ||
		found[`virtrigaud_vm_operations_duration_seconds_count{operation="Describe",provider_type="vsphere",provider="vc1"}`] != all ||
		found[`virtrigaud_vm_operations_total{operation="Describe",provider_type="vsphere",provider="vc1",outcome="success"}`] != all*11/10 ||
		found[`virtrigaud_errors_total{reason="get-vm",component="manager"}`] != all ||
		found[`virtrigaud_queue_depth{kind="VM"}`] != 42 {
		t.Errorf("%v were sent: %+v\n%s", all, stats, j)
		for name, value := range found {
			if strings.Contains(name, "vm_operations") || strings.Contains(name, "errors_total") || strings.Contains(name, "depth") {
				t.Log(name, value)
			}
		}
	}
	r.end(syscall.SIGTERM)
}

func TestAnIdleClientComesBack(t *testing.T) {
	r := exporter(t)
	set, j := virtrigaud.NewSet(), &journal{}
	c := virtrigaud.New(set, virtrigaud.Config{Component: "manager", Instance: "m1", Path: r.path, Logger: j.logger(),
		Labels: map[string]string{"provider_type": "vsphere", "provider": "vc1"}, Interval: time.Second})
	set.Gauge("virtrigaud_queue_depth", "kind").Set(3, "VM")
	set.Gauge("virtrigaud_provider_tasks_inflight").Set(2)
	set.Gauge("virtrigaud_build_info", "version", "git_sha", "go_version").Set(1, "1", "2", "3")
	wanted := map[string]float64{
		`virtrigaud_queue_depth{kind="VM"}`:                                                           3,
		`virtrigaud_provider_tasks_inflight{provider_type="vsphere",provider="vc1"}`:                  2,
		`virtrigaud_build_info{version="1",git_sha="2",go_version="3"}`:                               1,
		`virtrigaud_source_up{component="manager",source="m1"}`:                                       1,
		`virtrigaud_provider_rpc_requests_total{provider_type="vsphere",method="CreateVM",code="OK"}`: 0,
	}
	r.start()
	for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, 0} {
		missing := ""
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("missing: %s\n%s", missing, j)
			}
		})
		until(t, "all is there", func() bool {
			found := r.scrape()
			missing = ""
			for name, value := range wanted {
				if v, ok := found[name]; !ok || v != value {
					missing += fmt.Sprintln(name, v, ok)
				}
			}
			return missing == ""
		})
		if how == 0 {
			break
		}
		if how == syscall.SIGKILL {
			time.Sleep(3300 * time.Millisecond) // longer than three intervals
		}
		until(t, "the source is up while the client is idle", func() bool {
			return r.scrape()[`virtrigaud_source_up{component="manager",source="m1"}`] == 1
		})
		r.end(how)
		_ = os.Remove(filepath.Join(r.dir, "state"))
		time.Sleep(300 * time.Millisecond)
		r.start()
	}
	if err := c.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	closeAll(t, c, j)
	r.end(syscall.SIGTERM)
	if j.count("connected again") != 2 || j.count("refused") != 0 {
		t.Error(j)
	}
}
