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
	records [results]prometheus.Counter
	damaged prometheus.Counter
	series  prometheus.Gauge
}

func newOwnMetrics(c *ruleConfig, registry prometheus.Registerer) (o ownMetrics, err error) {
	metric := prometheus.Labels{"metric": c.Name}
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: ownPrefix + "records_total", ConstLabels: metric,
		Help: "Records by what became of them: counted in the metric, or why not."}, []string{"result"})
	for i, name := range resultNames {
		o.records[i] = records.WithLabelValues(name)
	}
	o.damaged = prometheus.NewCounter(prometheus.CounterOpts{Name: ownPrefix + "damaged_events_total", ConstLabels: metric,
		Help: "Stretches of chunks that could not be read as events."})
	o.series = prometheus.NewGauge(prometheus.GaugeOpts{Name: ownPrefix + "series", ConstLabels: metric,
		Help: "Sets of label values that the metric has."})
	limit := prometheus.NewGauge(prometheus.GaugeOpts{Name: ownPrefix + "max_series", ConstLabels: metric,
		Help: "How many sets of label values the metric may have."})
	limit.Set(float64(c.MaxSeries))
	for _, collector := range []prometheus.Collector{records, o.damaged, o.series, limit} {
		if err := registry.Register(collector); err != nil {
			return o, err
		}
	}
	return o, nil
}

// reportEvery is how often one kind of problem is logged. The counts are exact in the metrics.
const reportEvery = time.Minute

// report logs what costs records, at a bounded rate and without what is in them. Records that lack the field are no
// problem: not every record that matches need have one.
type report struct {
	log *slog.Logger

	mu   sync.Mutex
	last [results + 1]time.Time // when a problem was logged; by result, damage at the end
}

var problems = [results + 1]string{
	notANumber:    "records whose field is not a number are not counted",
	outOfRange:    "records whose field is negative, or too large for a counter, are not counted",
	overMaxSeries: "records with new label values are not counted: max_series is reached",
	results:       "a chunk has damaged events",
}

// look reports the problems of a chunk.
func (p *report) look(r *rule, s *stage) {
	for _, res := range []result{notANumber, outOfRange, overMaxSeries} {
		if n := s.tally[res]; n > 0 && p.due(res) {
			p.log.Warn(problems[res], "metric", r.name, "in_this_chunk", n, "see", ownPrefix+"records_total")
		}
	}
	if s.damaged > 0 && p.due(results) {
		p.log.Warn(problems[results], "metric", r.name, "in_this_chunk", s.damaged, "last", s.reason, "see", ownPrefix+"damaged_events_total")
	}
}

func (p *report) due(what result) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.last[what].IsZero() && now.Sub(p.last[what]) < reportEvery {
		return false
	}
	p.last[what] = now
	return true
}
