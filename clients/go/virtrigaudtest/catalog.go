// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest

import (
	_ "embed" // for the built-in catalogue
	"encoding/json"
	"fmt"
)

//go:embed catalog.json
var builtin []byte

// Catalog says which metrics, labels and events there are.
type Catalog struct {
	components map[string]bool
	metrics    map[string]*metric
	names      []string // of the metrics, in their order
	events     map[string]*event
}

type label struct {
	name      string
	closed    bool
	otherwise string
	empty     string
	values    map[string]bool
	aliases   map[string]string
}

type metric struct {
	name    string
	help    string
	kind    string // counter, gauge, histogram
	labels  []*label
	ignored map[string]bool
	bounds  []float64
}

type update struct {
	op     string // add, set, observe
	metric *metric
	by     float64
	when   map[string][]string
}

type event struct {
	name     string
	labels   []*label
	ignored  map[string]bool
	value    bool // takes one
	optional bool // and need not have it
	updates  []update
}

type printedLabel struct {
	Name, Definition string
}

type printed struct {
	Components []string
	Labels     []struct {
		Name, Otherwise, Empty string
		Closed                 bool
		Values                 []string
		Aliases                map[string]string
	}
	Metrics []struct {
		Name, Help, Type string
		Labels           []printedLabel
		IgnoredLabels    []string `json:"ignored_labels"`
		Buckets          []float64
	}
	Events []struct {
		Name          string
		Labels        []printedLabel
		IgnoredLabels []string `json:"ignored_labels"`
		Value         *struct{ Optional bool }
		Updates       []struct {
			Op, Metric string
			By         *float64
			When       map[string][]string
		}
	}
}

// Builtin returns the catalogue that the daemon has without a file.
func Builtin() *Catalog {
	c, err := ParseCatalog(builtin)
	if err != nil {
		panic(err) // a test of this package would have failed
	}
	return c
}

// BuiltinJSON returns it as `virtrigaud-exporter --catalog.print=json` prints it.
func BuiltinJSON() []byte { return append([]byte(nil), builtin...) }

// ParseCatalog reads what `virtrigaud-exporter --catalog.print=json` prints, with whatever catalogue it was given.
func ParseCatalog(text []byte) (*Catalog, error) {
	var p printed
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("virtrigaudtest: catalogue: %w", err)
	}
	c := &Catalog{components: map[string]bool{}, metrics: map[string]*metric{}, events: map[string]*event{}}
	for _, name := range p.Components {
		c.components[name] = true
	}
	labels := map[string]label{}
	for _, l := range p.Labels {
		labels[l.Name] = label{l.Name, l.Closed, l.Otherwise, l.Empty, toSet(l.Values), l.Aliases}
	}
	bind := func(list []printedLabel) []*label {
		var all []*label
		for _, one := range list {
			l := labels[one.Definition]
			l.name = one.Name
			all = append(all, &l)
		}
		return all
	}
	for _, m := range p.Metrics {
		c.metrics[m.Name] = &metric{m.Name, m.Help, m.Type, bind(m.Labels), toSet(m.IgnoredLabels), m.Buckets}
		c.names = append(c.names, m.Name)
	}
	for _, e := range p.Events {
		one := &event{name: e.Name, labels: bind(e.Labels), ignored: toSet(e.IgnoredLabels)}
		if e.Value != nil {
			one.value, one.optional = true, e.Value.Optional
		}
		for _, u := range e.Updates {
			m := c.metrics[u.Metric]
			if m == nil {
				return nil, fmt.Errorf("virtrigaudtest: catalogue: event %s updates %s, which is not there", e.Name, u.Metric)
			}
			by := 1.0
			if u.By != nil {
				by = *u.By
			}
			one.updates = append(one.updates, update{u.Op, m, by, u.When})
		}
		c.events[e.Name] = one
	}
	return c, nil
}

func toSet(list []string) map[string]bool {
	set := map[string]bool{}
	for _, one := range list {
		set[one] = true
	}
	return set
}

// normal returns the value that the label has in a series, or why it has none.
func (l *label) normal(value string) (string, string) {
	if other, ok := l.aliases[value]; ok {
		value = other
	}
	if value == "" {
		value = l.empty
	}
	switch {
	case value == "":
		return "", "missing_label"
	case len(value) > 256:
		return "", "bad_label_value"
	case l.closed && !l.values[value]:
		if l.otherwise == "" {
			return "", "label_value_not_allowed"
		}
		value = l.otherwise
	}
	return value, ""
}
