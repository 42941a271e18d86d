package fieldmetrics

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// benchRecord is what an application logs: 11 fields, one of them a map.
func benchRecord(user int, more ...any) []byte {
	return rec(append(slices.Clone(more),
		"time", "2024-03-09T12:34:56.789012345Z", "level", "INFO", "logger", "http", "msg", "order accepted",
		"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "user", fmt.Sprintf("u%07d", user),
		"status", 200, "duration_ms", 12.375, "method", "POST", "path", "/api/v1/orders/8372",
		"kubernetes", map[string]any{"pod": "checkout-7d9c5b", "namespace": "shop"},
	)...)
}

// BenchmarkFlush counts chunks of 1,000 records. SetBytes is the size of one record; ns/op is per record.
func BenchmarkFlush(b *testing.B) {
	run := func(name string, series int, s settings, more ...any) {
		b.Run(name, func(b *testing.B) {
			s["listen"], s["metric_name"], s["max_series"] = "off", "m", "1000000"
			p := start(b, s)
			const each = 1000
			var chunks [][]byte
			for at := 0; at < max(series, each); at += each {
				var records, mixed [][]byte
				for i := range each {
					records = append(records, benchRecord((at+i)%series, more...))
					// In another order than that in which the series were made: memory that is read in its order costs little.
					mixed = append(mixed, benchRecord((at+i)*7919%series, more...))
				}
				flushed(b, p, events(records...))
				chunks = append(chunks, events(mixed...))
			}
			for _, c := range chunks {
				flushed(b, p, c)
			}
			b.SetBytes(int64(len(chunks[0]) / each))
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += each {
				_ = p.Flush(chunks[i/each%len(chunks)], "app", false)
			}
		})
	}
	histogram := settings{"metric_type": "histogram", "field": "duration_ms", "label_fields": "level,method,status", "buckets": "1,5,10,25,50,100,250,500,1000"}
	perUser := settings{"label_fields": "user"}
	run("counter", 1, settings{})
	run("counter/labels", 1, settings{"label_fields": "level,status"})
	run("histogram/labels", 1, histogram)
	run("histogram/labels/exemplars", 1, histogram, "trace_id", trace, "span_id", span)
	run("series=1", 1, perUser)
	run("series=10000", 10_000, perUser)
	run("series=100000", 100_000, perUser)
	perUserHistogram := settings{"metric_type": "histogram", "field": "duration_ms", "label_fields": "user", "buckets": "1,5,10,25,50,100,250,500,1000"}
	run("histogram/series=1", 1, perUserHistogram)
	run("histogram/series=100000", 100_000, perUserHistogram)
	run("native", 1, settings{"metric_type": "native_histogram", "field": "duration_ms"})
	run("condition", 1, settings{"regex": "level ^(INFO|WARN)$"})
	run("unit", 1, settings{"field": "duration_ms", "unit": "s", "number_unit": "ms"})
}

// BenchmarkTable is what one update of a histogram costs in the table alone, against client_golang's vector.
func BenchmarkTable(b *testing.B) {
	bounds := presets["milliseconds"]
	for _, n := range []int{1, 100_000} {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprintf("user-%d", i*7919%n))
		}
		b.Run(fmt.Sprintf("table/series=%d", n), func(b *testing.B) {
			r := &rule{ruleConfig: ruleConfig{Kind: histogram}, buckets: bounds, table: newTable(n, len(bounds), nil)}
			for _, k := range keys {
				r.table.add(tagOf([]byte(k)), []byte(k), 0)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				key := []byte(keys[i*7919%n])
				i++
				p := point{value: 12, size: int32(len(key)), tag: tagOf(key)}
				r.update(r.table.find(p.tag, key), &p, key, 0)
			}
		})
		b.Run(fmt.Sprintf("client_golang/series=%d", n), func(b *testing.B) {
			v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h", Buckets: bounds}, []string{"user"})
			for _, k := range keys {
				v.WithLabelValues(k)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				v.WithLabelValues(keys[i*7919%n]).Observe(12)
				i++
			}
		})
	}
}

// BenchmarkGather is what a scrape costs before it is written, per series.
func BenchmarkGather(b *testing.B) {
	const series = 100_000
	p := start(b, settings{"metric_name": "m_total", "label_field": "user,level", "max_series": "1000000", "listen": "off"})
	for at := 0; at < series; at += 1000 {
		var records [][]byte
		for i := range 1000 {
			records = append(records, benchRecord(at+i))
		}
		flushed(b, p, events(records...))
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += series {
		if _, err := p.registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
