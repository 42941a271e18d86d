package fieldmetrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// series is one set of label values of a metric. One of the three is set, by the metric's kind. It is never removed.
type series struct {
	counter   prometheus.Counter
	gauge     prometheus.Gauge
	histogram prometheus.Observer
}

// table finds series by their key. Reading needs mu for reading, for as long as a chunk is staged; adding needs it for
// writing.
type table struct {
	labels int // how many come from fields
	max    int
	make   func(values []string) *series

	mu sync.RWMutex
	m  map[string]*series
}

// add returns the series of a key, a new one where there is none, or nil where that would be one too many. The caller
// holds mu for writing. The key is copied.
func (t *table) add(key []byte) *series {
	if s := t.m[string(key)]; s != nil {
		return s
	}
	if len(t.m) >= t.max {
		return nil
	}
	k := string(key)
	s := t.make(splitKey(k, t.labels))
	t.m[k] = s
	return s
}

// newTable registers the metric and makes the table of its series.
func newTable(c *ruleConfig, registry prometheus.Registerer) (*table, error) {
	names := make([]string, len(c.Labels))
	for i, l := range c.Labels {
		names[i] = l.Name
	}
	static := prometheus.Labels{}
	for _, p := range c.Static {
		static[p.Key] = p.Value
	}
	t := &table{labels: len(names), max: c.MaxSeries, m: map[string]*series{}}
	var collector prometheus.Collector
	switch c.Kind {
	case counter:
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.Name, Help: c.Help, ConstLabels: static}, names)
		t.make = func(values []string) *series { return &series{counter: v.WithLabelValues(values...)} }
		collector = v
	case gauge:
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: c.Name, Help: c.Help, ConstLabels: static}, names)
		t.make = func(values []string) *series { return &series{gauge: v.WithLabelValues(values...)} }
		collector = v
	case histogram:
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: c.Name, Help: c.Help, ConstLabels: static, Buckets: c.Buckets}, names)
		t.make = func(values []string) *series { return &series{histogram: v.WithLabelValues(values...)} }
		collector = v
	}
	return t, registry.Register(collector)
}
