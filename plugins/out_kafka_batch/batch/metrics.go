package batch

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/listen"
	"flbgo/shared/option"
)

// listenConfig is where the instance is seen.
type listenConfig struct {
	listen, webConfigFile string
}

func (c *listenConfig) parse(v *option.Values) {
	c.listen, c.webConfigFile = v.Text("listen"), v.Text("web_config_file")
	if err := listen.CheckAddress(c.listen); err != nil {
		v.Fail("listen", "%v", err)
	}
	if err := listen.CheckWebConfig(c.webConfigFile); err != nil {
		v.Fail("web_config_file", "%v", err)
	}
}

// metric is one row of the table of metrics that are read from stats.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*Output, *reading, emit)
}

// emit sends one sample, with the values of the metric's labels.
type emit func(value float64, labels ...string)

// reading is what a scrape reads once, so that its numbers belong together.
type reading struct {
	records
	answers         map[int16]int64
	bytes, rawBytes int64
	last            float64 // seconds since 1970
}

func newMetric(kind prometheus.ValueType, name, help string, read func(*Output, *reading, emit), labels ...string) metric {
	return metric{prometheus.NewDesc("kafka_batch_"+name, help, labels, nil), kind, read}
}

func counter(name, help string, read func(o *Output) int64) metric {
	return newMetric(prometheus.CounterValue, name, help, func(o *Output, _ *reading, e emit) { e(float64(read(o))) })
}

func gauge(name, help string, read func(o *Output) float64) metric {
	return newMetric(prometheus.GaugeValue, name, help, func(o *Output, _ *reading, e emit) { e(read(o)) })
}

func byReason(read func(*reading) map[string]int64) func(*Output, *reading, emit) {
	return func(_ *Output, r *reading, e emit) {
		for _, reason := range reasons {
			e(float64(read(r)[reason]), reason)
		}
	}
}

// metrics is everything that is shown, but the histograms. Of every scrape it holds that
//
//	records_taken_total = records_acknowledged_total + sum(records_dead_lettered_total) + sum(records_dropped_total) + records_open
var metrics = []metric{
	newMetric(prometheus.CounterValue, "records_taken_total", "Records that were taken from chunks to be sent.",
		func(_ *Output, r *reading, e emit) { e(float64(r.taken)) }),
	newMetric(prometheus.CounterValue, "records_acknowledged_total", "Records that the brokers have.",
		func(_ *Output, r *reading, e emit) { e(float64(r.acknowledged)) }),
	newMetric(prometheus.CounterValue, "records_dead_lettered_total", "Records that the brokers have in the dead-letter topic, by why.",
		byReason(func(r *reading) map[string]int64 { return r.dead }), "reason"),
	newMetric(prometheus.CounterValue, "records_dropped_total", "Records that were given up, by why.",
		byReason(func(r *reading) map[string]int64 { return r.dropped }), "reason"),
	newMetric(prometheus.GaugeValue, "records_open", "Records that were taken and are not yet decided.",
		func(_ *Output, r *reading, e emit) { e(float64(r.open)) }),
	newMetric(prometheus.CounterValue, "bytes_total", "Bytes of acknowledged batches, as sent.",
		func(_ *Output, r *reading, e emit) { e(float64(r.bytes)) }),
	newMetric(prometheus.CounterValue, "uncompressed_bytes_total", "Bytes of the records of acknowledged batches, before compression.",
		func(_ *Output, r *reading, e emit) { e(float64(r.rawBytes)) }),
	newMetric(prometheus.GaugeValue, "compression_ratio", "Bytes before compression by bytes after it, of all acknowledged batches; 0 before the first.",
		func(_ *Output, r *reading, e emit) {
			if r.bytes == 0 {
				e(0)
				return
			}
			e(float64(r.rawBytes) / float64(r.bytes))
		}),
	newMetric(prometheus.CounterValue, "responses_total", "Answers of brokers to batches, by error code and by what is done about it.",
		func(_ *Output, r *reading, e emit) {
			for code, n := range r.answers {
				e(float64(n), strconv.Itoa(int(code)), classify(code).String())
			}
		}, "code", "class"),
	newMetric(prometheus.GaugeValue, "last_success_timestamp_seconds", "When a batch was acknowledged last; 0 before the first.",
		func(_ *Output, r *reading, e emit) { e(r.last) }),
	counter("batches_total", "Batches that were acknowledged.", func(o *Output) int64 { return o.stats.batches.Load() }),
	counter("requests_total", "Produce requests that were sent.", func(o *Output) int64 { return o.stats.requests.Load() }),
	counter("request_failures_total", "Batches whose request brought no answer.", func(o *Output) int64 { return o.stats.network.Load() }),
	counter("retries_total", "Batches that were sent again.", func(o *Output) int64 { return o.stats.resends.Load() }),
	counter("unknown_responses_total", "Answers with a code that is not expected.", func(o *Output) int64 { return o.stats.unknown.Load() }),
	counter("rewritten_batches_total", "Batches that were split or written anew.", func(o *Output) int64 { return o.stats.splits.Load() }),
	newMetric(prometheus.CounterValue, "restamped_records_total", "Records sent with the present time: theirs is outside record_time_window, or a broker refused it.",
		func(o *Output, _ *reading, e emit) {
			e(float64(o.stats.outside.Load()), "window")
			e(float64(o.stats.restamped.Load()), "refused")
		}, "reason"),
	newMetric(prometheus.CounterValue, "rerouted_records_total", "Records that did not go to a topic of their own, by why.",
		func(o *Output, _ *reading, e emit) {
			for why := topicGood + 1; why < unusables; why++ {
				e(float64(o.stats.toDefault[why].Load()), why.String())
			}
		}, "reason"),
	newMetric(prometheus.CounterValue, "irregular_records_total", "Records that were sent with something missing, by what.",
		func(o *Output, _ *reading, e emit) {
			for i, name := range irregularNames {
				e(float64(o.stats.irregular[i].Load()), name)
			}
		}, "reason"),
	counter("moved_records_total", "Records moved off a partition that is no more.", func(o *Output) int64 { return o.stats.moved.Load() }),
	counter("producer_id_resets_total", "Producer ids that were replaced; each may duplicate one batch.", func(o *Output) int64 { return o.stats.newProducer.Load() }),
	counter("rate_limited_flushes_total", "Flushes answered RETRY because of a rate limit.", func(o *Output) int64 { return o.stats.limited.Load() }),
	counter("damaged_events_total", "Stretches of chunks that could not be read as events.", func(o *Output) int64 { return o.stats.damaged.Load() }),
	counter("panics_total", "Panics that were caught: bugs.", func(o *Output) int64 { return o.stats.panics.Load() }),
	gauge("requests_in_flight", "Produce requests that wait for an answer.", func(o *Output) float64 { return float64(o.cluster.leaders.underWay()) }),
	gauge("buffer_bytes", "Bytes of records that wait for Kafka.", func(o *Output) float64 { return float64(o.memory.used.Load()) }),
	gauge("buffer_max_bytes", "How many may.", func(o *Output) float64 { return float64(o.cfg.bufferMaxBytes) }),
	gauge("pending_chunks", "Chunks whose records are on their way while Fluent Bit is to bring them again; those that were refused at once are not among them.", func(o *Output) float64 { return float64(o.pending.len()) }),
	gauge("goroutines", "Goroutines of all instances of the plugin in this process.", func(*Output) float64 { return float64(runtime.NumGoroutine()) }),
	gauge("reachable", "1 while brokers can be reached, as far as is known, else 0.", func(o *Output) float64 {
		if o.cluster.isUnreachable() {
			return 0
		}
		return 1
	}),
}

