// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest

import (
	"bytes"
	"encoding/json"
	"math"
	"sort"
	"strings"
	"unicode/utf8"
)

const maxLine = 65536

// Refusal is a line that does not fit the catalogue.
type Refusal struct {
	Reason string // one of virtrigaud-events(7)
	Line   string
}

// series is one of a metric.
type series struct {
	metric  *metric
	values  []string
	value   float64
	sum     float64
	count   uint64
	buckets []uint64 // of each bound, not cumulative
}

// store adds up lines as the daemon does.
type store struct {
	catalog *Catalog
	plain   bool // knows neither count nor values
	series  map[string]*series
	order   []*series
	refused []Refusal
}

func newStore(c *Catalog) *store { return &store{catalog: c, series: map[string]*series{}} }

type sample struct {
	Metric, Event *string
	Labels        map[string]string
	Op            string
	Value         *float64
	Values        []float64
	Count         *float64
	Exemplar      json.RawMessage
}

var keys = toSet([]string{"metric", "event", "labels", "op", "value", "values", "count", "exemplar"})

// apply deals with a line that is no control line. It returns the reason to refuse it, or "".
func (s *store) apply(line []byte, defaults map[string]string) string {
	reason := s.check(line, defaults)
	if reason != "" {
		s.refused = append(s.refused, Refusal{reason, string(line)})
	}
	return reason
}

func (s *store) check(line []byte, defaults map[string]string) string {
	if len(line) > maxLine {
		return "too_long"
	}
	if !utf8.Valid(line) {
		return "bad_utf8"
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		if json.Valid(line) {
			return "not_an_object"
		}
		return "bad_json"
	}
	for key := range fields {
		if !keys[key] || (s.plain && (key == "values" || key == "count")) {
			return "unknown_field"
		}
	}
	var one sample
	if err := json.Unmarshal(line, &one); err != nil {
		return reasonOf(fields)
	}
	if (one.Metric == nil) == (one.Event == nil) {
		return "unknown_field"
	}
	if one.Metric != nil {
		return s.applyMetric(&one, fields, defaults)
	}
	return s.applyEvent(&one, fields, defaults)
}

// reasonOf tells which of the fields has the wrong type.
func reasonOf(fields map[string]json.RawMessage) string {
	var text string
	if f, ok := fields["metric"]; ok && json.Unmarshal(f, &text) != nil {
		return "unknown_metric"
	}
	if f, ok := fields["event"]; ok && json.Unmarshal(f, &text) != nil {
		return "unknown_event"
	}
	var labels map[string]string
	if f, ok := fields["labels"]; ok && json.Unmarshal(f, &labels) != nil {
		return "bad_label_value"
	}
	return "bad_value"
}

func (s *store) applyMetric(one *sample, fields map[string]json.RawMessage, defaults map[string]string) string {
	m := s.catalog.metrics[*one.Metric]
	if m == nil {
		return "unknown_metric"
	}
	if one.Count != nil {
		return "unknown_field"
	}
	op := one.Op
	if op == "" {
		op = map[string]string{"counter": "add", "gauge": "set", "histogram": "observe"}[m.kind]
	}
	if !strings.Contains(map[string]string{"counter": "add", "gauge": "add set", "histogram": "observe"}[m.kind], op) {
		return "bad_op"
	}
	values, reason := resolve(m.labels, m.ignored, one.Labels, defaults)
	if reason != "" {
		return reason
	}
	all, reason := numbers(one, fields)
	switch {
	case reason != "":
		return reason
	case one.Values != nil && m.kind != "histogram":
		return "unknown_field"
	case len(all) == 0 && m.kind != "counter":
		return "missing_value"
	case len(all) == 0:
		all = []float64{1}
	}
	if m.kind == "counter" && all[0] < 0 {
		return "negative_counter"
	}
	if one.Exemplar != nil && m.kind == "gauge" {
		return "bad_exemplar"
	}
	for _, v := range all {
		s.find(m, values).update(op, v)
	}
	return ""
}

func (s *store) applyEvent(one *sample, fields map[string]json.RawMessage, defaults map[string]string) string {
	e := s.catalog.events[*one.Event]
	switch {
	case e == nil:
		return "unknown_event"
	case one.Op != "":
		return "bad_op"
	}
	_, reason := resolve(e.labels, e.ignored, one.Labels, defaults)
	if reason != "" {
		return reason
	}
	all, reason := numbers(one, fields)
	switch {
	case reason != "":
		return reason
	case one.Count != nil && len(all) > 0:
		return "bad_value"
	case one.Count != nil && (*one.Count < 1 || *one.Count > 1e6 || *one.Count != math.Trunc(*one.Count)):
		return "bad_value"
	case len(all) > 0 && !e.value:
		return "bad_value"
	case len(all) == 0 && e.value && !e.optional:
		return "missing_value"
	}
	happenings := 1.0
	if one.Count != nil {
		happenings = *one.Count
	} else if len(all) > 0 {
		happenings = float64(len(all))
	}
	for _, u := range e.updates {
		if e.happens(u, one.Labels, defaults) {
			s.applyUpdate(u, one.Labels, defaults, all, happenings)
		}
	}
	return ""
}

