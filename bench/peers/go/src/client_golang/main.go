// SPDX-License-Identifier: Apache-2.0

// Prometheus' own library for Go.
package main

import (
	"net/http"

	"peer"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type counter struct{ prometheus.Counter }
type gauge struct{ prometheus.Gauge }
type histogram struct{ prometheus.Observer }

func (c counter) Apply(_ peer.Op, value float64) {
	c.Add(value)
}

func (g gauge) Apply(op peer.Op, value float64) {
	if op == peer.Add {
		g.Add(value)
	} else {
		g.Set(value)
	}
}

func (h histogram) Apply(_ peer.Op, value float64) {
	h.Observe(value)
}

type library struct {
	registry   *prometheus.Registry
	counters   []*prometheus.CounterVec
	gauges     []*prometheus.GaugeVec
	histograms []*prometheus.HistogramVec
	operations *prometheus.CounterVec
	timing     *prometheus.HistogramVec
}

func newHistogram(m *peer.Metric) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Name: m.Name, Help: m.Name, Buckets: m.Bounds}, m.Labels)
}

func newLibrary() *library {
	n := len(peer.Metrics)
	l := &library{
		registry:   prometheus.NewRegistry(),
		counters:   make([]*prometheus.CounterVec, n),
		gauges:     make([]*prometheus.GaugeVec, n),
		histograms: make([]*prometheus.HistogramVec, n),
	}
	for i, m := range peer.Metrics {
		switch m.Type {
		case peer.Counter:
			l.counters[i] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Name}, m.Labels)
			l.registry.MustRegister(l.counters[i])
		case peer.Gauge:
			l.gauges[i] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Name}, m.Labels)
			l.registry.MustRegister(l.gauges[i])
		case peer.Histogram:
			l.histograms[i] = newHistogram(m)
			l.registry.MustRegister(l.histograms[i])
		}
		if m.Name == peer.Operations {
			l.operations = l.counters[i]
		}
	}
	l.timing = newHistogram(peer.Timing)
	l.registry.MustRegister(l.timing)
	return l
}

func (l *library) Count(operation, providerType, provider, outcome string, n int) {
	l.operations.WithLabelValues(operation, providerType, provider, outcome).Add(float64(n))
}

func (l *library) Hold(operation, providerType, provider, outcome string) func() {
	return l.operations.WithLabelValues(operation, providerType, provider, outcome).Inc
}

func (l *library) Observe(operation, providerType, provider string, value float64) {
	l.timing.WithLabelValues(operation, providerType, provider).Observe(value)
}

func (l *library) Series(m *peer.Metric, values []string) peer.Series {
	switch m.Type {
	case peer.Counter:
		return counter{l.counters[m.Index].WithLabelValues(values...)}
	case peer.Gauge:
		return gauge{l.gauges[m.Index].WithLabelValues(values...)}
	}
	return histogram{l.histograms[m.Index].WithLabelValues(values...)}
}

func (l *library) Handler() http.Handler {
	return promhttp.HandlerFor(l.registry, promhttp.HandlerOpts{})
}

func main() {
	peer.Main(newLibrary(), "")
}
