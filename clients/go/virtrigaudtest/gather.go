// SPDX-License-Identifier: Apache-2.0

package virtrigaudtest

// Family is a metric with its series. It has the getters of client_model's MetricFamily that tests use.
type Family struct {
	name, help, kind string
	metrics          []*Metric
}

// GetName returns the metric's name.
func (f *Family) GetName() string { return f.name }

// GetHelp returns the metric's help.
func (f *Family) GetHelp() string { return f.help }

// GetType returns COUNTER, GAUGE or HISTOGRAM.
func (f *Family) GetType() Type { return Type(f.kind) }

// GetMetric returns the series.
func (f *Family) GetMetric() []*Metric { return f.metrics }

// Type is the type of a metric.
type Type string

// String returns COUNTER, GAUGE or HISTOGRAM.
func (t Type) String() string {
	return map[Type]string{"counter": "COUNTER", "gauge": "GAUGE", "histogram": "HISTOGRAM"}[t]
}

// Metric is a series.
type Metric struct {
	labels []*LabelPair
	value  *Number
	sums   *Sums
	kind   string
}

// GetLabel returns the labels, in the catalogue's order.
func (m *Metric) GetLabel() []*LabelPair { return m.labels }

// GetCounter returns the value of a counter, and nil for another type.
func (m *Metric) GetCounter() *Number { return m.of("counter") }

// GetGauge returns the value of a gauge, and nil for another type.
func (m *Metric) GetGauge() *Number { return m.of("gauge") }

// GetHistogram returns the sums of a histogram, and nil for another type.
func (m *Metric) GetHistogram() *Sums { return m.sums }

func (m *Metric) of(kind string) *Number {
	if m.kind != kind {
		return nil
	}
	return m.value
}

// LabelPair is a label.
type LabelPair struct{ name, value string }

// GetName returns the label's name.
func (l *LabelPair) GetName() string { return l.name }

// GetValue returns the label's value.
func (l *LabelPair) GetValue() string { return l.value }

// Number is the value of a counter or gauge.
type Number struct{ value float64 }

// GetValue returns the value; 0 of nil.
func (n *Number) GetValue() float64 {
	if n == nil {
		return 0
	}
	return n.value
}

// Sums is the value of a histogram.
type Sums struct {
	count   uint64
	sum     float64
	buckets []*Bucket
}

// GetSampleCount returns the number of observations; 0 of nil.
func (h *Sums) GetSampleCount() uint64 {
	if h == nil {
		return 0
	}
	return h.count
}

// GetSampleSum returns their sum; 0 of nil.
func (h *Sums) GetSampleSum() float64 {
	if h == nil {
		return 0
	}
	return h.sum
}

// GetBucket returns the buckets, without that of +Inf.
func (h *Sums) GetBucket() []*Bucket {
	if h == nil {
		return nil
	}
	return h.buckets
}

// Bucket counts the observations up to a bound.
type Bucket struct {
	bound float64
	count uint64
}

// GetUpperBound returns the bound.
func (b *Bucket) GetUpperBound() float64 { return b.bound }

// GetCumulativeCount returns the number of observations up to the bound.
func (b *Bucket) GetCumulativeCount() uint64 { return b.count }

func (s *store) gather() []*Family {
	of := map[string]*Family{}
	for _, one := range s.order {
		f := of[one.metric.name]
		if f == nil {
			f = &Family{name: one.metric.name, help: one.metric.help, kind: one.metric.kind}
			of[f.name] = f
		}
		m := &Metric{kind: f.kind, value: &Number{one.value}}
		for i, l := range one.metric.labels {
			m.labels = append(m.labels, &LabelPair{l.name, one.values[i]})
		}
		if f.kind == "histogram" {
			m.value, m.sums = nil, &Sums{count: one.count, sum: one.sum}
			n := uint64(0)
			for i, bound := range one.metric.bounds {
				n += one.buckets[i]
				m.sums.buckets = append(m.sums.buckets, &Bucket{bound, n})
			}
		}
		f.metrics = append(f.metrics, m)
	}
	var all []*Family
	for _, name := range s.catalog.names {
		if f := of[name]; f != nil {
			all = append(all, f)
		}
	}
	return all
}
