// SPDX-License-Identifier: Apache-2.0

// Conformance is the driver of clients/conformance for this client: README.md there has its commands.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

type driver struct {
	set     *virtrigaud.Set
	client  *virtrigaud.Client
	handles map[string]any

	recorder *virtrigaudtest.Recorder

	mu       sync.Mutex
	messages []string
}

func (d *driver) log(level, msg string, args ...any) {
	d.mu.Lock()
	d.messages = append(d.messages, strings.TrimSpace(fmt.Sprintln(append([]any{level, msg}, args...)...)))
	d.mu.Unlock()
}

// unescape takes the place of %XX only.
func unescape(word string) string {
	if text, err := url.PathUnescape(word); err == nil {
		return text
	}
	return word
}

// split divides words into labels and what follows them.
func split(words []string) (names, values, rest []string) {
	for i, word := range words {
		at := strings.IndexByte(word, '=')
		if at < 0 {
			return names, values, words[i:]
		}
		names = append(names, unescape(word[:at]))
		values = append(values, unescape(word[at+1:]))
	}
	return names, values, nil
}

// handle returns the handle of this kind, name and labels.
func handle[T any](d *driver, kind, name string, labels []string, create func(string, ...string) T) T {
	key := strings.Join(append([]string{kind, name}, labels...), "\x00")
	if found, ok := d.handles[key]; ok {
		return found.(T)
	}
	made := create(name, labels...)
	d.handles[key] = made
	return made
}

