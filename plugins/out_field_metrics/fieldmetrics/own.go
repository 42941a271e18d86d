package fieldmetrics

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ownPrefix begins the names of the metrics that the plugin has about itself.
const ownPrefix = "field_metrics_"

// ownMetrics say what became of the records under one rule. Instances at one address tell theirs apart by the label
// metric.
type ownMetrics struct {
	records  [results]prometheus.Counter
	damaged  prometheus.Counter
	expired  prometheus.Counter
	repeated prometheus.Counter

	collectors []prometheus.Collector
}

func newOwnMetrics(r *rule) (o ownMetrics) {
	metric := prometheus.Labels{"metric": r.Name}
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: ownPrefix + "records_total", ConstLabels: metric,
		Help: "Records by what became of them: counted in the metric, or why not."}, []string{"result"})
	for i, name := range resultNames {
		o.records[i] = records.WithLabelValues(name)
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: ownPrefix + name, ConstLabels: metric, Help: help})
		o.collectors = append(o.collectors, c)
		return c
	}
	gauge := func(name, help string, f func() float64) {
		o.collectors = append(o.collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: ownPrefix + name, ConstLabels: metric, Help: help}, f))
	}
	o.collectors = append(o.collectors, records)
	o.damaged = counter("damaged_events_total", "Stretches of chunks that could not be read as events.")
	o.expired = counter("expired_series_total", "Series that went away because nothing had updated them for the idle timeout.")
	o.repeated = counter("repeated_chunks_total", "Chunks that were handed over again after a reload and are counted once.")
	gauge("series", "Sets of label values that the metric has.", func() float64 { return float64(r.table.len()) })
	gauge("max_series", "How many sets of label values the metric may have; the series of what is folded comes on top.",
		func() float64 { return float64(r.MaxSeries) })
	return o
}

// reportEvery is how often one kind of problem is logged. The counts are exact in the metrics.
const reportEvery = time.Minute

// report logs what costs records, at a bounded rate and without what is in them. Records that lack the field are no
// problem: not every record that matches need have one.
type report struct {
	log *slog.Logger
	mu  sync.Mutex // of all rules' noticed
}

// noticed is when each problem of a rule was logged last; by result, damage at the end.
type noticed [results + 1]time.Time

var problems = [results + 1]string{
	folded:     "records with new label values are counted as other: max_series is reached",
	notANumber: "records whose field is not a number are not counted",
	outOfRange: "records whose field is negative, or too large for a counter, are not counted",
	results:    "a chunk has damaged events",
}

// look reports the problems of a chunk.
func (p *report) look(r *rule, s *stage) {
	for _, res := range []result{folded, notANumber, outOfRange} {
		if n := s.tally[res]; n > 0 && p.due(&r.noticed[res]) {
			p.log.Warn(problems[res], "metric", r.Name, "in_this_chunk", n, "see", ownPrefix+"records_total")
		}
	}
	if s.damaged > 0 && p.due(&r.noticed[results]) {
		p.log.Warn(problems[results], "metric", r.Name, "in_this_chunk", s.damaged, "last", s.reason, "see", ownPrefix+"damaged_events_total")
	}
}

func (p *report) due(last *time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !last.IsZero() && now.Sub(*last) < reportEvery {
		return false
	}
	*last = now
	return true
}
