package fieldmetrics

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Describe and Collect make a rule a prometheus.Collector.
func (r *rule) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

// showAtOnce is how many series are copied while the table is locked: a scrape of many must not hold up flushes.
const showAtOnce = 256

// Collect shows every series. Each is copied as a whole, so that a histogram's count is the sum of its buckets; chunks
// that are counted meanwhile may be seen by some and not yet by others.
func (r *rule) Collect(ch chan<- prometheus.Metric) {
	t := r.table
	t.showing.RLock()
	defer t.showing.RUnlock()
	batch := make([]*dto.Metric, 0, showAtOnce)
	for number, end := uint32(0), uint32(1); number < end; {
		batch = batch[:0]
		t.mu.Lock()
		for end = t.next; number < end && len(batch) < showAtOnce; number++ {
			if s := t.at(number); s.live {
				batch = append(batch, r.show(s))
			}
		}
		t.mu.Unlock()
		for _, m := range batch {
			ch <- sample{r.desc, m}
		}
	}
}

// sample is one series at one moment.
type sample struct {
	desc   *prometheus.Desc
	metric *dto.Metric
}

func (s sample) Desc() *prometheus.Desc { return s.desc }

func (s sample) Write(out *dto.Metric) error {
	out.Label = s.metric.Label
	out.Counter, out.Gauge, out.Histogram = s.metric.Counter, s.metric.Gauge, s.metric.Histogram
	return nil
}

func (r *rule) show(s *series) *dto.Metric {
	m := &dto.Metric{Label: r.showLabels(s.key)}
	value := s.value
	switch r.Kind {
	case counter:
		m.Counter = &dto.Counter{Value: &value, CreatedTimestamp: r.showCreated(s)}
		if s.exemplars != nil && len(s.exemplars.list) > 0 {
			m.Counter.Exemplar = s.exemplars.list[0].show()
		}
	case gauge:
		m.Gauge = &dto.Gauge{Value: &value}
	default:
		m.Histogram = r.showHistogram(s)
	}
	return m
}

func (r *rule) showHistogram(s *series) *dto.Histogram {
	count, sum := s.count, s.value
	h := &dto.Histogram{SampleCount: &count, SampleSum: &sum, CreatedTimestamp: r.showCreated(s)}
	type bucket struct {
		dto   dto.Bucket
		count uint64
	}
	buckets := make([]bucket, len(r.buckets))
	h.Bucket = make([]*dto.Bucket, len(r.buckets), len(r.buckets)+1)
	total := uint64(0)
	for i := range buckets {
		total += s.buckets[i]
		b := &buckets[i]
		b.count = total
		b.dto.CumulativeCount, b.dto.UpperBound = &b.count, &r.buckets[i]
		h.Bucket[i] = &b.dto
	}
	if r.Kind == nativeHistogram {
		s.native.show(h)
	}
	if s.exemplars == nil {
		return h
	}
	list := slices.Clone(s.exemplars.list)
	slices.SortFunc(list, func(a, b exemplar) int { return int(min(max(a.time-b.time, -1), 1)) })
	for i := range list {
		x := list[i].show()
		if r.Kind == nativeHistogram {
			h.Exemplars = append(h.Exemplars, x)
		}
		switch at := list[i].bucket; {
		case at < len(r.buckets):
			h.Bucket[at].Exemplar = x
		case len(r.buckets) > 0 || r.Kind == histogram:
			// Only with an exemplar has the last bucket to be there.
			inf := math.Inf(1)
			h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: &count, UpperBound: &inf, Exemplar: x})
		}
	}
	return h
}

func (r *rule) showCreated(s *series) *timestamppb.Timestamp {
	if !r.showsCreated {
		return nil
	}
	return &timestamppb.Timestamp{Seconds: s.created / 1e9, Nanos: int32(s.created % 1e9)}
}

// shownLabel is where a label's value comes from when a series is shown.
type shownLabel struct {
	name  string
	value string // where part is negative
	part  int    // number of the value in the key
}

// showLabels takes a key apart. Its values are parts of the key.
func (r *rule) showLabels(key string) []*dto.LabelPair {
	if len(r.shown) == 0 {
		return nil
	}
	parts := make([]string, 0, 16)
	for len(parts) < len(r.labels) {
		part, rest, _ := strings.Cut(key, string([]byte{separator}))
		parts, key = append(parts, part), rest
	}
	pairs := make([]dto.LabelPair, len(r.shown))
	out := make([]*dto.LabelPair, len(r.shown))
	for i := range r.shown {
		l := &r.shown[i]
		pairs[i].Name, pairs[i].Value = &l.name, &l.value
		if l.part >= 0 {
			pairs[i].Value = &parts[l.part]
		}
		out[i] = &pairs[i]
	}
	return out
}
