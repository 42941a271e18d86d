package fieldmetrics

import (
	"fmt"
	"testing"
)

// benchRecord is what an application logs: 11 fields, one of them a map.
func benchRecord(user int) []byte {
	return rec(
		"time", "2024-03-09T12:34:56.789012345Z", "level", "INFO", "logger", "http", "msg", "order accepted",
		"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "user", fmt.Sprintf("u%07d", user),
		"status", 200, "duration_ms", 12.375, "method", "POST", "path", "/api/v1/orders/8372",
		"kubernetes", map[string]any{"pod": "checkout-7d9c5b", "namespace": "shop"},
	)
}

// BenchmarkFlush counts chunks of 1,000 records. SetBytes is the size of one record; ns/op is per record.
func BenchmarkFlush(b *testing.B) {
	run := func(name string, series int, s settings) {
		b.Run(name, func(b *testing.B) {
			s["listen"], s["metric_name"], s["max_series"] = "off", "m", "1000000"
			p := start(b, s)
			const each = 1000
			var chunks [][]byte
			for at := 0; at < max(series, each); at += each {
				var records [][]byte
				for i := range each {
					records = append(records, benchRecord((at+i)%series))
				}
				chunks = append(chunks, events(records...))
				flushed(b, p, chunks[len(chunks)-1])
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
	run("series=1", 1, perUser)
	run("series=10000", 10_000, perUser)
	run("series=100000", 100_000, perUser)
}
