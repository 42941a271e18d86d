package fieldmetrics

import (
	"strings"
	"testing"
)

// Once its series exist, no record allocates, whatever is wrong with it.
func TestFlushDoesNotAllocate(t *testing.T) {
	f := func(s settings, records ...[]byte) {
		t.Helper()
		s["listen"] = "off"
		p := start(t, s)
		for range 8 {
			records = append(records, records...)
		}
		data := append(events(records...), 0xc1)
		flushed(t, p, data)
		flushed(t, p, data) // in the order of the pool
		// Where the pool was emptied, as the race detector has it do at random, a flush makes its buffers anew.
		if n := testing.AllocsPerRun(20, func() { _ = p.Flush(data, "app", false) }); n > 32 {
			t.Errorf("%v: %v allocations for %d records", s, n, len(records))
		}
	}
	labels := "level,$http.status,$http['path'],list"
	record := func(v any) []byte {
		return rec("level", "in\xffo", "http", map[string]any{"status": 200, "path": strings.Repeat("ä", maxLabelValue)},
			"list", []any{1, "x"}, "v", v)
	}
	f(settings{"metric_name": "m", "label_fields": labels}, record(1), rec("x", 1))
	f(settings{"metric_name": "m", "label_fields": labels, "field": "v"}, record(1), record("2.5"), record("?"), record(-1))
	f(settings{"metric_name": "m", "metric_type": "gauge", "label_fields": labels, "field": "v"}, record(1), record(nil))
	f(settings{"metric_name": "m", "metric_type": "histogram", "label_fields": labels, "field": "v"}, record(1), record(2.5))
	f(settings{"metric_name": "m", "label_fields": "v", "max_series": "1"}, record(1), record(2))
	f(settings{"metric_name": "m", "metric_mode": "native_histogram", "value_field": "v"}, record(1), record(2.5), record(-3))
	f(settings{"metric_name": "m", "value_field": "v", "unit": "s", "number_unit": "ms"}, record(1), record("12ms"), record("PT1.5S"), record("1,234"), record("1 parsec"))
	if !raceDetector { // it empties the pool in which regular expressions have their memory
		f(settings{"metric_name": "m", "regex": "level ^in", "exclude": "v ^[0-9]$"}, record(1), record(25), record("x"))
	}
	f(settings{"metric_name": "m", "labels": "tag=$TAG,part=x-$TAG[0],none=$TAG[7]", "label_field": "level"}, record(1))
	// An exemplar at a time, and its memory is there.
	f(settings{"metric_name": "m", "metric_mode": "histogram", "value_field": "v", "exemplar_interval": "0"},
		rec("v", 1, "trace_id", trace, "span_id", span), rec("v", 100, "trace_id", trace))
	file := t.TempDir() + "/metrics.yaml"
	write(t, file, `
metrics:
  - name: a_total
    labels: {class: {field: $http.status, values: {"5..": 5xx, "2..": 2xx}}, user: {field: user, default: none}}
    where: {or: [{field: v, in: [1, 2, x]}, {field: $http.status, gte: 500}, {field: level, not_regex: ^x}]}
  - {name: b, type: gauge, value: v, action: sub}
`)
	if !raceDetector {
		f(settings{"metrics_file": file}, record(1), record("x"))
	}
}
