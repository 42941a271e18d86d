// Package fieldmetrics is the logic of the output field_metrics: it makes Prometheus metrics out of fields of log
// records and serves them over HTTP.
//
// # The way of a chunk
//
// Flush walks the chunk once and stages what each record means under each rule: the label values of its series, as bytes,
// and its value. Only when the whole chunk is staged is it committed, so that a chunk which panics half-way has counted
// nothing. Nothing here waits for anything: the answer is always OK, because a chunk that comes back would count twice.
// A chunk that Fluent Bit hands out again after a reload is known by its hash and counted once; see counted.go.
//
// A record whose value is missing or cannot be read costs itself only. It is never replaced by another record's value,
// and what became of it stands in field_metrics_records_total.
//
// # Series
//
// Series are in a table of their own per rule, keyed on the bytes of their label values, behind client_golang's Collector
// interface: its vectors cost ten times more once there are many series. A table is guarded by one lock, which a flush
// takes once per chunk and a scrape for a few hundred series at a time.
//
// # Memory
//
// Series are bounded by max_series, label values by their max_length, exemplars by maxExemplars each. A flush allocates
// nothing once its series exist; its buffers are pooled.
package fieldmetrics

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/chunk"
	"flbgo/shared/listen"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// Plugin is one instance. Flush is safe for concurrent use, with scrapes and with itself.
type Plugin struct {
	rules    []*rule
	registry *prometheus.Registry
	listener *listen.Listener
	pool     sync.Pool // of *flush
	report   report

	counted countedNow
	before  []*countedBefore // each once
	metrics []string         // by which the next instance knows this one's; nil where it cannot

	close sync.Once
	stop  chan struct{} // ends sweep
	swept chan struct{}
}

// New checks the options, all of them before it says what is wrong, and opens the listener. get is not kept.
func New(log *slog.Logger, get option.Getter) (*Plugin, error) {
	c, values, err := parseConfig(get)
	if err != nil {
		return nil, err
	}
	log.Info("options: " + values.Describe())
	p, err := newPlugin(log, &c)
	if err != nil {
		return nil, err
	}
	p.listener, err = listen.Open(listen.Config{
		Address:       c.Listen,
		WebConfigFile: c.WebConfigFile,
		Owner:         "field_metrics " + values.Describe(),
		Metrics:       p.registry,
		Names:         p.names(),
		Log:           log,
	})
	if err != nil {
		option := "listen"
		if clash := (*listen.NameError)(nil); errors.As(err, &clash) {
			option = "metric_name"
			if values.IsSet("metrics_file") {
				option = "metrics_file"
			}
		}
		values.Fail(option, "%v", err)
		return nil, values.Err()
	}
	p.inherit(c.Listen)
	if every := sweepEvery(p.rules); every > 0 {
		go p.sweep(every)
	} else {
		close(p.swept)
	}
	if address := p.listener.Addr(); address != "" {
		log.Info("serving /metrics", "address", address, "metrics", len(p.rules))
	}
	return p, nil
}

// newPlugin makes the rules of an instance that does not serve them yet.
func newPlugin(log *slog.Logger, c *instanceConfig) (*Plugin, error) {
	p := &Plugin{report: report{log: log}, registry: prometheus.NewRegistry(), stop: make(chan struct{}), swept: make(chan struct{})}
	var paths pathList
	var unusual []string
	for i := range c.Rules {
		r := newRule(c.Rules[i], c, &paths)
		for _, collector := range append(r.own.collectors, r) {
			if err := p.registry.Register(collector); err != nil {
				return nil, fmt.Errorf("metric %s: %w", r.Name, err)
			}
		}
		r.initialize(time.Now().UnixNano())
		p.rules = append(p.rules, r)
		if r.Kind == counter && !strings.HasSuffix(r.Name, "_total") {
			unusual = append(unusual, r.Name)
		}
	}
	if len(unusual) > 0 {
		log.Warn("the name of a counter should end in _total, for OpenMetrics knows it as a counter, which may have exemplars, only then", "metrics", strings.Join(unusual, ","))
	}
	p.pool.New = func() any {
		return &flush{fields: record.NewFinder(paths.paths...), stages: make([]stage, len(p.rules))}
	}
	return p, nil
}