// happens tells whether an update takes place with these labels.
func (e *event) happens(u update, labels, defaults map[string]string) bool {
	for _, l := range e.labels {
		wanted, ok := u.when[l.name]
		if !ok {
			continue
		}
		value, ok := labels[l.name]
		if !ok {
			value = defaults[l.name]
		}
		if value, _ = l.normal(value); !toSet(wanted)[value] {
			return false
		}
	}
	return true
}

func (s *store) applyUpdate(u update, labels, defaults map[string]string, all []float64, happenings float64) {
	own := map[string]string{}
	for _, l := range u.metric.labels {
		if value, ok := labels[l.name]; ok {
			own[l.name] = value
		}
	}
	values, reason := resolve(u.metric.labels, nil, own, defaults)
	if reason != "" {
		return
	}
	if u.op == "add" {
		s.find(u.metric, values).update("add", u.by*happenings)
		return
	}
	for _, v := range all {
		s.find(u.metric, values).update(u.op, v)
	}
}

// numbers returns the values of a line.
func numbers(one *sample, fields map[string]json.RawMessage) ([]float64, string) {
	if raw, ok := fields["value"]; ok {
		if one.Value == nil || one.Values != nil || bytes.Equal(raw, []byte("null")) {
			return nil, "bad_value"
		}
		return []float64{*one.Value}, ""
	}
	if _, ok := fields["values"]; ok && (len(one.Values) == 0 || len(one.Values) > 1000) {
		return nil, "bad_value"
	}
	return one.Values, ""
}

// resolve returns the values of declared labels.
func resolve(declared []*label, ignored map[string]bool, given, defaults map[string]string) ([]string, string) {
	known := map[string]bool{}
	for _, l := range declared {
		known[l.name] = true
	}
	for name := range given {
		if !known[name] && !ignored[name] {
			return nil, "unknown_label"
		}
	}
	reasons := map[string]bool{}
	values := make([]string, len(declared))
	for i, l := range declared {
		value, ok := given[l.name]
		if !ok {
			value = defaults[l.name]
		}
		if !ok && value == "" {
			reasons["missing_label"] = true
			continue
		}
		var reason string
		values[i], reason = l.normal(value)
		reasons[reason] = true
	}
	for _, reason := range []string{"missing_label", "bad_label_value", "label_value_not_allowed"} {
		if reasons[reason] {
			return nil, reason
		}
	}
	return values, ""
}

func (s *store) find(m *metric, values []string) *series {
	key := m.name + "\x00" + strings.Join(values, "\x00")
	one := s.series[key]
	if one == nil {
		one = &series{metric: m, values: values, buckets: make([]uint64, len(m.bounds)+1)}
		s.series[key] = one
		s.order = append(s.order, one)
	}
	return one
}

func (one *series) update(op string, v float64) {
	switch op {
	case "add":
		one.value += v
	case "set":
		one.value = v
	case "observe":
		one.sum += v
		one.count++
		one.buckets[sort.SearchFloat64s(one.metric.bounds, v)]++
	}
}

// forget removes series and returns their number.
func (s *store) forget(labels map[string]string) int {
	var kept []*series
	for _, one := range s.order {
		n := 0
		for i, l := range one.metric.labels {
			if value, ok := labels[l.name]; ok && value == one.values[i] {
				n++
			}
		}
		if n < len(labels) {
			kept = append(kept, one)
		} else {
			delete(s.series, one.metric.name+"\x00"+strings.Join(one.values, "\x00"))
		}
	}
	n := len(s.order) - len(kept)
	s.order = kept
	return n
}

// value finds a sample as an exposition would have it.
func (s *store) value(name string, labels map[string]string) (float64, bool) {
	for _, part := range []string{"", "_count", "_sum"} {
		m := s.catalog.metrics[strings.TrimSuffix(name, part)]
		if m == nil || !strings.HasSuffix(name, part) || (part != "") != (m.kind == "histogram") {
			continue
		}
		values, reason := resolve(m.labels, nil, labels, nil)
		one := s.series[m.name+"\x00"+strings.Join(values, "\x00")]
		if reason != "" || one == nil {
			return 0, false
		}
		switch part {
		case "_count":
			return float64(one.count), true
		case "_sum":
			return one.sum, true
		}
		return one.value, true
	}
	return 0, false
}
