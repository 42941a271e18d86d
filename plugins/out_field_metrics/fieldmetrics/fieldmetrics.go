// Package fieldmetrics is the logic of the output field_metrics: it makes a Prometheus metric out of fields of log
// records and serves it over HTTP.
//
// # The way of a chunk
//
// Flush walks the chunk once and stages what each record means: its series, found by the bytes of its label values, and
// its value. Only when the whole chunk is staged is it committed, so that a chunk which panics half-way has counted
// nothing. Nothing here waits for anything: the answer is always OK, because a chunk that comes back would count twice.
//
// A record whose value is missing or no number costs itself only. It is never replaced by another record's value, and
// what became of it stands in field_metrics_records_total.
//
// # Memory
//
// Series are bounded by max_series, label values by maxLabelValue bytes each. A flush allocates nothing once its series
// exist; its buffers are pooled.
package fieldmetrics

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/chunk"
	"flbgo/shared/listen"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// Plugin is one instance. Flush is safe for concurrent use, with scrapes and with itself.
type Plugin struct {
	rules    []*rule
	listener *listen.Listener
	pool     sync.Pool // of *flush
	report   report
}

// New checks the options, all of them before it says what is wrong, and opens the listener. get is not kept.
func New(log *slog.Logger, get option.Getter) (*Plugin, error) {
	c, values, err := parseConfig(get)
	if err != nil {
		return nil, err
	}
	log.Info("options: " + values.Describe())
	registry := prometheus.NewRegistry()
	var paths []record.Path
	r, err := newRule(c.Rule, registry, &paths)
	if err != nil {
		return nil, err
	}
	p := &Plugin{rules: []*rule{r}, report: report{log: log}}
	p.pool.New = func() any {
		return &flush{fields: record.NewFinder(paths...), stages: make([]stage, len(p.rules))}
	}

	p.listener, err = listen.Open(listen.Config{
		Address:       c.Listen,
		WebConfigFile: c.WebConfigFile,
		Owner:         "field_metrics " + values.Describe(),
		Metrics:       registry,
		Names:         c.Rule.exposedNames(),
		Log:           log,
	})
	if err != nil {
		name := "listen"
		if clash := (*listen.NameError)(nil); errors.As(err, &clash) {
			name = "metric_name"
		}
		values.Fail(name, "%v", err)
		return nil, values.Err()
	}
	if address := p.listener.Addr(); address != "" {
		log.Info("serving /metrics", "address", address, "metric", c.Rule.Name)
	}
	return p, nil
}

// Addr is where /metrics is served; "" where it is not.
func (p *Plugin) Addr() string { return p.listener.Addr() }

// Close takes the metric off its listener. A flush that is still running ends as usual and is shown nowhere.
func (p *Plugin) Close() { p.listener.Close() }

// flush is what one call of Flush works with, kept for the next one. It holds nothing of the chunk in between.
type flush struct {
	reader chunk.Reader
	fields *record.Finder // of the paths of all rules
	stages []stage        // by rule
}

// Flush counts a chunk, whole or, where it panics, not at all. data is not kept. The error is always nil.
func (p *Plugin) Flush(data []byte, _ string, _ bool) error {
	f := p.pool.Get().(*flush)
	// A flush that panics is not put back: it may hold half a chunk.
	f.walk(p.rules, data)
	for i, r := range p.rules {
		r.commit(&f.stages[i])
		p.report.look(r, &f.stages[i])
		f.stages[i].reset()
	}
	p.pool.Put(f)
	return nil
}

// walk stages a chunk under every rule. The series tables stay as they are while it does.
func (f *flush) walk(rules []*rule, data []byte) {
	for _, r := range rules {
		r.series.mu.RLock()
		defer r.series.mu.RUnlock()
	}
	defer f.fields.Reset(nil)
	defer f.reader.Reset(nil)
	for f.reader.Reset(data); ; {
		switch f.reader.Next() {
		case chunk.End:
			return
		case chunk.Record:
			f.fields.Reset(f.reader.Body)
			for i, r := range rules {
				r.stage(&f.stages[i], f.fields)
			}
		case chunk.Damaged:
			for i := range rules {
				f.stages[i].damaged++
				f.stages[i].reason = f.reader.Reason
			}
		case chunk.GroupStart, chunk.GroupEnd: // not records
		}
	}
}
