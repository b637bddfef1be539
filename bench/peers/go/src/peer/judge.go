// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bufio"
	"bytes"
	"fmt"
	"math"

	"github.com/valyala/fastjson"
)

// step is one update that is ready to be applied.
type step struct {
	series Series
	op     Op
	value  float64
}

// known is what a connection keeps for label values that it has seen: the handles, so that a line costs one look-up
// of its own and none in the library.
type known struct {
	series []Series
	ops    []Op
}

// judge is a connection's state. Closed label values and aliases are not looked at.
type judge struct {
	library  Library
	out      *bufio.Writer
	parser   fastjson.Parser
	defaults map[string]string
	seen     map[string]*known
	key      []byte
	ends     []int // of the label values in key
	plan     []step
	lines    int
	applied  int
	rejected int
}

func newJudge(library Library, out *bufio.Writer) *judge {
	return &judge{library: library, out: out, seen: map[string]*known{}}
}

func (j *judge) refuse(reason string) {
	j.rejected++
	fmt.Fprintf(j.out, "{\"error\":%q,\"line\":%d,\"detail\":\"\"}\n", reason, j.lines)
}

func (j *judge) tooLong() {
	j.lines++
	j.refuse("too_long")
}

func (j *judge) line(text []byte) {
	j.lines++
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	v, err := j.parser.ParseBytes(text)
	if err != nil {
		j.refuse("bad_json")
		return
	}
	j.plan = j.plan[:0]
	reason := ""
	switch v.Type() {
	case fastjson.TypeArray:
		for _, element := range v.GetArray() {
			if reason = j.planObject(element); reason != "" {
				break
			}
		}
	case fastjson.TypeObject:
		if !v.Exists("metric") && !v.Exists("event") {
			j.control(v)
			return
		}
		reason = j.planObject(v)
	default:
		reason = "not_an_object"
	}
	if reason != "" {
		j.refuse(reason)
		return
	}
	for i := range j.plan {
		j.plan[i].series.Apply(j.plan[i].op, j.plan[i].value)
	}
	j.applied++
}

func (j *judge) control(v *fastjson.Value) {
	if hello := v.Get("hello"); hello != nil {
		j.defaults = map[string]string{}
		if labels := hello.GetObject("labels"); labels != nil {
			labels.Visit(func(name []byte, value *fastjson.Value) {
				j.defaults[string(name)] = string(value.GetStringBytes())
			})
		}
		fmt.Fprint(j.out, "{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":true}}\n")
	} else if id := v.Get("sync"); id != nil {
		fmt.Fprintf(j.out, "{\"sync\":%s,\"applied\":%d,\"rejected\":%d}\n", id, j.applied, j.rejected)
	} else if id := v.Get("ping"); id != nil {
		fmt.Fprintf(j.out, "{\"ping\":%s}\n", id)
	} else {
		j.refuse("unknown_field")
	}
}

// planObject plans a sample or an event, and returns the reason to refuse it or nothing.
func (j *judge) planObject(v *fastjson.Value) string {
	if v.Type() != fastjson.TypeObject {
		return "not_an_object"
	}
	fields := v.GetObject().Len()
	for _, name := range [...]string{"labels", "value", "op", "exemplar"} {
		if v.Get(name) != nil {
			fields--
		}
	}
	if fields != 1 {
		return "unknown_field"
	}
	value, has := 1.0, false
	if number := v.Get("value"); number != nil {
		f, err := number.Float64()
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return "bad_value"
		}
		value, has = f, true
	}
	if name := v.GetStringBytes("metric"); name != nil {
		return j.planSample(metricOf[string(name)], v, value, has)
	}
	return j.planEvent(eventOf[string(v.GetStringBytes("event"))], v, value, has)
}

func (j *judge) planSample(m *Metric, v *fastjson.Value, value float64, has bool) string {
	if m == nil {
		return "unknown_metric"
	}
	op := [...]Op{Counter: Add, Gauge: Set, Histogram: Observe}[m.Type]
	if word := v.Get("op"); word != nil {
		switch string(word.GetStringBytes()) {
		case "add":
			op = Add
		case "set":
			op = Set
		case "observe":
			op = Observe
		default:
			return "bad_op"
		}
	}
	if (op == Observe) != (m.Type == Histogram) || (op == Set && m.Type != Gauge) {
		return "bad_op"
	}
	if reason := j.readLabels(m.Index, m.Labels, v.Get("labels")); reason != "" {
		return reason
	}
	if !has && m.Type != Counter {
		return "missing_value"
	}
	if value < 0 && m.Type == Counter {
		return "negative_counter"
	}
	k := j.seen[string(j.key)]
	if k == nil {
		k = &known{series: []Series{j.library.Series(m, j.values())}}
		j.seen[string(j.key)] = k
	}
	j.plan = append(j.plan, step{k.series[0], op, value})
	return ""
}

func (j *judge) planEvent(e *Event, v *fastjson.Value, value float64, has bool) string {
	if e == nil {
		return "unknown_event"
	}
	if v.Get("op") != nil {
		return "bad_op"
	}
	if reason := j.readLabels(e.Index, e.Labels, v.Get("labels")); reason != "" {
		return reason
	}
	if !has && e.Needs {
		return "missing_value"
	}
	k := j.seen[string(j.key)]
	if k == nil {
		k = j.resolve(e)
		j.seen[string(j.key)] = k
	}
	for i, series := range k.series {
		if k.ops[i] == Add {
			j.plan = append(j.plan, step{series, Add, 1})
		} else if has {
			j.plan = append(j.plan, step{series, k.ops[i], value})
		}
	}
	return ""
}

func (j *judge) resolve(e *Event) *known {
	k := &known{}
	values := j.values()
	for _, u := range e.Updates {
		if u.When != "" && u.When != values[0] {
			continue
		}
		own := make([]string, len(u.Places))
		for i, place := range u.Places {
			own[i] = values[place]
		}
		k.series = append(k.series, j.library.Series(u.Metric, own))
		k.ops = append(k.ops, u.Op)
	}
	return k
}

// readLabels leaves the values in key, in the order of names, behind what the line is about.
func (j *judge) readLabels(index int, names []string, labels *fastjson.Value) string {
	given := 0
	if labels != nil {
		if labels.Type() != fastjson.TypeObject {
			return "bad_label_value"
		}
		given = labels.GetObject().Len()
	}
	j.key = append(j.key[:0], byte(index))
	j.ends = j.ends[:0]
	for _, name := range names {
		if value := labels.Get(name); value != nil {
			given--
			text := value.GetStringBytes()
			if text == nil || len(text) > 256 {
				return "bad_label_value"
			}
			if len(text) == 0 {
				return "missing_label"
			}
			j.key = append(j.key, text...)
		} else if text := j.defaults[name]; text != "" {
			j.key = append(j.key, text...)
		} else {
			return "missing_label"
		}
		j.ends = append(j.ends, len(j.key))
		j.key = append(j.key, 0xff)
	}
	if given != 0 {
		return "unknown_label"
	}
	return ""
}

// values copies the label values out of key.
func (j *judge) values() []string {
	values := make([]string, len(j.ends))
	start := 1
	for i, end := range j.ends {
		values[i] = string(j.key[start:end])
		start = end + 1
	}
	return values
}
