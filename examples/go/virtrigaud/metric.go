// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"encoding/json"
	"strconv"
	"time"
)

// A name of the catalogue and its labels, spelled once: the text of a line up to the labels' values.
type target struct {
	client *Client
	kind   string // "metric" or "event"
	name   string
	op     string // "" for an event
	labels []string
}

// Counter counts up.
type Counter struct{ target }

// Gauge is set, or moved.
type Gauge struct{ target }

// Histogram observes values.
type Histogram struct{ target }

// Event is one happening that updates several metrics at once.
type Event struct{ target }

// Counter names a counter of the catalogue and the labels whose values the calls give, in that order.
func (c *Client) Counter(name string, labels ...string) Counter {
	return Counter{target{c, "metric", name, "add", labels}}
}

// Gauge does so for a gauge.
func (c *Client) Gauge(name string, labels ...string) Gauge {
	return Gauge{target{c, "metric", name, "set", labels}}
}

// Histogram does so for a histogram.
func (c *Client) Histogram(name string, labels ...string) Histogram {
	return Histogram{target{c, "metric", name, "observe", labels}}
}

// Event does so for an event.
func (c *Client) Event(name string, labels ...string) Event {
	return Event{target{c, "event", name, "", labels}}
}

// Inc counts one.
func (t Counter) Inc(values ...string) { t.Add(1, values...) }

// Add counts several, or a part.
func (t Counter) Add(by float64, values ...string) { t.send(t.op, &by, values) }

// Set sets the gauge.
func (t Gauge) Set(to float64, values ...string) { t.send(t.op, &to, values) }

// Add moves the gauge, down when by is negative.
func (t Gauge) Add(by float64, values ...string) { t.send("add", &by, values) }

// Observe adds a value to the histogram.
func (t Histogram) Observe(value float64, values ...string) { t.send(t.op, &value, values) }

// Start begins to measure; Stop of what it returns observes the seconds since.
func (t Histogram) Start() Timer { return Timer{t.target, time.Now()} }

// Send tells that it happened.
func (t Event) Send(values ...string) { t.send(t.op, nil, values) }

// SendValue tells that it happened, with the value that the event takes.
func (t Event) SendValue(value float64, values ...string) { t.send(t.op, &value, values) }

// Start begins to measure; Stop of what it returns sends the event with the seconds since.
func (t Event) Start() Timer { return Timer{t.target, time.Now()} }

// Timer measures once, from Start to Stop.
type Timer struct {
	target target
	begin  time.Time
}

// Stop sends the seconds since Start, with the values of the labels.
func (t Timer) Stop(values ...string) {
	seconds := time.Since(t.begin).Seconds()
	t.target.send(t.target.op, &seconds, values)
}

// Outcome is what most events call "outcome".
func Outcome(err error) string {
	if err != nil {
		return "failure"
	}
	return "success"
}

// send spells the line. The value stands last: the daemon need not parse a line again of which it knows all before
// the number. Too few values, infinity and the like make a line that the daemon refuses and counts.
func (t *target) send(op string, value *float64, values []string) {
	line := append(make([]byte, 0, 160), `{"`+t.kind+`":`...)
	line = append(line, quote(t.name)...)
	for i, label := range t.labels {
		if i == 0 {
			line = append(line, `,"labels":{`...)
		} else {
			line = append(line, ',')
		}
		line = append(line, quote(label)...)
		line = append(line, ':')
		if i < len(values) {
			line = append(line, quote(values[i])...)
		} else {
			line = append(line, `""`...)
		}
	}
	if len(t.labels) > 0 {
		line = append(line, '}')
	}
	if op != "" {
		line = append(line, `,"op":"`+op+`"`...)
	}
	if value != nil {
		line = append(line, `,"value":`...)
		line = strconv.AppendFloat(line, *value, 'g', -1, 64)
	}
	t.client.send(append(line, "}\n"...))
}

func quote(text string) []byte {
	quoted, _ := json.Marshal(text) // of a string never fails
	return quoted
}
