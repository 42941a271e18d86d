package batch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/option"
)

func getter(options ...string) option.Getter {
	set := map[string]string{"brokers": "127.0.0.1:1", "topics": "logs"}
	for i := 0; i < len(options); i += 2 {
		set[options[i]] = options[i+1]
	}
	return func(name string) string { return set[name] }
}

func testConfig(t testing.TB, options ...string) *config {
	t.Helper()
	c, _, err := parseConfig(getter(append([]string{"record_time_window", "87600h"}, options...)...)) // the events are of 2023
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// pairs is a msgpack map of text keys and the values string, int, float64, bool, nil or []byte (raw msgpack).
func pairs(kv ...any) []byte {
	b := msgp.AppendMapHeader(nil, uint32(len(kv)/2))
	for i := 0; i < len(kv); i += 2 {
		b = msgp.AppendString(b, kv[i].(string))
		if raw, ok := kv[i+1].([]byte); ok {
			b = append(b, raw...)
			continue
		}
		b, _ = msgp.AppendIntf(b, kv[i+1])
	}
	return b
}

// encodeOne is key and value of a chunk's only record.
func encodeOne(t *testing.T, cfg *config, data []byte) (key, value string) {
	t.Helper()
	e := newEncoder(cfg)
	s := e.get()
	e.encode(s, data, "app")
	if len(s.entries) != 1 {
		t.Fatalf("%d records", len(s.entries))
	}
	n := &s.entries[0]
	return string(n.key.of(s.text)), string(n.value.of(s.text))
}

func TestEncodeValue(t *testing.T) {
	f := func(name string, body []byte, want string, options ...string) {
		t.Run(name, func(t *testing.T) {
			for _, modern := range []bool{false, true} {
				data := chunk.AppendEvent(nil, 1700000000, 123456789, nil, body, modern)
				if _, got := encodeOne(t, testConfig(t, options...), data); got != want {
					t.Errorf("%s\nwant %s", got, want)
				}
			}
		})
	}
	f("default", pairs("a", 1, "b", "x"), `{"@timestamp":1700000000.123456789,"a":1,"b":"x"}`)
	f("no fields", pairs(), `{"@timestamp":1700000000.123456789}`)
	f("no fields, no time", pairs(), `{}`, "add_timestamp", "off")
	f("no time", pairs("@timestamp", 7, "a", 1), `{"@timestamp":7,"a":1}`, "add_timestamp", "off")
	f("replaced", pairs("a", 1, "@timestamp", "old", "b", 2), `{"@timestamp":1700000000.123456789,"a":1,"b":2}`)
	f("replaced, all of them", pairs("@timestamp", "old", "@timestamp", "older"), `{"@timestamp":1700000000.123456789}`)
	f("the name inside another", pairs("x@timestamp", "@timestamp"), `{"@timestamp":1700000000.123456789,"x@timestamp":"@timestamp"}`)
	f("nested is another field", pairs("a", pairs("@timestamp", 1)), `{"@timestamp":1700000000.123456789,"a":{"@timestamp":1}}`)
	f("own key", pairs("time", 1), `{"time":"2023-11-14T22:13:20.123456Z"}`, "timestamp_key", "time", "timestamp_format", "iso8601")
	f("odd key", pairs(), `{"t\"":1700000000123}`, "timestamp_key", `t"`, "timestamp_format", "epoch_ms")
	f("nanoseconds", pairs(), `{"@timestamp":"2023-11-14T22:13:20.123456789Z"}`, "timestamp_format", "iso8601_ns")
}

func TestTimestamp(t *testing.T) {
	f := func(format string, sec int64, nsec uint32, want string) {
		t.Helper()
		var c clock
		for range 2 { // the second time from the remembered second
			if got := string(c.append(nil, timestampFormats[format], sec, nsec)); got != want {
				t.Errorf("%s: %s, want %s", format, got, want)
			}
		}
	}
	f("double", 0, 0, "0.0")
	f("double", 1700000000, 0, "1700000000.0")
	f("double", 1700000000, 500000000, "1700000000.5")
	f("double", 1700000000, 1, "1700000000.000000001")
	f("double", 4294967295, 999999999, "4294967295.999999999")
	f("iso8601", 0, 0, `"1970-01-01T00:00:00.000000Z"`)
	f("iso8601", 4294967295, 999999999, `"2106-02-07T06:28:15.999999Z"`)
	f("iso8601_ns", 1700000000, 5, `"2023-11-14T22:13:20.000000005Z"`)
	f("epoch_ms", 1700000000, 999999999, "1700000000999")
}

func TestEncodeKey(t *testing.T) {
	f := func(path string, body []byte, want string) {
		t.Helper()
		key, _ := encodeOne(t, testConfig(t, "message_key_field", path), chunk.AppendEvent(nil, 1, 0, nil, body, true))
		if key != want {
			t.Errorf("%s: key %q, want %q", path, key, want)
		}
	}
	f("user", pairs("user", "ann"), "ann")
	f("user", pairs("user", 42), "42")
	f("user", pairs("user", nil), "")
	f("user", pairs("other", 1), "")
	f("$kubernetes['pod_name']", pairs("kubernetes", pairs("pod_name", "p-1")), "p-1")
}

// Group markers are not records, damage costs the event that has it, and times that a sender wrote oddly are kept.
func TestEncodeEvents(t *testing.T) {
	data := chunk.AppendGroupStart(nil, nil, pairs("resource", "r"))
	data = chunk.AppendEvent(data, 5, 1_500_000_000, nil, pairs("n", 1), true)
	data = chunk.AppendGroupEnd(data)
	data = append(data, 0x01) // an integer is no event
	data = chunk.AppendEvent(data, 6, 0, nil, pairs("n", 2), false)
	data = append(data, 0x92, 0xd7) // cut short

	e := newEncoder(testConfig(t))
	e.now = func() time.Time { return time.Unix(7, 0) }
	s := e.get()
	e.encode(s, data, "app")
	if len(s.entries) != 2 || s.damaged != 2 {
		t.Fatalf("%d records, %d damaged", len(s.entries), s.damaged)
	}
	if s.entries[0].ms != 6500 || s.entries[1].ms != 6000 {
		t.Errorf("times %d and %d", s.entries[0].ms, s.entries[1].ms)
	}
	if s.reason != chunk.NotAnEvent {
		t.Errorf("reason %v", s.reason)
	}
}

// The hot path allocates nothing once the scratch has grown, neither per record nor per chunk.
func TestEncodeAllocatesNothing(t *testing.T) {
	f := func(name string, data []byte, options ...string) {
		t.Helper()
		e := newEncoder(testConfig(t, options...))
		s := e.get()
		if n := testing.AllocsPerRun(20, func() { e.encode(s, data, "app") }); n != 0 {
			t.Errorf("%s: %v allocations per chunk", name, n)
		}
	}
	f("plain", benchChunk(300))
	f("id by time, equal records", bytes.Repeat(event(nil, "same", 1), 300))
	f("iso", benchChunk(300), "timestamp_format", "iso8601")
	f("keyed", benchChunk(300), "message_key_field", "$kubernetes['pod']")
	replaced := bytes.Repeat(chunk.AppendEvent(nil, 1, 2, nil, pairs("a", "b", "@timestamp", 1), true), 300)
	f("replaced", replaced)
	rich := modern(pairs("k", pairs("h", 1, "i", 2.5), "@timestamp", 1, "level", "warn", "service.name", "shop", "n", 7, "file", "/x.log", "offset", 9,
		"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "span_id", "00f067aa0ba902b7", "x", 1), pairs("m", 1))
	rich = append(chunk.AppendGroupStart(nil, nil, pairs("g", 1)), bytes.Repeat(rich, 300)...)
	all := []string{"topic", "logs-$level-$TAG[0]", "topic_key", "$missing", "message_key", "x", "message_key_field", "$k['h']", "tag_key", "tag",
		"exclude_fields", "x,n", "include_metadata", "on", "headers", "a=b", "header_fields", "n=$n,level=$level,k=k", "headers_key", "k", "trace_headers", "on"}
	f("all", rich, all...)
	f("all, outside the window", rich, append(all, "record_time_window", "1h")...)
	f("all, msgpack", rich, append(all, "format", "msgpack")...)
	f("all, raw", rich, append(all, "format", "raw", "raw_log_key", "$k")...)
	f("id in the value", rich, "record_id_key", "record_id")
	f("field's id in the value", rich, "record_id_key", "record_id", "record_id", "$n")
	f("all, id from a field", rich, append(all, "record_id", "$n")...)
	var topics []byte
	for i := range 500 {
		topics = append(topics, modern(pairs("t", fmt.Sprintf("t%d", i)), nil)...)
	}
	f("500 topics", topics, "topic", "$t")
}

// fault is what the runtime panics with at an address that is not mapped.
type fault struct{ error }

func (fault) Addr() uintptr { return 4096 }

// A record that makes the encoder panic costs itself, also when it panics after it has written something; a fault in
// borrowed memory is no record's fault.
func TestEncodeIsolated(t *testing.T) {
	e := newEncoder(testConfig(t))
	s := e.get()
	var data []byte
	for _, v := range []string{"a", "poison", "b"} {
		data = chunk.AppendEvent(data, 1, 0, nil, pairs("v", v), true)
	}
	poisoned := func(with any) func(*scratch) {
		return func(s *scratch) {
			e.record(s)
			if bytes.Contains(s.reader.Body, []byte("poison")) {
				panic(with)
			}
		}
	}
	e.walk(s, data, "app", func(s *scratch) { isolated(s, 100, poisoned("made up")) })
	if len(s.entries) != 2 || len(s.lost) != 1 {
		t.Fatalf("%d records, %d lost", len(s.entries), len(s.lost))
	}
	for i, want := range []string{`{"@timestamp":1.0,"v":"a"}`, `{"@timestamp":1.0,"v":"b"}`} {
		if got := string(s.entries[i].value.of(s.text)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !strings.Contains(string(s.lost[0].stack), "TestEncodeIsolated") || s.lost[0].panicked != "made up" {
		t.Errorf("noted: %v", s.lost[0].panicked)
	}

	defer func() {
		if recover() == nil {
			t.Error("a fault was taken for the record's")
		}
	}()
	e.walk(s, data, "app", func(s *scratch) { isolated(s, 100, poisoned(fault{})) })
}

// benchChunk is n records of 11 fields with one nested map, each 318 bytes or so as JSON.
func benchChunk(n int) []byte {
	var b []byte
	for i := range n {
		body := pairs("time", "2024-03-09T12:34:56.789012345Z", "level", "INFO", "logger", "checkout.http",
			"msg", "order accepted, waiting for payment", "traceparent", fmt.Sprintf("00-%032x-%016x-01", i*7919, i*104729),
			"user", fmt.Sprintf("%08x", i*2654435761), "status", 200, "duration_ms", 12.375+float64(i%100), "method", "POST",
			"path", fmt.Sprintf("/api/v1/orders/%d", i*31), "kubernetes", pairs("pod", "checkout-7d9c5b", "namespace", "shop"))
		b = chunk.AppendEvent(b, 1700000000+int64(i/1000), uint32(i%1000)*1e6, nil, body, true)
	}
	return b
}

func BenchmarkEncode(b *testing.B) {
	f := func(name string, options ...string) {
		b.Run(name, func(b *testing.B) {
			const records = 1000
			data := benchChunk(records)
			e := newEncoder(testConfig(b, options...))
			s := e.get()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				e.encode(s, data, "app")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
		})
	}
	f("default")
	f("without id", "record_id", "off")
	f("keyed", "message_key_field", "$kubernetes['pod']")
	f("topic", "topic", "logs-$kubernetes['namespace']")
	f("headers", "headers", "env=prod", "header_fields", "level=$level,pod=$kubernetes['pod']")
	f("excluded", "exclude_fields", "kubernetes,logger", "tag_key", "tag")
	f("msgpack", "format", "msgpack")
	f("raw", "format", "raw", "raw_log_key", "msg")
}