// call returns what one of inc, add, set, observe and event does.
func (d *driver) call(words []string) (func(), error) {
	if len(words) < 2 {
		return nil, errors.New("words are missing")
	}
	name := unescape(words[1])
	labels, values, rest := split(words[2:])
	number, given := 1.0, len(rest) > 0
	if given {
		var err error
		if number, err = strconv.ParseFloat(rest[0], 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
	}
	switch words[0] {
	case "inc":
		counter := handle(d, "counter", name, labels, d.set.Counter)
		return func() { counter.Add(number, values...) }, nil
	case "add":
		gauge := handle(d, "gauge", name, labels, d.set.Gauge)
		return func() { gauge.Add(number, values...) }, nil
	case "set":
		gauge := handle(d, "gauge", name, labels, d.set.Gauge)
		return func() { gauge.Set(number, values...) }, nil
	case "observe":
		histogram := handle(d, "histogram", name, labels, d.set.Histogram)
		return func() { histogram.Observe(number, values...) }, nil
	case "event":
		event := handle(d, "event", name, labels, d.set.Event)
		if given {
			return func() { event.Observe(number, values...) }, nil
		}
		return func() { event.Inc(values...) }, nil
	}
	return nil, nil
}

func (d *driver) repeat(words []string) (any, error) {
	if len(words) < 5 {
		return nil, errors.New("words are missing")
	}
	count, _ := strconv.Atoi(words[1])
	pause, _ := strconv.ParseFloat(words[2], 64)
	call, err := d.call(words[3:])
	if err != nil || call == nil {
		return nil, err
	}
	longest := time.Duration(0)
	for i := 1; i <= count; i++ {
		begin := time.Now()
		call()
		if took := time.Since(begin); took > longest {
			longest = took
		}
		if i%10 == 0 && pause > 0 {
			time.Sleep(time.Duration(pause * float64(time.Millisecond)))
		}
	}
	return map[string]float64{"longest": longest.Seconds()}, nil
}

func (d *driver) start(words []string) (any, error) {
	if len(words) < 4 {
		return nil, errors.New("words are missing")
	}
	config := virtrigaud.Config{Component: unescape(words[1]), Instance: unescape(words[2]), Path: unescape(words[3]),
		Logger: virtrigaud.LogFunc(d.log), CloseTimeout: time.Hour, Labels: map[string]string{}}
	names, values, _ := split(words[4:])
	for i, name := range names {
		switch name {
		case "max_bytes":
			config.MaxBytes, _ = strconv.Atoi(values[i])
		case "max_series":
			config.MaxSeries, _ = strconv.Atoi(values[i])
		default:
			config.Labels[name] = values[i]
		}
	}
	d.client = virtrigaud.New(d.set, config)
	return true, nil
}

func stats(s virtrigaud.Stats) any {
	return map[string]uint64{"sent": s.Applied + s.Refused + s.Lost + s.Waiting, "applied": s.Applied, "refused": s.Refused,
		"lost": s.Lost, "waiting": s.Waiting, "invalid": s.Invalid}
}

// recorded returns the value of a series, of a histogram how many values were observed; nil when it is not there.
func (d *driver) recorded(words []string) any {
	var labels []string
	names, values, _ := split(words[2:])
	for i, name := range names {
		labels = append(labels, name, values[i])
	}
	for _, name := range []string{words[1], words[1] + "_count"} {
		if value, ok := d.recorder.Lookup(name, labels...); ok {
			return value
		}
	}
	return nil
}

func within(words []string) (context.Context, context.CancelFunc) {
	seconds := 10.0
	if len(words) > 1 {
		seconds, _ = strconv.ParseFloat(words[1], 64)
	}
	return context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
}

func entries(folder string) int {
	all, _ := os.ReadDir(folder)
	return len(all)
}

// deal returns the answer to a command.
func (d *driver) deal(words []string) (any, error) {
	switch words[0] {
	case "inc", "add", "set", "observe", "event":
		call, err := d.call(words)
		if err == nil {
			call()
		}
		return true, err
	case "repeat":
		return d.repeat(words)
	case "exemplar":
		names, values, rest := split(words[3:])
		number, err := strconv.ParseFloat(rest[0], 64)
		histogram := handle(d, "histogram", words[1], names, d.set.Histogram)
		histogram.ObserveWithExemplar(number, map[string]string{"trace_id": words[2]}, values...)
		return true, err
	case "forget":
		names, values, _ := split(words[1:])
		labels := map[string]string{}
		for i, name := range names {
			labels[name] = values[i]
		}
		d.set.Forget(labels)
		return true, nil
	case "recorder":
		d.recorder = virtrigaudtest.NewRecorder(d.set)
		return true, nil
	case "recorded":
		return d.recorded(words), nil
	case "start":
		return d.start(words)
	case "messages":
		d.mu.Lock()
		defer d.mu.Unlock()
		told := append([]string{}, d.messages...)
		d.messages = nil
		return told, nil
	case "resources":
		return map[string]int{"threads": runtime.NumGoroutine(), // Go keeps threads that it does not need
			"descriptors": entries("/proc/self/fd")}, nil
	case "exit":
		os.Exit(0)
	case "flush", "stats", "close":
		if d.client == nil {
			return nil, errors.New("there is no client")
		}
	default:
		return "unsupported", nil
	}
	ctx, cancel := within(words)
	defer cancel()
	switch words[0] {
	case "flush":
		return d.client.Flush(ctx) == nil, nil
	case "close":
		last := d.client.Close(ctx)
		last.Lost += last.Waiting // no other client is started, which would send it
		last.Waiting = 0
		return stats(last), nil
	}
	return stats(d.client.Stats()), nil
}

// answer never panics.
func (d *driver) answer(words []string) (answer any) {
	defer func() {
		if reason := recover(); reason != nil {
			answer = map[string]string{"error": fmt.Sprint(reason)}
		}
	}()
	answer, err := d.deal(words)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	return answer
}

func main() {
	if r, w, err := os.Pipe(); err == nil { // Go keeps descriptors of its own from the first use of one like this
		r.Close()
		w.Close()
	}
	d := &driver{set: virtrigaud.NewSet(), handles: map[string]any{}}
	lines := bufio.NewReader(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadString('\n')
		if words := strings.Fields(line); len(words) > 0 {
			if err := output.Encode(d.answer(words)); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
