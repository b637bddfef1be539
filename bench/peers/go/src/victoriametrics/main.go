// SPDX-License-Identifier: Apache-2.0

// VictoriaMetrics/metrics, which keeps each series under its whole text. Its histograms have buckets of its own, a
// line for each that is not empty, and its integer counter is the faster one; lines of the protocol may carry any
// number and go to the other.
package main

import (
	"fmt"
	"net/http"
	"strings"

	"peer"

	"github.com/VictoriaMetrics/metrics"
)

type number struct{ *metrics.FloatCounter }
type histogram struct{ *metrics.Histogram }

func (n number) Apply(op peer.Op, value float64) {
	if op == peer.Add {
		n.Add(value)
	} else {
		n.Set(value)
	}
}

func (h histogram) Apply(_ peer.Op, value float64) {
	h.Update(value)
}

type library struct{ set *metrics.Set }

func (l library) counter(operation, providerType, provider, outcome string) *metrics.Counter {
	return l.set.GetOrCreateCounter(fmt.Sprintf(peer.Operations+"{operation=%q,provider_type=%q,provider=%q,outcome=%q}",
		operation, providerType, provider, outcome))
}

func (l library) Count(operation, providerType, provider, outcome string, n int) {
	l.counter(operation, providerType, provider, outcome).Add(n)
}

func (l library) Hold(operation, providerType, provider, outcome string) func() {
	return l.counter(operation, providerType, provider, outcome).Inc
}

func (l library) Observe(operation, providerType, provider string, value float64) {
	l.set.GetOrCreateHistogram(fmt.Sprintf(peer.Timing.Name+"{operation=%q,provider_type=%q,provider=%q}",
		operation, providerType, provider)).Update(value)
}

func (l library) Series(m *peer.Metric, values []string) peer.Series {
	labels := make([]string, len(values))
	for i, value := range values {
		labels[i] = fmt.Sprintf("%s=%q", m.Labels[i], value)
	}
	name := m.Name + "{" + strings.Join(labels, ",") + "}"
	if m.Type == peer.Histogram {
		return histogram{l.set.GetOrCreateHistogram(name)}
	}
	return number{l.set.GetOrCreateFloatCounter(name)}
}

func (l library) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		l.set.WritePrometheus(w)
	})
}

func main() {
	peer.Main(library{metrics.NewSet()}, "vmrange buckets")
}
