// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import "time"

// handle is a name of the catalogue, with label values or without.
type handle struct {
	vec    *vec
	series *series // with these values
}

// at returns the series to record in; nil for none.
func (h handle) at(values []string) *series {
	if h.series != nil && len(values) == 0 {
		return h.series
	}
	return h.find(values)
}

func (h handle) find(values []string) *series {
	if h.vec == nil || h.vec.set.off.Load() {
		return nil
	}
	if h.series != nil {
		var room [2 * timerValues]string
		values = append(append(room[:0], h.series.values...), values...)
	}
	s := h.vec.find(values)
	if s == nil {
		h.vec.set.lost.Add(1)
	}
	return s
}

// with binds label values. What is bound to some of the labels only, or for which there is no room, is in no table.
func (h handle) with(values []string) handle {
	if h.vec == nil {
		return h
	}
	if h.series != nil {
		values = append(append([]string(nil), h.series.values...), values...)
	}
	if len(values) >= len(h.vec.labels) {
		if s := h.vec.find(values); s != nil {
			return handle{h.vec, s}
		}
	}
	values = cut(values)
	s := h.vec.newSeries(h.vec.hash(values), values)
	s.detached = true
	return handle{h.vec, s}
}

// Counter counts up. A zero Counter does nothing.
type Counter struct{ handle }

// Counter makes a handle for a counter of the catalogue and the labels whose values are given later, in this order. The
// handle's methods take the values that With has not bound.
func (s *Set) Counter(name string, labels ...string) Counter {
	return Counter{handle{vec: s.newVec(kindCounter, name, labels)}}
}

// With binds the values of all labels, or of the first ones. To keep what it returns makes later calls cheaper.
func (c Counter) With(values ...string) Counter { return Counter{c.with(values)} }

// Init declares a series: it is there with 0 from now on, so that rate() sees its first increment.
func (c Counter) Init(values ...string) {
	if s := c.at(values); s != nil {
		s.init()
	}
}

// Inc adds 1.
func (c Counter) Inc(values ...string) {
	if s := c.at(values); s != nil {
		s.add(1)
	}
}

// Add adds a number that is not negative.
func (c Counter) Add(by float64, values ...string) {
	if s := c.at(values); s != nil {
		s.add(by)
	}
}

// Gauge goes up and down. Its value is this process's own: the newest one is sent, and sent again after each break of the
// connection. A gauge that several processes move together needs an event. A zero Gauge does nothing.
type Gauge struct{ handle }

// Gauge makes a handle for a gauge of the catalogue, as Counter does for a counter.
func (s *Set) Gauge(name string, labels ...string) Gauge {
	return Gauge{handle{vec: s.newVec(kindGauge, name, labels)}}
}

// With binds label values, as that of a Counter.
func (g Gauge) With(values ...string) Gauge { return Gauge{g.with(values)} }

// Init declares a series: it is 0 until it is set.
func (g Gauge) Init(values ...string) {
	if s := g.at(values); s != nil {
		s.init()
	}
}

// Set sets the value.
func (g Gauge) Set(value float64, values ...string) {
	if s := g.at(values); s != nil {
		s.update(value, false)
	}
}

// Add moves the value, which is 0 before the first call. A negative number moves it down.
func (g Gauge) Add(by float64, values ...string) {
	if s := g.at(values); s != nil {
		s.update(by, true)
	}
}

// Sub moves the value down.
func (g Gauge) Sub(by float64, values ...string) { g.Add(-by, values...) }

// Inc adds 1.
func (g Gauge) Inc(values ...string) { g.Add(1, values...) }

// Dec subtracts 1.
func (g Gauge) Dec(values ...string) { g.Add(-1, values...) }

// SetToCurrentTime sets the seconds since 1970.
func (g Gauge) SetToCurrentTime(values ...string) {
	g.Set(float64(time.Now().UnixNano())/1e9, values...)
}

// Histogram observes values. A zero Histogram does nothing.
type Histogram struct{ handle }

// Histogram makes a handle for a histogram of the catalogue, as Counter does for a counter.
func (s *Set) Histogram(name string, labels ...string) Histogram {
	return Histogram{handle{vec: s.newVec(kindHistogram, name, labels)}}
}

// With binds label values, as that of a Counter.
func (h Histogram) With(values ...string) Histogram { return Histogram{h.with(values)} }

// Observe observes a value.
func (h Histogram) Observe(value float64, values ...string) {
	if s := h.at(values); s != nil {
		s.observe(value)
	}
}

// ObserveWithExemplar observes a value that an OpenMetrics scrape shows with these labels, such as a trace_id. Of several
// that wait together the newest keeps its labels. An exemplar that the daemon would reject, for example one of more than 128
// characters, is left out, which is logged; without labels, this is Observe.
func (h Histogram) ObserveWithExemplar(value float64, exemplar map[string]string, values ...string) {
	if s := h.at(values); s != nil {
		s.observeExemplar(value, exemplar)
	}
}

// Start begins to measure a duration. The label values that are known by now may be given here, the others to Stop.
func (h Histogram) Start(values ...string) Timer { return h.start(values) }

// Event is something that happens and updates several metrics at once, as the catalogue says. A zero Event does nothing.
type Event struct{ handle }

// Event makes a handle for an event of the catalogue, as Counter does for a counter. Its labels are those of all metrics
// that it updates.
func (s *Set) Event(name string, labels ...string) Event {
	return Event{handle{vec: s.newVec(kindEvent, name, labels)}}
}

// With binds label values, as that of a Counter.
func (e Event) With(values ...string) Event { return Event{e.with(values)} }

// Inc says that it has happened, without a value.
func (e Event) Inc(values ...string) {
	if s := e.at(values); s != nil {
		s.happen()
	}
}

// Observe says that it has happened, with a value such as its duration.
func (e Event) Observe(value float64, values ...string) {
	if s := e.at(values); s != nil {
		s.observe(value)
	}
}

// ObserveWithExemplar does so with an exemplar, as that of a Histogram.
func (e Event) ObserveWithExemplar(value float64, exemplar map[string]string, values ...string) {
	if s := e.at(values); s != nil {
		s.observeExemplar(value, exemplar)
	}
}

// Start begins to measure a duration, as that of a Histogram.
func (e Event) Start(values ...string) Timer { return e.start(values) }

const timerValues = 4 // without an allocation

// Timer measures a duration from Start to Stop.
type Timer struct {
	handle handle
	begin  time.Time
	n      int
	first  [timerValues]string
	all    []string
}

func (h handle) start(values []string) Timer {
	t := Timer{handle: h, n: len(values)}
	if copy(t.first[:], values) < t.n {
		t.all = append([]string(nil), values...)
	}
	t.begin = time.Now()
	return t
}

// Stop observes the seconds since Start and returns the duration. It takes the label values that Start was not given, such
// as the outcome:
//
//	timer := operations.Start("Create", "vsphere", "vc1")
//	err := create(vm)
//	timer.Stop(virtrigaud.Outcome(err))
func (t Timer) Stop(values ...string) time.Duration {
	took := time.Since(t.begin)
	if t.handle.vec == nil {
		return took
	}
	var room [2 * timerValues]string
	all := room[:0]
	if t.all != nil {
		all = append(all, t.all...)
	} else {
		all = append(all, t.first[:t.n]...)
	}
	all = append(all, values...)
	if s := t.handle.at(all); s != nil {
		s.observe(took.Seconds())
	}
	return took
}

// Outcome spells how something ended as the catalogue does: "success" or "error".
func Outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "success"
}