// names are those under which the metrics are shown.
func (p *Plugin) names() (names []string) {
	for _, r := range p.rules {
		names = append(names, r.exposedNames()...)
	}
	return names
}

// inherit takes over what an instance before this one has counted under the same metrics at the same address. Where the
// port is any free one, no later instance is known to be this one's successor.
func (p *Plugin) inherit(address string) {
	if p.listener.Addr() == "" || strings.HasSuffix(address, ":0") {
		return
	}
	for _, r := range p.rules {
		p.metrics = append(p.metrics, address+" "+r.Name)
	}
	for i, before := range takeOver(p.metrics) {
		p.rules[i].before = before
		if before != nil && !slices.Contains(p.before, before) {
			p.before = append(p.before, before)
		}
	}
}

// Addr is where /metrics is served; "" where it is not.
func (p *Plugin) Addr() string { return p.listener.Addr() }

// Close takes the metrics off their listener. A flush that is still running ends as usual and is shown nowhere. Calls
// after the first do nothing.
func (p *Plugin) Close() {
	p.close.Do(func() {
		p.listener.Close()
		close(p.stop)
		<-p.swept
		if p.metrics == nil {
			return
		}
		var hashes []uint64
		for _, b := range p.before {
			hashes = append(hashes, b.rest()...)
		}
		hashes = append(hashes, p.counted.oldestFirst()...)
		leave(p.metrics, hashes[max(0, len(hashes)-maxCounted):])
	})
}

// flush is what one call of Flush works with, kept for the next one. It holds nothing of the chunk in between.
type flush struct {
	reader chunk.Reader
	fields *record.Finder // of the paths of all rules
	stages []stage        // by rule
	again  []*countedBefore
}

// Flush counts a chunk, whole or, where it panics, not at all. data is not kept. The error is always nil.
func (p *Plugin) Flush(data []byte, tag string, _ bool) error {
	p.count(data, tag)
	return nil
}

func (p *Plugin) count(data []byte, tag string) {
	f := p.pool.Get().(*flush)
	// A flush that panics is not put back: it may hold half a chunk.
	hash := chunkHash(data, tag)
	now := time.Now().UnixNano()
	f.walk(p.rules, data, tag, now)
	f.again = f.again[:0]
	for _, b := range p.before {
		if b.take(hash) {
			f.again = append(f.again, b)
		}
	}
	for i, r := range p.rules {
		s := &f.stages[i]
		if r.before != nil && slices.Contains(f.again, r.before) {
			r.own.repeated.Inc()
		} else {
			r.commit(s, now)
			p.report.look(r, s)
		}
		s.reset()
	}
	p.counted.add(hash)
	p.pool.Put(f)
}

// walk stages a chunk under every rule.
func (f *flush) walk(rules []*rule, data []byte, tag string, now int64) {
	defer f.fields.Reset(nil)
	defer f.reader.Reset(nil)
	for i, r := range rules {
		f.stages[i].text.begin(r.labels, tag)
	}
	for f.reader.Reset(data); ; {
		switch f.reader.Next() {
		case chunk.End:
			return
		case chunk.Record:
			f.fields.Reset(f.reader.Body)
			at := eventTime(&f.reader, now)
			for i, r := range rules {
				r.stage(&f.stages[i], f.fields, at)
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

// eventTime is a record's time in ns, at most now: a clock that runs ahead would have the last word on a gauge for ever.
func eventTime(r *chunk.Reader, now int64) int64 {
	if r.Sec > now/1e9 {
		return now // before it overflows
	}
	return min(r.Sec*1e9+int64(r.Nsec), now)
}