// collector makes the metrics of an instance a prometheus.Collector.
type collector struct{ o *Output }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for i := range metrics {
		to <- metrics[i].desc
	}
	c.o.stats.latency.Describe(to)
	c.o.stats.batchSize.Describe(to)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	r := c.o.stats.read()
	for i := range metrics {
		m := &metrics[i]
		m.read(c.o, r, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
		})
	}
	c.o.stats.latency.Collect(to)
	c.o.stats.batchSize.Collect(to)
}

// read is a consistent reading.
func (s *stats) read() *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &reading{records: s.counts, answers: maps.Clone(s.answers), bytes: s.bytes, rawBytes: s.rawBytes}
	r.dead, r.dropped = maps.Clone(s.counts.dead), maps.Clone(s.counts.dropped)
	if !s.last.IsZero() {
		r.last = float64(s.last.UnixMilli()) / 1e3
	}
	return r
}

// open starts to serve /metrics and /healthz. Instances at one address tell their metrics apart by the label client_id.
func (o *Output) open(described string) error {
	registry := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(prometheus.Labels{"client_id": o.cfg.clientID}, registry).MustRegister(collector{o})
	l, err := listen.Open(listen.Config{
		Address:       o.cfg.listen,
		WebConfigFile: o.cfg.webConfigFile,
		Owner:         "kafka_batch " + described,
		Metrics:       registry,
		Names:         []string{"kafka_batch with client_id " + o.cfg.clientID},
		Health:        o.Health,
		Log:           o.log,
	})
	if clash := (*listen.NameError)(nil); errors.As(err, &clash) {
		return fmt.Errorf("option listen: %w: give each a client_id of its own", err)
	}
	if err != nil {
		return fmt.Errorf("option listen: %w", err)
	}
	o.listener = l
	if address := l.Addr(); address != "" {
		o.log.Info("serving /metrics and /healthz", "address", address)
	}
	return nil
}
